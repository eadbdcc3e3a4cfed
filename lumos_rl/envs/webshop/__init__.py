"""WebShop: a shop to find and buy products in."""
