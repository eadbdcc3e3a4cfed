"""One contract, kept by the environment of every registered task type.

`CASES` has what is known of some environments better than it can be found out: their own action syntax, a hard task.
Any other is held to the contract by the gold plan of its built-in suite.
"""

import json
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import OrderEnforcing, RecordEpisodeStatistics, TimeLimit

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl import task_types
from lumos_rl.core import Task
from lumos_rl.data import load_tasks
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.envs.base import LumosEnv
from lumos_rl.errors import ActionTypeError, EpisodeError, LumosError, UnknownNameError
from lumos_rl.language import format_actions
from lumos_rl.task_types import TaskType


@dataclass(frozen=True)
class Case:
    """One environment.

    Attributes:
        id: Its id.
        task: A task of its benchmark, with text beyond ASCII.
        steps: Actions that solve the task, the last one ending the episode.
        wrong: An action that ends the episode with reward 0.
        malformed: An action that cannot be run.
        quiet: Whether a text that is no action leaves the observation as it is, so that only `info` tells of it.
        settings: What the environment is made with.
        step_reward: Reward of each right step before the last.
    """

    id: str
    task: Task
    steps: tuple[str, ...]
    wrong: str
    malformed: str
    quiet: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    step_reward: float = 0.0


def math_task(benchmark: str) -> Task:
    text = "Zoë has 12 pens at €2 each – 𝟐 boxes of them. What are they worth?"
    return Task(f"{benchmark}/test/contract", benchmark, text, "48")


def question_task(benchmark: str, question: str, answer: str) -> Task:
    context = [
        ["Zoë Kruså", ["Zoë Kruså is a Danish 𝟐 painter.", " She was born in Åbenrå in 1912."]],
        ["Åbenrå", ["Åbenrå is a town in Denmark."]],
        ["Oslo", ["Oslo is a city in Norway."]],
    ]
    meta = {"context": context, "supporting_facts": [["Zoë Kruså", 1], ["Åbenrå", 0]]}
    return Task(f"{benchmark}/test/contract", benchmark, question, answer, meta=meta)


def shop_task() -> Task:
    [task] = load_tasks("webshop", limit=1)
    text = "Zoë wants a 𝟐-person dog bed – under €120"
    return replace(task, id="webshop/test/contract", instruction=text)


def web_task() -> Task:
    [task] = load_tasks("mind2web", limit=1)
    return replace(task, id="mind2web/test/contract", instruction="Zoë seeks a 𝟐-person flat – “now”")


BROWSING = tuple(format_actions(subgoal.actions) for subgoal in web_task().subgoals)
SHOPPING = tuple(format_actions(subgoal.actions) for subgoal in shop_task().subgoals)
HOPS = (
    "R1 = KnowledgeQuery(zoe krusa); R2 = ParagraphRetrieve(R1, Query: Where was she born?)",
    "R3 = QA([R2], Question: In which town was Zoë Kruså born?); R4 = KnowledgeQuery(R3)",
)
BRIDGE = (*HOPS, "R5 = QA([R4], Question: In which country is R3?); Finish(R5)")
STRATEGY = (*HOPS, "R5 = QA([R4], Question: Is R3 a town in Denmark?); Finish()")
SOLUTION = ("R1 = Calculator(12 * 2)", "R2 = Calculator(R1 * 2); Finish(R2)")
CASES = [
    Case("lumos_rl/GSM8K-v0", math_task("gsm8k"), SOLUTION, "Finish(49)", "R1 = Calculator(2 +"),
    Case("lumos_rl/SVAMP-v0", math_task("svamp"), SOLUTION, "Finish(49)", "R1 = Teleport(2)"),
    Case(
        "lumos_rl/HotpotQA-v0",
        question_task("hotpotqa", "In which country was Zoë Kruså born?", "Denmark"),
        BRIDGE,
        "Finish(Norway)",
        "R1 = KnowledgeQuery()",
    ),
    Case(
        "lumos_rl/StrategyQA-v0",
        question_task("strategyqa", "Was Zoë Kruså born in Denmark?", "yes"),
        STRATEGY,
        "Finish(no)",
        "R1 = QA([R7], Question: Who?)",
    ),
    Case("lumos_rl/WebShop-v0", shop_task(), SHOPPING, "Finish()", "click[no such button]", quiet=True),
    Case(
        "lumos_rl/InterCodeSQL-v0",
        Task(
            "intercode_sql/test/contract",
            "intercode_sql",
            "Which band – 𝟐 words, maybe “Zoë” – has the id 1?",
            "SELECT name FROM band WHERE band_id = 1",
            meta={"db": "studio", "dump": "synthetic"},
        ),
        ("SHOW TABLES", "R1 = DescribeTable(band)", "SELECT name FROM band WHERE band_id = '1'", "submit"),
        "skip",
        "SELECT name FROM bands",
    ),
    Case("lumos_rl/Mind2Web-v0", web_task(), BROWSING, "Finish()", "CLICK [3", step_reward=1.0),
]


