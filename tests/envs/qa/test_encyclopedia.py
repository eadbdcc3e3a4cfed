import json
import os
import subprocess
import sys
from collections import Counter
from itertools import islice

import pytest

from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.envs.qa.encyclopedia import SHARES, encyclopedia, main
from lumos_rl.envs.qa.suite import PARAGRAPHS, question_stream
from lumos_rl.errors import UnknownNameError

BENCHMARKS = pytest.mark.parametrize("benchmark", ["hotpotqa", "strategyqa"])


def all_entities():
    return [entity for split in SHARES for entity in encyclopedia(split).entities]


def test_it_has_thousands_of_entities_each_with_a_title_of_its_own():
    entities = all_entities()
    assert len(entities) == len({entity.title for entity in entities}) == 3612
    assert {entity.kind for entity in entities} == {"country", "city", "person", "film", "novel", "company", "band"}
    assert len({(entity.kind, relation) for entity in entities for relation in entity.facts}) > 20


def test_some_names_are_ambiguous():
    names = Counter(entity.name for entity in encyclopedia("test").entities)
    shared = [name for name, count in names.items() if count > 1]
    assert len(shared) == 12
    assert {entity.title for entity in encyclopedia("test").entities if entity.name == shared[0]} == {
        f"{shared[0]} (film)",
        f"{shared[0]} (novel)",
    }


def test_every_fact_stands_in_the_sentence_that_is_said_to_state_it():
    for entity in all_entities():
        for relation, index in entity.stated.items():
            assert entity.text_of(relation) in entity.sentences[index]


@BENCHMARKS
def test_splits_share_no_entity(benchmark):
    seen = {
        split: {title for task in synthetic_tasks(benchmark, split, 300) for title, _ in task.meta["context"]}
        for split in SHARES
    }
    assert not seen["train"] & seen["test"] | seen["train"] & seen["dev"] | seen["dev"] & seen["test"]
    names = {split: {entity.name for entity in encyclopedia(split).entities} for split in SHARES}
    assert not names["train"] & names["test"]


@BENCHMARKS
def test_questions_come_with_what_they_need(benchmark):
    tasks = synthetic_tasks(benchmark, "test", 250)
    assert len({task.instruction for task in tasks}) == len({task.id for task in tasks}) == 250
    for task in tasks:
        articles = dict(task.meta["context"])
        assert len(articles) == PARAGRAPHS
        assert all(index < len(articles[title]) for title, index in task.meta["supporting_facts"])
        assert {title for title, _ in task.meta["supporting_facts"]} < articles.keys()
        assert len(task.subgoals) >= 2


def test_all_kinds_of_questions_are_there():
    hotpot = Counter(task.meta["type"] for task in synthetic_tasks("hotpotqa", "train", 600))
    assert hotpot.keys() == {"bridge", "comparison", "yes-no"}
    assert min(hotpot.values()) > 100
    answers = Counter(task.answer for task in synthetic_tasks("strategyqa", "train", 600))
    assert answers.keys() == {"yes", "no"}
    assert abs(answers["yes"] - 300) < 60
    assert len({task.meta["template"] for task in synthetic_tasks("strategyqa", "train", 600)}) == 24


def test_namesakes_stand_in_the_context():
    tasks = synthetic_tasks("hotpotqa", "test", 300)
    shared = [t for t in tasks if any(str(title).endswith("(film)") for title, _ in t.meta["supporting_facts"])]
    assert shared
    for task in shared:
        titles = {title for title, _ in task.meta["context"]}
        for title, _ in task.meta["supporting_facts"]:
            assert title.replace("(film)", "(novel)") in titles


def test_facts_of_a_strategy_are_its_supporting_sentences():
    task = synthetic_tasks("strategyqa", "dev", 1)[0]
    articles = dict(task.meta["context"])
    assert task.meta["facts"] == [articles[title][index] for title, index in task.meta["supporting_facts"]]


def test_the_same_questions_come_in_every_process():
    code = "from lumos_rl.data.synthetic import synthetic_tasks; print(synthetic_tasks('hotpotqa', 'dev', 9))"

    def run(seed):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout

    assert run("1") == run("2")


def test_another_seed_gives_other_questions_about_the_same_encyclopedia():
    first, other = (list(islice(question_stream("hotpotqa", "train", seed), 100)) for seed in (0, 1))
    assert len({task.instruction for task in first} & {task.instruction for task in other}) < 10
    assert other[0].id == "hotpotqa/train/synthetic-1-0"


@pytest.mark.slow
def test_questions_do_not_run_out():
    tasks = list(islice(question_stream("hotpotqa", "dev", 3), 4_000))
    assert len({task.instruction for task in tasks}) == 4_000


def test_the_articles_can_be_written_as_documents(tmp_path):
    main(["--out", str(tmp_path / "documents.jsonl")])
    documents = [json.loads(line) for line in (tmp_path / "documents.jsonl").read_text().splitlines()]
    assert len(documents) == 3612
    assert documents[0].keys() == {"title", "text"}


def test_an_unknown_split_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match="Known: dev, test, train, unseen"):
        encyclopedia("validation")
