"""The only episode loop: it plays many episodes with one policy, without a barrier between turns.

Each episode is an `agent.play` generator, an environment and the turns so far. When the policy finishes some turns,
their episodes advance and submit the next ones; a finished episode makes room for a new one.

    plans = plan_episodes(tasks, RolloutConfig())
    for trajectory in run_episodes(lambda benchmark: gym.make("lumos_rl/GSM8K-v0"), plans, policy):
        print(trajectory.id, trajectory.reward)

The loop knows `gymnasium.Env` and nothing about benchmarks. It drives any environment with the `info` keys of
`lumos_rl.envs`: `instruction`, `tools`, `results`, `error`, `success`, `metrics` and `answer`; optional are
`best_reward` (default 1), `reads_results` and `tells_actions` (default False), `system_prompt` (default "") and
`malformed`, as `Turn` has it.
"""

from __future__ import annotations

import functools
import itertools
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any

import gymnasium

from lumos_rl.agent import FINISH, Act, Ask, Outcome, play
from lumos_rl.core import Message, Module, StopReason, Trajectory, Turn
from lumos_rl.data.conversations import conversations
from lumos_rl.errors import ConfigError, InfrastructureError, LumosError
from lumos_rl.policies.base import Completion, Policy, Request
from lumos_rl.policies.serving import refused
from lumos_rl.policies.turns import turn_text
from lumos_rl.prompts import PromptProfile, get_profile
from lumos_rl.records import well_formed
from lumos_rl.rollout.plans import EpisodePlan, derive_seed

Env = gymnasium.Env[str, str]

log = logging.getLogger(__name__)

CUT = "the turn was cut at max_new_tokens"
POLL_S = 0.01  # longest wait for the policy while steps run in threads


def run_episodes(
    make_env: Callable[[str], Env],
    plans: Iterable[EpisodePlan],
    policy: Policy,
    profile: PromptProfile | str | None = None,
    concurrency: int = 64,
    tool_threads: int = 0,
) -> Iterator[Trajectory]:
    """Plays episodes and yields each trajectory as soon as it is finished.

    Args:
        make_env: Makes an environment for a benchmark; called at most `concurrency` times for each benchmark, and again
            for each environment that broke.
        plans: The episodes to play; each is taken when there is room for it.
        policy: Writes the turns.
        profile: Prompt profile, or the name of one; None takes that which the policy's checkpoint was trained with, and
            Lumos's for a policy without one.
        concurrency: Maximum number of episodes under way.
        tool_threads: Environment steps that run in parallel in threads, while the policy works; 0 runs them one by one
            between its turns.

    Yields:
        Trajectories in the order they finish. If the policy or an environment breaks, the episode has
        `StopReason.FAILED` and the cause in `failure`.
    """
    queue = iter(plans)
    pool = EpisodePool(make_env, policy, profile, tool_threads)
    try:
        while True:
            while pool.live < concurrency and (plan := next(queue, None)) is not None:
                yield from pool.start(plan)
            if not pool.live:
                return
            yield from pool.step()
    finally:
        pool.close()


