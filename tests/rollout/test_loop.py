import time
from collections import deque
from dataclasses import replace

import gymnasium
import pytest
from tiny_env import AddEnv, add_plans, solve

import lumos_rl.envs  # noqa: F401 (registers)
from lumos_rl.core import Formulation, StopReason, Task, Trajectory, from_json, to_json
from lumos_rl.errors import ConfigError, InfrastructureError, MissingFileError
from lumos_rl.policies.base import Completion, ScriptedPolicy
from lumos_rl.prompts import get_profile
from lumos_rl.rollout.loop import EpisodePool, run_episodes
from lumos_rl.rollout.plans import RolloutConfig, derive_seed, plan_episodes


class OneAtATime(ScriptedPolicy):
    """Completes one request per `collect`, the oldest or the newest, and keeps the order."""

    def __init__(self, newest=False):
        super().__init__(solve)
        self.newest, self.order = newest, []

    def collect(self, timeout_s=None):
        if not self._queue:
            return []
        request, since = self._queue.pop() if self.newest else self._queue.popleft()
        self.order.append(request.id)
        return [self._complete(request, since)]


def run(plans, reply=solve, env=AddEnv, **options):
    return {t.id: t for t in run_episodes(env, plans, ScriptedPolicy(reply), **options)}


def only(reply=solve, env=AddEnv, **config):
    (trajectory,) = run(add_plans(1, **config), reply, env).values()
    return trajectory


@pytest.mark.parametrize("formulation", Formulation)
def test_every_formulation_solves_a_task(formulation):
    trajectory = only(formulation=formulation)
    assert trajectory.success and trajectory.reward == 1.0
    assert trajectory.stop_reason == StopReason.ANSWERED
    assert [turn.error for turn in trajectory.turns if turn.error] == []


@pytest.mark.parametrize("formulation", Formulation)
def test_what_surrounds_a_turn_is_kept_apart_from_it(formulation):
    def wrapped(request):
        return f"<think>\nIs 2 < 3?\n</think>\n\n```\n{solve(request)}\n```<|im_end|>\n<|im_start|>user\n5"

    trajectory, plain = only(wrapped, formulation=formulation), only(formulation=formulation)
    assert trajectory.success
    assert [(turn.completion, turn.action) for turn in trajectory.turns] == [
        (turn.completion, turn.action) for turn in plain.turns
    ]
    assert all(f"{turn.completion}\n```<|im_end|>" in turn.written for turn in trajectory.turns)
    assert {turn.written for turn in plain.turns} == {None}
    assert from_json(Trajectory, to_json(trajectory)) == trajectory


def test_a_checkpoint_plays_with_the_prompts_that_it_was_trained_with():
    policy = ScriptedPolicy(solve)
    policy.profile = get_profile("compact")
    for given, name in ((None, "compact"), ("lumos", "lumos")):
        (played,) = run_episodes(AddEnv, add_plans(1), policy, given)
        assert played.profile == get_profile(name).hash
    (played,) = run_episodes(AddEnv, add_plans(1), ScriptedPolicy(solve))
    assert played.profile == get_profile("lumos").hash


def test_a_trajectory_tells_the_episode():
    trajectory = only()
    plan = add_plans(1)[0]
    assert (trajectory.id, trajectory.task_id, trajectory.benchmark) == ("add/test/0#0", "add/test/0", "add")
    assert (trajectory.seed, trajectory.policy, trajectory.formulation) == (plan.seed, "scripted", "iterative")
    assert (trajectory.answer, trajectory.metrics, trajectory.failure) == ("3", {"accuracy": 1.0}, None)
    assert from_json(Trajectory, to_json(trajectory)) == trajectory  # the environment gives a bool as its metric
    plan_turn, ground, stop = trajectory.turns
    assert (plan_turn.module, plan_turn.completion, plan_turn.action) == ("planner", "Add both numbers.", "")
    assert (ground.module, ground.action, ground.observation) == ("grounder", "Add 0 3", "{'R1': '3'}")
    assert (stop.action, stop.reward, stop.completion_tokens) == ("Finish()", 1.0, 5)
    assert "Subgoal 1 is 3" in stop.prompt


