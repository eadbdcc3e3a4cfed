"""CPU time to read hostile texts: what a model could write to make a tool, a parser or a scorer slow.

    python benchmarks/text_cost.py             # prints milliseconds of CPU for each reading; exits 1 above the bound
    python benchmarks/text_cost.py --bound 200 math

Each reading takes texts of 64 kB that no person writes: nested brackets, long digits, towers of powers. A row is a name
and a function of a text; `READINGS` lists them by part, so that other parts add theirs. The time is the best of three
tries, in this process and its children. Equations that sympy solves are another matter: they may compute for two
seconds (`lumos_rl.tools.code.process`), and are refused before only where their powers say that this is not enough.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache

from lumos_rl.envs.mind2web.env import Mind2WebEnv
from lumos_rl.envs.mind2web.tools.actions import web_tools
from lumos_rl.envs.qa.tools.extractive import ExtractiveReader
from lumos_rl.envs.qa.tools.knowledge import Paragraphs, Piece, split_document
from lumos_rl.envs.qa.tools.question import qa_tools
from lumos_rl.envs.sql.domains import suite_dump
from lumos_rl.envs.sql.tools.sqlite import SqliteDatabase, image_of
from lumos_rl.envs.webshop.suite import suite_catalogue, suite_goals
from lumos_rl.envs.webshop.tools.actions import shop_tools
from lumos_rl.envs.webshop.tools.session import Session, Shop
from lumos_rl.errors import LumosError
from lumos_rl.metrics import exact_match, numeric_match, token_f1, yes_no
from lumos_rl.prompts import reading_prompt
from lumos_rl.tools.base import Value
from lumos_rl.tools.math import math_tools

SIZE = 64 * 1024  # characters
BOUND_MS = 50.0
TRIES = 3
PIECES = (
    *("1+", "(", ")", "[", "{", "|", "-", "!", "%", "9", "9^", "9**", "x", "x+", "2x+", "x*", "(x+1)^50*"),
    *(
        "1,",
        "1,000,",
        ", ",
        ",,",
        "...",
        "a, ",
        "1/",
        "1 1/2 ",
        "=",
        "x=1,",
        "x<",
        "not ",
        "sqrt(",
        "max(",
        "f(x)=",
        "R1",
        "R1+",
        "e9",
    ),
    *("word ", "\n", " ", "\t", ".", "½", "²", "×", "٣", "é", "$", "<<", "<<1=1>>", "percent ", "of ", "-1 "),
)
ONES = (
    *("9**9**9", "10^10^10", "factorial(10^9)", "5!!!!!!", "sin(10^300)"),
    *("(x+1)^5000 = 0", "x^9999 = 2", "2^x^x^x = 3"),
)


# Texts that only one part reads; a piece is repeated to `SIZE` characters, and to the length that a statement may have.
OWN_PIECES: Mapping[str, tuple[str, ...]] = {
    "shop": ("search[", "]", ", Item_features: [", "], Query: ", ",Query:", "a ** ", "red desk lamp ", "-a"),
    "sql": (
        *(
            "UNION SELECT 1 ",
            "JOIN song ",
            "(SELECT 1), ",
            "CASE WHEN 1 THEN ",
            "1 OR ",
            "1 AND ",
            "NOT ",
            "'' ",
            "\\'",
        ),
        *("/* */ ", "-- \n", "#\n", "`a`.", "IF(1,", "1 BETWEEN 1 AND ", "1 IN (1,", "@a:=", "INTERVAL 1 DAY + "),
    ),
    "qa": (
        *("Ab x ", "Ab, ", "The ", "A! ", "Dr. A ", "[]", "A ", "A or ", "if a,", "A. ", '."', "(a", "May 5, 1950 "),
        *("hundred ", "[ ", "R1 ", "Silver Harbour ", "1931 ", "[R1], ", "Question: ", "Who is "),
    ),
    "mind2web": ("<text>", "</", "Env, QUERY: ", ", TEXT: ", "CLICK [1] ", "[button] ", "wrd ", "search button ", "["),
}


def own_texts(part: str) -> list[str]:
    """The texts that only this part reads."""
    pieces = OWN_PIECES.get(part, ())
    return [piece * (size // len(piece)) + "1" for piece in pieces for size in (300, 3_000, SIZE - 5_000)]


def texts(size: int = SIZE) -> list[str]:
    """Hostile texts of about this many characters, and some short ones that a reading must not expand."""
    repeated = [piece * (size // len(piece)) for piece in PIECES]
    nested = [
        "(" * (size // 2) + "1" + ")" * (size // 2),
        "(" * 400 + "x" + ")" * 400 + "=1",
        "((" * 40 + "1" + "))^9" * 40,
    ]
    long_names = ["x" * size + "=1", "y" * 900 + "+1=2", "9" * 900 + "*" + "9" * 90, "1." + "9" * (size - 2)]
    short = [piece * (900 // len(piece)) + "1" for piece in PIECES]  # as long as an expression may be
    return [*repeated, *nested, *long_names, *short, *ONES]


def _tool(name: str) -> Callable[[str], object]:
    return lambda text: math_tools()[name](text, {})


def _statement(before: str, after: str = "") -> Callable[[str], object]:
    def reading(text: str) -> object:
        database = SqliteDatabase(image_of(suite_dump()))
        database.begin("studio")
        return database.execute(before + text + after)

    return reading


def _shop(before: str, after: str = "") -> Callable[[str], object]:
    def reading(text: str) -> object:
        session = Session(Shop(suite_catalogue()), suite_goals()[0]["test"][0], "Find me a lamp")
        name, _, head = before.partition("(")
        return shop_tools(session)[name](head + text + after, {})

    return reading


def _qa(name: str, before: str = "", after: str = "") -> Callable[[str], object]:
    def reading(text: str) -> object:
        piece = Piece("Silver Harbour", ("It was directed by Ida Vorelan in 1931.",))
        tools = qa_tools(Paragraphs([piece]), ExtractiveReader(), "Was Silver Harbour made in 1931?")
        found = {"R1": tools["KnowledgeQuery"]("Silver Harbour", {}), "R2": Value.of(text)}
        return tools[name](before + text + after, found)

    return reading


def _read(text: str) -> object:
    """Reads a document of this text."""
    return ExtractiveReader()(reading_prompt("Who directed Silver Harbour?", [f"[Silver Harbour] {text}"]))


@cache
def _web() -> Mind2WebEnv:
    return Mind2WebEnv("mind2web", limit=1)


def _operation(name: str, before: str, after: str = "") -> Callable[[str], object]:
    def reading(text: str) -> object:
        _web().reset(options={"task": 0})
        return web_tools(_web().session)[name](before + text + after, {})

    return reading


TOOLS = ("Calculator", "SetEquation", "SolveEquation", "SolveInequality", "Count", "Define")
READINGS: Mapping[str, Mapping[str, Callable[[str], object]]] = {
    "math": {name: _tool(name) for name in TOOLS},
    "answers": {
        "numeric_match": lambda text: numeric_match(text, "7"),
        "exact_match": lambda text: exact_match(text, "7"),
        "token_f1": lambda text: token_f1(text, "7"),
        "yes_no": yes_no,
    },
    "shop": {
        "Search": _shop("Search("),
        "Click": _shop("Click("),
        "Act": _shop("Act(search[", "]"),
        "Act, open": _shop("Act(search["),
        "features": _shop("FeatureRetrieve(", ", Query: red desk lamp"),
        "query": _shop("FeatureRetrieve(red, blue, Query: "),
        "Pick": _shop("Pick(Item_names: ", ", Item_features: [a, b], Query: red"),
    },
    "qa": {
        "KnowledgeQuery": _qa("KnowledgeQuery"),
        "ParagraphRetrieve": _qa("ParagraphRetrieve"),
        "context": _qa("ParagraphRetrieve", "[", "], Query: Who directed it?"),
        "query": _qa("ParagraphRetrieve", "[R1], Query: "),
        "QA": _qa("QA", "[R1], Question: "),
        "QA, open": _qa("QA"),
        "Calculator": _qa("Calculator"),
        "a result": _qa("Calculator", "R2 + 1 - "),
        "reader": _read,
        "document": lambda text: split_document("Silver Harbour", text),
    },
    "mind2web": {  # one recorded page; a page itself is no text of a model: see `benchmarks/mind2web_speed.py`
        "CLICK": _operation("CLICK", "Env, QUERY: "),
        "CLICK, open": _operation("CLICK", ""),
        "TYPE": _operation("TYPE", "Env, QUERY: search box, TEXT: "),
        "query": _operation("TYPE", "Env, QUERY: ", ", TEXT: Boston"),
        "Act": _operation("Act", "TYPE [1] "),
        "id": _operation("Act", "CLICK [", "]"),
        "text": lambda text: _web().read(text),
    },
    "sql": {
        "statement": _statement(""),
        "SELECT": _statement("SELECT "),
        "FROM": _statement("SELECT 1 FROM song a JOIN band "),
        "WHERE": _statement("SELECT 1 FROM song WHERE title IN (", ")"),
        "text": _statement("SELECT title LIKE '", "' FROM song"),
        "SHOW": _statement("SHOW TABLES LIKE '", "'"),
        "INSERT": _statement("INSERT INTO song VALUES (", ")"),
    },
}


def cost_ms(reading: Callable[[str], object], text: str) -> float:
    """Milliseconds of CPU, the least of some tries; an error that the package raises on purpose is a reading too."""
    times = []
    for _ in range(TRIES):
        start = _cpu_s()
        with contextlib.suppress(LumosError):
            reading(text)
        times.append(_cpu_s() - start)
        if times[-1] * 1000 < BOUND_MS:
            break
    return min(times) * 1000


def _cpu_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def main() -> int:
    """Prints the slowest text of every reading; 1 if one is above the bound."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", default=list(READINGS), help=f"some of {', '.join(READINGS)}")
    parser.add_argument("--bound", type=float, default=BOUND_MS, help="milliseconds of CPU for one text")
    given = parser.parse_args()
    above = 0
    for part in given.parts:
        for name, reading in READINGS[part].items():
            slowest, text = max((cost_ms(reading, text), text[:24]) for text in [*texts(), *own_texts(part)])
            above += slowest > given.bound
            print(f"{part:10} {name:16} {slowest:8.1f} ms  {text!r}{'  above' if slowest > given.bound else ''}")
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