def case_of(task_type: TaskType) -> Case:
    """A case made from the first task of a built-in suite and its gold plan."""
    [task] = synthetic_tasks(task_type.name, "test", 1)
    plan = [format_actions(subgoal.actions) for subgoal in task.subgoals]
    return Case(task_type.env_id, task, (*plan[:-1], f"{plan[-1]}; Finish()"), "Finish(𝟐 – Zoë)", "R1 = Teleport(2)")


KNOWN = {case.id for case in CASES}
CASES += [case_of(each) for each in task_types.every() if each.env is not None and each.env_id not in KNOWN]

pytestmark = pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
MODES = pytest.mark.parametrize("mode", ["sync", "async"])


def make(case: Case, **settings: Any) -> gym.Env[str, str]:
    return gym.make(case.id, **case.settings, **settings)


def lumos(env: gym.Env[str, str]) -> LumosEnv:
    assert isinstance(env.unwrapped, LumosEnv)
    return env.unwrapped


def test_every_registered_environment_is_held_to_it(case: Case) -> None:
    assert case.id in gym.registry
    assert set(task_types.environments().values()) == {each.id for each in CASES}


def test_gymnasium_checks_it_without_a_warning(case: Case) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(make(case).unwrapped)


def test_the_built_in_suite_is_the_default(case: Case) -> None:
    env = lumos(make(case))
    assert env.num_tasks == len(env.tasks) > 100
    assert {task.split for task in env.tasks} == {"test"}
    assert lumos(make(case, split="train", limit=7)).num_tasks == 7


def test_reset_tells_what_an_agent_needs(case: Case) -> None:
    observation, info = make(case, tasks=[case.task]).reset(options={"task": case.task.id})
    assert case.task.instruction in observation
    assert (info["task_id"], info["instruction"]) == (case.task.id, case.task.instruction)
    assert "Finish" in info["tools"]
    assert all(usage.startswith(name) and "\n" not in usage for name, usage in info["tools"].items())


def test_the_right_actions_earn_the_reward(case: Case) -> None:
    env = make(case)
    env.reset(options={"task": case.task})
    for text in case.steps[:-1]:
        _, reward, terminated, truncated, info = env.step(text)
        assert (reward, terminated, truncated, info["error"]) == (case.step_reward, False, False, None)
        assert "success" not in info
    _, reward, terminated, truncated, info = env.step(case.steps[-1])
    assert (reward, terminated, truncated, info["error"], info["success"]) == (1.0, True, False, None, True)
    assert all(isinstance(value, float) for value in info["metrics"].values())


