"""Templates that only the split "unseen" shows: other stories, sentences and orders of operations, with the same tools.

"Two rooms have {a} and {b} walls. Every wall takes {c} cans of paint, and {d} cans are there already. …"
→ Calculator(a + b), Calculator(R1 * c), Calculator(R2 - d)

No order of operations of the GSM8K templates here occurs in `templates_gsm8k` or `templates_gsm8k_more`.
"""

from __future__ import annotations

import random

from lumos_rl.envs.math.template import Numbers, Template, ranges


def _paint(rng: random.Random) -> Numbers:
    a, b, c = rng.randint(2, 15), rng.randint(2, 15), rng.randint(2, 9)
    return {"a": a, "b": b, "c": c, "d": rng.randint(1, (a + b) * c - 1)}


def _race(rng: random.Random) -> Numbers:
    b, c, parts = rng.randint(2, 30), rng.randint(2, 9), rng.randint(2, 12)
    return {"a": b + c * parts, "b": b, "c": c, "d": rng.randint(2, 9)}


def _bread(rng: random.Random) -> Numbers:
    c, a, loaves = rng.randint(2, 6), rng.randint(2, 9), rng.randint(2, 9)
    return {"a": a, "b": c * loaves, "c": c, "d": rng.randint(1, a * loaves - 1)}


def _orchard(rng: random.Random) -> Numbers:
    b = rng.randint(2, 9)
    return {"a": b * rng.randint(3, 20), "b": b, "c": rng.randint(2, 20), "d": rng.randint(2, 9)}


def _bus(rng: random.Random) -> Numbers:
    a = rng.randint(10, 50)
    return {"a": a, "b": rng.randint(2, a - 2), "c": rng.randint(2, 9), "d": rng.randint(2, 40)}


def _club(rng: random.Random) -> Numbers:
    a, b = rng.randint(5, 40), rng.randint(5, 40)
    return {"a": a, "b": b, "c": rng.randint(2, a + b - 2), "d": rng.randint(2, 9)}


def _recipe(rng: random.Random) -> Numbers:
    b = rng.randint(2, 9)
    return {"a": b * rng.randint(2, 15), "b": b, "c": rng.randint(2, 12)}


def _choir(rng: random.Random) -> Numbers:
    rows, k, b, c = rng.randint(2, 12), rng.randint(2, 9), rng.randint(2, 20), rng.randint(2, 20)
    return {"a": rows * k + b + c, "b": b, "c": c, "k": k}


def _fund(rng: random.Random) -> Numbers:
    d, each, a, b = rng.randint(2, 9), rng.randint(15, 60), rng.randint(2, 9), rng.randint(2, 9)
    total = d * each
    c = total - a * b if total > a * b + 1 else total + d * 20 - a * b
    return {"a": a, "b": b, "c": c, "d": d}


def _letters(rng: random.Random) -> Numbers:
    b, each = rng.randint(2, 9), rng.randint(4, 30)
    return {"a": b * each, "b": b, "c": rng.randint(2, each - 1)}


