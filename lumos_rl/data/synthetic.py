"""Built-in math suites: word problems made from templates, with gold plans, for work without any download.

`synthetic_tasks("gsm8k", "train", limit=2)` gives problems of two to four steps, `"svamp"` problems of one or two steps
with a number that is not needed. One datum:

    instruction  "Tom has 4 boxes with 12 pens each. Tom gives away 9 pens. How many pens does Tom have left?"
    answer       "39"
    subgoals     "Find how many pens Tom has in all." R1 = Calculator(4 * 12) = 48
                 "Find how many pens Tom has left."   R2 = Calculator(R1 - 9) = 39

Splits are disjoint by construction: template and numbers of a problem are hashed, and the hash alone decides its split,
so no train problem and test problem share template and numbers, however many of each are drawn.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from lumos_rl.core import Action, Subgoal, Task
from lumos_rl.errors import UnknownNameError
from lumos_rl.tools.base import Value
from lumos_rl.tools.calculator import Calculator

Numbers = dict[str, int]
SPLIT_SHARES: Mapping[str, range] = {"test": range(2), "dev": range(2, 4), "train": range(4, 20)}  # of 20 buckets
DEFAULT_SIZE: Mapping[str, int] = {"test": 300, "dev": 300, "train": 4000}

NAMES = (
    *("Tom", "Ann", "Ben", "Mia", "Sam", "Eva", "Leo", "Zoe", "Max", "Ida"),
    *("Raj", "Lin", "Omar", "Nina", "Paul", "Rosa", "Hugo", "Emma", "Ivan", "Sara"),
)
ITEMS = (
    *("pens", "cups", "hats", "keys", "books", "cards", "coins"),
    *("shells", "apples", "lemons", "stamps", "marbles", "buttons", "candles"),
)


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of problem.

    Attributes:
        name: Unique name.
        draw: Draws the numbers by name.
        texts: Phrasings; `{name}`, `{other}`, `{item}` and the numbers' names are filled in.
        steps: Subgoal sentence and expression of each step; an expression uses numbers' names and R1, R2, …
    """

    name: str
    draw: Callable[[random.Random], Numbers]
    texts: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]


def _ranges(**bounds: tuple[int, int]) -> Callable[[random.Random], Numbers]:
    return lambda rng: {name: rng.randint(low, high) for name, (low, high) in bounds.items()}


def _stock(rng: random.Random) -> Numbers:
    a, b = rng.randint(3, 20), rng.randint(4, 30)
    return {"a": a, "b": b, "c": rng.randint(2, a * b - 1), "d": rng.randint(2, 60)}


def _change(rng: random.Random) -> Numbers:
    a, b = rng.randint(2, 12), rng.randint(2, 15)
    return {"a": a, "b": b, "m": a * b + rng.randint(1, 80)}


def _halves(rng: random.Random) -> Numbers:
    return {"a": 2 * rng.randint(4, 60), "b": rng.randint(3, 60)}


def _shares(rng: random.Random) -> Numbers:
    friends, each = rng.randint(2, 9), rng.randint(4, 25)
    a = rng.randint(2, friends * each - 2)
    return {"a": a, "b": friends * each - a, "k": friends}


def _percent(rng: random.Random) -> Numbers:
    return {"a": 20 * rng.randint(2, 30), "p": 5 * rng.randint(1, 18)}


def _savings(rng: random.Random) -> Numbers:
    a, w, b, v = rng.randint(8, 40), rng.randint(3, 20), rng.randint(5, 30), rng.randint(2, 15)
    if a * w <= b * v:
        a, w = b + 8, v + 3
    return {"a": a, "w": w, "b": b, "v": v}


def _spent(rng: random.Random) -> Numbers:
    numbers = _ranges(a=(8, 30), h=(3, 12), t=(5, 60))(rng)
    return numbers | {"s": rng.randint(3, numbers["a"] * numbers["h"])}


def _less(rng: random.Random) -> Numbers:
    a = rng.randint(12, 90)
    return {"a": a, "b": rng.randint(2, a - 2), "c": rng.randint(2, 60)}


def _groups(rng: random.Random) -> Numbers:
    k, each = rng.randint(2, 12), rng.randint(3, 25)
    return {"a": k * each, "k": k, "c": rng.randint(2, 60)}


