"""Reduces colour names to one word, as WebShop's reward does before it compares options.

>>> normalize_color("light blue"), normalize_color("rose gold"), normalize_color("standard")
('blue', 'gold', 'tan')
"""

from __future__ import annotations

from typing import TypeAlias

# In alphabetical order: the first one that occurs in a text wins, even inside another word.
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
    """The first colour of `COLORS` in the option; the option itself if there is none.

    In a text, a colour is found as a substring, in lower case. In a tuple (name, value), the options of synthetic
    goals, it must be a whole element.
    """
    return next((color for color in COLORS if color in option), option)
