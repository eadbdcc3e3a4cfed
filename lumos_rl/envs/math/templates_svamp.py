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
)
