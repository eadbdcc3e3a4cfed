import re
from dataclasses import replace

import pytest

from lumos_rl.core import Formulation, Task, Transcript
from lumos_rl.data.overlap import HeldOut
from lumos_rl.data.renaming import renamed
from lumos_rl.data.rows import ChatRow, annotation_rows
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.language import parse_actions
from lumos_rl.prompts import COMPACT_PROFILE, LUMOS_PROFILE

SUITES = ("hotpotqa", "strategyqa", "webshop", "mind2web", "intercode_sql")


def rows_of(*benchmarks, count=40, profile=COMPACT_PROFILE):
    tasks = [task for name in benchmarks for task in synthetic_tasks(name, "train", count)]
    return annotation_rows(tasks, Formulation.ITERATIVE, profile)


def row(module, *contents, key="t"):
    messages = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(contents)]
    return ChatRow(key, "webshop", module, tuple(messages))


def contents(rows):
    return [message["content"] for row in rows for message in row.messages]


def test_the_system_message_stays_as_it_is_and_keeps_no_word_from_changing():
    system = {"role": "system", "content": "Buy things such as b0lxrl9m9s."}
    bare = row("grounder", "Look at b0lxrl9m9s.", "R12 = Click(b0lxrl9m9s)")
    (copy,) = renamed([replace(bare, messages=(system, *bare.messages))], 1, 0)
    assert copy.messages[0] == system
    assert list(copy.messages[1:]) == list(renamed([bare], 1, 0)[0].messages) != list(bare.messages)


def test_what_is_copied_changes_everywhere_alike():
    rows = [
        row("planner", "Buy green tea under 40 dollars.", "Find it.", "b0lxrl9m9s, Green Tea", "Look at b0lxrl9m9s."),
        row("grounder", "Find it.", "R1 = Search(tea)", "Look at b0lxrl9m9s.", "R12 = Click(b0lxrl9m9s)"),
    ]
    planner, grounder = renamed(rows, 1, 0)
    (item,) = set(re.findall(r"\w{10}", " ".join(contents([planner, grounder])))) - {"b0lxrl9m9s"}
    assert contents([planner, grounder]) == [text.replace("b0lxrl9m9s", item) for text in contents(rows)]
    assert (planner.id, planner.module, planner.benchmark) == ("t~1", "planner", "webshop")


def test_a_word_that_is_written_before_it_is_read_stays():
    """The planner names Lagos by itself, the grounder copies it from the planner."""
    rows = [
        row("planner", "Go to Rome.", "Type Lagos and Rome"),
        row("grounder", "Lagos and Rome", "TYPE(Lagos, Rome)"),
    ]
    other = [row("planner", "Go to Bern.", "Bern", key="u"), row("grounder", "Bern", "Bern", key="u")]
    copies = renamed(rows + other, 8, 0)
    assert copies
    assert all("Lagos" in text for text in contents(copies[1:2]))
    assert {text for text in contents(copies) if text.startswith("Go to")} - {"Go to Rome.", "Go to Bern."}


def test_words_of_many_tasks_and_of_two_numbers_stay():
    rows = [row("solver", f"Find name{at}x of cats or a cat", f"name{at}x cats cat", key=str(at)) for at in range(60)]
    copies = renamed(rows, 1, 0)
    assert len(copies) == 60
    for before, after in zip(rows, copies, strict=True):
        (old, new) = (texts[0].split()[1] for texts in (contents([before]), contents([after])))
        assert old != new
        assert contents([after]) == [text.replace(old, new) for text in contents([before])]


@pytest.mark.parametrize("benchmark", SUITES)
@pytest.mark.parametrize("profile", [COMPACT_PROFILE, LUMOS_PROFILE], ids=["compact", "lumos"])
def test_copies_of_every_suite_keep_their_form(benchmark, profile):
    """Turns keep their number, tools and results' names; actions can still be read; most tasks have copies."""
    rows = rows_of(benchmark, profile=profile)
    by_key = {(row.id, row.module): row for row in rows}
    copies = renamed(rows, 2, 0)
    assert len(copies) > 1.5 * len(rows)
    for copy in copies:
        before = by_key[copy.id.rpartition("~")[0], copy.module]
        assert [message["role"] for message in copy.messages] == [message["role"] for message in before.messages]
        assert copy.messages != before.messages
        if copy.module != "grounder":
            continue
        for old, new in zip(before.messages[1::2], copy.messages[1::2], strict=True):
            kept, made = parse_actions(old["content"]), parse_actions(new["content"])
            assert [(action.outputs, action.tool) for action in kept] == [
                (action.outputs, action.tool) for action in made
            ]


@pytest.mark.parametrize("benchmark", SUITES)
def test_no_module_has_to_write_what_it_has_not_read(benchmark):
    """What a copy writes unread, its original writes as well."""
    rows = rows_of(benchmark)
    by_key = {(row.id, row.module): row for row in rows}
    for copy in renamed(rows, 1, 0):
        before = by_key[copy.id.rpartition("~")[0], copy.module]
        assert unread(copy) == unread(before)


def unread(row):
    """Words of two or more letters or digits that a turn writes and no message before it holds."""
    read, found = set(), []
    for message in row.messages:
        words = re.findall(r"[^\W_]{2,}", message["content"].lower())
        if message["role"] == "assistant":
            found += [word for word in words if word not in read]
        else:
            read.update(words)
    return found


def test_the_same_seed_gives_the_same_copies():
    rows = rows_of("webshop", "intercode_sql", count=10)
    assert renamed(rows, 2, 0) == renamed(rows, 2, 0)
    assert renamed(rows, 2, 0) != renamed(rows, 2, 1)
    assert renamed(rows, 0, 0) == []
    assert renamed([], 3, 0) == []


def test_no_copy_becomes_a_held_out_task():
    rows = rows_of("hotpotqa", count=10)
    copies = renamed(rows, 2, 0)
    first = contents(copies)[0].removeprefix("Plan: ")
    left = renamed(rows, 2, 0, HeldOut([Task("webshop/test/0", "webshop", first.upper())]))
    assert [copy for copy in copies if copy.id != copies[0].id] == left


def test_token_ids_of_the_original_are_not_those_of_the_copy():
    rows = [replace(row, transcript=Transcript((1,), (True,), "x")) for row in rows_of("webshop", count=3)]
    assert all(copy.transcript is None for copy in renamed(rows, 1, 0))
