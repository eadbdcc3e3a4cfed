"""Turns an annotated task into the conversations that planner and grounder learn.

    task      "Tom has 4 boxes with 12 pens each. …"  with gold subgoals and actions
    planner   user "…Task: Tom has 4 boxes…"                     assistant "Subgoal 1: Find the pens in the boxes."
              user "The executed result for Subgoal 1 is 48. …"  assistant "No, I will keep planning. Subgoal 2: …"
    grounder  user "…Subgoal to be grounded: Subgoal 1: Find …"  assistant "R1 = Calculator(4 * 12)"

`lumos_rl.agent.play` drives the episode, and the gold plan replaces models and environment. So a model is trained on
exactly the prompts that it later gets. The sentences come from a prompt profile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from lumos_rl import task_types
from lumos_rl.agent import Act, Ask, Episode, Outcome, play
from lumos_rl.core import Formulation, Message, Module, Task
from lumos_rl.data.gold import numbered_plan, written
from lumos_rl.data.system_prompt import system_prompt
from lumos_rl.errors import ConfigError, DataError
from lumos_rl.prompts import DEFAULT_PROFILE, PromptProfile

Conversations = Mapping[Module, list[Message]]


def conversations(
    task: Task,
    formulation: Formulation = Formulation.ITERATIVE,
    profile: PromptProfile = DEFAULT_PROFILE,
    tools: Sequence[str] | None = None,
) -> Conversations:
    """What each module reads and writes when it solves the task by its gold plan.

    Args:
        task: A task with subgoals, each with actions and their results.
        formulation: ITERATIVE, ONETIME or INTEGRATED; the other baselines have no plan.
        profile: The fixed text.
        tools: Names of the available tools, for profiles that list them; None takes those of the task type.

    Returns:
        One conversation per module: planner and grounder, or the solver of INTEGRATED.

    Raises:
        DataError: The task has no plan, a subgoal without actions, or a subgoal that the profile parses as the decision
            to stop.
        ConfigError: The formulation has no plan.
    """
    if not task.subgoals or not all(subgoal.actions for subgoal in task.subgoals):
        raise DataError(f"expected subgoals with actions, got none or an empty one (task {task.id})")
    if formulation not in _GOLD:
        raise ConfigError(f"expected iterative, onetime or integrated, got {formulation!r}: it has no plan to learn")
    kind = task_types.find(task.benchmark)
    names = tools if tools is not None else kind.tool_names() if kind else ()
    shown = {"reads_results": kind.reads_results, "tells_actions": kind.tells_actions} if kind else {}
    told = system_prompt(kind) if kind else ""
    script = _GOLD[formulation](task, profile)
    outcomes = _outcomes(task, bool(shown.get("tells_actions")))
    last = len(task.subgoals) + 1
    episode = play(formulation, task.instruction, names, profile, last, **shown, system_prompt=told)
    found: dict[Module, list[Message]] = {}
    sent: str | Outcome | None = None
    while (step := _next(episode, sent)) is not None:
        if isinstance(step, Act):
            sent = next(outcomes)
            continue
        sent = next(script[step.module])
        messages = found.setdefault(step.module, [_message("system", step.system)] if step.system else [])
        messages += [_message("user", step.prompt), _message("assistant", sent)]
    if any(next(turns, None) is not None for turns in script.values()):
        raise DataError(
            f"expected a plan that profile {profile.name!r} can express, got one that ends early (task {task.id})"
        )
    return found


def _next(episode: Episode, sent: str | Outcome | None) -> Ask | Act | None:
    """The agent's next request; None when its episode is over."""
    try:
        return episode.send(sent)  # type: ignore[arg-type]  # a generator is started with None
    except StopIteration:
        return None


Script = Mapping[Module, Iterator[str]]  # what each module writes, turn by turn


def _iterative(task: Task, profile: PromptProfile) -> Script:
    plan = numbered_plan(task)
    lines = _planned(task, profile)
    return {
        Module.PLANNER: iter([*lines, profile.stop]),
        Module.GROUNDER: iter([written(actions) for _, actions in plan]),
    }


def _planned(task: Task, profile: PromptProfile) -> list[str]:
    """The planner's turns but the last."""
    return [profile.plan_turn(index, each.text, each.thought) for index, each in enumerate(task.subgoals, 1)]


def _onetime(task: Task, profile: PromptProfile) -> Script:
    lines = [profile.subgoal_line(index, subgoal.text) for index, subgoal in enumerate(task.subgoals, 1)]
    actions = [action for subgoal in task.subgoals for action in subgoal.actions]
    return {Module.PLANNER: iter(["; ".join(lines)]), Module.GROUNDER: iter([written(actions)])}


def _integrated(task: Task, profile: PromptProfile) -> Script:
    plan = zip(_planned(task, profile), numbered_plan(task), strict=True)
    turns = [f"{line}\n{written(actions)}" for line, (_, actions) in plan]
    return {Module.SOLVER: iter([*turns, profile.stop])}


_GOLD: Mapping[Formulation, Callable[[Task, PromptProfile], Script]] = {
    Formulation.ITERATIVE: _iterative,
    Formulation.ONETIME: _onetime,
    Formulation.INTEGRATED: _integrated,
}


def _outcomes(task: Task, tells_actions: bool) -> Iterator[Outcome]:
    """The outcome of each step of the plan, then the end of the episode.

    With `tells_actions`, a stored plan has no results, and the subgoal's text is the result.
    """
    for subgoal in task.subgoals:
        result = subgoal.actions[-1].result or (subgoal.text if tells_actions else "")
        yield Outcome(result, None, False)
    yield Outcome("", None, True)


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}
