"""HotpotQA and StrategyQA: reading their files, and gold plans from supporting facts and decompositions."""

import json
from dataclasses import replace

import gymnasium as gym
import pytest

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl import agent
from lumos_rl.core import Task
from lumos_rl.data import load_tasks
from lumos_rl.data.annotate import annotate
from lumos_rl.data.convert import main as convert
from lumos_rl.envs.qa.plans import as_argument
from lumos_rl.envs.qa.strategyqa import evidence_titles
from lumos_rl.errors import DataError, MissingFileError
from lumos_rl.language import format_actions
from lumos_rl.prompts import LUMOS_PROFILE
from lumos_rl.task_types import Reject

HOTPOT = {
    "_id": "5a8b",
    "question": "Where was the director of Glen or Glenda born?",
    "answer": "Poughkeepsie",
    "type": "bridge",
    "level": "hard",
    "supporting_facts": [["Ed Wood", 0], ["Glen or Glenda", 0]],
    "context": [
        ["Oslo", ["Oslo is a city."]],
        ["Ed Wood", ["Ed Wood was born in Poughkeepsie.", " He made films."]],
        ["Glen or Glenda", ["Glen or Glenda was directed by Ed Wood."]],
    ],
}
CAESAR = {
    "qid": "2bc9",
    "term": "Genghis Khan",
    "description": "",
    "question": "Are more people today related to Genghis Khan than Julius Caesar?",
    "answer": True,
    "facts": ["Julius Caesar had three children.", "Genghis Khan had sixteen children."],
    "decomposition": [
        "How many kids did Julius Caesar have?",
        "How many kids did Genghis Khan have?",
        "Is #2 greater than #1?",
    ],
    "evidence": [
        [[["Caesarion-2", "Julia (daughter of Caesar)-1"]], [["Tolui-1"], "no_evidence"], ["operation"]],
        [[["Julius Caesar-75"]], [["Genghis Khan-17"]], ["operation"]],
        [[["Julius Caesar-7"]], [["Genghis Khan-15"]], ["no_evidence", "operation"]],
    ],
}


def read(tmp_path, benchmark, *records, split="dev"):
    source = tmp_path / f"{split}.json"
    source.write_text(json.dumps(list(records)))
    return load_tasks(benchmark, source, split)


def written(task):
    """The actions without their results."""
    return [f"{a.tool}({a.args})" for subgoal in task.subgoals for a in subgoal.actions]


def test_a_hotpotqa_record_becomes_a_task(tmp_path):
    [task] = read(tmp_path, "hotpotqa", HOTPOT)
    assert (task.id, task.split, task.answer) == ("hotpotqa/dev/5a8b", "dev", "Poughkeepsie")
    assert task.meta == {name: HOTPOT[name] for name in ("type", "level", "context", "supporting_facts")}


def test_the_hubs_columns_are_read_alike(tmp_path):
    columns = {
        "id": "5a8b",
        "context": {"title": [t for t, _ in HOTPOT["context"]], "sentences": [s for _, s in HOTPOT["context"]]},
        "supporting_facts": {"title": ["Ed Wood", "Glen or Glenda"], "sent_id": [0, 0]},
    }
    record = {name: value for name, value in HOTPOT.items() if name != "_id"} | columns
    assert read(tmp_path, "hotpotqa", record) == read(tmp_path, "hotpotqa", HOTPOT)


def test_a_bare_question_is_a_task_without_context(tmp_path):
    [task] = read(tmp_path, "hotpotqa", {"question": "Who?", "answer": "Bo"})
    assert (task.id, dict(task.meta)) == ("hotpotqa/dev/0", {})
    assert annotate(task) == Reject(task.id, "no supporting facts")


MUSIQUE = {
    "id": "2hop__1_2",
    "question": "Where was the director of Glen or Glenda born?",
    "answer": "Poughkeepsie",
    "answer_aliases": ["Poughkeepsie, New York"],
    "answerable": True,
    "paragraphs": [
        {"idx": 0, "title": "Oslo", "paragraph_text": "Oslo is a city.", "is_supporting": False},
        {
            "idx": 1,
            "title": "Ed Wood",
            "paragraph_text": "Ed Wood was born in Poughkeepsie. He made films.",
            "is_supporting": True,
        },
        {
            "idx": 2,
            "title": "Glen or Glenda",
            "paragraph_text": "Glen or Glenda was directed by Ed Wood.",
            "is_supporting": True,
        },
    ],
}


