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
bounds the actions of a step, and `tools.base.Budget` the time of steps and episodes.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import gymnasium
from gymnasium.envs.registration import EnvSpec

from lumos_rl import task_types
from lumos_rl.core import Action, Task
from lumos_rl.data.system_prompt import system_prompt
from lumos_rl.envs.arguments import check_arguments, refuse_unknown
from lumos_rl.envs.episode import Episode, cut, say
from lumos_rl.envs.episode import Grade as Grade
from lumos_rl.envs.episode import NotResetError as NotResetError
from lumos_rl.envs.spaces import MAX_LENGTH, UnicodeText
from lumos_rl.envs.tasks import Shard, TaskList, found_tasks
from lumos_rl.errors import ActionParseError, ActionTypeError, ConfigError, EpisodeError, ToolError
from lumos_rl.language import parse_actions
from lumos_rl.records import well_formed
from lumos_rl.tools.base import Budget, Execution, Executor, Tool, Value
from lumos_rl.tools.finish import FINISH, Finish, refuse_action

MAX_STEPS = 16  # the longest annotated plans have 9 subgoals; this leaves room for Finish and for corrected mistakes
MAX_ACTIONS = 64  # in one text; the longest plan of the built-in suites, written as one text, has 13
STEP_BUDGET_S = 10.0  # a call of a tool that computes takes up to a tenth of a second
EPISODE_BUDGET_S = 60.0


