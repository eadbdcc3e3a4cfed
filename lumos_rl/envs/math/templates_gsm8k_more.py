"""More templates of the built-in suite in the style of GSM8K: other orders of operations, four phrasings each.

"{name} has {a} eggs, eats {b} and sells the rest for ${c} each. How much does {name} get?"
→ Calculator(a - b), Calculator(R1 * c)
"""

from __future__ import annotations

import random

from lumos_rl.envs.math.template import Numbers, Template, ranges


def _tickets(rng: random.Random) -> Numbers:
    a, p, c, q = rng.randint(2, 9), rng.randint(6, 20), rng.randint(2, 9), rng.randint(3, 10)
    return {"a": a, "p": p, "c": c, "q": q, "d": rng.randint(2, a * p)}


def _less(rng: random.Random) -> Numbers:
    a = rng.randint(10, 90)
    return {"a": a, "b": rng.randint(2, a - 3), "c": rng.randint(2, 9)}


def _tank(rng: random.Random) -> Numbers:
    b, c, minutes = rng.randint(5, 80), rng.randint(2, 12), rng.randint(3, 25)
    return {"a": b + c * minutes, "b": b, "c": c}


def _sale(rng: random.Random) -> Numbers:
    return {"a": 20 * rng.randint(1, 10), "p": 5 * rng.randint(1, 15), "k": rng.randint(2, 9)}


def _scores(rng: random.Random) -> Numbers:
    mean, a, b = rng.randint(20, 60), rng.randint(5, 55), rng.randint(5, 55)
    c = 3 * mean - a - b
    return {"a": a, "b": b, "c": c} if c > 1 else {"a": a, "b": b, "c": c + 3 * 40}


def _packing(rng: random.Random) -> Numbers:
    c, boxes, a = rng.randint(2, 9), rng.randint(2, 12), rng.randint(2, 9)
    return {"a": a, "b": c * boxes, "c": c}


def _rope(rng: random.Random) -> Numbers:
    k, b = rng.randint(2, 12), rng.randint(2, 12)
    return {"a": k * b + rng.randint(1, 60), "b": b, "k": k}


def _third(rng: random.Random) -> Numbers:
    third = rng.randint(5, 60)
    return {"a": 3 * third, "b": rng.randint(2, 2 * third - 1)}


def _teams(rng: random.Random) -> Numbers:
    k, teams, c = rng.randint(2, 9), rng.randint(2, 12), rng.randint(2, 9)
    total = k * teams + c
    a = rng.randint(2, total - 2)
    return {"a": a, "b": total - a, "c": c, "k": k}