def test_musiques_paragraphs_are_context_and_supporting_facts(tmp_path):
    [task] = read(tmp_path, "hotpotqa", MUSIQUE)
    assert task.id == "hotpotqa/dev/2hop__1_2"
    assert task.meta["context"] == [
        ["Oslo", ["Oslo is a city."]],
        ["Ed Wood", ["Ed Wood was born in Poughkeepsie.", "He made films."]],
        ["Glen or Glenda", ["Glen or Glenda was directed by Ed Wood."]],
    ]
    assert task.meta["supporting_facts"] == [["Ed Wood", 0], ["Glen or Glenda", 0]]
    assert written(annotate(task)) == written(annotate(read(tmp_path, "hotpotqa", HOTPOT)[0]))


def test_an_alias_of_the_answer_is_right(tmp_path):
    [task] = read(tmp_path, "hotpotqa", MUSIQUE)
    env = gym.make("lumos_rl/HotpotQA-v0", tasks=(task,))
    for answer, em, f1 in (("Poughkeepsie, New York", 1.0, 1.0), ("Poughkeepsie", 1.0, 1.0), ("New York", 0.0, 0.8)):
        env.reset(options={"task": 0})
        _, reward, _, _, info = env.step(f"Finish({answer})")
        assert (reward, info["metrics"]["em"]) == (em, em)
        assert info["metrics"]["f1"] == pytest.approx(f1)


def test_a_question_with_nothing_but_its_answer_has_an_id_by_position(tmp_path):
    tasks = read(
        tmp_path, "strategyqa", *({"question": f"Is ice {word}?", "answer": word == "cold"} for word in ("cold", "hot"))
    )
    assert [(task.id, task.answer) for task in tasks] == [("strategyqa/dev/0", "yes"), ("strategyqa/dev/1", "no")]


@pytest.mark.parametrize(
    ("benchmark", "change", "said"),
    [
        ("hotpotqa", {"answer": None}, "dev.json:1: field 'answer': expected text, got None"),
        ("hotpotqa", {"context": [["Ed"]]}, "field 'context': expected pairs of a title and sentences, got ['Ed']"),
        ("hotpotqa", {"context": [["Ed", [1]]]}, "field 'context': expected pairs of a title and sentences"),
        ("hotpotqa", {"context": [[" ", ["A."]]]}, "field 'context': expected pairs of a title and sentences"),
        ("hotpotqa", {"context": {"title": ["a"]}}, "expected columns title and sentences of equal length"),
        ("hotpotqa", {"context": "Ed"}, "field 'context': expected a list, got 'Ed'"),
        ("hotpotqa", {"supporting_facts": [["Ed", "1"]]}, "field 'supporting_facts': expected pairs of a title and"),
        ("strategyqa", {"answer": "yes"}, "field 'answer': expected true or false, got 'yes'"),
        ("strategyqa", {"facts": [""]}, "field 'facts': expected a list of texts"),
        (
            "strategyqa",
            {"evidence": [[["A-1"], None]]},
            "field 'evidence': expected a list of steps for each annotator",
        ),
        ("strategyqa", {"evidence": ["operation"]}, "field 'evidence': expected a list of steps for each annotator"),
        ("strategyqa", {"qid": [7]}, "field 'qid': expected an id, text or a whole number, got [7]"),
        ("strategyqa", {"qid": " "}, "field 'qid': expected an id, text or a whole number, got ' '"),
        ("hotpotqa", {"_id": True}, "field '_id': expected an id, text or a whole number, got True"),
        ("hotpotqa", {"answer_aliases": "x"}, "field 'answer_aliases': expected a list of texts, got 'x'"),
        ("hotpotqa", {"answerable": False}, "field 'answerable': expected true, because only an answer can be graded"),
        ("hotpotqa", {"context": None, "ctxs": [{"title": "A"}]}, "field 'ctxs': expected paragraphs as `context`"),
        (
            "hotpotqa",
            {"context": None, "paragraphs": [{"title": "A", "paragraph_text": 5}]},
            "dev.json:1, paragraph 0: field 'paragraph_text': expected text, got 5",
        ),
    ],
)
def test_a_record_that_cannot_be_read_is_named(tmp_path, benchmark, change, said):
    record = (HOTPOT if benchmark == "hotpotqa" else CAESAR) | change
    with pytest.raises(DataError) as caught:
        read(tmp_path, benchmark, record)
    assert said in str(caught.value)