def test_the_gold_plans_of_the_built_in_suite_earn_the_reward(case: Case) -> None:
    env = make(case, limit=100)
    for index, task in enumerate(lumos(env).tasks):
        env.reset(options={"task": index})
        for subgoal in task.subgoals:
            outcome = env.step(format_actions(subgoal.actions))
            assert outcome[4]["error"] is None
            if outcome[2]:  # the plan's last action ended the episode by itself
                break
        else:
            outcome = env.step("Finish()")
        assert outcome[1:3] == (1.0, True), task.id


def test_the_wrong_action_earns_nothing(case: Case) -> None:
    env = make(case)
    env.reset(options={"task": case.task})
    _, reward, terminated, _, info = env.step(case.wrong)
    assert (reward, terminated, info["success"]) == (0.0, True, False)


JUNK = ["", "\0", "\ud800", "Finish(", "))((", "R1 = R1", "Finish(R9)", "=" * 9_999, "(" * 9_999, "🧮" * 9, "x" * 10**6]
JUNK += ["R8, R9 = Query(SELECT 1)", "R8, R9 = ListTables()"]  # one result, not two


def test_what_the_model_does_wrong_is_observed_and_can_be_mended(case: Case) -> None:
    env = make(case, max_steps=99)
    env.reset(options={"task": case.task})
    for text in [case.malformed, *JUNK]:
        observation, reward, terminated, truncated, info = env.step(text)
        assert (reward, terminated, truncated) == (0.0, False, False)
        assert info["error"]
        assert case.quiet or info["error"] in observation
        assert observation in env.observation_space
    for text in case.steps:
        outcome = env.step(text)
    assert outcome[1:3] == (1.0, True)


def test_what_the_programmer_does_wrong_raises(case: Case) -> None:
    env = make(case)
    with pytest.raises(EpisodeError):
        env.step(case.wrong)
    with pytest.raises(LumosError, match="from 0 to"):
        env.reset(options={"task": 10**9})
    env.reset()
    with pytest.raises(ActionTypeError):
        env.step(7)  # type: ignore[arg-type]
    env.step(case.wrong)
    with pytest.raises(EpisodeError):
        env.step(case.wrong)


def test_the_budget_truncates_the_episode(case: Case) -> None:
    env = make(case, max_steps=2)
    env.reset(options={"task": case.task})
    assert env.step(case.malformed)[2:4] == (False, False)
    _, reward, terminated, truncated, info = env.step(case.malformed)
    assert (reward, terminated, truncated, info["success"]) == (0.0, False, True, False)


def played(env: gym.Env[str, str], case: Case) -> list[Any]:
    """A whole episode: its outcomes, with the observation of the next one behind them."""
    outcomes: list[Any] = [env.reset(options={"task": case.task})]
    outcomes += [env.step(text) for text in case.steps]
    return [*outcomes, env.reset()]


def test_an_environment_can_be_pickled_at_any_time_and_continues_equally(case: Case) -> None:
    env = make(case, tasks=(case.task,)).unwrapped
    fresh = pickle.loads(pickle.dumps(env))
    env.reset(seed=3)
    begun = pickle.loads(pickle.dumps(env))
    fresh.reset(seed=3)
    assert played(fresh, case) == played(begun, case) == played(env, case)
    env.reset(options={"task": case.task})
    for index, text in enumerate(case.steps):
        middle = pickle.loads(pickle.dumps(env))
        expected = env.step(text)
        assert middle.step(text) == expected, index
        for rest in case.steps[index + 1 :]:
            last = middle.step(rest)
    over = pickle.loads(pickle.dumps(env))
    with pytest.raises(EpisodeError):
        over.step(case.steps[0])
    assert len(case.steps) == 1 or last[1:] == expected[1:]
    assert over.reset() == env.reset()


def test_a_pickled_wrapper_stack_continues_equally(case: Case) -> None:
    env = OrderEnforcing(RecordEpisodeStatistics(make(case, tasks=(case.task,))))
    env.reset(seed=1)
    env.step(case.malformed)
    other = pickle.loads(pickle.dumps(env))
    assert other.spec == env.spec
    assert other.step(case.steps[0]) == env.step(case.steps[0])


