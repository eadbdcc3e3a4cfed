"""What question answering adds to the contract that every environment keeps (test_contract.py)."""

import json

import gymnasium as gym
import pytest

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl import task_types
from lumos_rl.core import Task
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.envs.qa.encyclopedia import main as write_encyclopedia
from lumos_rl.envs.qa.env import supporting_titles
from lumos_rl.envs.qa.tools.knowledge import Found, Paragraphs, Piece
from lumos_rl.errors import ConfigError, InfrastructureError, MissingFileError
from lumos_rl.language import format_actions

CONTEXT = [
    ["Glen or Glenda", ["Glen or Glenda is a film directed by Ed Wood."]],
    ["Ed Wood", ["Ed Wood was born in Poughkeepsie."]],
    ["Oslo", ["Oslo is a city."]],
]
META = {"context": CONTEXT, "supporting_facts": [["Glen or Glenda", 0], ["Ed Wood", 0]]}
BRIDGE = Task(
    "hotpotqa/test/0", "hotpotqa", "Where was the director of Glen or Glenda born?", "Poughkeepsie", meta=META
)
BARE = Task("hotpotqa/test/1", "hotpotqa", "Who directed Glen or Glenda?", "Ed Wood")
FACTS = {"facts": ["Ann Lee has 3 cats.", "Bo Ray has 5 cats."], "evidence": [[[["Ann Lee-1"]], [["Bo Ray-2"]]]]}
STRATEGY = Task("strategyqa/dev/0", "strategyqa", "Does Ann Lee have more cats than Bo Ray?", "no", meta=FACTS)

FIRST_HOP = "R1 = KnowledgeQuery(Glen or Glenda); R2 = ParagraphRetrieve(R1, Query: director)"
SECOND_HOP = "R3 = KnowledgeQuery(Ed Wood); R4 = ParagraphRetrieve(R3, Query: born)"


def play(task, *steps, **settings):
    """Observation, reward, terminated, truncated and info of the last step."""
    names = {"hotpotqa": "HotpotQA-v0", "strategyqa": "StrategyQA-v0"}
    env = gym.make(f"lumos_rl/{names[task.benchmark]}", tasks=(task,), **settings)
    env.reset(options={"task": 0})
    return [env.step(text) for text in steps][-1]


def test_an_answer_is_graded_by_exact_match_and_f1():
    assert play(BRIDGE, "Finish(the Poughkeepsie.)")[4]["metrics"]["em"] == 1.0
    _, reward, terminated, _, info = play(BRIDGE, "Finish(Poughkeepsie City)")
    assert (reward, terminated, info["success"]) == (0.0, True, False)
    assert info["metrics"] == {"em": 0.0, "f1": pytest.approx(2 / 3), "supporting_recall": 0.0}


@pytest.mark.parametrize(
    ("steps", "recall"),
    [
        (["Finish(x)"], 0.0),
        ([FIRST_HOP, "Finish(x)"], 0.5),
        ([FIRST_HOP, SECOND_HOP, "Finish(x)"], 1.0),
        (["R1 = KnowledgeQuery(Ed Wood)", "Finish(x)"], 0.5),
        ([FIRST_HOP, "R3 = KnowledgeQuery(Ed Wood)", "Finish(x)"], 0.5),
        (
            [FIRST_HOP, "R3 = KnowledgeQuery(Ed Wood); R4 = QA([R3], Question: Where was Ed Wood born?)", "Finish(x)"],
            1.0,
        ),
    ],
)
def test_the_recall_tells_a_failed_plan_from_a_failed_reader(steps, recall):
    assert play(BRIDGE, *steps)[4]["metrics"]["supporting_recall"] == recall


def test_finishing_with_a_result_gives_its_bare_answer():
    asked = "R5 = QA([R2, R4], Question: Where was Ed Wood born?)"
    observation, *_, info = play(BRIDGE, FIRST_HOP, SECOND_HOP, asked, "Finish(R5)")
    assert info["answer"] == "Poughkeepsie"
    assert info["success"]
    assert observation.endswith("The episode ended with the answer Poughkeepsie.")


def test_finishing_without_a_result_puts_the_answers_together():
    prompts = []

    def reader(prompt):
        prompts.append(prompt)
        return "Answer: Poughkeepsie\n"

    asked = "R5 = QA([R2], Question: Who directed it?); R6 = Calculator(2 + 3)"
    info = play(BRIDGE, FIRST_HOP, asked, "Finish()", reader=reader)[4]
    assert info["answer"] == "Poughkeepsie"
    assert "Question: Who directed it?; Answer: Poughkeepsie\nQuestion: R6; Answer: 5\n" in prompts[-1]
    assert BRIDGE.instruction in prompts[-1]
    assert "[Glen or Glenda]" in prompts[0]
    assert "[Glen or Glenda]" not in prompts[-1]


