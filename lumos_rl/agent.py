"""The agent: which module speaks next, about what, and what is sent to the environment.

Each formulation is a generator that reads like the episode it describes. It yields `Ask` (a module shall write a turn;
the completion is sent back) and `Act` (text for `env.step`; the outcome is sent back), and returns why it ended. It
knows neither models nor environments, so any loop can drive it:

    episode = play(Formulation.ITERATIVE, instruction, tools, LUMOS_PROFILE)
    next(episode)                      # Ask(PLANNER, "…Task: Tom has 3 apples…")
    episode.send("Subgoal 1: Add.")    # Ask(GROUNDER, "…Subgoal to be grounded: Subgoal 1: Add.")
    episode.send("R1 = Calculator(3 + 2)")  # Act("R1 = Calculator(3 + 2)")
    episode.send(Outcome("5", None, False)) # Ask(PLANNER, "The executed result for Subgoal 1 is 5. Should we …")
    episode.send("Yes, I will stop planning.")  # Act("Finish()")
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass

from lumos_rl.core import Formulation, Module, StopReason
from lumos_rl.errors import UnknownNameError
from lumos_rl.prompts import PromptProfile, extract_answer

FINISH = "Finish()"  # the agent's own: annotated plans stop planning instead, and prompts do not list it


@dataclass(frozen=True, slots=True)
class Ask:
    """A module shall write a turn. `prompt` is the new user message of that module's conversation."""

    module: Module
    prompt: str


@dataclass(frozen=True, slots=True)
class Act:
    """Text for `env.step`."""

    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step came to.

    Attributes:
        result: Text of the last result of the step; "" when it gave none.
        error: What the action did wrong; None when nothing.
        ended: Whether the environment ended the episode.
    """

    result: str
    error: str | None
    ended: bool

    @property
    def feedback(self) -> str:
        """What the planner is told."""
        return f"Error: {self.error}" if self.error else self.result


Episode = Generator[Ask | Act, str | Outcome, StopReason]


def play(
    formulation: Formulation,
    instruction: str,
    tools: Iterable[str],
    profile: PromptProfile,
    max_subgoals: int = 8,
) -> Episode:
    """One episode of a formulation.

    Args:
        formulation: A `Formulation` or its value.
        instruction: The task as text.
        tools: Names of the available tools, for prompts that list them; Finish is left out.
        profile: The fixed text of the prompts.
        max_subgoals: Most subgoals of the formulations that plan step by step.

    Returns:
        A generator that yields `Ask` and `Act` and returns a `StopReason`.

    Raises:
        UnknownNameError: No such formulation.
    """
    if formulation not in _PLAYS:
        raise UnknownNameError("formulation", str(formulation), [str(name) for name in _PLAYS])
    listed = [name for name in tools if name != FINISH.removesuffix("()")]
    return _PLAYS[Formulation(formulation)](instruction, listed, profile, max_subgoals)


def _iterative(instruction: str, tools: list[str], profile: PromptProfile, max_subgoals: int) -> Episode:
    prompt = profile.planner_first(instruction)
    results: list[str] = []
    for index in range(1, max_subgoals + 1):
        plan = yield Ask(Module.PLANNER, prompt)
        subgoal = profile.parse_subgoal(_text(plan), index)
        if subgoal is None:
            return _end((yield Act(FINISH)), StopReason.ANSWERED)
        actions = yield Ask(Module.GROUNDER, profile.grounder_turn(instruction, subgoal, tools, results))
        outcome = yield Act(_text(actions) + ("\n" + FINISH if index == max_subgoals else ""))
        if _outcome(outcome).ended:
            return StopReason.TURN_LIMIT if index == max_subgoals else StopReason.ENDED
        results.append(_outcome(outcome).feedback)
        prompt = profile.planner_feedback(index, results[-1], tools)
    return StopReason.TURN_LIMIT


def _onetime(instruction: str, tools: list[str], profile: PromptProfile, max_subgoals: int) -> Episode:
    plan = yield Ask(Module.PLANNER, profile.planner_first(instruction))
    subgoals = profile.split_subgoals(_text(plan))
    actions = yield Ask(Module.GROUNDER, profile.grounder_onetime(instruction, subgoals, tools))
    return _end((yield Act(f"{_text(actions)}\n{FINISH}")), StopReason.ANSWERED)


def _integrated(instruction: str, tools: list[str], profile: PromptProfile, max_subgoals: int) -> Episode:
    prompt = profile.integrated_before + instruction
    for index in range(1, max_subgoals + 1):
        turn = yield Ask(Module.SOLVER, prompt)
        subgoal, _, actions = _text(turn).strip().partition("\n")
        if profile.parse_subgoal(subgoal, index) is None:
            return _end((yield Act(FINISH)), StopReason.ANSWERED)
        outcome = yield Act(actions + ("\n" + FINISH if index == max_subgoals else ""))
        if _outcome(outcome).ended:
            return StopReason.TURN_LIMIT if index == max_subgoals else StopReason.ENDED
        prompt = profile.planner_feedback(index, _outcome(outcome).feedback, tools)
    return StopReason.TURN_LIMIT


def _cot(instruction: str, tools: list[str], profile: PromptProfile, max_subgoals: int) -> Episode:
    turn = yield Ask(Module.SOLVER, profile.cot_before + instruction)
    return _end((yield Act(f"Finish({extract_answer(_text(turn))})")), StopReason.ANSWERED)


def _direct(instruction: str, tools: list[str], profile: PromptProfile, max_subgoals: int) -> Episode:
    turn = yield Ask(Module.SOLVER, profile.direct_before + instruction)
    return _end((yield Act(f"Finish({_text(turn).strip()})")), StopReason.ANSWERED)


_PLAYS: Mapping[Formulation, Callable[[str, list[str], PromptProfile, int], Episode]] = {
    Formulation.ITERATIVE: _iterative,
    Formulation.ONETIME: _onetime,
    Formulation.INTEGRATED: _integrated,
    Formulation.COT: _cot,
    Formulation.DIRECT: _direct,
}


def _text(sent: str | Outcome) -> str:
    assert isinstance(sent, str), "an Ask is answered with text"
    return sent


def _outcome(sent: str | Outcome) -> Outcome:
    assert isinstance(sent, Outcome), "an Act is answered with an Outcome"
    return sent


def _end(sent: str | Outcome, reason: StopReason) -> StopReason:
    """`reason` when the environment accepted the end of the episode; else the agent ran out of things to do."""
    return reason if _outcome(sent).ended else StopReason.TURN_LIMIT