def test_the_spec_says_how_many_steps_an_episode_has(case: Case) -> None:
    env = make(case)
    assert env.spec is not None and env.spec.max_episode_steps == lumos(env).max_steps > 1
    short = make(case, max_steps=3)
    assert short.spec is not None and short.spec.max_episode_steps == 3
    again = gym.make(pickle.loads(pickle.dumps(short.spec)))
    again.reset(options={"task": case.task})
    assert [again.step(case.malformed)[3] for _ in range(3)] == [False, False, True]
    long = make(case, max_steps=200)
    long.reset(options={"task": case.task})
    assert not any(long.step(case.malformed)[3] for _ in range(100))


def test_metrics_are_scores_that_the_task_type_declares(case: Case) -> None:
    env = make(case)
    declared = {each.env_id: {metric.name for metric in each.metrics} for each in task_types.every() if each.env}
    for steps in (case.steps, (case.wrong,)):
        env.reset(options={"task": case.task})
        for text in steps:
            info = env.step(text)[4]
        assert set(info["metrics"]) <= declared[case.id]
        assert all(isinstance(value, float) and -1 <= value <= 1 for value in info["metrics"].values())


def test_an_unknown_argument_is_told_with_the_known_ones(case: Case) -> None:
    for wrong, right in (("sorce", "source"), ("max_step", "max_steps"), ("tasks_", "tasks"), ("shards", "shard")):
        with pytest.raises(UnknownNameError, match=rf"unknown argument of \w+ '{wrong}'; did you mean '{right}'\?"):
            make(case, **{wrong: 3})
        with pytest.raises(UnknownNameError, match=r"Known: .*limit, .*max_steps, .*render_mode, .*tasks"):
            gym.make_vec(case.id, num_envs=2, **{wrong: 3})


