"""Templates of the built-in suite in the style of GSM8K: problems of two to four steps, six phrasings each.

"{name} has {a} boxes with {b} {item} each, gives away {c} and then finds {d}. How many {item} now?"
→ Calculator(a * b), Calculator(R1 - c), Calculator(R2 + d)
"""

from __future__ import annotations

import random

from lumos_rl.envs.math.template import Numbers, Template, ranges


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


def _wages(rng: random.Random) -> Numbers:
    a, h = rng.randint(8, 30), rng.randint(3, 12)
    return {"a": a, "h": h, "t": rng.randint(5, 60), "s": rng.randint(3, a * h)}


def _farm(rng: random.Random) -> Numbers:
    a, b = rng.randint(3, 12), rng.randint(3, 15)
    return {"a": a, "b": b, "c": rng.randint(2, 8), "d": rng.randint(3, a * b), "k": rng.randint(2, 14)}


TEMPLATES = (
    Template(
        "two_purchases",
        ranges(a=(2, 15), b=(2, 20), c=(2, 15), d=(2, 20)),
        (
            "{name} buys {a} {item} for ${b} each and {c} bags for ${d} each. How much does {name} pay in total?",
            "In a shop {name} takes {c} bags at ${d} each and {a} {item} at ${b} each. What is the total price?",
            "A bag costs ${d} and the {item} cost ${b} each. {name} buys {a} {item} and {c} bags. What do they cost?",
            "{name} needs {a} {item} and {c} bags. With {item} at ${b} and bags at ${d}, how much is it?",
            "{c} bags, each for ${d}, and {a} {item}, each for ${b}: how much must {name} pay?",
            "At ${b} each {name} gets {a} {item}, and at ${d} each {c} bags. How much money is spent?",
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
            "The {item} cost ${b} each. {name} takes {a} of them and had ${m} before. What remains?",
            "After buying {a} {item} for ${b} each, how much of ${m} does {name} still have?",
            "With ${m} in the pocket {name} pays ${b} for each of {a} {item}. How many dollars are left?",
            "{a} {item} at a price of ${b} each are paid with ${m}. How much does {name} get back?",
        ),
        (("Find the price of the {item}.", "{a} * {b}"), ("Find the money that is left.", "{m} - R1")),
    ),
    Template(
        "half_as_many",
        _halves,
        (
            "{name} sold {a} {item} in May, half as many in June and {b} in July. How many {item} were sold?",
            "In June {name} sold half as many {item} as in May. In May it was {a} and in July {b}. How many in all?",
            "{a} {item} were sold in May and {b} in July. June brought half of what May did. What is the total?",
            "July: {b} {item}. May: {a} {item}. June: half of May. How many did {name} sell?",
            "In July {name} sold {b} {item}, in May {a}, and in June half the number of May. How many altogether?",
            "{name} sold {item}: first {a}, in the next month half of that, at last {b}. How many is that?",
        ),
        (
            ("Find the {item} sold in June.", "{a} / 2"),
            ("Add the {item} of May and June.", "{a} + R1"),
            ("Add the {item} of July.", "R2 + {b}"),
        ),
    ),
    Template(
        "times_as_many",
        ranges(a=(3, 60), k=(2, 9)),
        (
            "{name} has {a} {item}. {other} has {k} times as many. How many {item} do they have together?",
            "{other} owns {k} times as many {item} as {name}. If {name} owns {a}, how many are there in all?",
            "If {other} has {k} times the {item} of {name}, who has {a}, how many do both have?",
            "{a} {item} belong to {name}, and {k} times that number to {other}. How many are there?",
            "For each of the {a} {item} of {name}, {other} has {k}. What is the sum of both?",
            "{name} counts {a} {item} and {other} {k} times that number. How many do they count together?",
        ),
        (("Find the {item} of {other}.", "{a} * {k}"), ("Add the {item} of both.", "{a} + R1")),
    ),
    Template(
        "machine",
        ranges(a=(3, 40), h=(2, 12), d=(2, 14)),
        (
            "A machine makes {a} {item} per hour and runs {h} hours a day. How many {item} does it make in {d} days?",
            "For {d} days a machine runs {h} hours a day. It makes {a} {item} per hour. How many {item} is that?",
            "In each hour {a} {item} leave a machine. It works {d} days, {h} hours daily. How many {item} leave it?",
            "{name} lets a machine run {h} hours on each of {d} days. Per hour it makes {a} {item}. How many in all?",
            "Running {h} hours daily and making {a} {item} hourly, how many {item} does a machine make in {d} days?",
            "How many {item} come out of a machine in {d} days of {h} hours, when it makes {a} an hour?",
        ),
        (("Find the {item} made in a day.", "{a} * {h}"), ("Find the {item} made in all days.", "R1 * {d}")),
    ),
    Template(
        "share",
        _shares,
        (
            "{name} has {a} {item} and {other} has {b}. They share them equally among {k} friends. How many for each?",
            "{a} {item} of {name} and {b} of {other} are split equally among {k} friends. How many does each get?",
            "{k} friends share the {item} of {name}, who has {a}, and {other}, who has {b}. What does each get?",
            "Equal parts for {k} friends are made of {a} {item} from {name} and {b} from {other}. How big is a part?",
            "{other} brings {b} {item} and {name} {a}. Each of {k} friends gets the same number. How many is it?",
            "Two bags hold {a} and {b} {item}. {name} divides them evenly by {k} friends. How many for one friend?",
        ),
        (("Add the {item} of both.", "{a} + {b}"), ("Find the {item} for each friend.", "R1 / {k}")),
    ),
    Template(
        "reading",
        ranges(a=(5, 60), b=(2, 40), c=(3, 60)),
        (
            "{name} read {a} pages on Monday, {b} more on Tuesday than on Monday and {c} on Friday. How many in total?",
            "On Tuesday {name} read {b} more pages than on Monday. It was {a} on Monday and {c} on Friday. "
            "How many pages did {name} read?",
            "Friday: {c} pages. Monday: {a} pages. Tuesday: {b} more than Monday. How many did {name} read?",
            "{name} read {c} pages on Friday and {a} on Monday. Tuesday had {b} more than Monday. What is the sum?",
            "Of a book {name} read {a} pages, a day later {b} pages more than that, and at last {c}. How many in all?",
            "How many pages are read, if Monday has {a}, Tuesday {b} more than Monday, and Friday {c}?",
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
            "There are {b} {item} in each of {a} boxes. {name} gives away {c} and finds {d}. How many {item} is it?",
            "{a} boxes hold {b} {item} each. {c} {item} are given away and {d} found. How many does {name} have now?",
            "{name} gives away {c} {item} out of {a} boxes of {b}, and later finds {d}. How many are left in the end?",
            "From {a} full boxes, {b} {item} in each, {name} takes off {c} and puts in {d}. How many {item} is that?",
            "{name} finds {d} {item} after giving away {c}. At first there were {a} boxes of {b} {item}. How many now?",
        ),
        (
            ("Find the {item} in the boxes.", "{a} * {b}"),
            ("Take off the {item} given away.", "R1 - {c}"),
            ("Add the {item} found.", "R2 + {d}"),
        ),
    ),
    Template(
        "wages",
        _wages,
        (
            "{name} works {h} hours for ${a} an hour, gets ${t} in tips and spends ${s}. How much does {name} keep?",
            "At ${a} an hour {name} works {h} hours. After ${t} in tips {name} spends ${s}. How much is left?",
            "{name} earns ${a} in each of {h} hours and ${t} in tips. What remains after ${s} are spent?",
            "Tips were ${t}, the pay ${a} for each of {h} hours, and ${s} were spent. What does {name} have left?",
            "{name} spends ${s} of the pay for {h} hours at ${a} an hour and of ${t} in tips. How much is kept?",
            "For {h} hours {name} is paid ${a} hourly, then given ${t} in tips, then billed ${s}. How much is it now?",
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
            "{p} percent of the {a} {item} of {name} are red. How many of them are not?",
            "A jar of {a} {item} is {p} percent red. How many {item} in it are not red?",
            "If {p} percent of {a} {item} are red, how many {item} of other colours does {name} have?",
            "{name} takes all red {item}, which are {p} percent, out of {a} {item}. How many stay?",
        ),
        (("Find the red {item}.", "{a} * {p} / 100"), ("Find the {item} that are not red.", "{a} - R1")),
    ),
    Template(
        "commute",
        ranges(a=(3, 40), d=(2, 6), w=(2, 20)),
        (
            "{name} drives {a} miles to work and the same way back, {d} days a week. How many miles in {w} weeks?",
            "Work is {a} miles away. {name} drives there and back {d} days a week for {w} weeks. How many miles is it?",
            "For {w} weeks {name} drives to work and back on {d} days a week, {a} miles each way. How many miles?",
            "On {d} days of each week {name} drives {a} miles there and {a} miles back. How far is it in {w} weeks?",
            "How many miles does {name} drive in {w} weeks, with {d} days a week and {a} miles each way?",
            "It is {a} miles to work. {name} goes there and back {d} times a week. How many miles are {w} weeks?",
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
            "{other} put away ${b} in each of {v} weeks, {name} ${a} in each of {w} weeks. What is the difference?",
            "In {w} weeks {name} saves ${a} weekly, in {v} weeks {other} ${b} weekly. How much more has {name}?",
            "{name} has saved {w} weeks, ${a} each, {other} {v} weeks, ${b} each. By how much is {name} richer?",
            "How much more than {other}, with ${b} a week for {v} weeks, has {name}, with ${a} a week for {w} weeks?",
        ),
        (
            ("Find the money {name} saves.", "{a} * {w}"),
            ("Find the money {other} saves.", "{b} * {v}"),
            ("Find the difference.", "R1 - R2"),
        ),
    ),
    Template(
        "farm",
        _farm,
        (
            "Each day {a} cows give {b} liters each. A liter sells for ${c} and food costs ${d} a day. "
            "What does {name} earn in {k} days?",
            "{name} has {a} cows that give {b} liters each a day, and pays ${d} a day for food. A liter brings ${c}. "
            "How much is earned in {k} days?",
            "A liter of milk brings ${c}. {name} gets {b} liters from each of {a} cows a day and pays ${d} daily. "
            "What do {k} days bring?",
            "For {k} days {name} sells the milk of {a} cows, {b} liters each, at ${c} a liter. Food is ${d} a day. "
            "What is earned?",
            "Food costs ${d} a day for {a} cows. Each gives {b} liters a day, sold for ${c} a liter. "
            "How much does {name} earn in {k} days?",
            "With {a} cows, {b} liters from each, ${c} per liter and a daily cost of ${d}, what are {k} days worth?",
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
        ranges(a=(3, 25), b=(3, 25), c=(2, 9), d=(2, 9)),
        (
            "A garden is {a} meters long and {b} meters wide. Each square meter gives {c} plants, sold for ${d} each. "
            "How much money is that?",
            "Plants sell for ${d} each. {name} grows {c} on each square meter of a garden {a} meters long and "
            "{b} meters wide. What do they bring?",
            "{name} grows {c} plants per square meter on {a} by {b} meters. At ${d} each, what are they worth?",
            "In a garden of {a} by {b} meters {c} plants grow on every square meter. {name} sells each for ${d}. "
            "How much is it?",
            "On every square meter {c} plants grow, each worth ${d}. It has {a} by {b} meters. What is it worth?",
            "What does {name} get for plants at ${d} each, {c} per square meter, from {a} meters by {b} meters?",
        ),
        (
            ("Find the area of the garden.", "{a} * {b}"),
            ("Find the number of plants.", "R1 * {c}"),
            ("Find the price of the plants.", "R2 * {d}"),
        ),
    ),
)