def test_train_and_dev_stay_apart_in_a_folder(tmp_path):
    for split, answer in (("train", True), ("dev", False)):
        (tmp_path / f"{split}.json").write_text(json.dumps([CAESAR | {"qid": split, "answer": answer}]))
    ids = {split: [task.id for task in load_tasks("strategyqa", tmp_path, split)] for split in ("train", "dev", "test")}
    assert ids == {"train": ["strategyqa/train/train"], "dev": ["strategyqa/dev/dev"], "test": ["strategyqa/test/dev"]}
    (tmp_path / "train.json").unlink()
    with pytest.raises(MissingFileError, match=r"expected strategyqa train as train\.json or"):
        load_tasks("strategyqa", tmp_path, "train")


def test_a_hotpotqa_plan_looks_up_the_described_document_after_the_named_one(tmp_path):
    task = annotate(read(tmp_path, "hotpotqa", HOTPOT)[0])
    question = HOTPOT["question"]
    assert written(task) == [
        "KnowledgeQuery(Glen or Glenda)",
        f"ParagraphRetrieve(R1, Query: {question})",
        "KnowledgeQuery(Ed Wood)",
        f"ParagraphRetrieve(R3, Query: {question})",
        f"QA([R2, R4], Question: {question})",
    ]
    assert task.subgoals[0].actions[1].result == "Evidence 1: [Glen or Glenda] Glen or Glenda was directed by Ed Wood."


def test_a_supporting_document_that_is_not_there_is_rejected(tmp_path):
    record = HOTPOT | {"supporting_facts": [["Ed Wood", 0], ["Nowhere", 0]]}
    assert isinstance(annotate(read(tmp_path, "hotpotqa", record)[0]), Reject)


def test_a_strategyqa_plan_follows_the_decomposition(tmp_path):
    task = annotate(read(tmp_path, "strategyqa", CAESAR)[0])
    first, second, _ = CAESAR["decomposition"]
    assert written(task) == [
        "KnowledgeQuery(Julius Caesar)",
        f"ParagraphRetrieve(R1, Query: {first})",
        f"QA([R2], Question: {first})",
        "KnowledgeQuery(Genghis Khan)",
        f"ParagraphRetrieve(R4, Query: {second})",
        f"QA([R5], Question: {second})",
        "Calculator(R6 > R3)",
    ]
    assert [subgoal.text for subgoal in task.subgoals][
        -1
    ] == "Is the result of Subgoal 2 greater than the result of Subgoal 1?"
    assert [action.result for action in task.subgoals[-1].actions] == ["yes"]


def strategy(steps, operations, facts=("Bo is a cat from Rome.",)):
    evidence = [["operation"] if index in operations else [["Bo-1"]] for index in range(len(steps))]
    meta = {"term": "Bo", "facts": list(facts), "decomposition": steps, "evidence": [evidence]}
    return annotate(Task("strategyqa/dev/0", "strategyqa", "Is Bo a pet?", "yes", "dev", meta=meta))


@pytest.mark.parametrize(
    ("step", "action"),
    [
        ("Is #2 greater than or equal to #1?", "Calculator(R6 >= R3)"),
        ("Is #1 less than 25?", "Calculator(R3 < 25)"),
        ("Is #1 before #2?", "Calculator(R3 < R6)"),
        ("Is #1 the same as #2?", "Calculator(R3 = R6)"),
        ("What is #1 minus #2?", "Calculator(R3 - R6)"),
        ("What is the difference between #1 and #2?", "Calculator(abs(R3 - R6))"),
        ("Is #1 a kind of #2?", "QA([R3, R6], Question: Is R3 a kind of R6?)"),
        ("Are#1 like #2's?", "QA([R3, R6], Question: Are R3 like R6's?)"),
    ],
)
def test_operations_are_calculated_where_they_can_be(step, action):
    facts = ["Bo Ray has 5 cats.", "Ann Lee has 3 dogs."]
    task = strategy(["How many cats does Bo Ray have?", "How many dogs does Ann Lee have?", step], {2}, facts)
    assert written(task)[6] == action


def test_a_calculation_that_does_not_run_becomes_a_question():
    task = strategy(["What is Bo?", "Is #1 greater than 3?"], {1})
    assert written(task)[3] == "QA([R3], Question: Is R3 greater than 3?)"


def test_a_plan_that_ends_otherwise_asks_the_question_itself():
    task = strategy(["What is Bo?", "Where is #1 from?"], {0, 1})
    assert written(task)[-1].endswith(", Question: Is Bo a pet?)")
    assert task.subgoals[-1].text == "Answer the question with yes or no."
    assert task.subgoals[1].text == "Where is the result of Subgoal 1 from?"


