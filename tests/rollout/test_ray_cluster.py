"""Rollouts on a cluster of two nodes, started with the commands of docs/machines.md, one of which is lost midway."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

EPISODES = 60
DRIVER = f"""
import json
import sys
import time

from tiny_env import AddEnv, add_plans, solve

from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.rollout.ray_config import RayConfig
from lumos_rl.rollout.ray_workers import RayWorkers


def slowly(request):
    time.sleep(0.2)
    return solve(request)


def policy():
    import ray

    return ScriptedPolicy(slowly, version=ray.get_runtime_context().get_node_id())


with RayWorkers(RayConfig(address=sys.argv[1], workers=2)) as crew:
    for trajectory in crew.collect(add_plans({EPISODES}), policy, AddEnv, concurrency=4, label="add test"):
        print(json.dumps([trajectory.task_id, trajectory.success, trajectory.policy]), flush=True)
"""
ENVIRONMENT = {  # workers import modules of tests/
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path]),
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def node(*options, log):
    """A node with one CPU, for as long as the block lasts; `ray stop` would stop the clusters of others as well."""
    command = [Path(sys.executable).with_name("ray"), "start", *options, "--num-cpus", "1", "--block"]
    with log.open("wb") as file:
        started = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True, env=ENVIRONMENT)
    try:
        while "Ray runtime started" not in log.read_text():
            assert started.poll() is None, log.read_text()
            time.sleep(0.2)
        yield started
    finally:
        started.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)


@pytest.fixture
def folder():
    made = tempfile.mkdtemp(prefix="ray-")  # pytest's own folders are too deep for the sockets in it
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_cluster_that_loses_a_node_plays_every_episode_once(tmp_path, folder):
    pytest.importorskip("ray")
    port = free_port()
    head = ["--head", "--port", str(port), "--include-dashboard", "false", "--temp-dir", folder]
    (tmp_path / "driver.py").write_text(DRIVER)
    with node(*head, log=tmp_path / "head"), node("--address", f"127.0.0.1:{port}", log=tmp_path / "other") as other:
        driver = subprocess.Popen(
            [sys.executable, tmp_path / "driver.py", f"127.0.0.1:{port}"],
            stdout=subprocess.PIPE,
            env=ENVIRONMENT,
            text=True,
        )
        ended = []
        for line in driver.stdout:
            if line.startswith("["):  # Ray says there, too, that a node is gone
                ended.append(json.loads(line))
            if len({policy for _, _, policy in ended}) == 2 and other.poll() is None:
                os.killpg(other.pid, signal.SIGKILL)
        assert driver.wait(60) == 0
    nodes = Counter(policy for _, _, policy in ended)
    assert sorted(task for task, _, _ in ended) == sorted(f"add/test/{number}" for number in range(EPISODES))
    assert all(success for _, success, _ in ended)
    assert len(nodes) == 2 and min(nodes.values()) < EPISODES // 4  # the lost node was lost early
