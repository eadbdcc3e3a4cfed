import contextlib
import functools
import logging
import os
import signal
import sys
import threading
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from scripted_workers import (
    Buggy,
    abort,
    by_seed,
    hang_once,
    kill_always,
    kill_once,
    no_folder,
    no_memory,
    process,
    scripted,
    share,
    slow,
    threads,
    weightless,
)
from tiny_env import AddEnv, add_plans

from lumos_rl.core import StopReason
from lumos_rl.errors import ConfigError, InfrastructureError, MissingExtraError, MissingFileError
from lumos_rl.policies.processes import here, is_running
from lumos_rl.policies.serving import Weightless
from lumos_rl.rollout.ray_config import RayConfig
from lumos_rl.rollout.ray_workers import RayWorkers, connect

HANDLERS = []  # of SIGTERM, after the cluster was started


@pytest.fixture(scope="module")
def cluster():
    """A local cluster with two CPUs and, on paper, a GPU, and what was logged when it was started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", "local")
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)  # of what workers import
        patch.setenv("RAY_OVERRIDE_RESOURCES", '{"CPU": 2, "GPU": 1}')
        patch.setenv("RAY_metrics_report_interval_ms", "500")
        lines: list[str] = []
        handler = logging.Handler()
        handler.emit = lambda record: lines.append(record.getMessage())
        logger = logging.getLogger("lumos_rl.rollout.ray_cluster")
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
        ray = connect(RayConfig())
        HANDLERS.append(signal.signal(signal.SIGTERM, before))
        patch.delenv("RAY_ADDRESS")  # Ray takes it for the answer to whatever cluster is asked for
        logger.setLevel(logging.NOTSET)
        logger.removeHandler(handler)
        wait_for_agent(ray.nodes()[0]["NodeID"])
        yield ray, lines
        ray.shutdown()


def wait_for_agent(node):
    """Waits for the process that reads workers' output: beside other work it starts long after the cluster."""
    from ray.exceptions import RayError
    from ray.util.state import list_logs
    from ray.util.state.exception import RayStateApiException

    for _ in range(120):
        with contextlib.suppress(RayError, RayStateApiException, OSError):
            list_logs(node_id=node, timeout=5)
            return
        time.sleep(0.5)


def collect(
    plans, make_policy=scripted, make_env=AddEnv, workers=2, concurrency=4, label="add test", max_retries=2, **config
):
    """One rollout by workers of its own."""
    with RayWorkers(RayConfig(workers=workers, **config), max_retries) as crew:
        yield from crew.collect(plans, weightless(make_policy), make_env, concurrency=concurrency, label=label)


def policies(crew, version, kind=weightless):
    """Versions of the policies of a rollout: which one, in which process."""
    make_policy = kind(functools.partial(process, version))
    return {t.policy for t in crew.collect(add_plans(4), make_policy, AddEnv, label=version)}


def untimed(trajectory):
    turns = tuple(replace(turn, latency_s=0.0) for turn in trajectory.turns)
    return replace(trajectory, turns=turns, elapsed_s=0.0)


def test_the_dashboard_is_named_once(cluster):
    _, lines = cluster
    assert len(lines) == 1
    assert lines[0].startswith("Ray dashboard: http://127.0.0.1:") and "ray get-auth-token" in lines[0]


def test_worker_count_and_order_do_not_matter(cluster):
    plans, make_policy = add_plans(12, samples=2), functools.partial(scripted, by_seed)
    one = sorted(map(untimed, collect(plans, make_policy, workers=1, concurrency=3)), key=lambda t: t.id)
    two = sorted(map(untimed, collect(plans[::-1], make_policy, workers=2, concurrency=5)), key=lambda t: t.id)
    assert one == two
    assert [t.id for t in one] == sorted(plan.id for plan in plans)
    assert 0 < sum(t.success for t in one) < len(one)