def _market(rng: random.Random) -> Numbers:
    k, share = rng.randint(2, 6), rng.randint(20, 60)
    a, b, c = rng.randint(2, 9), rng.randint(2, 9), 1
    rest = k * share - a * b
    c = next((divisor for divisor in (5, 4, 3, 2) if rest % divisor == 0), 1)
    return {"a": a, "b": b, "c": c, "d": rest // c, "k": k}


def _pots(rng: random.Random) -> Numbers:
    k, b = rng.randint(2, 12), rng.randint(2, 12)
    return {"a": rng.randint(2, 60), "b": b, "k": k, "c": rng.randint(2, 60)}


def _seats(rng: random.Random) -> Numbers:
    a = rng.randint(8, 40)
    return {"a": a, "b": rng.randint(2, a - 2), "k": rng.randint(2, 9), "c": rng.randint(2, 60)}


def _stop(rng: random.Random) -> Numbers:
    a = rng.randint(10, 60)
    return {"a": a, "b": rng.randint(2, a - 2), "c": rng.randint(2, 30), "d": rng.randint(2, 60)}


def _halves(rng: random.Random) -> Numbers:
    k, each = rng.randint(2, 9), rng.randint(4, 25)
    return {"a": k * each, "k": k, "b": rng.randint(2, each - 1), "c": rng.randint(2, 60)}


def _tall(rng: random.Random) -> Numbers:
    b = rng.randint(20, 90)
    return {"a": b + rng.randint(3, 60), "b": b, "c": rng.randint(2, 60)}


GSM8K = (
    Template(
        "unseen_paint",
        _paint,
        (
            "Two rooms have {a} and {b} walls. Every wall takes {c} cans of paint, and {d} cans are there already. "
            "How many cans does {name} still buy?",
            "{name} paints {a} walls upstairs and {b} downstairs with {c} cans per wall, of which {d} are a gift. "
            "How many cans are bought?",
        ),
        (
            ("Add the walls.", "{a} + {b}"),
            ("Find the cans for all walls.", "R1 * {c}"),
            ("Take off the cans that are there.", "R2 - {d}"),
        ),
    ),
    Template(
        "unseen_race",
        _race,
        (
            "A path has {a} steps. {name} walks {b}, then needs a rest of {d} minutes after every {c} steps up to the "
            "end. How many minutes of rest is that?",
            "{name} must write {a} cards. {b} are done. Each set of {c} more cards takes {d} minutes. How many minutes "
            "does {name} still write?",
        ),
        (
            ("Find what is still to do.", "{a} - {b}"),
            ("Find the number of parts.", "R1 / {c}"),
            ("Find the minutes.", "R2 * {d}"),
        ),
    ),
    Template(
        "unseen_bread",
        _bread,
        (
            "{name} bakes with {a} sacks of {b} cups of flour. A bread takes {c} cups, and {d} breads are burnt. "
            "How many good breads are there?",
            "Every {c} cups of flour give a bread. Out of {a} sacks, {b} cups in each, {name} bakes and eats {d} of "
            "the breads. How many breads stay?",
        ),
        (
            ("Find the cups of flour.", "{a} * {b}"),
            ("Find the number of breads.", "R1 / {c}"),
            ("Take off the breads that are gone.", "R2 - {d}"),
        ),
    ),
    Template(
        "unseen_orchard",
        _orchard,
        (
            "{a} trees stand in {b} equal rows. In every row {name} plants {c} new ones. Each tree gives {d} baskets "
            "of fruit. How many baskets come from one row?",
            "{name} deals {a} cards to {b} players, and {c} more to each. A card counts {d} points. "
            "How many points does one player hold?",
        ),
        (
            ("Find the first part for one.", "{a} / {b}"),
            ("Add the new ones.", "R1 + {c}"),
            ("Multiply by what each gives.", "R2 * {d}"),
        ),
    ),
    Template(
        "unseen_parking",
        _bus,
        (
            "A lot has {a} cars until {b} drive off. The others pay ${c} each, and a truck pays ${d}. "
            "How much does {name} collect?",
            "{name} had {a} hens, but a fox took {b}. Every hen that lives lays {c} eggs, and a goose lays {d}. "
            "How many eggs are found?",
        ),
        (
            ("Find those that stay.", "{a} - {b}"),
            ("Find what they give.", "R1 * {c}"),
            ("Add what the last one gives.", "R2 + {d}"),
        ),
    ),
    Template(
        "unseen_club",
        _club,
        (
            "A club of {a} members gets {b} new ones and loses {c}. All pay ${d} a year. What comes in over a year?",
            "{name} found {a} shells, later {b}, and lost {c}. Now each shell gets {d} dots. How many dots are drawn?",
        ),
        (
            ("Add the new ones.", "{a} + {b}"),
            ("Take off those that were lost.", "R1 - {c}"),
            ("Multiply by what belongs to each.", "R2 * {d}"),
        ),
    ),
    Template(
        "unseen_recipe",
        _recipe,
        (
            "For {b} people a soup takes {a} carrots. How many carrots does {name} take for {c} people?",
            "{name} reads {a} pages in {b} hours. At that speed, what number of pages fits in {c} hours?",
        ),
        (("Find the number for one.", "{a} / {b}"), ("Find the number for all.", "R1 * {c}")),
    ),
    Template(
        "unseen_choir",
        _choir,
        (
            "A choir has {a} singers. {b} are ill and {c} on a trip, so the rest stand in {k} equal rows. "
            "How many singers stand in a row?",
            "Out of {a} flowers {name} throws {b} away and gives {c} to {other}. {k} vases take equal parts of the "
            "others. How many flowers does a vase hold?",
        ),
        (
            ("Take off the first ones.", "{a} - {b}"),
            ("Take off the second ones.", "R1 - {c}"),
            ("Find the part of one.", "R2 / {k}"),
        ),
    ),
    Template(
        "unseen_fund",
        _fund,
        (
            "{name} washed {a} cars for ${b} each and was given ${c} more. The money is split by {d} helpers. "
            "How much does a helper take home?",
            "A teacher has {a} packs of {b} crayons and {c} single ones. {d} tables get equal numbers. "
            "How many crayons lie on one table?",
        ),
        (
            ("Find the first part.", "{a} * {b}"),
            ("Add the rest.", "R1 + {c}"),
            ("Divide it equally.", "R2 / {d}"),
        ),
    ),
    Template(
        "unseen_letters",
        _letters,
        (
            "{b} friends each carry the same part of {a} bricks. {name}, one of them, drops {c}. "
            "How many bricks does {name} bring?",
            "A cake of {a} grams is cut in {b} equal slices. {name} eats {c} grams of a slice. How heavy is its rest?",
        ),
        (("Find the part of one.", "{a} / {b}"), ("Take off what is gone.", "R1 - {c}")),
    ),
    Template(
        "unseen_market",
        _market,
        (
            "On a market {a} crates bring ${b} each and {c} crates ${d} each. {k} farmers share the money. "
            "What is the part of a farmer?",
            "{name} mixes {a} jugs of {b} cups and {c} jugs of {d} cups, and fills {k} bowls to the same height. "
            "How many cups are in a bowl?",
        ),
        (
            ("Find the first part.", "{a} * {b}"),
            ("Find the second part.", "{c} * {d}"),
            ("Add both parts.", "R1 + R2"),
            ("Divide it equally.", "R3 / {k}"),
        ),
    ),
    Template(
        "unseen_tower",
        ranges(a=(2, 20), b=(2, 20), c=(2, 9), d=(2, 50)),
        (
            "A tower has {a} low floors and {b} high floors with {c} windows on each, and {d} windows in the roof. "
            "How many windows does {name} clean?",
            "{name} swims {a} laps at dawn and {b} at noon, every day. What do {c} days give, with {d} laps on top?",
        ),
        (
            ("Add both numbers.", "{a} + {b}"),
            ("Multiply by the number for each.", "R1 * {c}"),
            ("Add the last number.", "R2 + {d}"),
        ),
    ),
)

SVAMP = (
    Template(
        "unseen_pots",
        _pots,
        (
            "{name} gave {b} {item} to each of {k} girls and now has {a} {item} and {c} pots. With how many {item} did "
            "it begin?",
            "Every one of {k} walls got {b} {item}, {a} {item} are over, and {c} nails too. What was the number of "
            "{item} at first?",
        ),
        (("Find the {item} given to all.", "{k} * {b}"), ("Add the {item} that are over.", "{a} + R1")),
    ),
    Template(
        "unseen_seats",
        _seats,
        (
            "A hall with {c} doors has {a} tables, of which {b} are broken. The good ones seat {k} people each. "
            "What number of people can sit?",
            "Of {a} hens {b} are too young. The others lay {k} eggs each, near {c} trees. How many eggs are laid?",
        ),
        (("Find the ones that count.", "{a} - {b}"), ("Multiply by the number of each.", "R1 * {k}")),
    ),
    Template(
        "unseen_stop",
        _stop,
        (
            "A bus with {d} seats carries {a} people. At a stop {b} get off and {c} get on. How many ride on?",
            "{name} read that {a} birds sat on {d} roofs. Then {b} flew off and {c} came. How many birds sit there?",
        ),
        (("Take off those who go.", "{a} - {b}"), ("Add those who come.", "R1 + {c}")),
    ),
    Template(
        "unseen_slices",
        _halves,
        (
            "{a} {item} and {c} jars go into {k} equal piles. {name} takes {b} {item} off one pile. How many {item} "
            "lie in this pile?",
            "In {c} hours {k} workers made {a} {item}, all the same number. {name}, a worker, broke {b}. "
            "How many good {item} are from {name}?",
        ),
        (("Find the {item} of one part.", "{a} / {k}"), ("Take off {b} {item}.", "R1 - {b}")),
    ),
    Template(
        "unseen_tall",
        _tall,
        (
            "A tree of {a} feet stands {c} feet from a house of {b} feet. By how many feet is the tree higher?",
            "The film lasts {a} minutes, the play {b}, the break {c}. How many minutes is the film longer than the "
            "play?",
        ),
        (("Find the difference.", "{a} - {b}"),),
    ),
    Template(
        "unseen_stack",
        ranges(a=(3, 60), b=(2, 30), c=(2, 60)),
        (
            "A stack is {a} {item} high, another {b} {item} higher, and {c} lids lie there. How high is the other one?",
            "A pen costs {c} cents. A lamp is {a} cents, and a chair {b} cents more than the lamp. What does the chair "
            "cost?",
        ),
        (("Add the two numbers.", "{a} + {b}"),),
    ),
    Template(
        "unseen_lines",
        ranges(a=(2, 25), b=(2, 25), c=(2, 60)),
        (
            "A page has {b} lines, and a story of {c} words per page fills {a} pages. What number of lines is that?",
            "{name} plants {a} beds, {c} feet long, with {b} seeds in every bed. What number of seeds is planted?",
        ),
        (("Multiply both numbers.", "{a} * {b}"),),
    ),
)
