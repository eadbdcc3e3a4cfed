"""The agent: it decides which module writes next, with which prompt, and what is sent to the environment.

Each formulation is a generator that plays one episode. It yields `Ask` (a module writes a turn; the completion is sent
back) and `Act` (text for `env.step`; the outcome is sent back), and returns why it ended. It knows neither models nor
environments, so any loop can drive it:

    episode = play(Formulation.ITERATIVE, instruction, tools, LUMOS_PROFILE)
    next(episode)                      # Ask(PLANNER, "…Task: Tom has 3 apples…")
    episode.send("Subgoal 1: Add.")    # Ask(GROUNDER, "…Subgoal to be grounded: Subgoal 1: Add.")
    episode.send("R1 = Calculator(3 + 2)")  # Act("R1 = Calculator(3 + 2)")
    episode.send(Outcome("5", None, False)) # Ask(PLANNER, "The executed result for Subgoal 1 is 5. Should we …")
    episode.send("Yes, I will stop planning.")  # Act("Finish()")
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lumos_rl.core import Action, Formulation, Module, StopReason
from lumos_rl.errors import UnknownNameError
from lumos_rl.language import format_actions
from lumos_rl.prompts import PromptProfile, extract_answer

FINISH = "Finish()"  # written by the agent itself: annotated plans stop planning instead, and prompts do not list it


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for a module's turn.

    Attributes:
        module: Who writes it.
        prompt: The new user message of that module's conversation.
        system: The system message that the conversation begins with, the same at every turn of it; "" without one.
    """

    module: Module
    prompt: str
    system: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """Text for `env.step`."""

    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a step.

    Attributes:
        result: Text of the last result of the step; "" without results.
        error: What the action did wrong; None if nothing.
        ended: Whether the environment ended the episode.
    """

    result: str
    error: str | None
    ended: bool

    @property
    def feedback(self) -> str:
        """What the planner reads: the error, or else the result."""
        return f"Error: {self.error}" if self.error else self.result


Episode = Generator[Ask | Act, str | Outcome, StopReason]


@dataclass(frozen=True, slots=True)
class _Brief:
    """The arguments of `play`."""

    instruction: str
    tools: Sequence[str]
    profile: PromptProfile
    max_subgoals: int
    reads_results: bool
    tells_actions: bool
    system_prompt: str

    def ask(self, module: Module, prompt: str, system: str) -> Ask:
        """A request, with one of the profile's system messages."""
        return Ask(module, prompt, system.replace("{system_prompt}", self.system_prompt).strip())

    def ground(self, subgoal_line: str, results: Sequence[str]) -> str:
        """The grounder's prompt; `results` holds one result per earlier subgoal."""
        if not results:
            return self.profile.grounder_first(self.instruction, subgoal_line, self.tools)
        return self.profile.grounder_next(subgoal_line, results if self.reads_results else ())

    def feedback(self, index: int, result: str) -> str:
        """What the planner reads after subgoal `index`."""
        return self.profile.planner_feedback(index, result, self.tells_actions)


def play(
    formulation: Formulation,
    instruction: str,
    tools: Iterable[str],
    profile: PromptProfile,
    max_subgoals: int = 8,
    *,
    reads_results: bool = False,
    tells_actions: bool = False,
    system_prompt: str = "",
) -> Episode:
    """One episode of a formulation.

    Args:
        formulation: A `Formulation` or its value.
        instruction: The task as text.
        tools: Names of the available tools, for prompts that list them; Finish is left out.
        profile: The fixed text of the prompts.
        max_subgoals: Maximum number of subgoals in formulations that plan step by step.
        reads_results: As `TaskType.reads_results`: whether the grounder reads the results of earlier subgoals.
        tells_actions: As `TaskType.tells_actions`: whether results are sentences about what was done.
        system_prompt: The environment's text on the task, its actions and tools, for profiles with system messages.

    Returns:
        A generator that yields `Ask` and `Act` and returns a `StopReason`.

    Raises:
        UnknownNameError: No such formulation.
    """
    if formulation not in _PLAYS:
        raise UnknownNameError("formulation", str(formulation), [str(name) for name in _PLAYS])
    listed = [name for name in tools if name != FINISH.removesuffix("()")]
    brief = _Brief(instruction, listed, profile, max_subgoals, reads_results, tells_actions, system_prompt)
    return _PLAYS[Formulation(formulation)](brief)


