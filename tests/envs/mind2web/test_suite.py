"""The built-in websites: records as the dataset has them, splits that share none, plans that find every element."""

from itertools import islice

import pytest

from lumos_rl.core import Action
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.envs.mind2web.kinds import KINDS
from lumos_rl.envs.mind2web.metrics import recall_at
from lumos_rl.envs.mind2web.reader import load_page, read_step
from lumos_rl.envs.mind2web.suite import ERRANDS, gold_plan, suite_record, web_stream
from lumos_rl.envs.mind2web.tools.dom import clean_tree, page_markup, parse_page
from lumos_rl.envs.mind2web.tools.ranking import LexicalRanker
from lumos_rl.envs.mind2web.tools.sentences import grounded_query, ranking_query
from lumos_rl.language import format_actions, parse_actions


def drawn(split, count=400):
    return synthetic_tasks("mind2web", split, count)


def test_there_are_fifty_templates():
    sentences = {kind.errands[errand] for kind in KINDS for errand in ERRANDS}
    assert len(sentences) == 50
    assert len({(task.meta["suite"][0], task.meta["suite"][2]) for task in drawn("train", 1_500)}) == 50


def test_splits_share_no_website():
    sites = {split: {task.meta["website"] for task in drawn(split, 1_000)} for split in ("train", "dev", "test")}
    pairs = {split: {tuple(task.meta["suite"][:2]) for task in drawn(split, 1_000)} for split in sites}
    assert not pairs["train"] & pairs["test"] and not pairs["train"] & pairs["dev"] and not pairs["dev"] & pairs["test"]
    assert min(map(len, sites.values())) > 50


def test_tasks_are_the_same_in_every_draw_and_each_is_there_once():
    tasks = list(islice(web_stream("mind2web", "test", 3), 50))
    assert tasks == list(islice(web_stream("mind2web", "test", 3), 50))
    assert [task.id for task in tasks[:2]] == ["mind2web/test/synthetic-3-0", "mind2web/test/synthetic-3-1"]
    everything = drawn("train", 2_000)
    assert len({(task.meta["website"], task.instruction) for task in everything}) == 2_000


def test_a_record_has_the_fields_of_the_dataset():
    task = drawn("test", 1)[0]
    record = suite_record(task)
    assert set(record) == {
        *("annotation_id", "website", "domain", "subdomain", "confirmed_task", "action_reprs", "actions"),
    }
    assert record["confirmed_task"] == task.instruction and len(record["actions"]) == len(record["action_reprs"])
    for number, action in enumerate(record["actions"]):
        assert set(action) == {
            *("action_uid", "raw_html", "cleaned_html", "operation", "pos_candidates", "neg_candidates"),
        }
        assert set(action["operation"]) == {"op", "value", "original_op"}
        [gold] = action["pos_candidates"]
        assert gold["is_original_target"] and gold["is_top_level_target"]
        assert f'data_pw_testid_buckeye="{action["action_uid"]}"' in action["raw_html"]
        keys = [candidate["backend_node_id"] for candidate in (gold, *action["neg_candidates"])]
        assert page_markup(clean_tree(parse_page(action["raw_html"]), keys)) == action["cleaned_html"]
        assert load_page(task, number).step == read_step(action, record["action_reprs"][number], "here")


def test_every_step_has_its_target_on_the_page_and_its_plan_can_be_written():
    for task in drawn("dev", 40):
        for number, subgoal in enumerate(task.subgoals):
            assert parse_actions(format_actions(subgoal.actions)) == list(subgoal.actions)
            assert len(load_page(task, number).positives) == 1


def test_the_plan_of_recorded_actions():
    texts = ["[link]  Deals -> HOVER", "[textbox]  City -> TYPE: New York", "[combobox]  Size -> SELECT: L"]
    plan = gold_plan("mind2web/train/0", texts)
    assert [action.args for part in plan for action in part.actions] == [
        "Env, QUERY: link Deals",
        "R1, QUERY: textbox City, TEXT: New York",
        "R2, QUERY: combobox Size, TEXT: L",
    ]
    first = plan[1].actions[0]
    assert first == Action(("R2",), "TYPE", first.args, plan[1].text)
    assert plan[1].text.endswith("New York in the textbox City")


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_lexical_ranker_finds_what_gold_queries_ask_for(split):
    ranker, ranks = LexicalRanker(), []
    for task in drawn(split, 60):
        for number, subgoal in enumerate(task.subgoals):
            page, (action,) = load_page(task, number), subgoal.actions
            query, _, text = action.args.partition("QUERY: ")[2].partition(", TEXT: ")
            previous = task.meta["reprs"][:number]
            asked = ranking_query(grounded_query(action.tool, query, text), previous)
            assert page.ranked(ranker, asked)[0] in page.positives, (task.id, number)
            ranked = page.ranked(ranker, ranking_query(task.instruction, previous))
            ranks.append(ranked.index(page.positives[0]))
    assert 0.1 < recall_at(ranks, 1) < recall_at(ranks, 10) < recall_at(ranks, 50) < 1
