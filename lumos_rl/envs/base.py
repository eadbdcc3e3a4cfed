"""The Gymnasium environment of every benchmark: it takes an action text and returns the tools' results as observation.

    env = gym.make("lumos_rl/GSM8K-v0")
    env.reset(options={"task": 0})         # ("Tom has 4 boxes with 12 pens each. …", {"task_id": …, "tools": …, …})
    env.step("R1 = Calculator(4 * 12)")    # ("R1 = 48", 0.0, False, False, {"results": {"R1": "48"}, "error": None})
    env.step("Finish(R1)")                 # ("The episode ended with the answer 48.", 1.0, True, False, {…})

A benchmark subclasses `LumosEnv` and defines the tools of an episode (`tools`) and its score (`grade`); math and
question answering need no more. A benchmark whose tools act on a state (a shop, a page, a database) creates that state
in `tools` and shows it in `first`, `show`, `observe` and `inform`. It may also end the episode (`over`), read its own
action syntax (`read`), choose the answer of `Finish` (`conclude`) and choose the next task (`draw`). The state belongs
to the environment object, so a copy of an environment is independent. Tools bound the work of an action; `MAX_ACTIONS`
bounds the actions of a step.
"""

from __future__ import annotations

import difflib
import operator
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.error import ResetNeeded

from lumos_rl import task_types
from lumos_rl.core import Action, Task
from lumos_rl.data import load_tasks
from lumos_rl.envs.spaces import MAX_LENGTH, UnicodeText
from lumos_rl.errors import ActionParseError, ActionTypeError, ConfigError, EpisodeError, ToolError
from lumos_rl.language import parse_actions
from lumos_rl.records import well_formed
from lumos_rl.tools.base import Execution, Executor, Tool, Value
from lumos_rl.tools.finish import FINISH, Finish

MAX_STEPS = 16  # the longest annotated plans have 9 subgoals; this leaves room for Finish and for corrected mistakes
MAX_ACTIONS = 64  # in one text; the longest plan of the built-in suites, written as one text, has 13


class NotResetError(EpisodeError, ResetNeeded):
    """Used before `reset`; also a subclass of Gymnasium's own error, so that code catching either one works."""


@dataclass(frozen=True, slots=True)
class Grade:
    """The score of an episode.

    Attributes:
        reward: Reward of the last step.
        success: Whether the task counts as solved.
        metrics: The benchmark's own metrics of this episode.
    """

    reward: float
    success: bool
    metrics: Mapping[str, float]


@dataclass(slots=True)
class _Episode:
    """The current episode.

    Attributes:
        task: Its task.
        first: Its first observation.
        executor: Runs its actions.
        finished: Whether `Finish` ended it.
        answer: The answer given to `Finish`; None if there is none.
        ended: Whether it is over, for whatever reason.
        transcript: Each action with the observation it led to.
    """

    task: Task
    first: str
    executor: Executor
    finished: bool = False
    answer: str | None = None
    ended: bool = False
    transcript: list[tuple[str, str]] = field(default_factory=list)