def test_every_episode_comes_once_though_a_worker_is_killed(cluster, tmp_path, caplog):
    plans, marker = add_plans(12), tmp_path / "killed"
    make_policy = functools.partial(scripted, functools.partial(kill_once, marker))
    trajectories = list(collect(plans, make_policy))
    assert marker.exists()
    assert sorted(t.id for t in trajectories) == sorted(plan.id for plan in plans)
    assert all(t.success for t in trajectories)
    assert sum("died: ActorDiedError" in line for line in caplog.messages) == 1


def test_a_deadly_episode_fails_alone(cluster):
    make_policy = functools.partial(scripted, kill_always)
    trajectories = {t.task_id: t for t in collect(add_plans(6), make_policy, workers=1, max_retries=1)}
    deadly = trajectories.pop("add/test/2")
    assert deadly.stop_reason == StopReason.FAILED and not deadly.success and deadly.policy == "scripted"
    assert deadly.failure.startswith("played 2 times, and each time its worker died; the last time, rollout-worker-0.")
    assert len(trajectories) == 5 and all(t.success for t in trajectories.values())


def test_without_retries_what_a_dead_worker_had_has_failed(cluster):
    make_policy = functools.partial(scripted, kill_always)
    trajectories = list(collect(add_plans(4), make_policy, workers=1, concurrency=2, max_retries=0))
    assert sorted(t.failure is None for t in trajectories) == [False, False, True, True]


def test_a_silent_worker_is_replaced(cluster, tmp_path, caplog):
    make_policy = functools.partial(scripted, functools.partial(hang_once, tmp_path / "hung"))
    trajectories = list(collect(add_plans(4), make_policy, workers=1, timeout_s=2.0))
    assert len(trajectories) == 4 and all(t.success for t in trajectories)
    assert "died: TimeoutError: no sign of life for 2 s; 4 episodes were under way" in caplog.text


def test_workers_that_cannot_start_end_the_rollout_with_the_cause(cluster):
    with pytest.raises(InfrastructureError, match=r"3 failures in a row.*RuntimeError: CUDA out of memory") as caught:
        list(collect(add_plans(4), no_memory, workers=1))
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert "in no_memory" in str(caught.value.__cause__)


def test_the_last_words_of_a_worker_that_exits_at_start_are_told(cluster, monkeypatch):
    monkeypatch.setattr("lumos_rl.rollout.ray_workers.FAILED_STARTS", 1)
    with pytest.raises(InfrastructureError, match=r"\| the model file is torn"):
        list(collect(add_plans(4), abort, workers=1))


def test_a_busy_cluster_is_asked_again_for_the_words_of_a_dead_worker(cluster, monkeypatch):
    import ray.util.state

    read, busy = ray.util.state.get_log, ray.util.state.exception.RayStateApiException("busy")
    answers = [busy, busy, read, read, read]  # the cluster may be busy indeed

    def get_log(*args, **options):
        answer = answers.pop(0)
        if answer is busy:
            raise busy
        return answer(*args, **options)

    monkeypatch.setattr("lumos_rl.rollout.ray_workers.FAILED_STARTS", 1)
    monkeypatch.setattr("ray.util.state.get_log", get_log)
    with pytest.raises(InfrastructureError, match=r"\| the model file is torn"):
        list(collect(add_plans(4), abort, workers=1))
    answers = [busy, busy, busy]
    monkeypatch.setattr("lumos_rl.rollout.ray_workers._TRIES_S", (0.1, 0.1, 0.0))
    with pytest.raises(InfrastructureError, match=r"\| \(its output cannot be read: RayStateApiException: busy\)"):
        list(collect(add_plans(4), abort, workers=1))
    assert not answers


def test_a_users_mistake_is_raised_as_it_is_and_at_once(cluster, caplog):
    with pytest.raises(MissingFileError, match="expected runs/sft"):
        list(collect(add_plans(4), no_folder, workers=1))
    assert not caplog.messages