def test_finishing_with_paragraphs_asks_the_reader_about_them():
    assert (
        play(BRIDGE, FIRST_HOP, SECOND_HOP, "Finish()", reader=lambda prompt: "P" if "born" in prompt else "x")[4][
            "answer"
        ]
        == "P"
    )
    assert play(BRIDGE, "Finish()")[4]["answer"] is None


def test_no_answer_falls_back_on_more_evidence_then_on_none_then_on_yes_or_no():
    prompts = []

    def reader(prompt):
        prompts.append(prompt)
        return "yes" if "yes or no" in prompt else "No answer."

    asked = "R1 = KnowledgeQuery(Ann Lee); R2 = QA([R1], Question: Is Bo Ray a cat?)"
    info = play(STRATEGY, asked, reader=reader)[4]
    assert info["results"]["R2"] == "Question: Is Bo Ray a cat?; Answer: yes"
    assert ["Evidence:" in prompt for prompt in prompts] == [True, False, True]
    info = play(STRATEGY, "R1 = KnowledgeQuery(Ann Lee); R2 = QA([R1], Question: Who is Bo?)", reader=reader)[4]
    assert info["results"]["R2"] == "Question: Who is Bo?; Answer: No answer"


def test_what_a_question_lacks_is_looked_for_in_the_source():
    asked = "R1 = KnowledgeQuery(Oslo); R2 = QA([R1], Question: Where was Ed Wood born?)"
    assert play(BRIDGE, asked)[4]["results"]["R2"].endswith("Answer: Poughkeepsie")


@pytest.mark.parametrize(
    "line", ["R1 = KnowledgeQuery(Ed Wood)", "R1 = KnowledgeQuery(x)", "R1 = ParagraphRetrieve(R1, Query: x)"]
)
def test_a_question_without_context_is_observed_as_such(line):
    observation, *_, info = play(BARE, line)
    assert info["error"]
    assert info["error"] in observation
    if "KnowledgeQuery" in line:
        assert "this task comes without paragraphs and facts" in observation
    assert play(BARE, "R1 = QA(Question: Who directed it?)")[4]["results"]["R1"].endswith("Answer: No answer")


def test_oracle_facts_are_named_in_results():
    env = gym.make("lumos_rl/StrategyQA-v0", tasks=(STRATEGY,))
    assert env.reset(options={"task": 0})[1]["knowledge"] == "facts (oracle)"
    info = env.step("Finish(no)")[4]
    assert info["metrics"] == {"accuracy": 1.0, "oracle_accuracy": 1.0}


def test_a_strategy_is_graded_by_the_word_it_says():
    lines = (
        "R1 = KnowledgeQuery(Ann Lee); R2 = QA([R1], Question: How many cats does Ann Lee have?)",
        "R3 = KnowledgeQuery(Bo Ray); R4 = QA([R3], Question: How many cats does Bo Ray have?)",
        "R5 = Calculator(R2 > R4)",
    )
    info = play(STRATEGY, *lines, "Finish()")[4]
    assert (info["answer"], info["success"]) == ("no", True)
    assert play(STRATEGY, "Finish(nobody knows)")[1] == 0.0
    assert play(STRATEGY, "Finish(no answer.)")[1] == 0.0


def test_knowledge_of_a_folder_wikipedia_or_a_source_replaces_the_tasks_own(tmp_path):
    documents = tmp_path / "documents.jsonl"
    documents.write_text(json.dumps({"title": "Ed Wood", "text": "Ed Wood was born in Rome."}))
    line = "R1 = KnowledgeQuery(Ed Wood)"
    for knowledge in (documents, str(documents), tmp_path):
        assert play(BRIDGE, line, knowledge=knowledge)[0] == "R1 = [Ed Wood] Ed Wood was born in Rome."
    own = Paragraphs([Piece("Ed Wood", ("A painter.",))], "facts of mine")
    assert play(BRIDGE, line, knowledge=own)[4]["knowledge"] == "facts of mine"
    assert play(BRIDGE, line, "Finish(x)", knowledge=own)[4]["metrics"]["supporting_recall"] == 0.5
    assert play(STRATEGY, line, knowledge="context")[4]["error"]


