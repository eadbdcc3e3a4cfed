"""The text that tells an agent what it may do: of every task type, read and played."""

import re

import gymnasium as gym
import pytest

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl import task_types
from lumos_rl.core import Formulation
from lumos_rl.data.conversations import conversations
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.data.system_prompt import system_prompt
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.prompts import INSTRUCT_PROFILE, LUMOS_PROFILE
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes
from lumos_rl.task_types import TaskType
from lumos_rl.tools.base import ToolSpec

KINDS = [kind for kind in task_types.every() if kind.env is not None]
WORKED = [kind for kind in KINDS if kind.suite is not None]
NATIVE = {"webshop": "search[words]", "intercode_sql": "SELECT 1", "mind2web": "CLICK [12]"}


def ids(kind):
    return kind.name


@pytest.mark.parametrize("kind", KINDS, ids=ids)
def test_it_is_what_the_environment_says_before_and_after_a_reset(kind):
    env = gym.make(kind.env_id, **kind.play_options)
    before = env.unwrapped.describe()
    _, info = env.reset(seed=0)
    assert info["system_prompt"] == before == system_prompt(kind)
    assert "system_prompt" not in env.step("Finish()")[4]


@pytest.mark.parametrize("kind", KINDS, ids=ids)
def test_it_says_what_an_action_is_and_what_every_tool_does(kind):
    text = system_prompt(kind)
    assert text.startswith(f"{kind.about}\nAct by calling tools: R1 = Tool(arguments).") and kind.about
    lines = text.splitlines()
    assert all(spec.usage in lines for spec in kind.tool_specs())
    assert any(line.startswith("Finish(R1): ") for line in lines) == kind.finishes
    assert NATIVE.get(kind.grader, "") in text
    assert len(text) < 2_500


@pytest.mark.parametrize("kind", KINDS, ids=ids)
def test_what_is_no_action_is_told_from_what_a_tool_refuses(kind):
    env = gym.make(kind.env_id, **kind.play_options)
    env.reset(seed=0)
    for text in ("The answer is: 1", "R1 = Nonsense(2)", "", "R1 = ", "1"):
        info = env.step(text)[4]
        assert info["error"] is not None and info["malformed"] is True, text
    name = kind.tool_names()[-1]
    refused = {"Query": "Query(SELECT x FROM nothing)", "SELECT": "SELECT(R1)"}
    info = env.step(f"R1 = {refused.get(name, f'{name}(R9)')}")[4]
    assert info["error"] is not None and info["malformed"] is False


@pytest.mark.parametrize("kind", WORKED, ids=ids)
def test_its_episode_plays_as_it_says_and_is_solved(kind):
    text = system_prompt(kind).partition("\n\nExample:\n")[2]
    instruction = re.match("Task: (.*)", text)[1]
    (task,) = [each for each in synthetic_tasks(kind.name, "train", 8) if each.instruction == instruction]
    steps = re.findall(r"^Subgoal \d+: .*\n(.*)\nResult: (R\d+) = (.*)$", text, re.MULTILINE)
    assert [re.findall(r"\bR\d+ = ", action) != [] for action, _, _ in steps] == [True] * len(task.subgoals)
    env = gym.make(kind.env_id, **kind.play_options)
    env.reset(options={"task": task})
    for action, name, result in steps:
        _, _, terminated, _, info = env.step(action)
        assert info["error"] is None
        shown = info["results"][name]
        assert result == shown or (result.endswith(" …") and shown.startswith(result[:-2]))
    if kind.finishes:
        _, _, terminated, _, info = env.step(text.splitlines()[-1])
    assert terminated and info["success"]


def test_an_episode_that_uses_a_result_is_shown_where_there_is_one():
    assert "\nR2 = Calculator(R1 / 5)\n" in system_prompt(task_types.get("svamp"))  # most of its plans have one step


def test_a_training_set_has_the_text_of_the_environment_that_grades_it():
    assert system_prompt(task_types.get("mawps")) == system_prompt(task_types.get("svamp"))


