"""Templates of the built-in suite in the style of SVAMP: problems of one or two steps, with an irrelevant number.

"{name} had {a} {item} and {c} bags. {b} {item} were sold. How many {item} are left?"   → Calculator(a - b)
"""

from __future__ import annotations

import random

from lumos_rl.envs.math.template import Numbers, Template, ranges


def _packs_left(rng: random.Random) -> Numbers:
    a, b = rng.randint(3, 20), rng.randint(4, 30)
    return {"a": a, "b": b, "c": rng.randint(2, a * b - 1), "d": rng.randint(2, 60)}


def _less(rng: random.Random) -> Numbers:
    a = rng.randint(12, 90)
    return {"a": a, "b": rng.randint(2, a - 2), "c": rng.randint(2, 60)}


def _groups(rng: random.Random) -> Numbers:
    k, each = rng.randint(2, 12), rng.randint(3, 25)
    return {"a": k * each, "k": k, "c": rng.randint(2, 60)}


def _shop(rng: random.Random) -> Numbers:
    a, b = rng.randint(3, 40), rng.randint(3, 40)
    return {"m": a + b + rng.randint(2, 60), "a": a, "b": b, "c": rng.randint(2, 60)}


def _shared(rng: random.Random) -> Numbers:
    k, each = rng.randint(2, 9), rng.randint(4, 20)
    a = rng.randint(2, k * each - 2)
    return {"a": a, "b": k * each - a, "k": k, "c": rng.randint(2, 60)}


TEMPLATES = (
    Template(
        "left",
        _less,
        (
            "{name} had {a} {item} and {c} bags. {b} {item} were sold. How many {item} are left?",
            "There were {a} {item}. {name} gave away {b} {item} and took {c} bags. How many {item} remain?",
        ),
        (("Find the {item} that are left.", "{a} - {b}"),),
    ),
    Template(
        "before",
        ranges(a=(3, 90), b=(3, 90), c=(2, 60)),
        (
            "{name} gave away {a} {item} and has {b} {item} and {c} bags now. How many {item} were there before?",
            "After {name} sold {a} {item}, {b} {item} and {c} bags are left. How many {item} did {name} have?",
        ),
        (("Find the {item} that were there before.", "{a} + {b}"),),
    ),
    Template(
        "more",
        _less,
        (
            "{name} has {a} {item}, {other} has {b} {item} and {c} bags. How many more {item} does {name} have?",
            "{other} found {b} {item} in {c} days and {name} found {a}. How many more did {name} find?",
        ),
        (("Find the difference.", "{a} - {b}"),),
    ),
    Template(
        "packs",
        ranges(a=(2, 30), b=(2, 30), c=(2, 60)),
        (
            "{name} has {a} packs of {b} {item} and {c} bags. How many {item} does {name} have?",
            "Each of {a} boxes holds {b} {item}. {name} also has {c} bags. How many {item} are in the boxes?",
        ),
        (("Find the {item} in all.", "{a} * {b}"),),
    ),
    Template(
        "groups",
        _groups,
        (
            "{name} puts {a} {item} and {c} bags on {k} shelves. How many {item} are on each shelf?",
            "{a} {item} are shared by {k} friends of age {c}. How many {item} does each get?",
        ),
        (("Find the {item} for each.", "{a} / {k}"),),
    ),
    Template(
        "packs_left",
        _packs_left,
        (
            "{name} has {a} packs of {b} {item} and {d} bags. {c} {item} are sold. How many {item} are left?",
            "{c} {item} are taken out of {a} boxes of {b} {item} each. {name} has {d} bags. How many {item} remain?",
        ),
        (("Find the {item} in all.", "{a} * {b}"), ("Find the {item} that are left.", "R1 - {c}")),
    ),
    Template(
        "two_gifts",
        ranges(a=(3, 90), b=(3, 60), c=(3, 60), d=(2, 60)),
        (
            "{name} has {a} {item} and {d} bags, then gets {b} {item} and later {c} more. How many {item} is that?",
            "{name} found {b} {item}, then {c} {item} in {d} days. At first it was {a} {item}. How many are there now?",
        ),
        (("Add the first {item} found.", "{a} + {b}"), ("Add the other {item} found.", "R1 + {c}")),
    ),
    Template(
        "fewer",
        _less,
        (
            "{name} has {a} {item} and {c} bags. {other} has {b} fewer {item}. How many {item} does {other} have?",
            "{other} found {b} fewer {item} than {name} in {c} days. {name} found {a}. How many did {other} find?",
        ),
        (("Find the {item} of {other}.", "{a} - {b}"),),
    ),
    Template(
        "shop",
        _shop,
        (
            "{name} had ${m} and {c} bags and spent ${a} on {item} and ${b} on food. How much money is left?",
            "After {name} paid ${a} for {item} and ${b} for {c} cakes, how much of ${m} is left?",
        ),
        (("Take off the money for {item}.", "{m} - {a}"), ("Take off the other money.", "R1 - {b}")),
    ),
    Template(
        "price",
        _groups,
        (
            "{name} paid ${a} for {k} {item} of the same price, and has ${c} left. What did each cost?",
            "{k} {item} cost ${a} together, and a bag costs ${c}. How much is one of the {item}?",
        ),
        (("Find the price of one.", "{a} / {k}"),),
    ),
    Template(
        "rows",
        ranges(a=(2, 30), b=(2, 30), c=(2, 60)),
        (
            "There are {a} rows of {b} {item} and {c} bags in a shop. How many {item} are there?",
            "{name} puts {b} {item} in each of {a} rows in {c} minutes. How many {item} does {name} need?",
        ),
        (("Find the {item} in all.", "{a} * {b}"),),
    ),
    Template(
        "together",
        ranges(a=(3, 90), b=(3, 90), c=(2, 60)),
        (
            "{name} has {a} {item}, {other} has {b} {item} and {c} bags. How many {item} do they have together?",
            "In {c} days {name} found {a} {item} and {other} found {b}. How many {item} did they find?",
        ),
        (("Add the {item} of both.", "{a} + {b}"),),
    ),
    Template(
        "shared",
        _shared,
        (
            "{name} has {a} {item}, {other} has {b} and {c} bags. {k} friends share the {item}. How many for each?",
            "{a} {item} and later {b} more come in {c} bags. {k} friends share the {item}. How many does each get?",
        ),
        (("Add the {item}.", "{a} + {b}"), ("Find the {item} for each.", "R1 / {k}")),
    ),
)
