"""Where rollouts run: the settings of Ray workers, and how many of them a cluster has room for. Imports no Ray.

RayConfig(address="10.0.0.7:6379", gpus_per_worker=0.5)  # two workers on each of the cluster's GPUs
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lumos_rl.checks import above, at_least, check
from lumos_rl.errors import ConfigError

log = logging.getLogger(__name__)

MIN_START_S = 900.0  # the weights of large models come from slow disks
SMALL = 4  # cores of a cluster without GPUs on which one engine, or one worker with a large model, takes all
ENGINE_SHARE = 0.75  # of a larger machine's cores: what an engine takes where it computes on the CPU


@dataclass(frozen=True, slots=True)
class RayConfig:
    """Where rollouts run, and what they put up with.

    Attributes:
        address: "auto" or "host:port" of a running cluster. None takes the cluster that this process is connected to
            or that RAY_ADDRESS names, or else starts one on this machine.
        workers: Workers, each with a policy of its own; None starts as many as the cluster has room for.
        cpus_per_worker: CPU cores of a worker, and its threads. None takes one; on up to 4 cores without a GPU, a
            worker with a pretrained model of its own takes all, and workers that share an engine reserve none.
        gpus_per_worker: GPUs of a worker; 0.5 lets two share one. None takes one where the cluster has some. Workers
            that share an engine, or whose policy is a function or an endpoint, need none.
        engines: Engines that workers share, where the policy is one (vLLM); None starts as many as there are GPUs for,
            and a single one where they need none. If they leave a GPU of the driver's machine free, its first one is
            kept for the driver, and they stay while it trains; else they end with each rollout.
        cpus_per_engine: CPU cores of an engine, and its threads. None takes one beside a GPU; without, all of up to 4
            cores, and three quarters of more.
        gpus_per_engine: GPUs of an engine, which share its model (tensor parallelism). None takes one where the cluster
            has some.
        timeout_s: Seconds that a worker may take for its next turns; after that it counts as dead. To start and make
            its policy it may take as long, and 900 at least.
        dashboard: Whether a cluster started here has Ray's dashboard.
    """

    address: str | None = None
    workers: int | None = None
    cpus_per_worker: int | None = None
    gpus_per_worker: float | None = None
    engines: int | None = None
    cpus_per_engine: int | None = None
    gpus_per_engine: int | None = None
    timeout_s: float = 900.0
    dashboard: bool = True

    def __post_init__(self) -> None:
        some = at_least(1, none="None to start as many as fit")
        cores = at_least(1, none="None to leave it to the machine")
        limits = dict.fromkeys(("cpus_per_worker", "cpus_per_engine"), cores)
        gpus = at_least(0, none="None to take one where the cluster has some")
        limits |= dict.fromkeys(("gpus_per_worker", "gpus_per_engine"), gpus)
        check(self, "ray", workers=some, engines=some, timeout_s=above(0), **limits)
        if (self.gpus_per_worker or 0) > 1 and (self.gpus_per_worker or 0) % 1:
            raise ConfigError(
                f"expected --ray.gpus-per-worker to be at most 1 or a whole number, got {self.gpus_per_worker}"
            )

    @property
    def start_timeout_s(self) -> float:
        """Seconds that a worker may take to start and make its policy."""
        return max(self.timeout_s, MIN_START_S)


@dataclass(frozen=True, slots=True)
class Cores:
    """CPU cores that workers and engines take on a cluster.

    Attributes:
        reserved: What a worker reserves; 0 beside an engine that has the whole machine.
        worker: Threads of a worker.
        engine: Cores and threads of an engine.
    """

    reserved: float
    worker: int
    engine: int


def cores(nodes: Sequence[Mapping[str, Any]], config: RayConfig, engines: int = 0, large: bool = False) -> Cores:
    """The cores that workers and engines take on a cluster, where they are left to it.

    Args:
        nodes: The cluster's nodes, as `ray.nodes()` lists them.
        config: The settings.
        engines: Engines that workers share; 0 where each worker has a policy of its own.
        large: Whether that is a pretrained model, whose threads are worth more than further copies of it.
    """
    found = [int(node.get("CPU", 0)) for node in _alive(nodes)]
    most, small = max(found, default=1), sum(found) <= SMALL and not has_gpu(nodes)
    share = 1 if has_gpu(nodes) else int(most if small else most * ENGINE_SHARE) // max(1, engines)
    worker = config.cpus_per_worker or (most if small and large and not engines else 1)
    free = engines and small and config.cpus_per_worker is None
    return Cores(0.0 if free else float(worker), max(1, worker), config.cpus_per_engine or max(1, share))


def settled(nodes: Sequence[Mapping[str, Any]], config: RayConfig, weights: bool = True) -> RayConfig:
    """The same settings with the GPUs that workers and engines take on a cluster, if they are left to it.

    Args:
        nodes: The cluster's nodes, as `ray.nodes()` lists them.
        config: The settings.
        weights: Whether the policy has weights, of which every worker or engine holds a copy.
    """
    some = weights and has_gpu(nodes)
    per_worker = float(some) if config.gpus_per_worker is None else config.gpus_per_worker
    per_engine = int(some) if config.gpus_per_engine is None else config.gpus_per_engine
    return replace(config, gpus_per_worker=per_worker, gpus_per_engine=per_engine)


def has_gpu(nodes: Sequence[Mapping[str, Any]]) -> bool:
    """Whether some node of a cluster has a GPU."""
    return any(node.get("GPU", 0) >= 1 for node in _alive(nodes))


def count_workers(
    nodes: Sequence[Mapping[str, Any]],
    config: RayConfig,
    engines: int = 0,
    weights: bool = True,
    large: bool = False,
) -> int:
    """How many workers to start on a cluster, given its nodes as `ray.nodes()` lists them.

    Args:
        nodes: The cluster's nodes.
        config: What a worker needs, or how many to start.
        engines: Engines that workers share; they need room too, and workers need no GPU.
        weights: Whether each worker holds a copy of a model.
        large: As for `cores`.

    Raises:
        ConfigError: No node has room for a single worker, though their number is left to the cluster, engines would
            wait for them, or several copies of a model would be on one GPU that none of them has reserved.
    """
    gpus = 0.0 if engines else settled(nodes, config, weights).gpus_per_worker or 0.0
    each = cores(nodes, config, engines, large and weights)
    need = {"CPU": each.reserved, "GPU": gpus}
    if each.reserved:
        room = _room(nodes, need) - math.ceil(engines * each.engine / each.reserved)
    else:
        room = max(1, _room(nodes, {"CPU": 1.0}) - engines * each.engine)
    if room < 1 and (engines or config.workers is None):
        raise ConfigError(
            f"expected a node with {need} for a worker, got {_alive(nodes)} with {engines} engines; ask for less per"
            " worker"
        )
    if weights and not engines and not gpus:
        _refuse_copies(nodes, min(config.workers or room, room))
    wanted = config.workers or room
    if wanted > room:
        others = "are left out" if engines else "wait"
        log.warning("the cluster has room for %d of %d workers with %s; the others %s", room, wanted, need, others)
    return min(wanted, room) if engines else wanted


def _refuse_copies(nodes: Sequence[Mapping[str, Any]], workers: int) -> None:
    """Refuses workers that would all use the first GPU of their machine, since none is reserved for each."""
    if has_gpu(nodes) and workers > 1:
        raise ConfigError(
            f"expected a share of a GPU for each of {workers} workers with a copy of the model, got"
            " --ray.gpus-per-worker 0 on a cluster with GPUs, of which they would all use the same; leave it out to"
            " give each a GPU, give a share such as 0.5, or give --ray.workers 1"
        )


def count_engines(nodes: Sequence[Mapping[str, Any]], config: RayConfig) -> int:
    """How many engines to start on a cluster.

    Raises:
        ConfigError: No node has room for a single one, or they would use GPUs of the cluster without reserving them.
    """
    gpus = settled(nodes, config).gpus_per_engine
    if not gpus and has_gpu(nodes):
        raise ConfigError(
            "expected GPUs for an engine, got --ray.gpus-per-engine 0 on a cluster with GPUs, one of which it would use"
            " without reserving it, and training would miss its memory; leave it out, or give 1 or more"
        )
    need = {"CPU": float(cores(nodes, config, config.engines or 1).engine), "GPU": float(gpus or 0)}
    room = _room(nodes, need)
    wanted = config.engines or (room if gpus else 1)
    if not room or wanted > room:
        raise ConfigError(f"expected room for {wanted} engines with {need}, got {_alive(nodes)}; ask for less")
    return wanted


def leaves_gpu(nodes: Sequence[Mapping[str, Any]], config: RayConfig, engines: int, here: str) -> bool:
    """Whether so many engines fit on a cluster without one GPU of a node, on which a driver there can train.

    Args:
        nodes: The cluster's nodes, as `ray.nodes()` lists them.
        config: What an engine needs.
        engines: How many to start.
        here: `NodeID` of the driver's node.
    """
    cpus = cores(nodes, config, engines).engine
    need = {"CPU": float(cpus), "GPU": float(settled(nodes, config).gpus_per_engine or 0)}
    rest = [
        {**node, "Resources": {**node["Resources"], "GPU": node["Resources"].get("GPU", 0) - (node["NodeID"] == here)}}
        for node in nodes
    ]
    return _room(rest, need) >= engines


def _alive(nodes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, float]]:
    return [node["Resources"] for node in nodes if node["Alive"]]


def _room(nodes: Sequence[Mapping[str, Any]], need: Mapping[str, float]) -> int:
    """How many of something fit on the nodes, one beside the other."""
    wanted = [kind for kind in need if need[kind]]
    return sum(min(int(node.get(kind, 0) / need[kind] + 1e-6) for kind in wanted) for node in _alive(nodes))
