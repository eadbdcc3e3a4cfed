"""An annotated task as the conversations that its planner and grounder shall learn.

    task      "Tom has 4 boxes with 12 pens each. …"  with gold subgoals and actions
    planner   user "…Task: Tom has 4 boxes…"                     assistant "Subgoal 1: Find the pens in the boxes."
              user "The executed result for Subgoal 1 is 48. …"  assistant "No, I will keep planning. Subgoal 2: …"
    grounder  user "…Subgoal to be grounded: Subgoal 1: Find …"  assistant "R1 = Calculator(4 * 12)"

The forms are those of Yin et al. 2023; the sentences come from a prompt profile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lumos_rl.core import Action, Formulation, Message, Module, Task
from lumos_rl.data.tool_names import tool_names
from lumos_rl.errors import ConfigError, DataError
from lumos_rl.language import format_actions
from lumos_rl.prompts import DEFAULT_PROFILE, DOERS, PromptProfile

Conversations = Mapping[Module, list[Message]]


def conversations(
    task: Task,
    formulation: Formulation = Formulation.ITERATIVE,
    profile: PromptProfile = DEFAULT_PROFILE,
    tools: Sequence[str] | None = None,
) -> Conversations:
    """What each module reads and writes when it solves the task by its gold plan.

    Args:
        task: A task with subgoals, each with actions that carry their results.
        formulation: ITERATIVE, ONETIME or INTEGRATED; the other baselines need no plan.
        profile: The fixed text.
        tools: Names of the available tools, for profiles that list them; None takes those of the task's benchmark.

    Returns:
        One conversation per module: planner and grounder, or the solver of INTEGRATED.

    Raises:
        DataError: The task has no plan, or a subgoal without actions.
        ConfigError: A formulation without a plan.
    """
    if not task.subgoals or not all(subgoal.actions for subgoal in task.subgoals):
        raise DataError(f"expected subgoals with actions, got none or an empty one (task {task.id})")
    tools = tool_names(task.benchmark) if tools is None else tools
    if formulation == Formulation.ONETIME:
        return _onetime(task, profile, tools)
    if formulation == Formulation.ITERATIVE:
        return _iterative(task, profile, tools)
    if formulation == Formulation.INTEGRATED:
        return _integrated(task, profile, tools)
    raise ConfigError(f"expected iterative, onetime or integrated, got {formulation!r}: it has no plan to learn")


def _iterative(task: Task, profile: PromptProfile, tools: Sequence[str]) -> Conversations:
    planner = [_user(profile.planner_first(task.instruction))]
    grounder: list[Message] = []
    results: list[str] = []
    for index, (text, actions) in enumerate(numbered_plan(task), 1):
        line = profile.subgoal_line(index, text)
        grounder.append(_user(profile.grounder_turn(task.instruction, line, tools, results)))
        grounder.append(_assistant(_written(actions)))
        results.append(_result(text, actions, tools))
        planner.append(_assistant(profile.plan_turn(index, text)))
        planner.append(_user(profile.planner_feedback(index, results[-1], tools)))
    planner.append(_assistant(profile.stop))
    return {Module.PLANNER: planner, Module.GROUNDER: grounder}


def _onetime(task: Task, profile: PromptProfile, tools: Sequence[str]) -> Conversations:
    lines = [profile.subgoal_line(index, subgoal.text) for index, subgoal in enumerate(task.subgoals, 1)]
    actions = [action for subgoal in task.subgoals for action in subgoal.actions]
    return {
        Module.PLANNER: [_user(profile.planner_first(task.instruction)), _assistant("; ".join(lines))],
        Module.GROUNDER: [
            _user(profile.grounder_onetime(task.instruction, lines, tools)),
            _assistant(_written(actions)),
        ],
    }


def _integrated(task: Task, profile: PromptProfile, tools: Sequence[str]) -> Conversations:
    messages = [_user(profile.integrated_before + task.instruction)]
    for index, (text, actions) in enumerate(numbered_plan(task), 1):
        messages.append(_assistant(f"{profile.plan_turn(index, text)}\n{_written(actions)}"))
        messages.append(_user(profile.planner_feedback(index, _result(text, actions, tools), tools)))
    messages.append(_assistant(profile.stop))
    return {Module.SOLVER: messages}


def numbered_plan(task: Task) -> list[tuple[str, tuple[Action, ...]]]:
    """Subgoal texts with their actions, where the name `Output` has become the next free R."""
    names = [name for subgoal in task.subgoals for action in subgoal.actions for name in action.outputs]
    following = 1 + max((int(name[1:]) for name in names if re.fullmatch(r"R\d+", name)), default=0)
    return [
        (subgoal.text, tuple(_renamed(action, f"R{following}") for action in subgoal.actions))
        for subgoal in task.subgoals
    ]


def _renamed(action: Action, name: str) -> Action:
    outputs = tuple(name if output == "Output" else output for output in action.outputs)
    return replace(action, outputs=outputs, args=re.sub(r"\bOutput\b", name, action.args))


def _result(text: str, actions: Sequence[Action], tools: Sequence[str]) -> str:
    """What a subgoal came to; in web navigation, where plans are stored without results, the subgoal itself."""
    return actions[-1].result or ("" if DOERS.isdisjoint(tools) else text)


def _written(actions: Sequence[Action]) -> str:
    """Actions as the grounder writes them: without results."""
    return format_actions(replace(action, result=None) for action in actions)


def _user(content: str) -> Message:
    return {"role": "user", "content": content}


def _assistant(content: str) -> Message:
    return {"role": "assistant", "content": content}
