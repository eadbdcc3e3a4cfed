"""The only episode loop: many episodes over one policy, without a barrier between turns.

Each episode is an `agent.play` generator, an environment and the turns so far. Whenever the policy has finished some
turns, exactly those episodes move on and submit their next ones; a finished episode makes room for the next one.

    plans = plan_episodes(tasks, RolloutConfig())
    for trajectory in run_episodes(lambda benchmark: gym.make("lumos_rl/GSM8K-v0"), plans, policy):
        print(trajectory.id, trajectory.reward)

The loop knows `gymnasium.Env` and nothing about benchmarks, so any environment with the `info` keys of `lumos_rl.envs`
(`instruction`, `tools`, `results`, `error`, `success`, `metrics`, `answer`; `best_reward` where it is not 1,
`reads_results` and `tells_actions` where they hold) can be driven.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
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
from lumos_rl.prompts import PromptProfile, get_profile
from lumos_rl.rollout.plans import EpisodePlan, derive_seed

Env = gymnasium.Env[str, str]

CUT = "the turn was cut at max_new_tokens"
POLL_S = 0.01  # how long a step in a thread may wait for the policy to be asked


def run_episodes(
    make_env: Callable[[str], Env],
    plans: Iterable[EpisodePlan],
    policy: Policy,
    profile: PromptProfile | str = "lumos",
    concurrency: int = 64,
    tool_threads: int = 0,
) -> Iterator[Trajectory]:
    """Plays episodes and yields each trajectory as soon as it is finished.

    Args:
        make_env: Builds an environment for a benchmark; called at most `concurrency` times for each, and again for
            one that broke.
        plans: The episodes to play; pulled one at a time as room appears.
        policy: Writes the turns.
        profile: Prompt profile, or the name of one.
        concurrency: Episodes under way at once.
        tool_threads: Environment steps that run at once in threads beside the policy; 0 runs them one by one between
            its turns.

    Yields:
        Trajectories in the order they finish. One whose policy or environment broke has `StopReason.FAILED` and says
        what broke in `failure`.
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
    """Episodes under way over one policy; `run_episodes` is the loop around it.

    Args:
        make_env: Builds an environment for a benchmark; called when an episode starts and none of them is idle.
        policy: Writes the turns.
        profile: Prompt profile, or the name of one.
        tool_threads: Environment steps that run at once in threads; 0 runs them in the caller's.
    """

    def __init__(
        self,
        make_env: Callable[[str], Env],
        policy: Policy,
        profile: PromptProfile | str = "lumos",
        tool_threads: int = 0,
    ) -> None:
        self._make_env, self._policy = make_env, policy
        self._profile = get_profile(profile) if isinstance(profile, str) else profile
        self._idle: defaultdict[str, list[Env]] = defaultdict(list)  # by benchmark
        self._running: dict[str, _Running] = {}
        self._threads = ThreadPoolExecutor(tool_threads, "tools") if tool_threads else None
        self._steps: dict[Future[Trajectory | None], _Running] = {}  # what runs in threads

    @property
    def live(self) -> int:
        """How many episodes are under way."""
        return len(self._running)

    def start(self, plan: EpisodePlan) -> list[Trajectory]:
        """Starts an episode; its trajectory comes back only if the environment broke at once."""
        if plan.id in self._running:
            raise ConfigError(f"expected every plan to have its own id, got {plan.id!r} twice; give tasks unique ids")
        idle = self._idle[plan.task.benchmark]
        env = idle.pop() if idle else self._make_env(plan.task.benchmark)
        self._running[plan.id] = running = _Running(plan, env, self._policy, self._profile)
        return self._move(running, running.start)

    def step(self, timeout_s: float | None = None) -> Iterator[Trajectory]:
        """Waits for turns of the policy or steps of environments, moves their episodes on, yields those that finished.

        While steps run in threads, neither wait keeps the other from being heard for longer than `POLL_S`.

        Args:
            timeout_s: Longest wait for the policy, in seconds, as far as it heeds one.
        """
        began = time.monotonic()
        if len(self._steps) == self.live:  # nothing is asked of the policy
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
        """Moves an episode on, in a thread where there are any."""
        if self._threads is None:
            return self._settle(running, work())
        self._steps[self._threads.submit(work)] = running
        return []

    def _settle(self, running: _Running, trajectory: Trajectory | None) -> list[Trajectory]:
        if running.request is not None:  # submitted here: policies are used by one thread
            self._policy.submit(running.request)
            running.request = None
        if trajectory is None:
            return []
        del self._running[running.plan.id]
        if trajectory.failure is None:
            self._idle[running.plan.task.benchmark].append(running.env)
        else:  # whatever broke may have left the environment unusable
            _close(running.env)
        return [trajectory]

    def close(self) -> None:
        """Closes the environments; episodes under way are dropped. Steps under way in threads are waited for."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
            self._steps.clear()
        for env in itertools.chain(*self._idle.values(), (running.env for running in self._running.values())):
            _close(env)
        self._idle.clear()
        self._running.clear()


def _close(env: Env) -> None:
    with contextlib.suppress(InfrastructureError, OSError):  # nothing is lost with a back end that is gone already
        env.close()


@dataclass(slots=True)
class _Running:
    """One episode under way."""

    plan: EpisodePlan
    env: Env
    policy: Policy
    profile: PromptProfile
    turns: list[Turn] = field(default_factory=list)
    histories: dict[Module, list[Message]] = field(default_factory=dict)
    contexts: dict[Module, tuple[int, ...]] = field(default_factory=dict)  # the same as token ids, up to the last turn
    request: Request | None = None  # to be submitted
    info: dict[str, Any] = field(default_factory=dict)
    reward: float = 0.0
    best_reward: float = 1.0
    ended: bool = False
    truncated: bool = False
    asked: Ask | None = None
    began: float = field(default_factory=time.monotonic)
    episode: Any = None

    def start(self) -> Trajectory | None:
        """Resets the environment and submits the first request."""
        try:
            _, self.info = self.env.reset(seed=self.plan.seed, options={"task": self.plan.task})
        except (InfrastructureError, OSError) as error:
            return self._fail(error)
        instruction, tools = self.info["instruction"], self.info["tools"]
        self.best_reward = float(self.info.get("best_reward", 1.0))
        for example in self.plan.examples:
            for module, messages in conversations(example, self.plan.formulation, self.profile).items():
                self.histories.setdefault(module, []).extend(messages)
        self.episode = play(
            self.plan.formulation,
            instruction,
            tools,
            self.profile,
            self.plan.max_subgoals,
            reads_results=self.info.get("reads_results", False),
            tells_actions=self.info.get("tells_actions", False),
        )
        return self._drive(None)

    def advance(self, completion: Completion) -> Trajectory | None:
        """Takes the turn that was asked for; returns the trajectory when the episode is over, else None."""
        if completion.finish_reason == "failed":
            return self._finish(StopReason.FAILED, completion.failure or "the policy failed without a reason")
        if completion.finish_reason == "overflow":
            return self._end(StopReason.CONTEXT_OVERFLOW)
        assert self.asked is not None, "a completion answers an Ask"
        module = self.asked.module
        self.histories[module].append({"role": "assistant", "content": completion.text})
        if completion.prompt_ids is not None and completion.ids is not None:
            self.contexts[module] = (*self.contexts.get(module, ()), *completion.prompt_ids, *completion.ids)
        self.turns.append(_turn(self.asked, completion))
        return self._drive(completion.text)

    def _drive(self, sent: str | Outcome | None) -> Trajectory | None:
        """Runs the agent up to its next request or its end."""
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
        history.append({"role": "user", "content": ask.prompt})
        seed, context = derive_seed(self.plan.seed, len(self.turns)), self.contexts.get(ask.module, ())
        self.request = Request(self.plan.id, ask.module, tuple(history), self.plan.sampling, seed, context)

    def _act(self, act: Act) -> Outcome:
        observation, reward, terminated, truncated, self.info = self.env.step(act.text)
        self.reward += float(reward)
        self.ended = terminated or truncated
        self.truncated = truncated and not terminated
        error = self.info.get("error")
        last = self.turns[-1]
        self.turns[-1] = replace(
            last, action=act.text, observation=observation, error=error or last.error, reward=float(reward)
        )
        results = list(self.info.get("results", {}).values())
        return Outcome(results[-1] if results else "", error, terminated or truncated)

    def _end(self, reason: StopReason) -> Trajectory:
        """Has an episode that the agent could not end graded by what it has come to, so that none is left out."""
        if not self.ended:
            try:
                _, reward, _, _, self.info = self.env.step(FINISH)
            except (InfrastructureError, OSError) as error:
                return self._fail(error)
            self.reward += float(reward)
        return self._finish(reason)

    def _fail(self, error: Exception) -> Trajectory:
        if isinstance(error, LumosError) and not isinstance(error, InfrastructureError):
            raise error  # a missing file is an OSError too, but the user's to mend
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
            failure=failure,
            elapsed_s=time.monotonic() - self.began,
            profile=self.profile.hash,
            tokenizer=self.policy.tokenizer_hash,
            best_reward=self.best_reward,
        )


def _turn(ask: Ask, completion: Completion) -> Turn:
    return Turn(
        module=ask.module.value,
        prompt=ask.prompt,
        completion=completion.text,
        error=CUT if completion.finish_reason == "length" else None,
        finish_reason=completion.finish_reason,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        latency_s=completion.latency_s,
        completion_ids=completion.ids,
        logprobs=completion.logprobs,
        prompt_ids=completion.prompt_ids,
        adapter=completion.adapter,
    )