def test_a_module_sees_its_own_conversation_only():
    seen = []
    run(add_plans(1), lambda request: seen.append(request) or solve(request))
    assert [(r.module, len(r.messages)) for r in seen] == [("planner", 1), ("grounder", 1), ("planner", 3)]
    assert [m["role"] for m in seen[2].messages] == ["user", "assistant", "user"]


def test_an_error_of_the_model_is_kept_on_its_turn_and_told():
    trajectory = only(reply=lambda r: "Sum" if r.module == "grounder" else solve(r))
    assert trajectory.turns[1].error == "expected Add or Finish, got 'Sum'"
    assert trajectory.turns[2].prompt.startswith("The executed result for Subgoal 1 is Error: expected Add")
    assert not trajectory.success and trajectory.failure is None


def test_no_turn_waits_for_another_episode():
    policy = OneAtATime(newest=True)
    first = next(run_episodes(AddEnv, add_plans(3), policy, concurrency=3))
    assert first.id == "add/test/2#0" and policy.order == ["add/test/2#0"] * 3


def test_a_finished_episode_makes_room_at_once():
    asked = deque()
    plans = iter(add_plans(5))
    counted = (asked.append(plan.id) or plan for plan in plans)
    trajectories = run_episodes(AddEnv, counted, OneAtATime(), concurrency=2)
    next(trajectories)
    assert len(asked) == 2
    next(trajectories)
    assert len(asked) == 3


def test_order_and_concurrency_do_not_matter():
    def by_seed(request):
        return solve(request) if request.seed % 3 else "Oops"

    def played(plans, concurrency):
        trajectories = run(plans, by_seed, concurrency=concurrency)
        return {
            t.id: (t.reward, t.stop_reason, [(turn.prompt, turn.completion) for turn in t.turns])
            for t in trajectories.values()
        }

    plans = add_plans(10, samples=3)
    assert played(plans, 1) == played(plans[::-1], 7)


def test_samples_differ_in_seed_and_take_temperatures_in_turn():
    plans = add_plans(2, samples=3, temperatures=(0.0, 0.7))
    assert [plan.id[-3:] for plan in plans] == ["0#0", "1#0", "0#1", "1#1", "0#2", "1#2"]
    assert [plan.sampling.temperature for plan in plans] == [0.0, 0.0, 0.7, 0.7, 0.0, 0.0]
    assert len({plan.seed for plan in plans}) == 6


def test_a_seed_is_the_same_in_every_process():
    assert derive_seed(0, "add/test/0", 0) == 806844377
    assert 0 <= derive_seed("x") < 2**31


class Broken(AddEnv):
    """Its back end goes away in the task "Add 1 and 3."."""

    made = 0

    def __init__(self, benchmark):
        super().__init__(benchmark)
        type(self).made += 1

    def step(self, text):
        if "Add 1 and" in self.task.instruction:
            raise ConnectionResetError("the browser is gone")
        return super().step(text)


def test_what_the_environment_breaks_is_a_failure_and_never_a_score():
    Broken.made = Broken.closed = 0
    trajectories = run(add_plans(4), env=Broken, concurrency=1)
    failed = trajectories.pop("add/test/1#0")
    assert failed.stop_reason == StopReason.FAILED and not failed.success
    assert failed.failure == "ConnectionResetError('the browser is gone')"
    assert all(t.success for t in trajectories.values())
    assert (Broken.made, Broken.closed) == (2, 2)  # the broken environment is not used again


def test_what_the_user_has_to_mend_is_raised_at_once():
    class Unfinished(AddEnv):
        def step(self, text):
            raise MissingFileError("expected corpus.jsonl, got nothing")

    with pytest.raises(MissingFileError, match=r"corpus\.jsonl"):
        run(add_plans(2), env=Unfinished)


