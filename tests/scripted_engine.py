"""Engines without a model, to run in processes of their own. It imports nothing heavy, so they start at once."""

import functools
import os
import signal
from dataclasses import replace

from tiny_env import solve

from lumos_rl.errors import InfrastructureError, MissingFileError
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.policies.serving import EngineHost, Serving


class Engine(ScriptedPolicy):
    """Tells its process, and dies once, in the middle of its work."""

    def __init__(self, version, marker=None, hang=False):
        super().__init__(solve, version)
        if marker:
            with marker.with_name("lives").open("a") as file:
                file.write(f"{os.getpid()}\n")
        self.marker, self.hang, self.count = marker, hang, 0

    def process_ids(self):
        return [os.getpid()]

    def collect(self, timeout_s=None):
        self.count += 1
        if self.marker and self.count > 3 and not self.marker.exists():
            self.marker.touch()
            if self.hang:
                signal.pause()
            os.kill(os.getpid(), signal.SIGKILL)
        done = super().collect(timeout_s)
        where = f"{os.getpid()} GPU={os.environ.get('CUDA_VISIBLE_DEVICES')}"
        return [replace(each, adapter=f"planner@{self.version} in {where}") for each in done]


class Breaking(Engine):
    """Its engine breaks, but not its process."""

    def collect(self, timeout_s=None):
        self.count += 1
        if self.count > 3 and not self.marker.exists():
            self.marker.touch()
            raise InfrastructureError("the engine core is gone")
        return ScriptedPolicy.collect(self)


def set_version(version, policy):
    policy.version = version


def no_folder():
    raise MissingFileError("expected runs/sft, got nothing")


def no_memory():
    raise RuntimeError("CUDA out of memory, in words")


def serving(version="sft", **options):
    return Serving(version, functools.partial(Engine, version, **options), functools.partial(set_version, version))


class Losing(EngineHost):
    """Its first answer gets lost on the way, though the engine lives."""

    lost = False

    def exchange(self, client, requests, wait_s):
        done = super().exchange(client, requests, wait_s)
        if done and not self.lost:
            self.lost = True
            with self._changed:
                self._done[client] += done
            raise InfrastructureError("the connection broke")
        return done
