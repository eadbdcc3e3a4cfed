"""WebShop as a Gymnasium environment: its own syntax, its settings, and what it tells."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from tiny_shop import GOAL, split_nouns, write_files

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl.core import Task
from lumos_rl.envs.base import LumosEnv, NotResetError
from lumos_rl.envs.webshop.env import WebShopEnv
from lumos_rl.envs.webshop.reader import CACHE_VARIABLE
from lumos_rl.errors import ConfigError, EpisodeError, MissingFileError, UnknownNameError

BUYING = ("search[lamp]", "click[b001]", "click[red]", "click[buy now]")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    place = tmp_path / "shop"
    place.mkdir()
    return write_files(place)


def make(folder: Path, **settings: Any) -> gym.Env[str, str]:
    chosen = {"source": folder, "goals": [GOAL], "nouns": split_nouns, **settings}
    return gym.make("lumos_rl/WebShop-v0", **chosen)


def inner(env: gym.Env[str, str]) -> LumosEnv:
    assert isinstance(env.unwrapped, LumosEnv)
    return env.unwrapped


def play(env: gym.Env[str, str], *actions: str, task: Any = 0) -> list[Any]:
    return [env.reset(options={"task": task}), *(env.step(action) for action in actions)]


def test_a_purchase_in_the_shops_own_syntax(folder: Path) -> None:
    start, *steps = play(make(folder), *BUYING)
    assert start[0] == "WebShop [SEP] Instruction: [SEP] Find me a lamp [SEP] Search"
    assert start[1]["clickables"] == ["search"]
    assert [step[1:4] for step in steps] == [(0.0, False, False)] * 3 + [(1.0, True, False)]
    assert steps[0][4]["clickables"] == ["back to search", "next >", "b003", "b001"]
    assert steps[-1][0].startswith("Thank you for shopping with us! [SEP] Your code: [SEP] None")
    info = steps[-1][4]
    assert (info["success"], info["clickables"], info["error"]) == (True, [], None)
    assert info["metrics"] == {"score": 1.0, "success": 1.0}
    assert (info["nouns"], info["reward_details"]["r_att"]) == ("split_nouns", 1.0)


def test_less_than_the_whole_reward_is_no_success(folder: Path) -> None:
    *_, last = play(make(folder), "search[lamp]", "click[b001]", "click[buy now]")
    assert (last[1], last[4]["success"], last[4]["metrics"]["score"]) == (
        pytest.approx(2 / 3),
        False,
        pytest.approx(2 / 3),
    )


def test_after_the_purchase_step_refuses(folder: Path) -> None:
    env = make(folder)
    play(env, *BUYING)
    with pytest.raises(EpisodeError):
        env.step("search[lamp]")


NO_OPS = [
    "click[nothing]",
    "think[hmm (yes)]",
    " search[lamp]",
    "Search[lamp]",
    "click [x]",
    "hello",
    "",
    "R1 = (",
    "Finish(",
    "search(lamp)",
    "click(b001); think(x)",
]


@pytest.mark.parametrize("action", NO_OPS)
def test_a_text_that_is_no_action_leaves_the_observation_as_it_is(folder: Path, action: str) -> None:
    env = make(folder)
    _, page, after = play(env, "search[lamp]", action)
    assert after[:4] == (page[0], 0.0, False, False)
    assert after[4]["error"]
    assert after[4]["clickables"] == page[4]["clickables"]


def test_what_is_in_neither_language_is_told_both(folder: Path) -> None:
    *_, step = play(make(folder), "R1 = Search(lamp")
    assert "expected search[words]" in step[4]["error"]
    assert "expected ')' to end the call" in step[4]["error"]


def test_the_turns_are_limited_without_a_word_in_the_observation(folder: Path) -> None:
    env = make(folder, max_turns=2)
    _, first, second = play(env, "search[lamp]", "think")
    assert first[2:4] == (False, False)
    assert second[1:4] == (0.0, False, True)
    assert second[0] == first[0]
    assert second[4]["metrics"]["score"] == 0.0
    assert inner(make(folder)).max_steps == 15
    assert inner(make(folder, max_steps=3)).max_steps == 3


def test_both_languages_act_on_one_visit(folder: Path) -> None:
    env = make(folder)
    _, found, page, bought = play(
        env,
        "R1 = Search(lamp)",
        "click[b001]",
        "R2 = FeatureRetrieve([a], Query: b); R3 = Click(red); R4 = Click(Buy Now)",
    )
    assert found[0] == "R1 = b003 - Floor Lamp ** b001 - Desk Lamp"
    assert "Rating: N.A." in page[0]
    assert bought[0].endswith("R4 = 1.0")
    assert bought[1:3] == (1.0, True)


def test_what_is_wrong_with_a_tool_call_is_said(folder: Path) -> None:
    _, broken, unknown, nothing, absent, finished = play(
        make(folder),
        "R1 = Search(lamp); R3 = Pick(R1)",
        "R3 = FeatureRetrieve(R9, Query: red)",
        "R4 = Search(sofa)",
        "Click(b001)",
        "Finish()",
    )
    assert "expected Pick(Item_names: R1" in broken[0]
    assert "unknown result 'R9'" in unknown[0]
    assert "nothing was found for 'sofa'" in nothing[0]
    assert absent[4]["error"].endswith("clickables: back to search, next >")
    assert finished[1:3] == (0.0, True)


def test_a_click_on_the_items_of_a_search_opens_the_first(folder: Path) -> None:
    _, step = play(make(folder), "R1 = Search(lamp); R2 = Click(R1)")
    assert step[4]["results"]["R2"] == "back to search, < prev, description, features, reviews, buy now"


def test_only_an_item_is_clicked_by_the_words_before_a_dash(folder: Path) -> None:
    _, step = play(make(folder), "R1 = Search(lamp); R2 = Click(b001 - Desk Lamp); R3 = Click(red - and shiny)")
    assert "'red - and shiny' is not on this page" in step[4]["error"]
    assert list(step[4]["results"]) == ["R1", "R2"]


def test_features_are_the_options_of_the_page_and_the_closest_come_first(folder: Path) -> None:
    env = make(folder)
    _, step, other = play(
        env,
        "R1 = Search(lamp); R2 = Click(b001); R3 = FeatureRetrieve(R2, Query: a large red one)",
        "R4 = FeatureRetrieve([soft cotton, hard steel], Query: cotton)",
    )
    assert step[4]["results"]["R3"] == "red, large, black | white"
    assert other[4]["results"]["R4"] == "soft cotton, hard steel"


def test_the_better_item_is_picked_by_title_and_features(folder: Path) -> None:
    env = make(folder)
    for query, picked in (("floor", "b003 - Floor Lamp"), ("steel", "b001 - Desk Lamp"), ("gold", "b003 - Floor Lamp")):
        env.reset(options={"task": 0})
        env.step("R1 = Search(lamp); R2 = FeatureRetrieve([oak], Query: x); R3 = FeatureRetrieve([steel], Query: x)")
        info = env.step(f"R4 = Pick(Item_names: R1, Item_features: [R2, R3], Query: {query})")[4]
        assert info["results"] == {"R4": picked}
    info = env.step("R5 = Pick(Item_names: R1, Item_features: [R2], Query: x)")[4]
    assert "each of the 2 items" in info["error"]


def test_the_scorer_can_be_given(folder: Path) -> None:
    env = make(folder, scorer=lambda query, text: -len(text))
    _, step = play(env, "R1 = FeatureRetrieve([aaaa, a, aa, aaa], Query: x)")
    assert step[4]["results"]["R1"] == "a, aa, aaa"


def test_rich_text_and_the_attributes_button(folder: Path) -> None:
    *_, item, clicked = play(make(folder, observation="text_rich", show_attrs=True), *BUYING[:3])
    assert "  [button] red [button_]\n" in item[0]
    assert "attributes" in item[4]["clickables"]
    assert clicked[0].startswith("You have clicked red.\nInstruction:\n")


def test_earlier_actions_and_observations_stand_before_the_present_one(folder: Path) -> None:
    plain = [step[0] for step in play(make(folder), *BUYING[:3])]
    shown = [step[0] for step in play(make(folder, num_prev_obs=2, num_prev_actions=1), *BUYING[:3])]
    assert shown == [
        plain[0],
        " [SEP] ".join((plain[0], BUYING[0], plain[1])),
        " [SEP] ".join((plain[0], plain[1], BUYING[1], plain[2])),
        " [SEP] ".join((plain[1], plain[2], BUYING[2], plain[3])),
    ]


def test_goals_prices_and_search_can_be_given(folder: Path) -> None:
    goals = [{**GOAL, "price_upper": 33.0}, {**GOAL, "goal_options": ["red", "small"], "instruction_text": "Second"}]
    env = make(folder, goals=goals, prices={"B001": 33.01}, search=lambda keywords: ["B001"])
    assert [task.instruction for task in inner(env).tasks] == ["Find me a lamp", "Second"]
    *_, last = play(env, *BUYING)
    assert last[1] == pytest.approx(2 / 3)
    *_, last = play(env, "search[anything]", "click[b001]", "click[red]", "click[small]", "click[buy now]", task=1)
    assert last[1] == 1.0


def test_the_catalogues_own_goals_come_in_their_order(folder: Path) -> None:
    env = make(folder, goals="synthetic")
    texts = [task.instruction for task in inner(env).tasks]
    assert len(texts) == 4
    assert [env.reset(options={"task": index})[1]["instruction"] for index in range(4)] == texts
    assert [task.id for task in inner(env).tasks] == [f"webshop/test/{index}" for index in range(4)]
    hashes = {make(folder, goals="synthetic").reset()[1]["goals_hash"] for _ in range(2)}
    assert len(hashes) == 1
    assert make(folder).reset()[1]["goals_hash"] not in hashes


def test_goals_are_drawn_by_weight_as_webshop_does(folder: Path) -> None:
    goals = [{**GOAL, "instruction_text": str(number), "weight": weight} for number, weight in enumerate((3, 1, 1))]
    env = make(folder, goals=goals)
    env.reset(seed=0)
    drawn = [env.reset()[1]["instruction"] for _ in range(300)]
    assert "0" not in drawn  # each goal is drawn with the weight of the one before it
    assert 150 < drawn.count("1") < 210


def test_a_task_of_another_folder_brings_its_catalogue(folder: Path) -> None:
    [task, *_] = inner(make(folder, goals="synthetic")).tasks
    env = gym.make("lumos_rl/WebShop-v0", limit=1)
    *_, last = play(env, "search[lamp]", "click[b001]", task=task)
    assert "Desk Lamp" in last[0]
    *_, last = play(env, "search[lamp]", "click[b001]")
    assert last[4]["error"]


def test_a_folder_is_opened_once_whatever_it_is_called(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    env = make(Path(folder.name), goals="synthetic")
    (folder / "items_shuffle.json").unlink()
    monkeypatch.chdir("/")
    *_, page = play(env, "search[lamp]")
    assert "Total results: 2" in page[0]


def test_prices_that_are_given_leave_the_splits_as_they_are(folder: Path) -> None:
    written = {"instruction_attributes": ["led"], "instruction_options": []}
    human = {"B001": [{"instruction": f"lamp {number}", **written} for number in range(1501)]}
    write_files(folder, human=human)
    dev = inner(make(folder, goals="human", split="dev", prices={"B001": 985.0})).tasks
    assert [dev[0].id, len(dev), dev[0].meta["goal"]["price_upper"]] == ["webshop/dev/500", 1000, 1_000_000]
    assert [task.id for task in dev] == [task.id for task in inner(make(folder, goals="human", split="dev")).tasks]


def test_environments_share_one_catalogue(folder: Path) -> None:
    first, second = make(folder).unwrapped, make(folder).unwrapped
    assert isinstance(first, WebShopEnv)
    assert isinstance(second, WebShopEnv)
    assert first.shop.catalogue is second.shop.catalogue


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vector_environments_tell_the_clickables(folder: Path, mode: str) -> None:
    envs = gym.make_vec("lumos_rl/WebShop-v0", num_envs=2, vectorization_mode=mode, source=folder)
    try:
        _, info = envs.reset(seed=0)
        assert list(info["clickables"]) == [["search"], ["search"]]
        *_, info = envs.step(("search[lamp]", "think"))
        assert list(info["clickables"]) == [["back to search", "next >", "b003", "b001"], ["search"]]
    finally:
        envs.close()


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"observation": "html"}, ConfigError, "'text' or 'text_rich'"),
        ({"goals": "all"}, ConfigError, "'synthetic', 'human'"),
        ({"goals": []}, ConfigError, "at least one"),
        ({"goals": [{"query": "x"}]}, ConfigError, "goal 0 without name"),
        ({"num_products": 0}, ConfigError, "num_products"),
        ({"max_turns": 0}, ConfigError, ">= 1"),
        ({"goals": "synthetic", "split": "exam"}, UnknownNameError, "dev"),
        ({"source": "synthetic", "goals": "synthetic", "split": "dev", "prices": {"B0": 1.0}}, ConfigError, "no split"),
        ({"source": "nowhere"}, MissingFileError, "items_shuffle"),
        ({"tasks": [Task("webshop/x", "webshop", "buy")]}, ConfigError, "goal"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    folder: Path, settings: Mapping[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make(folder, **settings)


def test_a_visit_needs_a_reset(folder: Path) -> None:
    env = make(folder).unwrapped
    assert isinstance(env, WebShopEnv)
    with pytest.raises(NotResetError):
        _ = env.session


def test_random_products_are_seeded() -> None:
    env = gym.make("lumos_rl/WebShop-v0")
    pages = []
    for seed in (1, 1, 2):
        env.reset(seed=seed, options={"task": 0})
        pages.append(env.step("search[<r>]")[0])
    assert pages[0] == pages[1] != pages[2]
    assert all("Total results: 50" in page for page in pages)