def test_trajectories_come_while_others_are_under_way(cluster):
    came = [time.monotonic() for _ in collect(add_plans(6), functools.partial(scripted, slow), concurrency=1)]
    assert came[-1] - came[0] > 0.8  # two workers, three episodes each, three turns of 0.2 s


def test_workers_stay_from_one_rollout_to_the_next(cluster):
    with RayWorkers(RayConfig(workers=1)) as crew:
        (first,) = policies(crew, "sft")
        (second,) = policies(crew, "rs-1")
        assert second == first.replace("sft", "rs-1")
        assert len(alive()) == 1
    assert gone()


def test_a_worker_that_died_between_rollouts_is_replaced(cluster, caplog):
    with RayWorkers(RayConfig(workers=1)) as crew:
        (first,) = policies(crew, "sft")
        os.kill(int(first.rpartition(" ")[2]), signal.SIGKILL)
        (second,) = policies(crew, "rs-1")
    assert second.startswith("rs-1") and second != first.replace("sft", "rs-1")
    assert "[rs-1] did not get ready: ActorDiedError" in caplog.text
    assert "cannot be read" not in caplog.text  # it died without a word, and its output says that much


@pytest.mark.parametrize("gpus", [1, None], ids=["asked for", "left to the cluster"])
def test_workers_with_gpus_have_ended_when_a_rollout_ends(cluster, gpus):
    with RayWorkers(RayConfig(gpus_per_worker=gpus)) as crew:
        (first,) = policies(crew, "sft", kind=lambda make: make)
        assert not is_running(here(int(first.rpartition(" ")[2])))  # the driver may train at once
        assert gone()
        (second,) = policies(crew, "rs-1", kind=lambda make: make)
        assert second != first.replace("sft", "rs-1")


def test_copies_of_a_model_on_one_gpu_are_refused(cluster):
    with (
        RayWorkers(RayConfig(workers=2, gpus_per_worker=0)) as crew,
        pytest.raises(ConfigError, match="a share of a GPU for each of 2 workers"),
    ):
        crew.collect(add_plans(2), scripted, AddEnv)


@pytest.mark.parametrize(("limit", "shares"), [(5, {"2", "3"}), (1, {"1"})])
def test_requests_to_an_endpoint_are_limited_over_all_workers(cluster, limit, shares):
    with RayWorkers(RayConfig(workers=2)) as crew:
        played = list(crew.collect(add_plans(8), Weightless(share, limit), AddEnv, concurrency=1))
    assert {t.policy.partition(" ")[0] for t in played} <= shares  # one worker may be too quick for the other
    assert len({t.policy for t in played}) <= min(2, limit) and len(played) == 8


def test_the_handler_of_sigterm_is_the_programs_own(cluster):
    """Ray's would end it with status 1 and without a word."""
    connected_to, _ = cluster
    assert connected_to.is_initialized()
    assert HANDLERS == [signal.SIG_DFL]


def test_two_rollouts_at_once_are_refused(cluster):
    with RayWorkers(RayConfig(workers=1)) as crew:
        rollouts = [crew.collect(add_plans(2), weightless(scripted), AddEnv, concurrency=1) for _ in range(2)]
        next(rollouts[0])
        with pytest.raises(ConfigError, match="one rollout at a time"):
            next(rollouts[1])
        assert len(list(rollouts[0])) == 1


def test_a_bug_in_every_episode_ends_the_rollout_with_the_cause(cluster, monkeypatch):
    monkeypatch.setattr("lumos_rl.rollout.ray_workers.BARREN_DEATHS", 1)
    with pytest.raises(InfrastructureError, match="got 2 deaths and no finished episode") as caught:
        list(collect(add_plans(40), make_env=Buggy, workers=1, max_retries=1))
    assert "TypeError: can only concatenate str" in str(caught.value)
    assert ", in step\n    |     return text + 1\n" in str(caught.value)