@pytest.mark.parametrize(
    ("finish", "reason", "failure"),
    [("failed", "failed", "engine dead"), ("overflow", "context_overflow", None)],
)
def test_what_the_policy_cannot_do_ends_the_episode(finish, reason, failure):
    class Refusing(ScriptedPolicy):
        def _complete(self, request, since):
            return Completion(request.id, "", finish, failure="engine dead" if finish == "failed" else None)

    (trajectory,) = run_episodes(AddEnv, add_plans(1), Refusing(solve))
    assert (trajectory.stop_reason, trajectory.failure, trajectory.turns) == (reason, failure, ())


def test_a_turn_that_was_cut_says_so():
    class Cutting(ScriptedPolicy):
        def _complete(self, request, since):
            return replace(super()._complete(request, since), finish_reason="length")

    (trajectory,) = run_episodes(AddEnv, add_plans(1), Cutting(solve))
    assert trajectory.turns[0].error == "the turn was cut at max_new_tokens"
    assert trajectory.turns[0].finish_reason == "length"


def test_the_step_budget_of_the_environment_truncates():
    trajectory = only(env=lambda benchmark: AddEnv(benchmark, max_steps=1))
    assert trajectory.stop_reason == StopReason.TRUNCATED and not trajectory.success


def test_the_subgoal_limit_finishes_with_what_there_is():
    trajectory = only(max_subgoals=1)
    assert trajectory.stop_reason == StopReason.TURN_LIMIT and trajectory.success


def test_leaving_the_loop_closes_the_environments():
    AddEnv.closed = 0
    trajectories = run_episodes(AddEnv, add_plans(6), OneAtATime(), concurrency=3)
    next(trajectories)
    trajectories.close()
    assert AddEnv.closed == 3


def test_environments_are_used_again():
    AddEnv.closed = 0
    assert len(run(add_plans(9), concurrency=2)) == 9
    assert AddEnv.closed == 2


def test_an_environment_serves_its_benchmark_only():
    made = []

    class Choosy(AddEnv):
        def reset(self, **options):
            assert options["options"]["task"].benchmark == self.benchmark
            made.append(self)
            return super().reset(**options)

    tasks = [Task(f"{name}/test/{n}", name, f"Add {n} and 3.", str(n + 3)) for n in range(4) for name in ("add", "sum")]
    trajectories = run(plan_episodes(tasks, RolloutConfig()), env=Choosy, concurrency=2)
    assert [t.success for t in trajectories.values()] == [True] * 8
    assert sorted(env.benchmark for env in set(made)) == ["add", "sum"]


def test_a_policy_that_loses_requests_is_found_out():
    class Losing(ScriptedPolicy):
        def collect(self, timeout_s=None):
            return []

    with pytest.raises(InfrastructureError, match="2 episodes under way, got none"):
        list(run_episodes(AddEnv, add_plans(2), Losing(solve)))


def test_two_plans_with_one_id_are_refused():
    pool = EpisodePool(AddEnv, ScriptedPolicy(solve))
    plan = add_plans(1)[0]
    pool.start(plan)
    with pytest.raises(ConfigError, match="'add/test/0#0' twice"):
        pool.start(plan)


@pytest.mark.parametrize("bad", [{"samples": 0}, {"concurrency": 0}, {"max_subgoals": 0}, {"temperatures": ()}])
def test_settings_that_cannot_work_are_refused(bad):
    with pytest.raises(ConfigError, match="expected --rollout"):
        RolloutConfig(**bad)


def test_a_real_environment_is_driven():
    def reply(request):
        if request.module == "grounder":
            return "R1 = Calculator(3 + 2)"
        return "Add." if len(request.messages) == 1 else "Yes, I will stop planning."

    task = Task("gsm8k/test/0", "gsm8k", "Tom has 3 apples and gets 2. How many?", "5")
    plans = plan_episodes([task], RolloutConfig())
    env = gymnasium.make("lumos_rl/GSM8K-v0", tasks=[task])
    (trajectory,) = run_episodes(lambda benchmark: env, plans, ScriptedPolicy(reply))
    assert trajectory.success and trajectory.answer == "5" and trajectory.metrics == {"accuracy": 1.0}
    assert trajectory.turns[1].observation == "R1 = 5"
    assert trajectory.stop_reason == StopReason.ANSWERED


