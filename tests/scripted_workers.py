"""What runs in rollout workers without a model: policies that are slow, wrong or deadly, and an environment with a bug.

It stands apart from the tests of workers, as every worker imports it.
"""

import functools
import os
import signal
import sys
import time
from pathlib import Path

from tiny_env import AddEnv, solve

from lumos_rl.errors import MissingFileError
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.policies.serving import Weightless


def weightless(make):
    """A policy of a function, which needs no GPU."""
    return Weightless(functools.partial(_without_share, make))


def _without_share(make, share):
    return make()


def share(requests):
    """A policy that tells how many requests its worker may have under way."""
    return ScriptedPolicy(solve, version=f"{requests} in {os.getpid()}")


def scripted(reply=solve, version="scripted"):
    return ScriptedPolicy(reply, version)


def by_seed(request):
    """A wrong action in one turn of three, as the request's seed says."""
    return solve(request) if request.seed % 3 else "Oops"


def kill_once(marker: Path, request):
    """Kills its worker in the second turn of one task, the first time only."""
    if "Add 5 and" in request.messages[0]["content"] and len(request.messages) > 1 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return solve(request)


def kill_always(request):
    if "Add 2 and" in request.messages[0]["content"]:
        os._exit(1)
    return solve(request)


def hang_once(marker: Path, request):
    if not marker.exists():
        marker.touch()
        time.sleep(3600)
    return solve(request)


def slow(request):
    time.sleep(0.2)
    return solve(request)


def no_memory():
    raise RuntimeError("CUDA out of memory, in words")


def no_folder():
    raise MissingFileError("expected runs/sft, got nothing")


def abort():
    print("the model file is torn", file=sys.stderr, flush=True)
    os._exit(3)


def threads():
    return ScriptedPolicy(solve, version=os.environ["OMP_NUM_THREADS"])


def process(version):
    return ScriptedPolicy(solve, version=f"{version} in {os.getpid()}")


class Buggy(AddEnv):
    def step(self, text):
        return text + 1
