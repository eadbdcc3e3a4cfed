"""Colour names brought down to one word, as WebShop's reward does before it compares options.

>>> normalize_color("light blue"), normalize_color("rose gold"), normalize_color("standard")
('blue', 'gold', 'tan')
"""

from __future__ import annotations

from typing import TypeAlias

# In alphabetical order: the first that occurs anywhere in a text wins, inside other words too.
COLORS = (
    *("alabaster", "apricot", "aqua", "ash", "asphalt", "azure", "banana", "beige", "black", "blue", "blush"),
    *("bordeaux", "bronze", "brown", "burgundy", "camel", "camo", "caramel", "champagne", "charcoal", "cheetah"),
    *("chestnut", "chocolate", "christmas", "coffee", "cognac", "copper", "coral", "cranberry", "cream", "crystal"),
    *("dark", "denim", "eggplant", "elephant", "espresso", "fuchsia", "gold", "granite", "grape", "graphite", "grass"),
    *("gray", "green", "grey", "heather", "indigo", "ivory", "ivy", "khaki", "lavender", "lemon", "leopard", "light"),
    *("lilac", "lime", "magenta", "maroon", "mauve", "merlot", "midnight", "mint", "mocha", "multicolor", "mushroom"),
    *("mustard", "natural", "navy", "nude", "olive", "orange", "peach", "pewter", "pink", "plum", "purple", "rainbow"),
    *("red", "rose", "royal", "rust", "sand", "sapphire", "seashell", "silver", "skull", "slate", "steel", "stone"),
    *("stonewash", "sunflower", "tan", "taupe", "teal", "tiger", "turquoise", "violet", "walnut", "wheat", "white"),
    *("wine", "yellow"),
)

Option: TypeAlias = str | tuple[str, ...]


def normalize_color(option: Option) -> Option:
    """The first colour of `COLORS` that the option holds, else the option as it is.

    A text holds a colour as part of it, in lower case. A tuple (name, value), which synthetic goals have for options,
    holds one only as a whole element.
    """
    return next((color for color in COLORS if color in option), option)