GSM8K_TEMPLATES = (
    Template(
        "two_purchases",
        _ranges(a=(2, 15), b=(2, 20), c=(2, 15), d=(2, 20)),
        (
            "{name} buys {a} {item} for ${b} each and {c} bags for ${d} each. How much does {name} pay in total?",
            "In a shop {name} takes {c} bags at ${d} each and {a} {item} at ${b} each. What is the total price?",
        ),
        (
            ("Find the price of the {item}.", "{a} * {b}"),
            ("Find the price of the bags.", "{c} * {d}"),
            ("Add the two prices.", "R1 + R2"),
        ),
    ),
    Template(
        "change",
        _change,
        (
            "{name} has ${m} and buys {a} {item} at ${b} each. How much money is left?",
            "{name} pays for {a} {item} with ${m}. Each of the {item} costs ${b}. How much change does {name} get?",
        ),
        (("Find the price of the {item}.", "{a} * {b}"), ("Find the money that is left.", "{m} - R1")),
    ),
    Template(
        "half_as_many",
        _halves,
        (
            "{name} sold {a} {item} in May, half as many in June and {b} in July. How many {item} were sold?",
            "In June {name} sold half as many {item} as in May. In May it was {a} and in July {b}. How many in all?",
        ),
        (
            ("Find the {item} sold in June.", "{a} / 2"),
            ("Add the {item} of May and June.", "{a} + R1"),
            ("Add the {item} of July.", "R2 + {b}"),
        ),
    ),
    Template(
        "times_as_many",
        _ranges(a=(3, 60), k=(2, 9)),
        (
            "{name} has {a} {item}. {other} has {k} times as many. How many {item} do they have together?",
            "{other} owns {k} times as many {item} as {name}. If {name} owns {a}, how many are there in all?",
        ),
        (("Find the {item} of {other}.", "{a} * {k}"), ("Add the {item} of both.", "{a} + R1")),
    ),
    Template(
        "machine",
        _ranges(a=(3, 40), h=(2, 12), d=(2, 14)),
        (
            "A machine makes {a} {item} per hour and runs {h} hours a day. How many {item} does it make in {d} days?",
            "For {d} days a machine runs {h} hours a day. It makes {a} {item} per hour. How many {item} is that?",
        ),
        (("Find the {item} made in a day.", "{a} * {h}"), ("Find the {item} made in all days.", "R1 * {d}")),
    ),
    Template(
        "share",
        _shares,
        (
            "{name} has {a} {item} and {other} has {b}. They share them equally among {k} friends. How many for each?",
            "{a} {item} of {name} and {b} of {other} are split equally among {k} friends. How many does each get?",
        ),
        (("Add the {item} of both.", "{a} + {b}"), ("Find the {item} for each friend.", "R1 / {k}")),
    ),
    Template(
        "reading",
        _ranges(a=(5, 60), b=(2, 40), c=(3, 60)),
        (
            "{name} read {a} pages on Monday, {b} more on Tuesday than on Monday and {c} on Friday. How many in total?",
            "On Tuesday {name} read {b} more pages than on Monday. It was {a} on Monday and {c} on Friday. "
            "How many pages did {name} read?",
        ),
        (
            ("Find the pages read on Tuesday.", "{a} + {b}"),
            ("Add the pages of Monday and Tuesday.", "{a} + R1"),
            ("Add the pages of Friday.", "R2 + {c}"),
        ),
    ),
    Template(
        "stock",
        _stock,
        (
            "{name} has {a} boxes with {b} {item} each, gives away {c} and then finds {d}. How many {item} now?",
            "There are {b} {item} in each of {a} boxes. {name} gives away {c} and finds {d}. How many {item} are there?",
        ),
        (
            ("Find the {item} in the boxes.", "{a} * {b}"),
            ("Take off the {item} given away.", "R1 - {c}"),
            ("Add the {item} found.", "R2 + {d}"),
        ),
    ),
    Template(
        "wages",
        _spent,
        (
            "{name} works {h} hours for ${a} an hour, gets ${t} in tips and spends ${s}. How much does {name} keep?",
            "At ${a} an hour {name} works {h} hours. After ${t} in tips {name} spends ${s}. How much is left?",
        ),
        (
            ("Find the pay for the hours.", "{a} * {h}"),
            ("Add the tips.", "R1 + {t}"),
            ("Take off the money spent.", "R2 - {s}"),
        ),
    ),
    Template(
        "percent",
        _percent,
        (
            "{name} has {a} {item} and {p} percent of them are red. How many are not red?",
            "Of {a} {item} in a jar {p} percent are red. How many {item} have another colour?",
        ),
        (("Find the red {item}.", "{a} * {p} / 100"), ("Find the {item} that are not red.", "{a} - R1")),
    ),
    Template(
        "commute",
        _ranges(a=(3, 40), d=(2, 6), w=(2, 20)),
        (
            "{name} drives {a} miles to work and the same way back, {d} days a week. How many miles in {w} weeks?",
            "Work is {a} miles away. {name} drives there and back {d} days a week for {w} weeks. How many miles is it?",
        ),
        (
            ("Find the miles of a day.", "{a} * 2"),
            ("Find the miles of a week.", "R1 * {d}"),
            ("Find the miles of all weeks.", "R2 * {w}"),
        ),
    ),
    Template(
        "savings",
        _savings,
        (
            "{name} saves ${a} a week for {w} weeks. {other} saves ${b} a week for {v} weeks. "
            "How much more does {name} save?",
            "For {v} weeks {other} saves ${b} a week. {name} saves ${a} a week for {w} weeks. How far ahead is {name}?",
        ),
        (
            ("Find the money {name} saves.", "{a} * {w}"),
            ("Find the money {other} saves.", "{b} * {v}"),
            ("Find the difference.", "R1 - R2"),
        ),
    ),
    Template(
        "farm",
        lambda rng: (
            (numbers := _ranges(a=(3, 12), b=(3, 15), c=(2, 8), k=(2, 14))(rng))
            | {"d": rng.randint(3, numbers["a"] * numbers["b"])}
        ),
        (
            "Each day {a} cows give {b} liters each. A liter sells for ${c} and food costs ${d} a day. "
            "What does {name} earn in {k} days?",
            "{name} has {a} cows that give {b} liters each a day, and pays ${d} a day for food. A liter brings ${c}. "
            "How much is earned in {k} days?",
        ),
        (
            ("Find the liters of a day.", "{a} * {b}"),
            ("Find the price of the liters.", "R1 * {c}"),
            ("Take off the food.", "R2 - {d}"),
            ("Find the money of all days.", "R3 * {k}"),
        ),
    ),
    Template(
        "garden",
        _ranges(a=(3, 25), b=(3, 25), c=(2, 9), d=(2, 9)),
        (
            "A garden is {a} meters long and {b} meters wide. Each square meter gives {c} plants, sold for ${d} each. "
            "How much money is that?",
            "Plants sell for ${d} each. {name} grows {c} on each square meter of a garden {a} meters long and "
            "{b} meters wide. What do they bring?",
        ),
        (
            ("Find the area of the garden.", "{a} * {b}"),
            ("Find the number of plants.", "R1 * {c}"),
            ("Find the price of the plants.", "R2 * {d}"),
        ),
    ),
)

