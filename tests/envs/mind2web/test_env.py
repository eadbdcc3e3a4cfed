"""Mind2Web as a Gymnasium environment: recorded steps, both action syntaxes, what is shown, and the metrics."""

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl import task_types
from lumos_rl.core import Task
from lumos_rl.data.cache import CACHE_VARIABLE
from lumos_rl.envs.base import EpisodeError, NotResetError
from lumos_rl.envs.mind2web.env import Mind2WebEnv
from lumos_rl.envs.mind2web.reader import load_action, load_page
from lumos_rl.envs.mind2web.suite import write_files
from lumos_rl.envs.mind2web.tools.dom import get_tree_repr, prune_tree
from lumos_rl.errors import ConfigError, MissingFileError, UnknownNameError
from lumos_rl.language import format_actions

PAGE = (
    '<html backend_node_id="100"> <input backend_node_id="101" type="text" aria_label="City"/>'
    '<button backend_node_id="102"> <text backend_node_id="103">Search</text></button>'
    '<a backend_node_id="104"> <text backend_node_id="105">Home</text></a></html>'
)


def action(op: str, value: str, gold: str | None) -> dict[str, Any]:
    keys = [key for key in ("101", "102", "104") if key != gold]
    return {
        "action_uid": f"{op}-{gold}",
        "raw_html": PAGE,
        "cleaned_html": PAGE,
        "operation": {"op": op, "value": value, "original_op": op},
        "pos_candidates": [{"backend_node_id": gold}] if gold else [],
        "neg_candidates": [{"backend_node_id": key} for key in keys],
    }


def task(*, lost: bool = False) -> Task:
    """Type a city, then click; with `lost` a third step has lost its target."""
    actions = [action("TYPE", "New York", "101"), action("CLICK", "", "102")] + ([action("CLICK", "", None)] * lost)
    reprs = ["[textbox]  City -> TYPE: New York", "[button]  Search -> CLICK", "[link]  Home -> CLICK"][: len(actions)]
    return Task("mind2web/test/x", "mind2web", "Find a bed", meta={"actions": actions, "reprs": reprs})


def make(*tasks: Task, **settings: Any) -> gym.Env[str, str]:
    return gym.make("lumos_rl/Mind2Web-v0", tasks=tasks or (task(),), **settings)


def inner(env: gym.Env[str, str]) -> Mind2WebEnv:
    assert isinstance(env.unwrapped, Mind2WebEnv)
    return env.unwrapped


def play(env: gym.Env[str, str], *actions: str, options: Any = 0) -> list[Any]:
    return [env.reset(options={"task": options}), *(env.step(action) for action in actions)]


def test_the_first_observation_is_task_and_page() -> None:
    observation, info = make().reset(options={"task": 0})
    text, mapping = get_tree_repr(prune_tree(PAGE, ["101", "102", "104"]), id_mapping={})
    assert observation == f"Task: Find a bed\nPrevious actions:\nNone\nPage:\n{text}"
    assert info["elements"] == {str(number): key for key, number in mapping.items()}
    assert (info["position"], info["previous_actions"]) == (0, [])


IRREGULAR = PAGE.replace("<a ", "<!-- a comment --><a ")
DEEP = '<div backend_node_id="9">' * 600 + PAGE + "</div>" * 600


@pytest.mark.parametrize("page", [PAGE, IRREGULAR, DEEP], ids=["regular", "irregular", "deep"])
def test_an_environment_on_any_page_can_be_pickled_and_continues_equally(page: str) -> None:
    actions = [{**action("TYPE", "New York", "101"), "cleaned_html": page}, action("CLICK", "", "102")]
    reprs = ["[textbox]  City -> TYPE: New York", "[button]  Search -> CLICK"]
    env = make(Task("mind2web/test/x", "mind2web", "Find a bed", meta={"actions": actions, "reprs": reprs})).unwrapped
    env.reset(options={"task": 0})
    for text in ("TYPE [0] New York", "R2 = CLICK(R1, QUERY: search button)"):
        other = pickle.loads(pickle.dumps(env))
        assert other.step(text) == env.step(text)


def test_right_steps_by_id_are_rewarded_one_by_one() -> None:
    start, first, second = play(make(), "TYPE [0] New York", "CLICK [1]")
    assert [first[1:4], second[1:4]] == [(1.0, False, False), (1.0, True, False)]
    assert "[textbox]  City -> TYPE: New York\nPage:" in first[0]
    assert first[4]["previous_actions"] == ["[textbox]  City -> TYPE: New York"]
    assert first[4]["scores"]["step_acc"] == 1.0 and "success" not in first[4]
    assert second[0] == "All steps are done."
    info = second[4]
    assert info["success"] and info["metrics"]["step_acc"] == info["metrics"]["lumos_step_sr"] == 1.0
    assert start[1]["task_id"] == "mind2web/test/x"