def test_the_built_in_questions_are_answered_from_the_whole_encyclopedia(tmp_path):
    write_encyclopedia(["--out", str(tmp_path / "documents.jsonl")])
    env = gym.make("lumos_rl/HotpotQA-v0", knowledge=tmp_path / "documents.jsonl", limit=60)
    for index, task in enumerate(env.unwrapped.tasks):
        env.reset(options={"task": index})
        for subgoal in task.subgoals:
            env.step(format_actions(subgoal.actions))
        _, reward, _, _, info = env.step("Finish()")
        assert (reward, info["metrics"]["supporting_recall"]) == (1.0, 1.0), task.instruction


def test_a_judge_adds_a_metric():
    seen = []

    def judge(prompt):
        seen.append(prompt)
        return "Yes."

    metrics = play(BRIDGE, "Finish(the town of Poughkeepsie)", judge=judge)[4]["metrics"]
    assert (metrics["em"], metrics["judge"]) == (0.0, 1.0)
    assert all(text in seen[0] for text in (BRIDGE.instruction, "the town of Poughkeepsie", "Poughkeepsie"))
    assert play(BRIDGE, "Finish()", judge=judge)[4]["metrics"]["judge"] == 0.0


def test_a_reader_that_fails_is_no_verdict_on_the_action():
    def reader(prompt):
        raise InfrastructureError("the endpoint is down")

    with pytest.raises(InfrastructureError, match="endpoint is down"):
        play(BRIDGE, FIRST_HOP, "R3 = QA([R2], Question: Who?)", reader=reader)


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"knowledge": "facts.txt"}, MissingFileError, "expected knowledge as context, facts, wikipedia, or a file"),
        (
            {"knowledge": ""},
            ConfigError,
            "expected knowledge as context, facts, wikipedia, or a path, got an empty text",
        ),
        ({"knowledge": 7}, ConfigError, "expected knowledge as text, a path or a Source, got int"),
        ({"knowledge": "wikipedia:rewind:x"}, ConfigError, "wikipedia:record:FOLDER"),
        ({"reader": "gpt"}, ConfigError, "expected reader as a function from text to text, got str"),
        ({"judge": 3}, ConfigError, "expected judge as a function"),
    ],
)
def test_a_setting_that_cannot_work_is_said_at_once(settings, error, said):
    with pytest.raises(error, match=said):
        gym.make("lumos_rl/HotpotQA-v0", tasks=(BRIDGE,), **settings)


def test_a_reader_that_gives_no_text_is_said_at_once():
    with pytest.raises(ConfigError, match="expected a reader that returns text, got NoneType"):
        play(BRIDGE, FIRST_HOP, "R3 = QA([R2], Question: Who?)", reader=lambda prompt: None)
    with pytest.raises(ConfigError, match="expected a judge that returns text, got int"):
        play(BRIDGE, "Finish(x)", judge=lambda prompt: 1)


class Counted(list):
    """A source and reader that is falsy as long as it was not asked."""

    name = "mine"

    def lookup(self, query):
        self.append(query)
        return Found((Piece(query, ("A painter.",)),))

    def search(self, query, count):
        return []

    def __call__(self, prompt):
        self.append(prompt)
        return "Rome"


def test_a_source_or_reader_without_length_is_still_the_one_that_was_given():
    line = "R1 = KnowledgeQuery(Ed Wood); R2 = QA([R1], Question: Where?)"
    info = play(BRIDGE, line, knowledge=Counted(), reader=Counted())[4]
    assert info["results"] == {"R1": "[Ed Wood] A painter.", "R2": "Question: Where?; Answer: Rome"}
    assert info["knowledge"] == "mine"


def test_tools_are_listed_as_the_environment_lists_them():
    for benchmark in ("HotpotQA", "StrategyQA", "GSM8K", "SVAMP"):
        env = gym.make(f"lumos_rl/{benchmark}-v0", limit=1)
        assert (*task_types.get(benchmark.lower()).tool_names(), "Finish") == tuple(env.reset()[1]["tools"])


def test_supporting_titles_are_those_of_the_annotators():
    assert supporting_titles(BRIDGE) == ["Glen or Glenda", "Ed Wood"]
    assert supporting_titles(STRATEGY) == ["Ann Lee", "Bo Ray"]
    assert supporting_titles(BARE) == []


def test_the_extractive_reader_answers_its_gold_evidence():
    """Over all questions of three splits; the gold plans of one split's first hundred are in the contract test."""
    for benchmark in ("hotpotqa", "strategyqa"):
        for split in ("train", "dev", "test"):
            tasks = synthetic_tasks(benchmark, split, 120, seed=7)
            last = [task.subgoals[-1].actions[-1].result.rpartition("Answer: ")[2] for task in tasks]
            right = sum(answer == task.answer for answer, task in zip(last, tasks, strict=True))
            assert right >= 0.95 * len(tasks)