def test_names_say_which_worker_and_which_rollout(cluster):
    make_policy, crew = weightless(functools.partial(scripted, slow)), RayWorkers(RayConfig(workers=2))
    rollout = crew.collect(add_plans(40), make_policy, AddEnv, concurrency=1, label="add names")
    next(rollout)
    assert {name.partition(".")[0] for name in alive()} == {"rollout-worker-0", "rollout-worker-1"}
    assert wait_for(lambda: {"load [add names]", "advance [add names]"} <= calls())
    rollout.close()
    assert gone()


@pytest.fixture
def ctrl_c():
    """Ctrl-C raises, in a process that was started in the background too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_the_workers(cluster, ctrl_c):
    rollout = collect(add_plans(400), functools.partial(scripted, slow), concurrency=1, label="add interrupt")
    threading.Timer(3.0, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        for _ in rollout:
            pass
    assert gone()


def alive():
    """Names of the workers that are there, as the dashboard shows them."""
    import ray
    from ray.util.state import list_actors

    actors = list_actors(ray.get_runtime_context().gcs_address)
    return {actor.name for actor in actors if actor.state != "DEAD"}


def calls():
    """Names of the calls to workers, as the dashboard shows them."""
    import ray
    from ray.util.state import list_tasks

    return {task.name for task in list_tasks(ray.get_runtime_context().gcs_address, limit=9999)}


def gone():
    return wait_for(lambda: not alive())


def wait_for(condition):
    for _ in range(50):
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_a_worker_has_as_many_threads_as_cpus(cluster):
    (trajectory,) = collect(add_plans(1), threads, workers=1, cpus_per_worker=2)
    assert trajectory.policy == "2"


def test_the_metrics_endpoint_shows_the_rollout(cluster):
    ray, _ = cluster
    trajectories = list(collect(add_plans(9), functools.partial(scripted, by_seed, "metered"), workers=1))
    node = ray.nodes()[0]
    url = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    seen = scrape(url, 'policy="metered"', ("ray_lumos_episode_reward_count", None), 9)
    turns = [turn for t in trajectories for turn in t.turns if turn.module == "planner"]
    wrong = sum(turn.error is not None for turn in turns)
    assert sum(value for key, value in seen.items() if key[0] == "ray_lumos_episodes_total") == 9
    assert seen["ray_lumos_successes_total", None] == sum(t.success for t in trajectories)
    assert seen["ray_lumos_mean_reward", None] == pytest.approx(sum(t.reward for t in trajectories) / 9)
    assert seen["ray_lumos_invalid_action_rate", "planner"] == pytest.approx(wrong / len(turns))
    assert seen["ray_lumos_turns_total", "planner"] == len(turns)
    assert seen["ray_lumos_generated_tokens_total", "planner"] == sum(turn.completion_tokens for turn in turns)
    assert seen["ray_lumos_turn_latency_seconds_count", "planner"] == len(turns)
    assert seen["ray_lumos_episode_reward_count", None] == 9


def scrape(url, having, last, count):
    """Samples by name and module, once `last` has counted so many: Ray exports from time to time."""
    for _ in range(60):
        text = urllib.request.urlopen(url, timeout=5).read().decode()
        seen = dict(sample(line) for line in text.splitlines() if having in line)
        if seen.get(last) == count:
            return seen
        time.sleep(0.5)
    raise AssertionError(f"no {last} of {count} at {url}: {seen}")


def sample(line):
    name, _, rest = line.partition("{")
    tags, _, value = rest.rpartition("} ")
    modules = [tag.partition("=")[2].strip('"') for tag in tags.split(",") if tag.startswith("module=")]
    return (name, modules[0] if modules else None), float(value)


# Without a cluster.


def test_missing_ray_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install -e '\.\[ray\]'"):
        list(collect(add_plans(1)))


def test_no_plans_need_no_cluster(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert list(collect([])) == []


def test_a_cluster_that_is_not_there_is_missed_at_once(monkeypatch):
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with pytest.raises(InfrastructureError, match=r"Ray cluster at '127\.0\.0\.1:1', got ConnectionRefusedError"):
        connect(RayConfig(address="127.0.0.1:1"))