def test_a_task_type_without_a_suite_has_no_episode():
    tools = (ToolSpec("Reverse", "Reverse(text): the text, back to front", {}),)
    text = system_prompt(TaskType("backwards", "my/Backwards-v0", tools, (), about="Turn a text around."))
    assert text.startswith("Turn a text around.\nAct by") and "Example" not in text
    assert text.endswith(
        "Tools:\nReverse(text): the text, back to front\nFinish(R1): ends the task with R1 as the answer;"
        " Finish(text) with a text, Finish() with the last result"
    )


def test_one_that_is_registered_again_is_told_anew():
    tools = (ToolSpec("A", "A(): a", {}),)
    assert "\nA(): a\n" in system_prompt(TaskType("changed", "my/C-v0", tools, ()))
    assert "\nB(): b\n" in system_prompt(TaskType("changed", "my/C-v0", (ToolSpec("B", "B(): b", {}),), ()))


@pytest.mark.parametrize("formulation", ["iterative", "onetime", "integrated"])
@pytest.mark.parametrize("kind", WORKED, ids=ids)
def test_a_model_is_asked_with_the_messages_that_it_was_trained_with(kind, formulation):
    task = synthetic_tasks(kind.name, "train", 1)[0]
    learned = conversations(task, Formulation(formulation), INSTRUCT_PROFILE)
    asked = {}

    def reply(request):
        asked[request.module] = request.messages
        return learned[request.module][len(request.messages)]["content"]

    plans = plan_episodes([task], RolloutConfig(formulation=Formulation(formulation), max_subgoals=12))
    make = lambda _: gym.make(kind.env_id, **kind.play_options)  # noqa: E731
    (played,) = run_episodes(make, plans, ScriptedPolicy(reply), "instruct")
    assert played.success and {turn.malformed for turn in played.turns if turn.action} == {False}
    for module, messages in learned.items():
        assert [message["role"] for message in messages][:3] == ["system", "user", "assistant"]
        assert messages[0]["content"].startswith(system_prompt(kind))
        kept = played.conversation(module)
        assert kept[:-1] == list(asked[module]) and kept == messages[: len(kept)]
        assert len(messages) - len(kept) in (0, 2)  # a purchase ends an episode before the planner does


def test_other_profiles_have_no_system_message():
    (task,) = synthetic_tasks("gsm8k", "train", 1)
    for messages in conversations(task, profile=LUMOS_PROFILE).values():
        assert {message["role"] for message in messages} == {"user", "assistant"}


@pytest.mark.parametrize("formulation", ["cot", "direct"])
def test_without_tools_there_is_no_word_of_them(formulation):
    (task,) = synthetic_tasks("gsm8k", "test", 1)
    plans = plan_episodes([task], RolloutConfig(formulation=Formulation(formulation)))
    make = lambda _: gym.make("lumos_rl/GSM8K-v0")  # noqa: E731
    (played,) = run_episodes(make, plans, ScriptedPolicy(lambda request: task.answer), "instruct")
    assert played.success and played.turns[0].system == ""


def test_examples_stand_behind_the_system_message():
    first, task = synthetic_tasks("gsm8k", "train", 2)
    asked = {}

    def reply(request):
        asked.setdefault(request.module, request.messages)
        return "Yes, I will stop planning." if len(asked) > 1 else "Subgoal 1: Add."

    plans = plan_episodes([task], RolloutConfig(), {"gsm8k": [first, first]})
    make = lambda _: gym.make("lumos_rl/GSM8K-v0")  # noqa: E731
    (played,) = run_episodes(make, plans, ScriptedPolicy(reply), "instruct")
    for module, messages in conversations(first, profile=INSTRUCT_PROFILE).items():
        own = list(asked[module])
        assert own[: 2 * len(messages) - 1] == [*messages, *messages[1:]] and len(own) == 2 * len(messages)
        assert played.conversation(module)[:2] == [messages[0], own[-1]]  # what is learned has no examples