def test_ids_of_the_page_and_queries_do_the_same() -> None:
    *_, last = play(make(), "TYPE [101] New York", "R1 = CLICK(Env, QUERY: search button)")
    assert (last[1], last[4]["success"]) == (1.0, True)


def test_whatever_is_predicted_the_recorded_page_follows() -> None:
    _, first, second = play(make(), "CLICK [2]", "CLICK [1]")
    assert (first[1], second[1], second[2]) == (0.0, 1.0, True)
    assert "City -> TYPE: New York" in first[0]
    metrics = second[4]["metrics"]
    assert (metrics["element_acc"], metrics["step_acc"], metrics["task_success"]) == (0.5, 0.5, 0.0)
    assert (metrics["action_f1"], second[4]["counts"]["steps"], second[4]["success"]) == (0.5, 2.0, False)


def test_a_value_that_is_partly_right_counts_for_the_operation_alone() -> None:
    _, first, _ = play(make(), "TYPE [0] York", "CLICK [1]")
    assert first[1] == 0.0
    assert first[4]["scores"] == {
        "element": "101",
        "element_acc": 1.0,
        "action_f1": pytest.approx(0.8),
        "step_acc": 0.0,
        "rank": first[4]["scores"]["rank"],
    }


def test_a_text_that_is_no_action_predicts_nothing() -> None:
    _, first, _, last = play(make(), "I would type New York", "TYPE [0] New York", "CLICK [1]")
    assert first[0].startswith("Error: expected CLICK [id]") and first[4]["position"] == 0
    assert last[4]["success"]


def test_an_unknown_id_is_told_and_counts_as_wrong() -> None:
    _, first, _ = play(make(), "CLICK [77]", "CLICK [1]")
    assert "'77'" in first[4]["error"] and first[4]["error"] in first[0] and first[4]["position"] == 1


def test_several_actions_in_one_text_are_several_steps() -> None:
    env = make()
    _, step = play(env, "R1 = TYPE(Env, QUERY: city, TEXT: New York); R2 = CLICK(R1, QUERY: search button)")
    assert step[1:3] == (2.0, True)
    assert step[4]["success"]
    with pytest.raises(EpisodeError):
        env.step("CLICK [0]")


def test_steps_that_were_not_predicted_count_0() -> None:
    _, _, last = play(make(), "TYPE [0] New York", "Finish()")
    metrics = last[4]["metrics"]
    assert (last[1], metrics["step_acc"], metrics["task_success"], last[4]["success"]) == (0.0, 0.5, 0.0, False)
    assert (metrics["lumos_step_sr"], last[4]["counts"]["lumos_steps"], metrics["exact_step_acc"]) == (1.0, 1.0, 0.5)


def test_a_step_whose_target_was_lost_counts_0() -> None:
    *_, last = play(make(task(lost=True)), "TYPE [0] New York", "CLICK [1]", "CLICK [2]")
    metrics = last[4]["metrics"]
    assert (last[1], last[2], metrics["task_success"]) == (0.0, True, 0.0)
    assert metrics["step_acc"] == pytest.approx(2 / 3)
    assert metrics["recall@50"] == pytest.approx(2 / 3)


def test_only_the_best_candidates_are_shown_and_can_be_chosen_by_id() -> None:
    def home_first(query: str, text: str) -> float:
        return float("Home" in text.partition("target")[2])

    env = make(top_k=1, ranker=home_first)
    start, first, _ = play(env, "TYPE [101] New York", "CLICK [0]")
    assert start[1]["elements"] == {"0": "104"} and "Search" in start[0]
    assert first[1] == 0.0
    info = play(env, "R1 = TYPE(Env, QUERY: x, TEXT: y)", "CLICK [0]")[-1][4]
    assert (info["metrics"]["recall@1"], info["metrics"]["recall@5"], info["ranker"]) == (0.0, 1.0, "home_first")


def test_the_flattered_pool_is_only_in_its_own_metric() -> None:
    """With 60 candidates the right one is outside the best 50, and in the release's pool all the same."""
    links = "".join(f'<a backend_node_id="{key}"> <text>Item</text></a>' for key in range(200, 260))
    page = f'<html backend_node_id="100"><b backend_node_id="150"> <text>Gold</text></b>{links}</html>'
    negatives = [{"backend_node_id": str(key)} for key in range(200, 260)]
    step = action("CLICK", "", "150") | {"cleaned_html": page, "neg_candidates": negatives}
    hard = Task("mind2web/test/x", "mind2web", "Go", meta={"actions": [step], "reprs": ["[b]  Gold -> CLICK"]})

    def last_60(query: str, text: str) -> float:
        return float("Item" in text.partition("target")[2])

    _, by_id = play(make(hard, ranker=last_60), "CLICK [150]")
    assert by_id[4]["metrics"]["recall@50"] == by_id[4]["metrics"]["element_acc"] == 0.0
    _, by_query = play(make(hard), "CLICK(Env, QUERY: Gold)")
    assert by_query[4]["metrics"]["lumos_step_sr"] == 1.0


