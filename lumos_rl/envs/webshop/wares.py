"""The goods of the built-in shop: kinds of goods with their attributes, options and prices.

One kind, from which `suite` makes a product for each combination of attributes:

    Ware("desk lamp", "home", "Home & Kitchen › Lighting › Desk Lamps", ("dimmable", …), {"color": (…)}, (15, 90))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ware:
    """A kind of goods.

    Attributes:
        noun: Its name.
        category: Department.
        path: Its place in the tree of categories.
        attributes: Possible attributes.
        options: Option name → possible values.
        prices: Lowest and highest price in dollars.
        attributes_each: How many of the attributes a product has.
    """

    noun: str
    category: str
    path: str
    attributes: tuple[str, ...]
    options: Mapping[str, tuple[str, ...]]
    prices: tuple[int, int]
    attributes_each: int = 2


BRANDS = (
    *("Alvora", "Brimtal", "Corvane", "Dellmer", "Elvisto", "Fenwold", "Garlund", "Hestrel", "Ibrisa", "Jorvik"),
    *("Kelmont", "Lumeris", "Mirando", "Norvane", "Oslette", "Pellaro", "Quendal", "Rovenna", "Sandrel", "Tervik"),
)

_COLORS = ("black", "white", "navy", "green", "burgundy", "yellow")
_SIZES = ("small", "medium", "large", "x-large")

WARES = (
    Ware(
        "desk lamp",
        "home",
        "Home & Kitchen › Lighting › Desk Lamps",
        ("dimmable", "battery powered", "foldable", "usb charging", "eye caring", "touch control", "cordless"),
        {"color": _COLORS},
        (15, 90),
    ),
    Ware(
        "running shoes",
        "fashion",
        "Clothing & Shoes › Athletic › Running Shoes",
        ("non slip", "lightweight", "water resistant", "rubber sole", "arch support", "memory foam", "quick drying"),
        {"color": _COLORS, "size": ("7", "8", "9", "10", "11")},
        (35, 160),
    ),
    Ware(
        "rain jacket",
        "fashion",
        "Clothing & Shoes › Outerwear › Rain Jackets",
        ("machine wash", "windproof", "with hood", "zip pockets", "packable", "fleece lined", "long sleeve"),
        {"color": _COLORS, "size": _SIZES},
        (25, 140),
    ),
    Ware(
        "backpack",
        "fashion",
        "Luggage & Travel › Bags › Backpacks",
        ("laptop sleeve", "carry on", "anti theft", "padded straps", "expandable", "leather free", "bottle holder"),
        {"color": _COLORS, "capacity": ("20 liter", "30 liter", "45 liter")},
        (20, 150),
    ),
    Ware(
        "body lotion",
        "beauty",
        "Beauty & Personal Care › Skin Care › Body Lotions",
        (
            "fragrance free",
            "cruelty free",
            "sensitive skin",
            "paraben free",
            "fast absorbing",
            "tea tree",
            "shea butter",
        ),
        {"scent": ("vanilla", "citrus", "cucumber"), "size": ("8 fl oz", "16 fl oz")},
        (5, 40),
    ),
    Ware(
        "hair brush",
        "beauty",
        "Beauty & Personal Care › Hair Care › Brushes",
        (
            "boar bristle",
            "detangling",
            "anti static",
            "wooden handle",
            "heat resistant",
            "travel size",
            "scalp massage",
        ),
        {"color": ("black", "pink", "teal")},
        (6, 35),
    ),
    Ware(
        "green tea",
        "grocery",
        "Grocery & Gourmet Food › Beverages › Tea",
        ("caffeine free", "usda organic", "gluten free", "loose leaf", "non gmo", "sugar free", "kosher certified"),
        {"flavor name": ("jasmine", "ginger", "chamomile"), "size": ("20 count", "100 count")},
        (4, 30),
    ),
    Ware(
        "trail mix",
        "grocery",
        "Grocery & Gourmet Food › Snacks › Trail Mix",
        ("low sodium", "high protein", "nut free", "dairy free", "plant based", "resealable bag", "no added sugar"),
        {"flavor name": ("tropical", "berry", "cocoa"), "size": ("pack of 1", "pack of 6", "pack of 12")},
        (6, 60),
    ),
    Ware(
        "wireless headphones",
        "electronics",
        "Electronics › Audio › Headphones",
        ("noise cancelling", "fast charging", "hands free", "sweat proof", "long battery", "deep bass", "on ear"),
        {"color": ("black", "white", "navy", "rose gold")},
        (20, 320),
    ),
    Ware(
        "phone case",
        "electronics",
        "Electronics › Cell Phones › Cases",
        ("shock absorbing", "card slots", "scratch proof", "wireless charging", "slim fit", "built in stand", "clear"),
        {"color": ("black", "pink", "green"), "model": ("pixel 8", "galaxy s23", "iphone 14")},
        (8, 45),
    ),
    Ware(
        "bookshelf",
        "home",
        "Home & Kitchen › Furniture › Bookshelves",
        ("easy assembly", "space saving", "solid wood", "steel frame", "wall mounted", "adjustable shelves", "corner"),
        {"color": ("walnut", "white", "black"), "size": ("3 tier", "5 tier")},
        (40, 990),
    ),
    Ware(
        "bath towel",
        "home",
        "Home & Kitchen › Bath › Towels",
        ("quick dry", "super soft", "oeko certified", "bamboo fiber", "extra absorbent", "lint free", "hotel quality"),
        {"color": _COLORS, "size": ("hand", "bath", "sheet")},
        (8, 70),
    ),
    Ware(
        "yoga mat",
        "sports",
        "Sports & Outdoors › Exercise › Yoga Mats",
        ("extra thick", "latex free", "carrying strap", "moisture proof", "double sided", "alignment lines", "cork"),
        {"color": ("purple", "teal", "black"), "thickness": ("4 mm", "6 mm", "10 mm")},
        (12, 95),
    ),
    Ware(
        "dog bed",
        "pets",
        "Pet Supplies › Dogs › Beds",
        ("orthopedic foam", "removable cover", "chew proof", "calming", "raised edges", "self warming", "cooling gel"),
        {"color": ("brown", "gray", "beige"), "size": _SIZES},
        (18, 150),
    ),
)

# Kinds with options and numbers of attributes that the others do not have; no other split asks for them.
UNSEEN_WARES = (
    Ware(
        "garden hose",
        "garden",
        "Patio & Garden › Watering › Hoses",
        ("kink free", "frost proof", "brass fittings", "drinking safe", "crush proof"),
        {"length": ("10 meter", "25 meter", "50 meter"), "diameter": ("13 mm", "19 mm")},
        (18, 120),
        attributes_each=3,
    ),
    Ware(
        "acoustic guitar",
        "music",
        "Musical Instruments › Guitars › Acoustic",
        ("cedar top", "left handed", "cutaway body", "nylon strings", "matte finish"),
        {"scale": ("half", "three quarter", "full")},
        (90, 780),
        attributes_each=3,
    ),
    Ware(
        "jigsaw puzzle",
        "toys",
        "Toys & Games › Puzzles › Jigsaw Puzzles",
        ("recycled board", "glow in the dark", "random cut", "linen print", "double wall box", "dust free"),
        {"pieces": ("500", "1000", "2000"), "motif": ("harbor", "mountains")},
        (9, 55),
    ),
    Ware(
        "car battery",
        "automotive",
        "Automotive › Electrical › Batteries",
        ("maintenance free", "start stop", "vibration proof", "leak proof", "cold cranking", "fully charged"),
        {"voltage": ("6 v", "12 v"), "terminal": ("side post", "top post")},
        (60, 260),
    ),
    Ware(
        "baby bottle",
        "baby",
        "Baby › Feeding › Bottles",
        ("anti colic", "wide neck", "bpa free", "glass body", "slow flow"),
        {"flow": ("newborn", "three months"), "volume": ("120 ml", "240 ml"), "set": ("single", "trio")},
        (6, 45),
        attributes_each=3,
    ),
    Ware(
        "fountain pen",
        "office",
        "Office Products › Writing › Fountain Pens",
        ("gold plated", "piston filler", "smudge free", "screw cap", "brushed metal", "refillable"),
        {"nib": ("fine", "medium", "broad"), "ink": ("sepia", "indigo")},
        (12, 310),
    ),
)