class LumosEnv(gymnasium.Env[str, str], ABC):
    """One benchmark as a Gymnasium environment over text.

    A mistake of the model becomes an observation and `info["error"]`; a mistake of the calling program raises. An
    `InfrastructureError` of a tool passes through `step`: it says nothing about the action.

    Attributes:
        tasks: The tasks that an episode can be drawn from.
        max_steps: Steps after which an episode is truncated.
    """

    metadata = {"render_modes": ["ansi", "human"], "render_fps": 1}  # noqa: RUF012 (Gymnasium declares it this way)

    _spec: EnvSpec | None = None

    def __new__(cls, *args: Any, **settings: Any) -> Self:
        """Names an unknown setting, where Python would only refuse it.

        Raises:
            UnknownNameError: A setting is unknown; the known ones are listed.
        """
        check_arguments(cls, settings)
        return super().__new__(cls)

    def __init__(
        self,
        benchmark: str,
        source: str | Path = "synthetic",
        split: str | None = None,
        limit: int | None = None,
        max_steps: int = MAX_STEPS,
        tasks: Sequence[Task] | None = None,
        render_mode: str | None = None,
        shard: Shard | None = None,
        step_budget_s: float | None = STEP_BUDGET_S,
        episode_budget_s: float | None = EPISODE_BUDGET_S,
        **unknown: Any,
    ) -> None:
        """Loads the tasks.

        Args:
            benchmark: Benchmark of every task; fixed by the environment's id.
            source: Where tasks come from, as `lumos_rl.data.load_tasks` takes it.
            split: Split of the source; None takes that in the name of a file, otherwise "test".
            limit: How many tasks, from the first on; None takes all.
            max_steps: Steps after which an episode is truncated.
            tasks: Tasks given directly; `source` and `split` are then not used.
            render_mode: With "ansi", `render` returns the episode so far as text; with "human", it is printed as it
                goes; with None, neither.
            shard: Plays tasks in order instead of drawing them: (i, n) those at i, i + n, i + 2n, …; n alone takes i
                from the seed of `reset`, so that n sub-environments of `gym.make_vec` play each task once. After the
                last task of the shard, its next round begins. None draws tasks at random.
            step_budget_s: Seconds that the tools of one step may take together, in real time; the actions behind them
                get an error. None is no limit. Waiting for a server or a model that answers is not counted.
            episode_budget_s: The same for all steps of an episode.
            **unknown: Settings that no class took; any is an error.

        Raises:
            UnknownNameError: A setting is unknown; the known ones are listed.
            DataError: No record of the source can be read; single ones are left out with a warning.
            ConfigError: No task, a task of another benchmark, or a setting out of range.
        """
        refuse_unknown(type(self), unknown)
        if max_steps < 1:
            raise ConfigError(f"expected max_steps >= 1, got {max_steps}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ConfigError(
                f"expected render_mode None or one of {self.metadata['render_modes']}, got {render_mode!r}"
            )
        if limit is not None and limit < 1:
            raise ConfigError(f"expected limit >= 1 or None, got {limit}")
        found = found_tasks(benchmark, source, split, limit) if tasks is None else tasks[:limit]
        if not found:
            where = f"source {str(source)!r}, split {split or 'by default'!r}"
            raise ConfigError(f"expected at least one {benchmark} task, got none ({where})")
        self.benchmark = benchmark
        self._tasks = TaskList(benchmark, found, shard)
        self.max_steps = max_steps
        self.render_mode = render_mode
        self.observation_space = UnicodeText()
        self.action_space = UnicodeText()
        self._budget = Budget(step_budget_s, episode_budget_s)
        self._episode: Episode | None = None

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks to draw from."""
        return self._tasks.all

    @property
    def num_tasks(self) -> int:
        """How many tasks there are to draw from."""
        return len(self._tasks)

    @property  # Gymnasium declares an attribute; `make` sets it without the number of steps
    def spec(self) -> EnvSpec | None:
        """How it was made, and `max_steps` as `max_episode_steps`; None if not by `gym.make`."""
        return self._spec

    @spec.setter
    def spec(self, made: EnvSpec | None) -> None:
        self._spec = copy.copy(made)
        if self._spec is not None:
            self._spec.max_episode_steps = self.max_steps

    def describe(self) -> str:
        """What an agent may do here, whatever the task: the syntax of actions, the tools, and an episode.

        "" for a benchmark that is no known task type.
        """
        kind = task_types.find(self.benchmark)
        return system_prompt(kind) if kind else ""

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
            options: `{"task": …}`, an index into `tasks`, a task id, or a `Task`; without it a task is drawn, or is the
                next one of the shard.

        Returns:
            The first observation, and info: `task_id`, `instruction`, `tools` (name → one-line usage), `system_prompt`
            (`describe()`); with a shard also `round`, 0 until each of its tasks was played.

        Raises:
            ConfigError: Unknown option, no such task, or a task of another benchmark.
        """
        super().reset(seed=seed)
        options = options or {}
        if unknown := options.keys() - {"task"}:
            raise ConfigError(f"expected options with the key 'task' or none, got also {sorted(map(str, unknown))}")
        self._tasks.begin(seed)
        task = self._pick(options.get("task"))
        tools = {**self.tools(task), FINISH: Finish()}
        first = cut(self.first(task))
        self._episode = Episode(task, first, Executor(tools, self._budget))
        usage = {name: tool.usage for name, tool in tools.items()}
        if self.render_mode == "human":
            say(f"Task {task.id}\n{first}")
        info = self._place(task) | {"instruction": task.instruction, "tools": usage}
        info["system_prompt"] = self.describe()
        return first, well_formed(info | self._prompting() | self.inform())

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Runs the actions in a text, up to the first `Finish`; if there are more than `MAX_ACTIONS`, none is run.

        Returns:
            Observation, reward (at the end the benchmark's metric, before that `reward()`), whether the task ended,
            whether the step budget ran out, and info: `task_id`, `results` (output → text), `error` (what the action
            did wrong, or None), `malformed` (whether it was no action at all: it could not be read, or names an unknown
            tool), and at the end `success`, `metrics`, `answer` and, if there are any, `counts`.

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
        observation = cut(self.observe(action, execution, self._notes(episode, execution, truncated)))
        episode.transcript.append((action, observation))
        if self.render_mode == "human":
            say(f"> {cut(action)}\n{observation}")
        info = self._place(episode.task) | {"results": dict(execution.results), "error": execution.error}
        info |= {"malformed": execution.malformed} | well_formed(self.inform())
        if not (terminated or truncated):
            return observation, self.reward(), False, False, info
        episode.ended = True
        grade = self.grade(episode.task, episode.answer)
        info |= {"success": grade.success, "metrics": dict(grade.metrics), "answer": episode.answer}
        info |= {"counts": dict(grade.counts)} if grade.counts else {}
        return observation, grade.reward, terminated, truncated, info

    def render(self) -> str | None:
        """The episode so far as text, in render mode "ansi"; otherwise None. In mode "human" it is printed already.

        Raises:
            NotResetError: There is no episode yet.
        """
        episode = self._current("render")
        if self.render_mode is None:
            gymnasium.logger.warn(
                'render() has nothing to do without a render mode; make the env with render_mode="ansi"'
            )
            return None
        if self.render_mode == "human":
            return None
        return episode.text

    def _prompting(self) -> dict[str, Any]:
        """The entries of `info` that decide how the agent's prompts show results, where they are not the defaults."""
        kind = task_types.find(self.benchmark)
        told = {"reads_results": kind.reads_results, "tells_actions": kind.tells_actions} if kind else {}
        return {name: value for name, value in told.items() if value}

    def _current(self, called: str) -> Episode:
        if self._episode is None:
            raise NotResetError(f"expected reset() first, got {called}()")
        return self._episode

    def _run(self, episode: Episode, text: str) -> Execution:
        self.begin_step()
        if len(text) > MAX_LENGTH:
            return Execution({}, f"expected at most {MAX_LENGTH} characters, got {len(text)}", True)
        try:
            actions = self.read(text)
        except ActionParseError as error:
            return Execution({}, str(error), True)
        if len(actions) > MAX_ACTIONS:
            return Execution({}, f"expected at most {MAX_ACTIONS} actions in one text, got {len(actions)}", True)
        end = next((index for index, action in enumerate(actions) if action.tool == FINISH), None)
        execution = episode.executor.run(actions[:end])
        if end is None or execution.error is not None:
            return execution
        return Execution(execution.results, self._finish(episode, actions[end].args))

    def _finish(self, episode: Episode, args: str) -> str | None:
        """Ends the episode, unless `args` refers to no answer; returns the error, or None."""
        try:
            refuse_action(args, episode.executor.tools)
            value = self.conclude(episode.task, episode.executor, args)
        except ToolError as error:
            return f"{FINISH}: {error}"
        episode.finished = True
        episode.answer = value.text if value else None
        return None if value else f"{FINISH}: there is no result yet that could be the answer"

    def _notes(self, episode: Episode, execution: Execution, truncated: bool) -> list[str]:
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
        if wanted is not None:
            return self._tasks.pick(wanted)
        return self._tasks[self.draw()] if self._tasks.parts is None else self._tasks.next()

    def _place(self, task: Task) -> dict[str, Any]:
        """The entries of `info` that tell which task this is."""
        return {"task_id": task.id} | ({} if self._tasks.round is None else {"round": self._tasks.round})