SVAMP_TEMPLATES = (
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
        _ranges(a=(3, 90), b=(3, 90), c=(2, 60)),
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
        _ranges(a=(2, 30), b=(2, 30), c=(2, 60)),
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
        _stock,
        (
            "{name} has {a} packs of {b} {item} and {d} bags. {c} {item} are sold. How many {item} are left?",
            "{c} {item} are taken out of {a} boxes of {b} {item} each. {name} has {d} bags. How many {item} remain?",
        ),
        (("Find the {item} in all.", "{a} * {b}"), ("Find the {item} that are left.", "R1 - {c}")),
    ),
    Template(
        "two_gifts",
        _ranges(a=(3, 90), b=(3, 60), c=(3, 60), d=(2, 60)),
        (
            "{name} has {a} {item} and {d} bags, then gets {b} {item} and later {c} more. How many {item} is that?",
            "{name} found {b} {item}, then {c} {item} in {d} days. At first it was {a} {item}. How many are there now?",
        ),
        (("Add the first {item} found.", "{a} + {b}"), ("Add the other {item} found.", "R1 + {c}")),
    ),
)

SUITES: Mapping[str, tuple[Template, ...]] = {"gsm8k": GSM8K_TEMPLATES, "svamp": SVAMP_TEMPLATES}


def synthetic_tasks(benchmark: str, split: str = "test", limit: int | None = None, seed: int = 0) -> list[Task]:
    """Problems of a built-in math suite.

    Args:
        benchmark: "gsm8k" or "svamp".
        split: "train", "dev" or "test".
        limit: How many; None gives `DEFAULT_SIZE[split]`. A smaller limit gives a prefix of a larger one.
        seed: Which problems; ids carry it unless it is 0.

    Returns:
        Tasks with gold answer and gold plan, each text once.

    Raises:
        UnknownNameError: No such suite or split.
    """
    if benchmark not in SUITES:
        raise UnknownNameError("built-in suite", benchmark, SUITES)
    if split not in SPLIT_SHARES:
        raise UnknownNameError("split of a built-in suite", split, SPLIT_SHARES)
    count = DEFAULT_SIZE[split] if limit is None else limit
    return list(islice(_stream(benchmark, split, seed), count))


def _stream(benchmark: str, split: str, seed: int) -> Iterator[Task]:
    rng = random.Random(f"{benchmark}/{split}/{seed}")
    seen: set[str] = set()
    label = f"{benchmark}/{split}/synthetic-" + (f"{seed}-" if seed else "")
    while True:
        template = rng.choice(SUITES[benchmark])
        numbers = template.draw(rng)
        words = {"item": rng.choice(ITEMS), **dict(zip(("name", "other"), rng.sample(NAMES, 2), strict=True))}
        text = rng.choice(template.texts).format(**words, **numbers)
        if _bucket(template.name, numbers) in SPLIT_SHARES[split] and text not in seen:
            seen.add(text)
            yield _task(template, numbers, words, text, f"{label}{len(seen) - 1}", benchmark, split)


def _bucket(name: str, numbers: Numbers) -> int:
    key = f"{name} {sorted(numbers.items())}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % 20


def _task(
    template: Template, numbers: Numbers, words: Mapping[str, str], text: str, key: str, benchmark: str, split: str
) -> Task:
    bindings: dict[str, Value] = {}
    subgoals = []
    for index, (sentence, expression) in enumerate(template.steps, 1):
        args = expression.format(**numbers)
        value = bindings[f"R{index}"] = Calculator()(args, bindings)
        action = Action((f"R{index}",), "Calculator", args, value.text)
        subgoals.append(Subgoal(sentence.format(**words, **numbers), (action,)))
    answer = bindings[f"R{len(template.steps)}"].text
    return Task(key, benchmark, text, answer, split, tuple(subgoals), {"kind": template.name})
