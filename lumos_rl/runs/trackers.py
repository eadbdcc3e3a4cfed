"""Where metrics go besides a run's own `metrics.jsonl`: Weights & Biases, TensorBoard.

(track,) = trackers(("wandb",), Path("runs/tiny-0"), settings)
track("sft", 20, {"loss": 1.5})
check_trackers(("wandb",), os.environ)     # raises where there is no key
"""

from __future__ import annotations

import contextlib
import logging
import netrc
import os
import sys
import urllib.parse
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lumos_rl.errors import ConfigError, MissingExtraError
from lumos_rl.masking import masked

log = logging.getLogger(__name__)

Tracker = Callable[[str, int, Mapping[str, float]], None]

KEYS = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")
KEYLESS = ("offline", "disabled", "dryrun")  # values of WANDB_MODE
SITE = "https://api.wandb.ai"
NO_KEY = "set WANDB_API_KEY, run `wandb login`, set WANDB_MODE=offline, or leave --track wandb out"


def trackers(names: Iterable[str], path: Path, settings: Mapping[str, Any]) -> list[Tracker]:
    """The trackers of a run.

    Args:
        names: Of `TRACKERS`.
        path: The run's folder.
        settings: Its settings, without passwords.

    Raises:
        ConfigError: A tracker cannot be used.
        MissingExtraError: Its package is not installed.
    """
    makers = {"wandb": _wandb, "tensorboard": _tensorboard}
    return [makers[name](path, settings) for name in names]


def check_trackers(names: Iterable[str], environment: Mapping[str, str]) -> None:
    """Raises ConfigError if Weights & Biases is asked for and there is no key for it."""
    if "wandb" not in names or environment.get("WANDB_MODE", "").lower() in KEYLESS:
        return
    if not any(environment.get(key) for key in KEYS) and not _in_netrc(environment):
        raise ConfigError(f"expected a key of Weights & Biases, got none; {NO_KEY}")


def _in_netrc(environment: Mapping[str, str]) -> bool:
    """Whether `wandb login` has left a key."""
    host = urllib.parse.urlsplit(environment.get("WANDB_BASE_URL") or SITE).hostname or ""
    found = Path(environment.get("NETRC") or Path.home() / ".netrc")
    try:
        return netrc.netrc(str(found)).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _wandb(path: Path, settings: Mapping[str, Any]) -> Tracker:
    try:
        import wandb
    except ImportError as error:
        raise MissingExtraError("wandb", "wandb") from error
    check_trackers(("wandb",), os.environ)
    key = path / "wandb-id"  # a name alone would join runs of the same name in different places
    if not key.is_file() or not key.read_text(encoding="utf-8").strip():
        key.write_text(uuid.uuid4().hex, encoding="utf-8")
    where: dict[str, Any] = {
        "project": os.environ.get("WANDB_PROJECT", "lumos_rl"),
        "name": path.name,
        "id": key.read_text(encoding="utf-8").strip(),
        "dir": path,
    }
    try:
        with _without_passwords():
            run = wandb.init(**where, resume="allow", config=dict(settings))
    except wandb.errors.Error as error:
        said = (str(error).strip().splitlines() or [""])[0]
        raise ConfigError(f"expected Weights & Biases to take the run, got {said}; {NO_KEY}") from error
    if run.url:
        log.info("Weights & Biases: %s", run.url)
    run.define_metric("*", step_metric="lumos_step")

    def track(stage: str, step: int, values: Mapping[str, float]) -> None:
        run.log({f"{stage}/{name}": value for name, value in values.items()} | {"lumos_step": step})

    return track


@contextlib.contextmanager
def _without_passwords() -> Iterator[None]:
    """Masks the command line, which Weights & Biases keeps."""
    given = sys.argv[:]
    sys.argv[:] = map(masked, given)
    try:
        yield
    finally:
        sys.argv[:] = given


def _tensorboard(path: Path, settings: Mapping[str, Any]) -> Tracker:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("tensorboard", "tensorboard") from error
    writer = SummaryWriter(str(path / "tensorboard"))

    def track(stage: str, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(f"{stage}/{name}", value, step)
        writer.flush()

    return track