class Spelling(ScriptedPolicy):
    """Reports ids: 1 for each word of a prompt, 2 for each that is written, 0 for the end of a turn."""

    def __init__(self):
        super().__init__(solve)
        self.tokenizer_hash, self.contexts = "abc", []

    def _complete(self, request, since):
        self.contexts.append((request.module.value, request.context))
        done = super()._complete(request, since)
        new = (1,) * len(request.messages[-1]["content"].split())
        ids = (*[2] * done.completion_tokens, 0)
        return replace(done, ids=ids, prompt_ids=new, adapter=f"{request.module}@1", logprobs=(-0.5,) * len(ids))


def test_what_was_sampled_is_what_later_turns_and_the_trajectory_hold():
    policy = Spelling()
    (trajectory,) = run_episodes(AddEnv, add_plans(1, top_p=0.9, max_new_tokens=7), policy)
    plan, ground, stop = trajectory.turns
    first = (*plan.prompt_ids, 2, 2, 2, 0)  # "Add both numbers."
    assert policy.contexts == [("planner", ()), ("grounder", ()), ("planner", first)]
    assert set(plan.prompt_ids) == {1} and ground.completion_ids == (2, 2, 2, 0)  # "Add 0 3"
    whole = trajectory.transcript("planner")
    assert whole.ids == (*first, *stop.prompt_ids, *stop.completion_ids) and whole.tokenizer == "abc"
    assert [token for token, written in zip(whole.ids, whole.written, strict=True) if written] == [2] * 3 + [0] + [
        2
    ] * 5 + [0]
    assert trajectory.transcript("planner", before=2).ids == (*first, *stop.prompt_ids)
    assert not trajectory.transcript("planner", before=0).written[-1]
    assert (trajectory.top_p, trajectory.max_new_tokens, trajectory.tokenizer) == (0.9, 7, "abc")
    assert trajectory.profile == get_profile("lumos").hash
    assert (stop.adapter, stop.logprobs) == ("planner@1", (-0.5,) * 6)


def test_without_ids_there_is_no_transcript():
    assert only().transcript("planner") is None


class Slow(AddEnv):
    """Every step waits, as for a network."""

    def step(self, text):
        time.sleep(0.1)
        return super().step(text)


@pytest.mark.parametrize(("threads", "least", "most"), [(0, 3.2, 99.0), (16, 0.0, 2.0)])
def test_slow_tools_stall_nothing_where_they_have_threads(threads, least, most):
    plans, began = add_plans(16), time.monotonic()  # two steps an episode: 3.2 s one by one
    trajectories = run(plans, env=Slow, tool_threads=threads)
    assert len(trajectories) == 16 and all(t.success for t in trajectories.values())
    assert least <= time.monotonic() - began < most


def test_threads_change_no_episode():
    def untimed(trajectory):
        return replace(
            trajectory, elapsed_s=0.0, turns=tuple(replace(turn, latency_s=0.0) for turn in trajectory.turns)
        )

    plans = add_plans(6, samples=2)
    alone = {key: untimed(t) for key, t in run(plans).items()}
    assert alone == {key: untimed(t) for key, t in run(plans, tool_threads=4).items()}


def test_what_breaks_in_a_thread_is_told_as_ever():
    trajectories = run(add_plans(4), env=Broken, tool_threads=2)
    assert sorted(t.failure is None for t in trajectories.values()) == [False, True, True, True]

    class Unfinished(AddEnv):
        def reset(self, **options):
            raise MissingFileError("expected corpus.jsonl, got nothing")

    with pytest.raises(MissingFileError, match=r"corpus\.jsonl"):
        run(add_plans(2), env=Unfinished, tool_threads=2)
