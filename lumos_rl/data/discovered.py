"""Turns successful episodes into annotated tasks.

    plan_of(trajectory, LUMOS_PROFILE)
    → (Subgoal("Find the price of the pens.", (Action(("R1",), "Calculator", "3 * 4", "12"),)), …)

The plan of a successful episode is used like a gold plan, so `TaskType.resampler` can copy the task with new numbers
and recomputed answers. A plan may reach the right answer in a wrong way, and its copies then teach that way; this is
rare where an answer takes several exact steps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from lumos_rl.core import Formulation, Module, Subgoal, Task, Trajectory
from lumos_rl.errors import ActionParseError
from lumos_rl.language import parse_actions
from lumos_rl.prompts import PromptProfile

_FINISH = "Finish"
_RESULT = re.compile(r"(R\d+) = (.*)")


def plan_of(trajectory: Trajectory, profile: PromptProfile) -> tuple[Subgoal, ...]:
    """The subgoals of an iterative episode with their actions and results.

    Args:
        trajectory: A finished episode.
        profile: The profile of its prompts.

    Returns:
        The plan; () if the episode has another formulation, or a turn had an error or cannot be parsed.
    """
    if trajectory.formulation != Formulation.ITERATIVE or any(turn.error for turn in trajectory.turns):
        return ()
    plan: list[Subgoal] = []
    text = thought = ""
    for turn in trajectory.turns:
        if turn.module == Module.PLANNER:
            line = profile.parse_subgoal(turn.completion, len(plan) + 1)
            text = re.sub(r"^Subgoal \d+: ", "", line or "")
            thought = profile.parse_thought(turn.completion, len(plan) + 1)
            continue
        results = dict(_RESULT.findall(turn.observation))
        try:
            actions = [action for action in parse_actions(turn.completion) if action.tool != _FINISH]
        except ActionParseError:
            return ()
        if (
            not text
            or not actions
            or not all(action.outputs and results.keys() >= {*action.outputs} for action in actions)
        ):
            return ()
        done = tuple(replace(action, result=results[action.outputs[-1]]) for action in actions)
        plan.append(Subgoal(text, done, thought))
    return tuple(plan)


def discovered_tasks(
    trajectories: Iterable[Trajectory],
    tasks: Mapping[str, Task],
    profile: PromptProfile,
    min_reward: float = 1.0,
    min_rewards: Mapping[str, float] | None = None,
) -> list[Task]:
    """One annotated task for each distinct plan whose episode scored enough and whose last result was the answer.

    Args:
        trajectories: Episodes of any tasks.
        tasks: The tasks by id.
        profile: The profile of their prompts.
        min_reward: Minimum `Trajectory.score` of an episode that is kept.
        min_rewards: The same for single benchmarks, which overrides `min_reward`; None for none.

    Returns:
        The tasks with their plans, ids "task_id#sample". An episode is left out if its plan cannot be parsed or differs
        from an earlier one only in the wording of subgoals.
    """
    found: dict[tuple[str, tuple[Subgoal, ...]], Task] = {}
    for trajectory in trajectories:
        least = (min_rewards or {}).get(trajectory.benchmark, min_reward)
        if trajectory.failure is not None or trajectory.score < least:
            continue
        plan = plan_of(trajectory, profile)
        if plan and plan[-1].actions[-1].result == trajectory.answer:
            task = replace(tasks[trajectory.task_id], id=trajectory.id, subgoals=plan)
            actions = tuple(replace(subgoal, text="", thought="") for subgoal in plan)
            found.setdefault((trajectory.task_id, actions), task)
    return list(found.values())