class LumosEnv(gymnasium.Env[str, str], ABC):
    """One benchmark as a Gymnasium environment over text.

    A mistake of the model becomes an observation and `info["error"]`; a mistake of the calling program raises. An
    `InfrastructureError` of a tool passes through `step`: it says nothing about the action.

    Attributes:
        tasks: The tasks that an episode can be drawn from.
        max_steps: Steps after which an episode is truncated.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012 (Gymnasium declares it this way)

    def __init__(
        self,
        benchmark: str,
        source: str | Path = "synthetic",
        split: str = "test",
        limit: int | None = None,
        max_steps: int = MAX_STEPS,
        tasks: Sequence[Task] | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Loads the tasks.

        Args:
            benchmark: Benchmark of every task; fixed by the environment's id.
            source: Where tasks come from, as `lumos_rl.data.load_tasks` takes it.
            split: Split of the source.
            limit: How many tasks, from the first on; None takes all.
            max_steps: Steps after which an episode is truncated.
            tasks: Tasks given directly; `source` and `split` are then not used.
            render_mode: With "ansi", `render` returns the episode so far as text; with None, it returns None.

        Raises:
            ConfigError: No task, a task of another benchmark, or a setting out of range.
        """
        if max_steps < 1:
            raise ConfigError(f"expected max_steps >= 1, got {max_steps}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ConfigError(
                f"expected render_mode None or one of {self.metadata['render_modes']}, got {render_mode!r}"
            )
        if limit is not None and limit < 1:
            raise ConfigError(f"expected limit >= 1 or None, got {limit}")
        found = load_tasks(benchmark, source, split, limit) if tasks is None else tasks[:limit]
        if not found:
            raise ConfigError(
                f"expected at least one {benchmark} task, got none (source {str(source)!r}, split {split!r})"
            )
        self.benchmark = benchmark
        self.tasks = tuple(self._own(task) for task in found)
        self.max_steps = max_steps
        self.render_mode = render_mode
        self.observation_space = UnicodeText()
        self.action_space = UnicodeText()
        self._episode: _Episode | None = None

    @property
    def num_tasks(self) -> int:
        """How many tasks there are to draw from."""
        return len(self.tasks)

    @abstractmethod
    def tools(self, task: Task) -> Mapping[str, Tool]:
        """The tools of a new episode by name, with new state if they share any; `Finish` is added to them."""

    @abstractmethod
    def grade(self, task: Task, answer: str | None) -> Grade:
        """Grades the episode when it is over; `answer` is None if none was given."""

    def first(self, task: Task) -> str:
        """The first observation."""
        return task.instruction

    def begin_step(self) -> None:
        """Clears what the previous step left, if anything; called even if the text is too long to be read."""

    def read(self, text: str) -> list[Action]:
        """The actions in a text.

        Raises:
            ActionParseError: The text is not an action.
        """
        return parse_actions(text)

    def show(self, execution: Execution) -> str:
        """The observation after some actions, without their error: the new value of each output."""
        return "\n".join(f"{name} = {text}" for name, text in execution.results.items())

    def observe(self, action: str, execution: Execution, notes: Sequence[str]) -> str:
        """The observation after a step.

        Args:
            action: The text given to `step`.
            execution: The outcome of its actions.
            notes: What went wrong, and why the episode ended; one line each.
        """
        return "\n".join(line for line in (self.show(execution), *notes) if line)

    def inform(self) -> dict[str, Any]:
        """The entries of `info` that only this environment has."""
        return {}

    def draw(self) -> int:
        """Index of the next task when `reset` was given none."""
        return int(self.np_random.integers(len(self.tasks)))

    def over(self) -> bool:
        """Whether the task itself has ended, without `Finish`."""
        return False

    def reward(self) -> float:
        """Reward of a step that does not end the episode."""
        return 0.0

    def conclude(self, task: Task, executor: Executor, args: str) -> Value | None:
        """The answer that `Finish(args)` gives; None if there is no result to use.

        Raises:
            ToolError: `args` is the name of a result that does not exist.
        """
        return Finish()(args, executor.bindings) if args else executor.last

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begins an episode.

        Args:
            seed: Seeds the generator that tasks are drawn with; None keeps the current generator.
            options: `{"task": …}`, an index into `tasks`, a task id, or a `Task`; without it a task is drawn.

        Returns:
            The first observation, and info: `task_id`, `instruction`, `tools` (name → one-line usage).

        Raises:
            ConfigError: Unknown option, no such task, or a task of another benchmark.
        """
        super().reset(seed=seed)
        options = options or {}
        if unknown := options.keys() - {"task"}:
            raise ConfigError(f"expected options with the key 'task' or none, got also {sorted(map(str, unknown))}")
        task = self._pick(options.get("task"))
        tools = {**self.tools(task), FINISH: Finish()}
        first = _cut(self.first(task))
        self._episode = _Episode(task, first, Executor(tools))
        usage = {name: tool.usage for name, tool in tools.items()}
        info = {"task_id": task.id, "instruction": task.instruction, "tools": usage}
        return first, well_formed(info | self._prompting() | self.inform())

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Runs the actions in a text, up to the first `Finish`; if there are more than `MAX_ACTIONS`, none is run.

        Returns:
            Observation, reward (at the end the benchmark's metric, before that `reward()`), whether the task ended,
            whether the step budget ran out, and info: `results` (output → text), `error` (what the action did wrong, or
            None), and at the end `success`, `metrics` and `answer`.

        Raises:
            NotResetError: There is no episode yet.
            EpisodeError: The episode is over.
            ActionTypeError: The action is not a `str`.
        """
        episode = self._current("step")
        if episode.ended:
            raise EpisodeError("expected reset() first, got step(): the episode is over")
        if not isinstance(action, str):
            raise ActionTypeError(f"expected an action text (str), got {type(action).__name__}")
        action = well_formed(action)
        execution = self._run(episode, action)
        terminated = episode.finished or self.over()
        truncated = not terminated and len(episode.transcript) + 1 >= self.max_steps
        observation = _cut(self.observe(action, execution, self._notes(episode, execution, truncated)))
        episode.transcript.append((action, observation))
        info: dict[str, Any] = {"results": dict(execution.results), "error": execution.error}
        info |= well_formed(self.inform())
        if not (terminated or truncated):
            return observation, self.reward(), False, False, info
        episode.ended = True
        grade = self.grade(episode.task, episode.answer)
        info |= {"success": grade.success, "metrics": dict(grade.metrics), "answer": episode.answer}
        return observation, grade.reward, terminated, truncated, info

    def render(self) -> str | None:
        """The episode so far as text, in render mode "ansi"; otherwise None.

        Raises:
            NotResetError: There is no episode yet.
        """
        episode = self._current("render")
        if self.render_mode is None:
            gymnasium.logger.warn(
                'render() has nothing to do without a render mode; make the env with render_mode="ansi"'
            )
            return None
        lines = [f"Task {episode.task.id}", episode.first]
        for action, observation in episode.transcript:
            lines += [f"> {_cut(action)}", observation]
        return "\n".join(lines)

    def _prompting(self) -> dict[str, Any]:
        """The entries of `info` that decide how the agent's prompts show results, where they are not the defaults."""
        kind = task_types.find(self.benchmark)
        told = {"reads_results": kind.reads_results, "tells_actions": kind.tells_actions} if kind else {}
        return {name: value for name, value in told.items() if value}

    def _current(self, called: str) -> _Episode:
        if self._episode is None:
            raise NotResetError(f"expected reset() first, got {called}()")
        return self._episode

    def _run(self, episode: _Episode, text: str) -> Execution:
        self.begin_step()
        if len(text) > MAX_LENGTH:
            return Execution({}, f"expected at most {MAX_LENGTH} characters, got {len(text)}")
        try:
            actions = self.read(text)
        except ActionParseError as error:
            return Execution({}, str(error))
        if len(actions) > MAX_ACTIONS:
            return Execution({}, f"expected at most {MAX_ACTIONS} actions in one text, got {len(actions)}")
        end = next((index for index, action in enumerate(actions) if action.tool == FINISH), None)
        execution = episode.executor.run(actions[:end])
        if end is None or execution.error is not None:
            return execution
        return Execution(execution.results, self._finish(episode, actions[end].args))

    def _finish(self, episode: _Episode, args: str) -> str | None:
        """Ends the episode, unless `args` names an unknown result; returns the error, or None."""
        try:
            value = self.conclude(episode.task, episode.executor, args)
        except ToolError as error:
            return f"{FINISH}: {error}"
        episode.finished = True
        episode.answer = value.text if value else None
        return None if value else f"{FINISH}: there is no result yet that could be the answer"

    def _notes(self, episode: _Episode, execution: Execution, truncated: bool) -> list[str]:
        lines = []
        if execution.error is not None:
            lines.append(f"Error: {execution.error}")
        if episode.finished:
            answer = "without an answer" if episode.answer is None else f"with the answer {episode.answer}"
            lines.append(f"The episode ended {answer}.")
        if truncated:
            lines.append(f"The episode ended: its budget of {self.max_steps} steps is used up.")
        return lines

    def _pick(self, wanted: Any) -> Task:
        if wanted is None:
            return self.tasks[self.draw()]
        if isinstance(wanted, Task):
            return self._own(wanted)
        if isinstance(wanted, str):
            return self._by_id(wanted)
        try:
            index = operator.index(wanted)
        except TypeError as error:
            raise ConfigError(f"expected task as an index, an id or a Task, got {type(wanted).__name__}") from error
        if not 0 <= index < len(self.tasks):
            raise ConfigError(f"expected a task index from 0 to {len(self.tasks) - 1}, got {index}")
        return self.tasks[index]

    def _by_id(self, wanted: str) -> Task:
        for task in self.tasks:
            if task.id == wanted:
                return task
        known = [task.id for task in self.tasks]
        close = difflib.get_close_matches(wanted, known, n=3) or known[:3]
        raise ConfigError(f"expected one of {len(known)} task ids such as {', '.join(close)}; got {wanted!r}")

    def _own(self, task: Task) -> Task:
        if task.benchmark != self.benchmark:
            raise ConfigError(f"expected a {self.benchmark} task, got one of {task.benchmark} (task {task.id!r})")
        return task


def _cut(text: str) -> str:
    """The text as well-formed Unicode, cut with a note if it is longer than the space allows."""
    text = well_formed(text)
    if len(text) <= MAX_LENGTH:
        return text
    note = f" … (cut: {len(text)} characters in all)"
    return text[: MAX_LENGTH - len(note)] + note