def test_brackets_without_partner_are_left_out_of_actions():
    assert as_argument("a (b) c") == "a (b) c"
    assert as_argument(":) a\n(b") == ": a b"


def test_titles_of_evidence():
    assert evidence_titles([["A-b-2", ["C (d)-11"]], "operation", "no_evidence", 3]) == ["A-b", "C (d)"]


def test_converting_writes_every_plan_with_its_conversations(tmp_path):
    source = tmp_path / "train.json"
    source.write_text(json.dumps([CAESAR, CAESAR | {"qid": "x", "decomposition": []}]))
    assert convert(["--benchmark", "strategyqa", "--source", str(source), "--out", str(tmp_path / "out")]) == 0
    summary = json.loads((tmp_path / "out" / "yield.json").read_text())
    assert (summary["kept"], summary["rejected"]) == (1, {"no decomposition": 1})
    [grounder] = map(json.loads, (tmp_path / "out" / "grounder.jsonl").read_text().splitlines())
    assert "KnowledgeQuery, ParagraphRetrieve, QA, Calculator, Code" in grounder["messages"][0]["content"]
    assert "The execution result for Subgoal 1 is Question: How many kids" in grounder["messages"][2]["content"]
    annotated = load_tasks("strategyqa", source, "train", limit=1)[0]
    assert play_by_conversation(annotate(annotated)) == [message["content"] for message in grounder["messages"]]


def play_by_conversation(task):
    """The grounder's messages when an episode follows the gold plan: they must be those that were learned."""
    env = gym.make("lumos_rl/StrategyQA-v0", tasks=(task,))
    _, info = env.reset(options={"task": 0})
    episode = agent.play(
        "iterative", info["instruction"], info["tools"], LUMOS_PROFILE, reads_results=info["reads_results"]
    )
    messages, step, plan = [], next(episode), iter(task.subgoals)
    for index, subgoal in enumerate(plan, 1):
        step = episode.send(LUMOS_PROFILE.plan_turn(index, subgoal.text))
        written = format_actions(replace(action, result=None) for action in subgoal.actions)
        messages += [step.prompt, written]
        results = env.step(episode.send(written).text)[4]["results"]
        step = episode.send(agent.Outcome(list(results.values())[-1], None, False))
    return messages


def play(name, tasks):
    """Metrics of the gold plans, run in their environment; no action may fail."""
    env = gym.make(f"lumos_rl/{name}", tasks=tasks)
    for index, task in enumerate(tasks):
        env.reset(options={"task": index})
        for subgoal in task.subgoals:
            assert env.step(format_actions(subgoal.actions))[4]["error"] is None, task.id
        yield env.step("Finish()")[4]


@pytest.mark.slow
def test_every_strategyqa_record_gives_a_plan_that_runs_to_yes_or_no(benchmark_data):
    for name, size in (("strategyqa/train.json", 2061), ("strategyqa/dev_first115.json", 115)):
        found = [
            annotate(task) for task in load_tasks("strategyqa", benchmark_data(name), name[11:].partition(".")[0][:5])
        ]
        assert len(found) == size and all(isinstance(task, Task) for task in found)
        assert all(info["answer"] in ("yes", "no") for info in play("StrategyQA-v0", found))
        assert all(task.subgoals[-1].actions[-1].result.rpartition(" ")[2] in ("yes", "no") for task in found)


def test_hotpotqa_plans_end_with_both_paragraphs(benchmark_data):
    found = [
        annotate(task) for task in load_tasks("hotpotqa", benchmark_data("hotpotqa/distractor_sample200.json"), "dev")
    ]
    assert all(isinstance(task, Task) for task in found)
    recalls = [info["metrics"]["supporting_recall"] for info in play("HotpotQA-v0", found)]
    assert sum(recall == 1.0 for recall in recalls) >= 0.95 * len(recalls)


def test_a_supporting_title_is_found_first(benchmark_data):
    tasks = load_tasks("hotpotqa", benchmark_data("hotpotqa/distractor_sample200.json"), "dev")
    env = gym.make("lumos_rl/HotpotQA-v0", tasks=tasks)
    for index, task in enumerate(tasks):
        env.reset(options={"task": index})
        for title, _ in task.meta["supporting_facts"]:
            assert env.step(f"R1 = KnowledgeQuery({title})")[0].startswith(f"R1 = [{title}] ")
            env.reset(options={"task": index})


def test_bare_questions_are_read(benchmark_data):
    tasks = load_tasks("hotpotqa", benchmark_data("hotpotqa/dev_questions_first3700.json"), "dev")
    assert len(tasks) == 3700
