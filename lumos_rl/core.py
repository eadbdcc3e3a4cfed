"""The data types of the framework: frozen dataclasses that all other modules exchange.

One datum, from a task to a training pair:

    Task(id="gsm8k/test/0", benchmark="gsm8k", instruction="Tom has 3 apples …", answer="5", split="test")
    Subgoal("Find how many apples Tom has now.", (Action(("R1",), "Calculator", "3 + 2", "5"),))
    Turn(module="grounder", prompt="…", completion="R1 = Calculator(3 + 2)", action="R1 = Calculator(3 + 2)", …)
    Trajectory(id="gsm8k/test/0#0", task_id="gsm8k/test/0", turns=(…), reward=1.0, success=True, …)
    PreferencePair(module="planner", prompt=(…), chosen="…", rejected="…", …)

`to_json` and `from_json` turn any of them into one JSON line and back without loss (`lumos_rl.records`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, TypedDict, TypeVar

from lumos_rl.records import from_json as from_json
from lumos_rl.records import to_json as to_json
from lumos_rl.records import well_formed


class Message(TypedDict):
    """One chat message: `role` is "user" or "assistant"; "system" of what a conversation may begin with."""

    role: str
    content: str


class Module(StrEnum):
    """Who writes a turn. `SOLVER` is the single model of the baselines without separate modules."""

    PLANNER = "planner"
    GROUNDER = "grounder"
    SOLVER = "solver"


class Formulation(StrEnum):
    """How an episode is split into model turns (Yin et al. 2023, section 3, and its baselines)."""

    ITERATIVE = "iterative"  # Lumos-I: one subgoal is planned, grounded and executed at a time
    ONETIME = "onetime"  # Lumos-O: all subgoals, then all actions, then execution
    INTEGRATED = "integrated"  # one model writes subgoals and actions
    COT = "cot"  # chain of thought, no tools
    DIRECT = "direct"  # the answer only


class StopReason(StrEnum):
    """Why an episode ended."""

    ANSWERED = "answered"  # the agent finished and the environment graded it
    ENDED = "ended"  # the environment ended the episode by itself
    TRUNCATED = "truncated"  # the environment's step budget ran out
    TURN_LIMIT = "turn_limit"  # the agent's subgoal limit ran out; what was computed so far was graded
    CONTEXT_OVERFLOW = "context_overflow"  # the conversation outgrew the model's context
    FAILED = "failed"  # infrastructure failure; see Trajectory.failure


@dataclass(frozen=True, slots=True)
class Action:
    """One call of the action language, e.g. `R1 = Calculator(48 / 2) = 24`.

    Attributes:
        outputs: Names that the result is bound to: `("R1",)`; empty for a bare call such as `Finish(R1)`.
        tool: Tool name, or an earlier result that is applied as a function (`R4`); "" for an alias (`R2 = R1`).
        args: The text between the call's brackets; for an alias, the name it refers to.
        result: The text after a second ` = `, as in annotations; None without one.
    """

    outputs: tuple[str, ...]
    tool: str
    args: str
    result: str | None = None


@dataclass(frozen=True, slots=True)
class Subgoal:
    """One sentence of a plan with the actions that ground it (empty when not grounded yet).

    Attributes:
        text: The sentence.
        actions: Its actions.
        thought: What may be thought before it, in one line; "" for nothing.
    """

    text: str
    actions: tuple[Action, ...] = ()
    thought: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """One problem of a benchmark; its texts are well-formed Unicode (`records.well_formed`).

    Attributes:
        id: Unique over all benchmarks: "benchmark/split/key".
        benchmark: Lower-case benchmark name, e.g. "gsm8k".
        instruction: What the agent is asked, as text.
        answer: Gold answer as text; None if the benchmark does not grade by an answer.
        split: "train", "dev" or "test" (or the benchmark's own split name).
        subgoals: Gold plan with its actions; empty when the task carries only an answer.
        meta: JSON-like extras that only this benchmark's code reads.
    """

    id: str
    benchmark: str
    instruction: str
    answer: str | None = None
    split: str = "test"
    subgoals: tuple[Subgoal, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, well_formed(getattr(self, each.name)))


@dataclass(frozen=True, slots=True)
class Turn:
    """One model turn and the environment's response to it.

    Only the *new* user message is kept; `Trajectory.conversation` rebuilds a module's whole conversation.

    Attributes:
        module: Who wrote it.
        prompt: The user message that asked for it.
        completion: The turn: what the model wrote without what surrounds it (`policies.turns.turn_text`).
        action: Text given to `env.step`, or "" when the turn made no step.
        observation: What the environment answered, or "".
        error: What the model did wrong in this turn; None if nothing.
        reward: Reward of the step.
        finish_reason: "stop" (the model ended its turn) or "length" (cut at max_new_tokens).
        prompt_tokens: Tokens of the whole prompt, history included.
        completion_tokens: Tokens the model wrote.
        latency_s: Seconds from submission to completion.
        prompt_ids: Token ids that the prompt adds to the module's earlier turns; None if the policy reports none.
        completion_ids: The sampled token ids, the end-of-turn token included; None if the policy reports none.
        logprobs: Log-probability of each sampled id in the distribution that it was sampled from, at its temperature
            and top_p; of a greedy turn, in the model's own. None if not requested or not known.
        adapter: Name of the weights that wrote it, e.g. "planner@sft"; "" if the policy has one set of weights.
        written: All that the model wrote, e.g. with its reasoning; None if that is `completion`.
        system: The system message that the module's conversation begins with, at its first turn; "" without one.
        malformed: Whether its action was none: it could not be read, or named an unknown tool. Such a turn has an
            error too. None if no action was made of it, or the environment does not say.
    """

    module: str
    prompt: str
    completion: str
    action: str = ""
    observation: str = ""
    error: str | None = None
    reward: float = 0.0
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_s: float = 0.0
    completion_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    prompt_ids: tuple[int, ...] | None = None
    adapter: str = ""
    written: str | None = None
    system: str = ""
    malformed: bool | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """The token ids of a module's conversation, exactly as an engine read and sampled them.

    Attributes:
        ids: All ids, T of them.
        written: Whether the model sampled each id, T values.
        tokenizer: `encoding.fingerprint` of the tokenizer that the ids belong to.
    """

    ids: tuple[int, ...]
    written: tuple[bool, ...]
    tokenizer: str


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One finished episode.

    Attributes:
        id: "task_id#sample".
        task_id: The task's id.
        benchmark: The task's benchmark.
        split: The task's split.
        instruction: The task's instruction.
        formulation: A `Formulation` value.
        policy: Version of the policy that acted, e.g. "sft" or "iteration-1".
        sample: Index among the samples drawn for this task.
        seed: Seed of the episode's sampling and environment.
        temperature: Sampling temperature of its turns; 0 is greedy.
        turns: Model turns in the order they happened.
        reward: Sum of the step rewards.
        success: Whether the benchmark counts the episode as solved.
        answer: Final answer text; None when none was given.
        stop_reason: A `StopReason` value.
        metrics: The benchmark's own metrics of this episode.
        failure: What broke, for `StopReason.FAILED`; else None. Such an episode is never scored.
        elapsed_s: Wall-clock seconds.
        top_p: Probability mass that its turns were sampled from.
        max_new_tokens: Token limit of one turn; 0 if not recorded.
        profile: Hash of the prompt profile, the fixed text of its prompts; "" if not recorded.
        tokenizer: `encoding.fingerprint` of the tokenizer that all ids belong to; "" without ids.
        best_reward: The highest reward that the task can give.
        counts: Numbers about the episode that are no scores, e.g. the steps of its task.
    """

    id: str
    task_id: str
    benchmark: str
    split: str
    instruction: str
    formulation: str
    policy: str
    sample: int
    seed: int
    temperature: float
    turns: tuple[Turn, ...]
    reward: float
    success: bool
    answer: str | None
    stop_reason: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    failure: str | None = None
    elapsed_s: float = 0.0
    top_p: float = 1.0
    max_new_tokens: int = 0
    profile: str = ""
    tokenizer: str = ""
    best_reward: float = 1.0
    counts: Mapping[str, float] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """The reward as a share of `best_reward`, comparable across benchmarks."""
        return self.reward / self.best_reward

    def conversation(self, module: str, before: int | None = None) -> list[Message]:
        """The chat that `module` read and wrote, from its first turn on.

        Args:
            module: Whose turns to take.
            before: Index into `turns`. The chat then ends with that turn's prompt, ready for its completion; None
                takes every turn with its completion.
        """
        messages: list[Message] = []
        for index, turn in enumerate(self.turns):
            if turn.module != module or (before is not None and index > before):
                continue
            if turn.system:
                messages.append({"role": "system", "content": turn.system})
            messages.append({"role": "user", "content": turn.prompt})
            if before is None or index < before:
                messages.append({"role": "assistant", "content": turn.completion})
        return messages

    def transcript(self, module: str, before: int | None = None) -> Transcript | None:
        """The same chat as token ids; None if the policy did not report them.

        Args:
            module: Whose turns to take.
            before: Index into `turns`. The ids then end with that turn's prompt; None takes every turn.
        """
        ids: list[int] = []
        written: list[bool] = []
        for index, turn in enumerate(self.turns):
            if turn.module != module or (before is not None and index > before):
                continue
            if turn.prompt_ids is None or turn.completion_ids is None or not self.tokenizer:
                return None
            sampled = turn.completion_ids if before is None or index < before else ()
            ids += [*turn.prompt_ids, *sampled]
            written += [False] * len(turn.prompt_ids) + [True] * len(sampled)
        return Transcript(tuple(ids), tuple(written), self.tokenizer)


@dataclass(frozen=True, slots=True)
class PairIds:
    """The token ids of a preference pair.

    Attributes:
        prompt: Ids of the prompt, as the chosen turn's engine read them.
        chosen: Sampled ids of the chosen turn.
        rejected: Sampled ids of the rejected turn.
        tokenizer: `encoding.fingerprint` of the tokenizer that the ids belong to.
    """

    prompt: tuple[int, ...]
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]
    tokenizer: str


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """Two completions of one prompt, from two trajectories of one task that were equal up to this turn.

    Attributes:
        id: "task_id:chosen sample>rejected sample@turn", after "stage:" in a run.
        task_id: The task both trajectories belong to.
        benchmark: The task's benchmark.
        module: Who wrote the two completions.
        turn: Index of the turn at which the trajectories diverge.
        prompt: The shared conversation, ending with a user message.
        chosen: Completion that led to the higher reward.
        rejected: Completion that led to the lower reward.
        chosen_reward: Mean score of the episodes that continued with `chosen`.
        rejected_reward: Mean score of the episodes that continued with `rejected`.
        ids: The same as sampled token ids; None if the policy did not report them.
    """

    id: str
    task_id: str
    benchmark: str
    module: str
    turn: int
    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    chosen_reward: float
    rejected_reward: float
    ids: PairIds | None = None


Record = TypeVar("Record", Task, Subgoal, Action, Turn, Trajectory, PreferencePair)
