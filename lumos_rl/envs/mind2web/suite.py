"""The built-in websites: generated tasks in Mind2Web's own record schema, with gold plans.

    suite_tasks = synthetic_tasks("mind2web", "train", limit=2)
    suite_tasks[0].instruction    # "Reserve a Double room at Maple Inn."
    suite_tasks[0].subgoals       # "Type Maple Inn in the searchbox Search this site", R1 = TYPE(Env, QUERY: …), …
    suite_record(suite_tasks[0])  # the record in the dataset's format, with pages and candidates

A website has a kind and a name, which decide its split, so no website is in two splits; the split "unseen" has kinds
of its own, with other errands and pages. A task holds no pages: they are made from its `meta` on demand, and are always
the same. To write splits as files in the layout of the dataset:

    python -m lumos_rl.envs.mind2web.suite FOLDER --train 100 --test 20
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from lumos_rl.core import Action, Subgoal, Task
from lumos_rl.data.synthetic import UNSEEN
from lumos_rl.envs.mind2web.kinds import BRANDS, KINDS, MONTHS, PEOPLE, TOPICS, Kind, Move, Site, Words
from lumos_rl.envs.mind2web.tools.sentences import parse_recorded, translate_action
from lumos_rl.envs.mind2web.unseen import DIGITS, LANGUAGES, LETTERS, REMARKS, STARS, UNSEEN_KINDS, UNSEEN_MOVES

SPLIT_SHARES: Mapping[str, range] = {"test": range(4), "dev": range(4, 7), "train": range(7, 20)}  # of 20 websites
OFFERED = 12  # things in a website's list
ALL_KINDS = (*KINDS, *UNSEEN_KINDS)
ERRANDS = ("search", "date", "filter", "order", "contact")


@lru_cache(maxsize=256)
def site(kind: int, name: str) -> Site:
    """The website of a kind, an index into `ALL_KINDS`, with a name."""
    rng = random.Random(f"site/{kind}/{name}")
    first, second = ALL_KINDS[kind].things
    offered = [f"{a} {b}" for a in first for b in second]
    return Site(ALL_KINDS[kind], name, tuple(rng.sample(offered, min(OFFERED, len(offered)))))


def draw(chosen: Site, rng: random.Random) -> Words:
    """Draws the words of a task on a website."""
    kind = chosen.kind
    heading = next(iter(kind.menu))
    boxes = [box for group in kind.filters.values() for box in group]
    return {
        "heading": heading,
        "entry": rng.choice(kind.menu[heading]),
        "place": rng.choice(kind.place[1]),
        "who": rng.choice(kind.who[1]),
        "month": str(rng.randrange(3)),
        "date": str(rng.randint(1, 28)),
        "box": rng.choice(boxes),
        "sort": rng.choice(kind.sorts),
        "thing": rng.choice(chosen.things),
        "option": rng.choice(kind.option[1]),
        "person": rng.choice(PEOPLE),
        "topic": rng.choice(TOPICS),
    }


def draw_unseen(chosen: Site, rng: random.Random) -> Words:
    """Draws the words of a task on a website of the split "unseen"."""
    words = draw(chosen, rng)
    return words | {
        "group": next(group for group, boxes in chosen.kind.filters.items() if words["box"] in boxes),
        "code": "".join(rng.choices(LETTERS, k=3) + rng.choices(DIGITS, k=4)),
        "language": rng.choice(LANGUAGES),
        "stars": rng.choice(STARS),
        "remark": rng.choice(REMARKS),
    }


def moves(kind: Kind, errand: str, words: Words) -> list[Move]:
    """The steps of an errand."""
    return _MOVES[errand](kind, words)


def _search(kind: Kind, words: Words) -> list[Move]:
    return [
        Move("home", "heading", "menuitem", words["heading"], "HOVER"),
        Move("home", "entry", "link", words["entry"]),
        *_form(kind, words),
        Move("form", "who", "combobox", kind.who[0], "SELECT", words["who"]),
        Move("form", "submit", "button", "Search now"),
    ]


def _date(kind: Kind, words: Words) -> list[Move]:
    month = int(words["month"])
    return [
        *_form(kind, words),
        Move("form", "when", "textbox", kind.when),
        *[Move(f"picker-{shown}", "next", "button", "Next month") for shown in range(month)],
        Move(f"picker-{month}", "day", "gridcell", day_label(words)),
        Move("form", "submit", "button", "Search now"),
    ]


def day_label(words: Words) -> str:
    """The label of a day, e.g. "14 July"."""
    return f"{words['date']} {MONTHS[int(words['month'])]}"


def _form(kind: Kind, words: Words) -> list[Move]:
    return [Move("form", "place", "textbox", kind.place[0], "TYPE", words["place"])]


def _filter(kind: Kind, words: Words) -> list[Move]:
    return [
        Move("home", "list", "menuitem", list(kind.menu)[1]),
        Move("list", "box", "checkbox", words["box"]),
        Move("list", "sort", "combobox", "Sort by", "SELECT", words["sort"]),
        Move("list", "thing", "link", words["thing"]),
    ]


def _order(kind: Kind, words: Words) -> list[Move]:
    return [
        Move("home", "find", "searchbox", "Search this site", "TYPE", words["thing"]),
        Move("list", "thing", "link", words["thing"]),
        Move("item", "option", "combobox", kind.option[0], "SELECT", words["option"]),
        Move("item", "act", "button", kind.act),
    ]


def _contact(kind: Kind, words: Words) -> list[Move]:
    return [
        Move("home", "contact", "link", "Contact us"),
        Move("contact", "person", "textbox", "Your name", "TYPE", words["person"]),
        Move("contact", "topic", "combobox", "Subject of your message", "SELECT", words["topic"]),
        Move("contact", "send", "button", "Send message"),
    ]


_MOVES: Mapping[str, Callable[[Kind, Words], list[Move]]] = {
    "search": _search,
    "date": _date,
    "filter": _filter,
    "order": _order,
    "contact": _contact,
    **UNSEEN_MOVES,
}


def web_stream(benchmark: str, split: str, seed: int) -> Iterator[Task]:
    """An infinite stream of different tasks of a split, with the signature of all built-in suites."""
    rng = random.Random(f"{benchmark}/{split}/{seed}")
    label = f"{benchmark}/{split}/synthetic-" + (f"{seed}-" if seed else "")
    seen: set[tuple[str, str]] = set()
    unseen = split == UNSEEN
    kinds, errands, drawn = (UNSEEN_KINDS, tuple(UNSEEN_MOVES), draw_unseen) if unseen else (KINDS, ERRANDS, draw)
    shares = range(20) if unseen else SPLIT_SHARES[split]
    while True:
        kind, errand, name = rng.randrange(len(kinds)), rng.choice(errands), "".join(map(rng.choice, BRANDS))
        kind += len(KINDS) * unseen
        words = drawn(site(kind, name), rng)
        instruction = ALL_KINDS[kind].errands[errand].format(**words, day=day_label(words))
        if _bucket(kind, name) in shares and (name, instruction) not in seen:
            seen.add((name, instruction))
            yield _task(f"{label}{len(seen) - 1}", split, (kind, name, errand, words), instruction)


def _bucket(kind: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{kind}/{name}".encode()).digest()[:8], "big") % 20


def _task(key: str, split: str, made_from: tuple[int, str, str, Words], instruction: str) -> Task:
    kind, name, errand, words = made_from
    chosen = ALL_KINDS[kind]
    texts = [move.text for move in moves(chosen, errand, words)]
    domain, subdomain = chosen.domain
    about = {"website": name.lower(), "domain": domain, "subdomain": subdomain}
    meta = {"suite": list(made_from), "reprs": texts, "template": f"{chosen.name}/{errand}", **about}
    return Task(key, "mind2web", instruction, None, split, gold_plan(key, texts), meta)


def gold_plan(key: str, texts: Sequence[str]) -> tuple[Subgoal, ...]:
    """The recorded actions as subgoals, each with its action.

    Args:
        key: The task's id, which seeds the wording of the sentences.
        texts: `action_reprs`.
    """
    subgoals = []
    for index, text in enumerate(texts):
        sentence = translate_action(text, random.Random(f"{key}/{index}"))
        words, op, value = parse_recorded(text)
        args = f"{f'R{index}' if index else 'Env'}, QUERY: {words}"
        args += "" if op == "CLICK" else f", TEXT: {value}"
        subgoals.append(Subgoal(sentence, (Action((f"R{index + 1}",), op, args, sentence),)))
    return tuple(subgoals)


def suite_record(task: Task) -> dict[str, Any]:
    """The record of a task of this suite, in the dataset's format."""
    kind, name, errand, words = task.meta["suite"]
    return _record(task.id, kind, name, errand, json.dumps(words)) | {"confirmed_task": task.instruction}


