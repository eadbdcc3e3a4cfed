"""The Ray cluster of a process: connects to it, or starts one on this machine.

ray = connect(RayConfig(address="10.0.0.7:6379"))
ray.nodes()
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import textwrap
import threading
from collections.abc import Iterator
from typing import Any

from lumos_rl.errors import InfrastructureError, MissingExtraError
from lumos_rl.rollout.ray_config import RayConfig

log = logging.getLogger(__name__)


def describe_error(error: BaseException) -> str:
    """One line about an error. Ray puts the informative part at the end of a long message."""
    last = (str(error).strip().splitlines() or [""])[-1]
    return f"{type(error).__name__}: {textwrap.shorten(last, 300, placeholder=' …')}"


def connect(config: RayConfig) -> Any:
    """Connects this process to its cluster, unless it is already connected, and returns the `ray` module.

    Raises:
        MissingExtraError: Ray is not installed.
        InfrastructureError: No cluster at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("ray", "ray") from error
    import ray.util.metrics
    import ray.util.state

    if ray.is_initialized():
        return ray
    address = config.address or os.environ.get("RAY_ADDRESS") or "local"
    own: dict[str, Any] = {"include_dashboard": config.dashboard} if address == "local" else {}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a library must not start usage reports for its user
    try:
        _reach(address)
        # Workers' output stays in Ray's log files; when a worker dies, the end of its output is logged here.
        with _keeping_handlers():
            context = ray.init(
                address, ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR, **own
            )
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise InfrastructureError(
            f"expected to reach a Ray cluster at {address!r}, got {describe_error(error.__cause__ or error)}; start one"
            " with `ray start --head`, or leave the address out. A cluster with a token asks for RAY_AUTH_MODE=token"
        ) from error
    if context.dashboard_url:
        log.info("Ray dashboard: http://%s (if it asks for a token: ray get-auth-token)", context.dashboard_url)
    return ray


@contextlib.contextmanager
def _keeping_handlers() -> Iterator[None]:
    """Puts the program's own handler of SIGTERM back, which Ray replaces by one that ends it without a word."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread() and before is not None:
            signal.signal(signal.SIGTERM, before)


def _reach(address: str) -> None:
    """Raises OSError if nothing listens at "host:port"; Ray itself would retry for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
