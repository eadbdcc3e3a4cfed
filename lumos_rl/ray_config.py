"""Where rollouts run: the settings of Ray workers, and how many of them a cluster has room for. Imports no Ray.

RayConfig(address="10.0.0.7:6379", gpus_per_worker=0.5)  # two workers on each of the cluster's GPUs
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lumos_rl.errors import ConfigError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RayConfig:
    """Where rollouts run, and what they put up with.

    Attributes:
        address: "auto" or "host:port" of a running cluster. None takes the cluster that this process is connected to
            or that RAY_ADDRESS names, or else starts one on this machine.
        workers: Workers, each with a policy of its own; 0 starts as many as the cluster has room for.
        cpus_per_worker: CPU cores of a worker, and its threads.
        gpus_per_worker: GPUs of a worker; 0.5 lets two share one.
        max_retries: How often an episode is played again after its worker died.
        start_timeout_s: Seconds that a worker may take to start and make its policy.
        silence_timeout_s: Seconds that a worker may take for its next turns; after that it counts as dead.
        dashboard: Whether a cluster started here has Ray's dashboard.
    """

    address: str | None = None
    workers: int = 0
    cpus_per_worker: int = 1
    gpus_per_worker: float = 0.0
    max_retries: int = 2
    start_timeout_s: float = 900.0
    silence_timeout_s: float = 900.0
    dashboard: bool = True

    def __post_init__(self) -> None:
        counts = self.workers, self.cpus_per_worker - 1, self.gpus_per_worker, self.max_retries
        if min(counts) < 0 or min(self.start_timeout_s, self.silence_timeout_s) <= 0:
            raise ConfigError(f"expected counts >= 0, cpus_per_worker >= 1 and timeouts above 0 seconds, got {self}")
        if self.gpus_per_worker > 1 and self.gpus_per_worker % 1:
            raise ConfigError(f"expected gpus_per_worker up to 1 or a whole number, got {self.gpus_per_worker}")


def count_workers(nodes: Sequence[Mapping[str, Any]], config: RayConfig) -> int:
    """How many workers to start on a cluster, given its nodes as `ray.nodes()` lists them.

    Raises:
        ConfigError: The number is left to the cluster, and no node has room for a single worker.
    """
    need = {"CPU": float(config.cpus_per_worker), "GPU": config.gpus_per_worker}
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    room = sum(min(int(node.get(kind, 0) / need[kind] + 1e-6) for kind in need if need[kind]) for node in alive)
    if not config.workers and not room:
        raise ConfigError(f"expected a node with {need} for a worker, got {alive}; ask for less per worker")
    if config.workers > room:
        log.warning("the cluster has room for %d of %d workers with %s; the others wait", room, config.workers, need)
    return config.workers or room