def test_without_pages_only_sentences_are_seen() -> None:
    start, first, last = play(
        make(observation="feedback"),
        "R1 = TYPE(Env, QUERY: city textbox, TEXT: New York)",
        "R2 = CLICK(R1, QUERY: search button)",
    )
    assert start[0] == "Find a bed" and start[1]["elements"] == {}
    assert first[0].startswith("We have already ") and first[0].endswith("New York in the textbox City.")
    assert first[4]["results"]["R1"][1:] in first[0]
    assert last[4]["success"] and last[4]["observation_mode"] == "feedback"
    assert not any(name.startswith("recall") for name in last[4]["metrics"])


def test_without_pages_there_are_no_ids_to_act_on() -> None:
    start, first = play(make(observation="feedback"), "CLICK [0]")
    assert (*task_types.get("mind2web").tool_names(), "Finish") == tuple(start[1]["tools"])
    assert first[4]["position"] == 0 and first[4]["error"].startswith("expected actions such as R1 = CLICK(Env")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("mind2web")
    write_files(place, {"train": 3, "test_task": 2, "test_website": 1, "test_domain": 3}, per_file=2)
    return place


def test_gold_actions_of_a_folder_score_1_on_every_reachable_step(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    for split, count in (("train", 3), ("test_task", 2), ("test_website", 1), ("test_domain", 3)):
        env = gym.make("lumos_rl/Mind2Web-v0", source=folder, split=split, top_k=50)
        assert inner(env).num_tasks == count
        for number, found in enumerate(inner(env).tasks):
            _, info = env.reset(options={"task": number})
            for index in range(len(found.meta["reprs"])):
                operation = load_action(found, index)["operation"]
                gold = load_page(found, index).positives[0]
                shown = [one for one, key in info["elements"].items() if key == gold]
                value = "" if operation["op"] == "CLICK" else f" {operation['value']}"
                _, reward, *_, info = env.step(f"{operation['op']} [{shown[0] if shown else 'none'}]{value}")
                assert reward == float(bool(shown))


def test_the_splits_of_a_folder(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert inner(gym.make("lumos_rl/Mind2Web-v0", source=folder)).tasks[0].split == "test_task"
    with pytest.raises(UnknownNameError, match="test_domain"):
        gym.make("lumos_rl/Mind2Web-v0", source=folder, split="dev")
    with pytest.raises(UnknownNameError, match="dev"):
        gym.make("lumos_rl/Mind2Web-v0", split="test_domain")


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"observation": "html"}, ConfigError),
        ({"top_k": 0}, ConfigError),
        ({"ranker": 7}, ConfigError),
        ({"ranker": "no/such/model"}, MissingFileError),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        make(**settings)


def test_a_task_without_its_record_is_an_error() -> None:
    with pytest.raises(ConfigError, match="reprs"):
        make(Task("mind2web/test/x", "mind2web", "x")).reset()
    with pytest.raises(NotResetError):
        _ = inner(make()).session


def test_gold_plans_score_1_without_pages_too() -> None:
    env = gym.make("lumos_rl/Mind2Web-v0", observation="feedback", split="train", limit=20)
    for number, found in enumerate(inner(env).tasks):
        steps = play(env, *(format_actions(part.actions) for part in found.subgoals), options=number)[1:]
        assert [step[1] for step in steps] == [1.0] * len(found.subgoals)
        results = [text for step in steps for text in step[4]["results"].values()]
        assert results == [part.actions[0].result for part in found.subgoals]


WITHOUT = """
import sys
sys.modules["lxml"] = None
import gymnasium as gym, lumos_rl.envs
from lumos_rl.data import load_tasks
from lumos_rl.errors import MissingExtraError
assert load_tasks("mind2web", limit=1)[0].subgoals
try:
    gym.make("lumos_rl/Mind2Web-v0")
except MissingExtraError as error:
    print(error)
"""


def test_without_lxml_the_extra_is_named() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert "pip install -e '.[web]'" in done.stdout


def test_infos_can_be_stored() -> None:
    for step in play(make(), "CLICK [77]", "CLICK [1]"):
        json.dumps(step[-1])