@lru_cache(maxsize=32)
def _record(key: str, kind: int, name: str, errand: str, words_json: str) -> dict[str, Any]:
    from lumos_rl.envs.mind2web.site import make_record  # here, because only pages need lxml

    words = json.loads(words_json)
    return make_record(key, site(kind, name), words, moves(ALL_KINDS[kind], errand, words))


def write_files(folder: Path, sizes: Mapping[str, int], per_file: int = 100) -> None:
    """Writes splits in the layout of the dataset.

    Args:
        folder: Target folder; the files are `folder/SPLIT/SPLIT_0.json` and so on.
        sizes: Tasks of each split, by the dataset's names; every test split is drawn from the suite's test split.
        per_file: Tasks per file.
    """
    for split, size in sizes.items():
        stream = web_stream("mind2web", "train" if split == "train" else "test", sum(map(ord, split)))
        (folder / split).mkdir(parents=True, exist_ok=True)
        for number, start in enumerate(range(0, size, per_file)):
            with (folder / split / f"{split}_{number}.json").open("w", encoding="utf-8") as file:
                for place in range(min(per_file, size - start)):
                    file.write(("[" if place == 0 else ", ") + json.dumps(suite_record(next(stream))))
                file.write("]")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m lumos_rl.envs.mind2web.suite")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", type=int, default=100, help="tasks of the split train")
    parser.add_argument("--test", type=int, default=20, help="tasks of each test split")
    options = parser.parse_args(arguments)
    tests = dict.fromkeys(("test_task", "test_website", "test_domain"), options.test)
    write_files(options.folder, {"train": options.train, **tests})
    return 0


if __name__ == "__main__":
    sys.exit(main())