TEMPLATES = (
    Template(
        "tickets",
        _tickets,
        (
            "{name} buys {a} tickets at ${p} and {c} at ${q}, and gets ${d} off. How much is it?",
            "{a} tickets cost ${p} each and {c} cost ${q} each. {name} has a card for ${d} off. What is the price?",
            "With ${d} off, how much does {name} pay for {a} tickets at ${p} each and {c} at ${q} each?",
            "{name} gets ${d} off on {c} tickets of ${q} and {a} tickets of ${p}. How much must {name} pay?",
        ),
        (
            ("Find the price of the first tickets.", "{a} * {p}"),
            ("Find the price of the other tickets.", "{c} * {q}"),
            ("Add the two prices.", "R1 + R2"),
            ("Take off the discount.", "R3 - {d}"),
        ),
    ),
    Template(
        "eggs",
        _less,
        (
            "{name} has {a} eggs, eats {b} and sells the rest for ${c} each. How much does {name} get?",
            "Of {a} eggs {name} keeps {b}. Each of the others is sold for ${c}. How much money is that?",
            "{name} sells eggs for ${c} each. There are {a}, but {b} are broken. What do the others bring?",
            "After {b} of {a} eggs are eaten, {name} sells what is left at ${c} each. How much is earned?",
        ),
        (("Find the eggs that are left.", "{a} - {b}"), ("Find the money for the eggs.", "R1 * {c}")),
    ),
    Template(
        "tank",
        _tank,
        (
            "A tank holds {a} liters and has {b} in it. It gets {c} liters a minute. After how many is it full?",
            "{name} fills a tank of {a} liters with {c} liters a minute. {b} liters are in it. How long does it take?",
            "At {c} liters a minute, how many minutes does a tank of {a} liters take that has {b} in it?",
            "There are {b} liters in a tank for {a}. {name} adds {c} liters each minute. After how many is it full?",
        ),
        (("Find the liters that are missing.", "{a} - {b}"), ("Find the minutes.", "R1 / {c}")),
    ),
    Template(
        "age",
        ranges(a=(4, 60), b=(2, 30), c=(2, 20)),
        (
            "{name} is {a} years old and {other} is {b} years older. How old is {other} in {c} years?",
            "{other} is {b} years older than {name}, who is {a}. What is the age of {other} in {c} years?",
            "In {c} years, how old is {other}, who is {b} years older than {name}? {name} is {a} now.",
            "{name} is {a}. {other} was born {b} years before. How old is {other} after {c} more years?",
        ),
        (("Find the age of {other} now.", "{a} + {b}"), ("Find the age in the future.", "R1 + {c}")),
    ),
    Template(
        "fence",
        ranges(a=(3, 40), b=(3, 40), c=(2, 12)),
        (
            "A field is {a} meters long and {b} meters wide. A fence around it costs ${c} a meter. What is the price?",
            "{name} puts a fence around {a} by {b} meters. Each meter costs ${c}. How much does {name} pay?",
            "At ${c} a meter, how much is a fence around a field of {a} meters by {b} meters?",
            "A fence of ${c} a meter goes around a field, {b} meters wide and {a} meters long. What does it cost?",
        ),
        (
            ("Add length and width.", "{a} + {b}"),
            ("Find the length of the fence.", "R1 * 2"),
            ("Find the price of the fence.", "R2 * {c}"),
        ),
    ),
    Template(
        "sale",
        _sale,
        (
            "A coat costs ${a} and is sold with {p} percent off. How much are {k} coats?",
            "{name} buys {k} coats with {p} percent off. Before, each was ${a}. How much does {name} pay?",
            "With {p} percent off a price of ${a}, what do {k} coats cost?",
            "The price of a coat was ${a}. It is {p} percent less now. {name} takes {k} of them. What is the price?",
        ),
        (
            ("Find the discount.", "{a} * {p} / 100"),
            ("Find the new price.", "{a} - R1"),
            ("Find the price of all coats.", "R2 * {k}"),
        ),
    ),
    Template(
        "average",
        _scores,
        (
            "{name} gets {a}, {b} and {c} points in three games. What is the average?",
            "In three games {name} has {a}, then {b}, then {c} points. How many points are that per game?",
            "What is the average of the points of {name}, which were {a}, {b} and {c} in three games?",
            "The three games of {name} end with {c}, {a} and {b} points. What is their average?",
        ),
        (
            ("Add the points of the first two games.", "{a} + {b}"),
            ("Add the points of the last game.", "R1 + {c}"),
            ("Find the average of three games.", "R2 / 3"),
        ),
    ),
    Template(
        "packing",
        _packing,
        (
            "{name} has {a} bags of {b} {item} and puts {c} in each box. How many boxes are needed?",
            "The {item} from {a} bags with {b} each go into boxes of {c}. How many boxes does {name} fill?",
            "Boxes hold {c} {item} each. How many boxes does {name} need for {a} bags of {b} {item}?",
            "{a} bags hold {b} {item} each. {name} packs them again, {c} in a box. How many boxes is that?",
        ),
        (("Find the {item} in all.", "{a} * {b}"), ("Find the number of boxes.", "R1 / {c}")),
    ),
    Template(
        "rope",
        _rope,
        (
            "{name} cuts {k} pieces of {b} meters off a rope of {a} meters. How many meters are left?",
            "From a rope of {a} meters {name} takes {k} pieces, {b} meters each. How long is the rest?",
            "A rope is {a} meters long. After {k} cuts of {b} meters each, how many meters remain?",
            "How much is left of {a} meters of rope, if {name} cuts off {k} pieces of {b} meters?",
        ),
        (("Find the meters cut off.", "{k} * {b}"), ("Find the meters that are left.", "{a} - R1")),
    ),
    Template(
        "speeds",
        ranges(a=(20, 70), h=(2, 9), b=(20, 70), g=(2, 9)),
        (
            "{name} drives {h} hours at {a} miles an hour and {g} hours at {b}. How many miles is that?",
            "For {h} hours {name} goes {a} miles an hour, then for {g} hours {b} miles an hour. How far is it?",
            "At {a} miles an hour {name} drives {h} hours, at {b} miles an hour {g} hours. How many miles in all?",
            "How far does {name} get in {h} hours at {a} miles an hour and {g} more hours at {b}?",
        ),
        (
            ("Find the miles of the first part.", "{a} * {h}"),
            ("Find the miles of the second part.", "{b} * {g}"),
            ("Add the miles of both parts.", "R1 + R2"),
        ),
    ),
    Template(
        "third",
        _third,
        (
            "{name} has ${a}, spends a third of it on food and then ${b} on books. How much is left?",
            "A third of the ${a} of {name} goes to food, and ${b} to books. How much does {name} keep?",
            "After a third of ${a} is spent on food and ${b} on books, what does {name} have?",
            "{name} pays a third of ${a} for food. Then {name} pays ${b} for books. How many dollars are left?",
        ),
        (
            ("Find the money for food.", "{a} / 3"),
            ("Take off the money for food.", "{a} - R1"),
            ("Take off the money for books.", "R2 - {b}"),
        ),
    ),
    Template(
        "teams",
        _teams,
        (
            "{a} girls and {b} boys come, but {c} go home. The rest make teams of {k}. How many teams are there?",
            "Of {a} girls and {b} boys {c} do not play. The others play in teams of {k}. How many teams is that?",
            "Teams have {k} players. How many teams can {a} girls and {b} boys make, if {c} of them do not play?",
            "There are {b} boys and {a} girls. {c} leave. {name} makes teams of {k} from the rest. How many teams?",
        ),
        (
            ("Add the girls and boys.", "{a} + {b}"),
            ("Take off those who do not play.", "R1 - {c}"),
            ("Find the number of teams.", "R2 / {k}"),
        ),
    ),
)