class EpisodePool:
    """The episodes under way with one policy; `run_episodes` is the loop around it.

    Args:
        make_env: Makes an environment for a benchmark; called when an episode starts and no environment is idle.
        policy: Writes the turns.
        profile: As for `run_episodes`.
        tool_threads: Environment steps that run in parallel in threads; 0 runs them in the caller's thread.
    """

    def __init__(
        self,
        make_env: Callable[[str], Env],
        policy: Policy,
        profile: PromptProfile | str | None = None,
        tool_threads: int = 0,
    ) -> None:
        self._make_env, self._policy = make_env, policy
        profile = profile or getattr(policy, "profile", None) or "lumos"
        self._profile = get_profile(profile) if isinstance(profile, str) else profile
        self._idle: defaultdict[str, list[Env]] = defaultdict(list)  # by benchmark
        self._running: dict[str, _Running] = {}
        self._threads = ThreadPoolExecutor(tool_threads, "tools") if tool_threads else None
        self._steps: dict[Future[Trajectory | None], _Running] = {}  # steps that run in threads

    @property
    def live(self) -> int:
        """Number of episodes under way."""
        return len(self._running)

    def start(self, plan: EpisodePlan) -> list[Trajectory]:
        """Starts an episode; returns its trajectory if the environment broke at once or cannot be made, else []."""
        if plan.id in self._running:
            raise ConfigError(f"expected every plan to have its own id, got {plan.id!r} twice; give tasks unique ids")
        idle = self._idle[plan.task.benchmark]
        try:
            env = idle.pop() if idle else self._make_env(plan.task.benchmark)
        except (InfrastructureError, OSError) as error:
            _raise_mistake(error)
            return [plan.trajectory(self._policy.version, StopReason.FAILED, failure=repr(error))]
        self._running[plan.id] = running = _Running(plan, env, self._policy, self._profile)
        return self._move(running, running.start)

    def step(self, timeout_s: float | None = None) -> Iterator[Trajectory]:
        """Waits for turns of the policy or steps of environments, advances their episodes, and yields finished ones.

        While steps run in threads, the policy is polled, so that a finished step is noticed within `POLL_S`.

        Args:
            timeout_s: Longest wait in seconds; a policy that works inside `collect` may exceed it.
        """
        began = time.monotonic()
        if len(self._steps) == self.live:  # the policy has no requests
            wait(self._steps, timeout_s, return_when=FIRST_COMPLETED)
            completions = []
        else:
            completions = self._policy.collect(POLL_S if self._steps else timeout_s)
            in_vain = timeout_s is None or time.monotonic() - began < timeout_s
            if not completions and not self._steps and in_vain:
                raise InfrastructureError(
                    f"expected turns for {self.live} episodes under way, got none from the policy"
                )
        for completion in completions:
            running = self._running[completion.request_id]
            yield from self._move(running, functools.partial(running.advance, completion))
        for future in [future for future in self._steps if future.done()]:
            yield from self._settle(self._steps.pop(future), future.result())

    def _move(self, running: _Running, work: Callable[[], Trajectory | None]) -> list[Trajectory]:
        """Advances an episode, in a thread if there are any."""
        if self._threads is None:
            return self._settle(running, work())
        self._steps[self._threads.submit(work)] = running
        return []

    def _settle(self, running: _Running, trajectory: Trajectory | None) -> list[Trajectory]:
        if running.request is not None:  # submitted here, as only one thread may use the policy
            request, running.request = running.request, None
            try:
                self._policy.submit(request)
            except (ValueError, TypeError) as error:
                trajectory = running.advance(refused(request.id, error))
        if trajectory is None:
            return []
        del self._running[running.plan.id]
        if trajectory.failure is None:
            self._idle[running.plan.task.benchmark].append(running.env)
        else:  # the environment may be unusable now
            _close(running.env)
        return [trajectory]

    def close(self) -> None:
        """Closes the environments and drops episodes under way, after the steps that still run in threads."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
            self._steps.clear()
        for env in itertools.chain(*self._idle.values(), (running.env for running in self._running.values())):
            _close(env)
        self._idle.clear()
        self._running.clear()


def _raise_mistake(error: Exception) -> None:
    """Raises what is no failure of the infrastructure: a MissingFileError, an OSError too, is a mistake of the user."""
    if isinstance(error, LumosError) and not isinstance(error, InfrastructureError):
        raise error


def _close(env: Env) -> None:
    try:
        env.close()
    except (InfrastructureError, OSError) as error:  # its back end may be gone already
        log.warning("an environment did not close: %r", error)


@dataclass(slots=True)
class _Running:
    """One episode under way."""

    plan: EpisodePlan
    env: Env
    policy: Policy
    profile: PromptProfile
    turns: list[Turn] = field(default_factory=list)
    histories: dict[Module, list[Message]] = field(default_factory=dict)
    contexts: dict[Module, tuple[int, ...]] = field(default_factory=dict)  # histories as token ids, up to the last turn
    request: Request | None = None  # the next to submit
    info: dict[str, Any] = field(default_factory=dict)
    reward: float = 0.0
    best_reward: float = 1.0
    ended: bool = False
    truncated: bool = False
    asked: Ask | None = None
    began: float = field(default_factory=time.monotonic)
    episode: Any = None

    def start(self) -> Trajectory | None:
        """Resets the environment and prepares the first request; returns the trajectory if the environment broke."""
        try:
            _, info = self.env.reset(seed=self.plan.seed, options={"task": self.plan.task})
        except (InfrastructureError, OSError) as error:
            return self._fail(error)
        self.info = well_formed(info)
        instruction, tools = self.info["instruction"], self.info["tools"]
        self.best_reward = float(self.info.get("best_reward", 1.0))
        for example in self.plan.examples:
            for module, messages in conversations(example, self.plan.formulation, self.profile).items():
                turns = [message for message in messages if message["role"] != "system"]
                self.histories.setdefault(module, []).extend(turns)
        self.episode = play(
            self.plan.formulation,
            instruction,
            tools,
            self.profile,
            self.plan.max_subgoals,
            reads_results=self.info.get("reads_results", False),
            tells_actions=self.info.get("tells_actions", False),
            system_prompt=self.info.get("system_prompt", ""),
        )
        return self._drive(None)

    def advance(self, completion: Completion) -> Trajectory | None:
        """Continues the episode with its next turn; returns the trajectory if it is over, else None."""
        if completion.finish_reason == "failed":
            return self._finish(StopReason.FAILED, completion.failure or "the policy failed without a reason")
        if completion.finish_reason == "overflow":
            return self._end(StopReason.CONTEXT_OVERFLOW)
        assert self.asked is not None, "a completion answers an Ask"
        module = self.asked.module
        turn = _turn(self.asked, completion, is_first=all(turn.module != module for turn in self.turns))
        self.histories[module].append({"role": "assistant", "content": turn.completion})
        if completion.prompt_ids is not None and completion.ids is not None:
            self.contexts[module] = (*self.contexts.get(module, ()), *completion.prompt_ids, *completion.ids)
        self.turns.append(turn)
        return self._drive(turn.completion)

    def _drive(self, sent: str | Outcome | None) -> Trajectory | None:
        """Runs the agent until its next request or the end of the episode."""
        while True:
            try:
                step = self.episode.send(sent)
            except StopIteration as stop:
                return self._end(StopReason.TRUNCATED if self.truncated else stop.value)
            if isinstance(step, Ask):
                self._ask(step)
                return None
            try:
                sent = self._act(step)
            except (InfrastructureError, OSError) as error:
                return self._fail(error)

    def _ask(self, ask: Ask) -> None:
        self.asked = ask
        history = self.histories.setdefault(ask.module, [])
        if ask.system and (not history or history[0]["role"] != "system"):
            history.insert(0, {"role": "system", "content": ask.system})
        history.append({"role": "user", "content": ask.prompt})
        seed, context = derive_seed(self.plan.seed, len(self.turns)), self.contexts.get(ask.module, ())
        self.request = Request(self.plan.id, ask.module, tuple(history), self.plan.sampling, seed, context)

    def _act(self, act: Act) -> Outcome:
        observation, reward, terminated, truncated, info = self.env.step(act.text)
        observation, self.info = well_formed(observation), well_formed(info)  # it need not be an env of this package
        self.reward += float(reward)
        self.ended = terminated or truncated
        self.truncated = truncated and not terminated
        error = self.info.get("error")
        last = self.turns[-1]
        self.turns[-1] = replace(
            last,
            action=act.text,
            observation=observation,
            error=error or last.error,
            reward=float(reward),
            malformed=self.info.get("malformed"),
        )
        results = list(self.info.get("results", {}).values())
        return Outcome(results[-1] if results else "", error, terminated or truncated)

    def _end(self, reason: StopReason) -> Trajectory:
        """Finishes the episode; one that the agent could not end is graded by its last result."""
        if not self.ended:
            try:
                _, reward, _, _, info = self.env.step(FINISH)
            except (InfrastructureError, OSError) as error:
                return self._fail(error)
            self.info = well_formed(info)
            self.reward += float(reward)
        return self._finish(reason)

    def _fail(self, error: Exception) -> Trajectory:
        _raise_mistake(error)
        return self._finish(StopReason.FAILED, repr(error))

    def _finish(self, reason: StopReason, failure: str | None = None) -> Trajectory:
        return self.plan.trajectory(
            self.policy.version,
            reason,
            turns=tuple(self.turns),
            reward=self.reward,
            success=bool(self.info.get("success", False)) and failure is None,
            answer=self.info.get("answer"),
            metrics={name: float(value) for name, value in self.info.get("metrics", {}).items()},
            counts={name: float(value) for name, value in self.info.get("counts", {}).items()},
            failure=failure,
            elapsed_s=time.monotonic() - self.began,
            profile=self.profile.hash,
            tokenizer=self.policy.tokenizer_hash,
            best_reward=self.best_reward,
        )


def _turn(ask: Ask, completion: Completion, is_first: bool) -> Turn:
    text = turn_text(completion.text)
    return Turn(
        module=ask.module.value,
        prompt=ask.prompt,
        completion=text,
        written=None if text == completion.text else completion.text,
        error=CUT if completion.finish_reason == "length" else None,
        finish_reason=completion.finish_reason,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        latency_s=completion.latency_s,
        completion_ids=completion.ids,
        logprobs=completion.logprobs,
        prompt_ids=completion.prompt_ids,
        adapter=completion.adapter,
        system=ask.system if is_first else "",
    )
