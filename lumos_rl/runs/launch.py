"""From a command line to a running recipe: presets, flags, stored settings, errors and Ctrl-C.

    launch(__doc__, RunConfig, main)     # the last line of every recipe; main(job, run_folder, settings)

An error that this package raises on purpose ends the program with one line and exit status 2; Ctrl-C and SIGTERM end it
with the command to go on with, and status 130.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shlex
import signal
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import tyro

from lumos_rl import task_types
from lumos_rl.errors import ConfigError, DataError, LumosError, UnknownNameError
from lumos_rl.runs.config import RunConfig
from lumos_rl.runs.dry_run import describe_run
from lumos_rl.runs.folder import RunFolder
from lumos_rl.runs.job import Job
from lumos_rl.runs.presets import PRESETS

DEFAULT_PRESET = "tiny"
Config = TypeVar("Config")


def launch(
    about: str | None,
    kind: type[Config],
    main: Callable[[Job, RunFolder, Config], None],
    prepare: Callable[[Sequence[str]], Sequence[str]] = list,
    describe: Callable[[Job, Config], str] | None = None,
) -> None:
    """Reads the command line, opens the run folder, and runs a recipe.

    Args:
        about: The recipe's docstring, shown by --help.
        kind: `RunConfig`, or a dataclass with a field `run` of that type.
        main: The recipe.
        prepare: Turns the words of the command line into a preset and flags.
        describe: What --dry-run prints; None describes the main job.
    """
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.WARNING)
    logging.getLogger("lumos_rl").setLevel(logging.INFO)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads and Ray's forks do not get along
    signal.signal(signal.SIGTERM, _interrupt)
    run: RunFolder | None = None
    try:
        config = parse(about or "", kind, prepare(sys.argv[1:]))
        settings = run_config(config)
        if settings.dry_run:
            job = Job(settings)
            print(describe(job, config) if describe else describe_run(job))
            return
        with RunFolder(Path(settings.run_dir), settings) as run:
            main(Job(settings), run, config)
    except LumosError as error:
        sys.exit(_failed(str(error)))
    except KeyboardInterrupt:
        print("\nStopped; everything that was finished is kept.", file=sys.stderr)
        if run is not None:
            print(f"Go on with: {_command()}", file=sys.stderr)
        sys.stderr.flush()
        sys.exit(130)


def parse(about: str, kind: type[Config], argv: Sequence[str]) -> Config:
    """Settings from a command line: a preset or a stored run, changed by flags.

    Raises:
        UnknownNameError: The first word is no preset.
        SystemExit: `--help` was asked for, or a flag is wrong; tyro has printed why.
    """
    preset, rest = _split_preset(argv)
    task_types.load_plugins(_values(rest, "plugins", "plugin"))  # first: settings name what they bring
    stored = None if preset else stored_settings(rest)
    default = stored or PRESETS[preset or DEFAULT_PRESET].config
    names = "\n".join(f"  {name}: {each.about}" for name, each in PRESETS.items())
    whole = kind is RunConfig
    config = tyro.cli(
        kind,
        prog=shlex.join(_program()),
        args=rest,
        config=(tyro.conf.EnumChoicesFromValues,),
        default=default if whole else kind(run=default),  # type: ignore[call-arg]
        description=f"{about.strip()}\n\nThe first word may name a preset (without one: {DEFAULT_PRESET}):\n{names}",
    )
    run = run_config(config)
    if not run.run_dir:
        run = replace(run, run_dir=f"runs/{preset or DEFAULT_PRESET}-{run.seed}")
    return run if whole else replace(config, run=run)  # type: ignore[return-value,type-var]


def run_config(config: object) -> RunConfig:
    """The `RunConfig` of a recipe's settings."""
    found = config if isinstance(config, RunConfig) else getattr(config, "run", None)
    assert isinstance(found, RunConfig), "a recipe's settings are or hold a RunConfig"
    return found


def config_from_json(kind: type[Config], value: Mapping[str, Any]) -> Config:
    """Nested settings from the flat form of `settings_of`; settings that are missing keep their defaults."""
    return typing.cast(Config, _rebuild(kind, value, ""))


def _rebuild(kind: Any, flat: Mapping[str, Any], prefix: str) -> Any:
    given = {}
    for item in dataclasses.fields(kind):
        name, hint = prefix + item.name, typing.get_type_hints(kind)[item.name]
        if dataclasses.is_dataclass(hint):
            given[item.name] = _rebuild(hint, flat, f"{name}.")
        elif name in flat:
            given[item.name] = _typed(hint, flat[name])
    return kind(**given)


def _typed(hint: Any, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_typed(typing.get_args(hint)[0], item) for item in value)
    return hint(value) if isinstance(hint, type) and issubclass(hint, Enum) else value


def _split_preset(argv: Sequence[str]) -> tuple[str | None, list[str]]:
    if not argv or argv[0].startswith("-"):
        return None, list(argv)
    if argv[0] not in PRESETS:
        raise UnknownNameError("preset", argv[0], PRESETS)
    return argv[0], list(argv[1:])


def stored_settings(argv: Sequence[str]) -> RunConfig | None:
    """The settings of the run that `--run-dir` names; None when it names none or a new one.

    Raises:
        DataError: The folder's settings cannot be read.
    """
    values = _values(argv, "run-dir")
    path = Path(values[-1]) / "config.json" if values else None
    if path is None or not path.is_file():
        return None
    return read_settings(path)


def read_settings(path: Path) -> RunConfig:
    """The settings in a run's `config.json`; the task types that they name from outside are registered.

    Raises:
        DataError: They cannot be read.
    """
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        task_types.load_plugins(settings.get("plugins", ()))
        return config_from_json(RunConfig, settings)
    except (TypeError, ValueError, ConfigError) as error:
        raise DataError(f"expected the settings of a run in {path}: {error}; choose another --run-dir") from error


def _values(argv: Sequence[str], *names: str) -> list[str]:
    """What flags of these names are set to, as `--name value …` or `--name=value`."""
    flags = {f"--{name.replace('-', sign)}" for name in names for sign in "-_"}
    found, inside = [], False
    for word in argv:
        flag, given, value = word.partition("=")
        if word.startswith("-"):
            inside = flag in flags and not given
            found += [value] if flag in flags and given else []
        elif inside:
            found.append(word)
    return found


def _program() -> list[str]:
    """The words that start this program: `python -m lumos_rl.recipes.sft`."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return ["python", *(["-m", spec.name] if spec else sys.argv[:1])]


def _command() -> str:
    """This program's command line, with `--resume`."""
    words = [*_program(), *sys.argv[1:]]
    return shlex.join(words if "--resume" in words else [*words, "--resume"])


def _failed(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