def test_human_mode_prints_the_episode_as_it_goes(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    env = make(case, render_mode="human")
    first, _ = env.reset(options={"task": case.task})
    assert capsys.readouterr().out == f"Task {case.task.id}\n{first}\n"
    observation = env.step(case.malformed)[0]
    assert capsys.readouterr().out == f"> {case.malformed}\n{observation}\n"
    assert env.render() is None and capsys.readouterr().out == ""


def shares(envs: Any, count: int, tasks: int, wrong: str, seed: int = 0) -> list[str]:
    """Ids of the tasks whose episodes ended in the first round, as a program that evaluates would collect them."""
    _, info = envs.reset(seed=seed)
    ids: list[str] = []
    for _ in range(4 * tasks):
        _, _, ended, cut, info = envs.step((wrong,) * count)
        for index in range(count):
            if (ended[index] or cut[index]) and info["round"][index] == 0:
                ids.append(info["task_id"][index])
        if len(ids) >= tasks and min(info["round"]) > 0:
            break
    return ids


@MODES
def test_vector_environments_play_every_task_exactly_once(case: Case, mode: str) -> None:
    envs = gym.make_vec(case.id, num_envs=3, vectorization_mode=mode, limit=7, shard=3, **case.settings)
    try:
        ids = shares(envs, 3, 7, case.wrong)
    finally:
        envs.close()
    assert sorted(ids) == sorted(task.id for task in lumos(make(case, limit=7)).tasks)


def test_sub_environments_with_shares_of_their_own_play_every_task_once(case: Case) -> None:
    def maker(index: int) -> Callable[[], gym.Env[str, str]]:
        return lambda: make(case, limit=5, shard=(index, 2))

    envs = gym.vector.SyncVectorEnv([maker(0), maker(1)])
    ids = shares(envs, 2, 5, case.wrong, seed=77)
    assert sorted(ids) == sorted(task.id for task in lumos(make(case, limit=5)).tasks)


def test_copies_specs_and_settings_survive_pickling(case: Case) -> None:
    env = make(case, tasks=(case.task,), max_steps=len(case.steps))
    env.reset()
    spec = pickle.loads(pickle.dumps(env.spec))
    assert lumos(gym.make(spec)).tasks == (case.task,)
    other, env = deepcopy(env.unwrapped), env.unwrapped
    assert [env.step(text) for text in case.steps] == [other.step(text) for text in case.steps]


def test_render_shows_the_episode(case: Case) -> None:
    env = make(case, render_mode="ansi")
    env.reset(options={"task": case.task})
    env.step(case.malformed)
    shown = env.render()
    assert isinstance(shown, str)
    assert case.task.id in shown
    assert f"> {case.malformed}" in shown


def test_gymnasiums_wrappers_work(case: Case) -> None:
    env = OrderEnforcing(RecordEpisodeStatistics(TimeLimit(make(case).unwrapped, max_episode_steps=3)))
    with pytest.raises(gym.error.ResetNeeded):
        env.step(case.wrong)
    env.reset(options={"task": case.task})
    outcomes = [env.step(case.malformed) for _ in range(3)]
    assert [outcome[3] for outcome in outcomes] == [False, False, True]
    env.reset(options={"task": case.task})
    for text in case.steps:
        info = env.step(text)[4]
    earned = 1.0 + case.step_reward * (len(case.steps) - 1)
    assert (info["episode"]["r"], info["episode"]["l"]) == (earned, len(case.steps))


@MODES
def test_vector_environments_play_with_default_arguments(case: Case, mode: str) -> None:
    envs = gym.make_vec(case.id, num_envs=2, vectorization_mode=mode, tasks=(case.task,), **case.settings)
    try:
        observations, info = envs.reset(seed=0)
        assert all(case.task.instruction in observation for observation in observations)
        assert list(info["task_id"]) == [case.task.id] * 2
        for turn, text in enumerate(case.steps, 1):
            observations, rewards, terminations, _, info = envs.step((text, "\ud800 𝟙\0"))
            assert info["error"][0] is None
            assert info["error"][1]
            assert case.quiet or info["error"][1] in observations[1]
            assert list(terminations) == [turn == len(case.steps), False]
        assert list(rewards) == [1.0, 0.0]
        assert list(info["success"]) == [True, False]
        observations, *_ = envs.step(("ignored", case.wrong))  # the finished one starts anew
        assert case.task.instruction in observations[0]
    finally:
        envs.close()


@MODES
def test_vector_environments_sample_and_step(case: Case, mode: str) -> None:
    envs = gym.make_vec(case.id, num_envs=2, vectorization_mode=mode, **case.settings)
    try:
        envs.reset(seed=1)
        envs.action_space.seed(1)
        for _ in range(3):
            observations, *_ = envs.step(envs.action_space.sample())
            assert observations in envs.observation_space
    finally:
        envs.close()


PLAY: Callable[[str], str] = """
import gymnasium as gym, json, lumos_rl.envs
env = gym.make("{}")
seen = [env.reset(seed=11)]
for text in ("R1 = Calculator(2 + 3)", "R2 = Nothing(R1)", "Finish(R1)"):
    seen.append(env.step(text))
seen += [env.reset()[1]["task_id"] for _ in range(5)]
print(json.dumps(seen))
""".format


def test_the_same_seed_gives_the_same_episode_in_every_process(case: Case) -> None:
    def play(hash_seed: str) -> Any:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", PLAY(case.id)]
        return json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)

    first = play("1")
    assert first == play("2")
    assert len({*first[-5:], first[0][1]["task_id"]}) > 1


def test_other_seeds_give_other_tasks(case: Case) -> None:
    env = make(case)
    drawn = [env.reset(seed=seed)[1]["task_id"] for seed in range(20)]
    assert len(set(drawn)) > 10
    assert np.array_equal(drawn, [env.reset(seed=seed)[1]["task_id"] for seed in range(20)])