def _iterative(brief: _Brief) -> Episode:
    profile, last = brief.profile, brief.max_subgoals
    prompt = profile.planner_first(brief.instruction)
    results: list[str] = []
    for index in range(1, last + 1):
        plan = yield brief.ask(Module.PLANNER, prompt, profile.planner_system)
        subgoal = profile.parse_subgoal(_text(plan), index)
        if subgoal is None:
            return _end((yield Act(FINISH)), StopReason.ANSWERED)
        actions = yield brief.ask(Module.GROUNDER, brief.ground(subgoal, results), profile.grounder_system)
        outcome = yield Act(_text(actions) + ("\n" + FINISH if index == last else ""))
        if _outcome(outcome).ended:
            return StopReason.TURN_LIMIT if index == last else StopReason.ENDED
        results.append(_outcome(outcome).feedback)
        prompt = brief.feedback(index, results[-1])
    return StopReason.TURN_LIMIT


def _onetime(brief: _Brief) -> Episode:
    profile = brief.profile
    plan = yield brief.ask(Module.PLANNER, profile.planner_first(brief.instruction), profile.onetime_system)
    prompt = profile.grounder_onetime(brief.instruction, profile.split_subgoals(_text(plan)), brief.tools)
    actions = yield brief.ask(Module.GROUNDER, prompt, profile.grounder_system)
    return _end((yield Act(f"{_text(actions)}\n{FINISH}")), StopReason.ANSWERED)


def _integrated(brief: _Brief) -> Episode:
    prompt, last = brief.profile.integrated_before + brief.instruction, brief.max_subgoals
    for index in range(1, last + 1):
        turn = yield brief.ask(Module.SOLVER, prompt, brief.profile.integrated_system)
        subgoal, _, actions = _text(turn).strip().partition("\n")
        if brief.profile.parse_subgoal(subgoal, index) is None:
            return _end((yield Act(FINISH)), StopReason.ANSWERED)
        outcome = yield Act(actions + ("\n" + FINISH if index == last else ""))
        if _outcome(outcome).ended:
            return StopReason.TURN_LIMIT if index == last else StopReason.ENDED
        prompt = brief.feedback(index, _outcome(outcome).feedback)
    return StopReason.TURN_LIMIT


def _cot(brief: _Brief) -> Episode:
    turn = yield Ask(Module.SOLVER, brief.profile.cot_before + brief.instruction)
    return _end((yield Act(_finish(extract_answer(_text(turn))))), StopReason.ANSWERED)


def _direct(brief: _Brief) -> Episode:
    turn = yield Ask(Module.SOLVER, brief.profile.direct_before + brief.instruction)
    return _end((yield Act(_finish(_text(turn)))), StopReason.ANSWERED)


_PLAYS: Mapping[Formulation, Callable[[_Brief], Episode]] = {
    Formulation.ITERATIVE: _iterative,
    Formulation.ONETIME: _onetime,
    Formulation.INTEGRATED: _integrated,
    Formulation.COT: _cot,
    Formulation.DIRECT: _direct,
}


def _finish(answer: str) -> str:
    """The action that gives this answer; in one that would read as more than an argument, round brackets are square."""
    answer = answer.strip()
    try:
        return format_actions([Action((), "Finish", answer)])
    except ValueError:
        return f"Finish({answer.replace('(', '[').replace(')', ']')})"


def _text(sent: str | Outcome) -> str:
    assert isinstance(sent, str), "an Ask is answered with text"
    return sent


def _outcome(sent: str | Outcome) -> Outcome:
    assert isinstance(sent, Outcome), "an Act is answered with an Outcome"
    return sent


def _end(sent: str | Outcome, reason: StopReason) -> StopReason:
    """`reason` if the environment ended the episode; else TURN_LIMIT, as the agent has nothing left to do."""
    return reason if _outcome(sent).ended else StopReason.TURN_LIMIT
