"""Settings as files: a run's `config.json`, and files that name only what differs from a preset.

    settings_of(RunConfig())                            # {"seed": 0, "sft.learning_rate": 2e-05, …}, no passwords
    read_settings(Path("runs/tiny-0/config.json"))      # the whole settings of a run
    changed(PRESETS["tiny"].config, Path("my.yaml"))    # sft: {learning_rate: 1e-4}, or sft.learning_rate: 1e-4

YAML is read with PyYAML, which comes with `lumos_rl[train]`; JSON needs nothing.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lumos_rl import masking, task_types
from lumos_rl.checks import closest
from lumos_rl.errors import ConfigError, DataError, MissingExtraError, MissingFileError
from lumos_rl.masking import masked
from lumos_rl.records import from_builtins, to_builtins
from lumos_rl.runs.config import CHANGEABLE, UNSTORED, Engine, RunConfig
from lumos_rl.runs.entries import words

ENTRIES = ("refine.rs.min_reward", "refine.dpo.min_margin")  # text, and often written as a number
ENDPOINT = "model.openai.url"
ACCUMULATION = "sft.gradient_accumulation"  # of every training of a run
BATCH_SIZES = ("sft.batch_size", "refine.dpo.train.batch_size")
NUMBER = re.compile(r"[-+]?(\d[\d_]*(\.[\d_]*)?|\.\d[\d_]*)[eE][-+]?\d+")  # YAML 1.1 takes 1e-4 for text


def settings_of(config: RunConfig) -> dict[str, Any]:
    """The settings that define a run, flat and without passwords: `{"sft.learning_rate": 2e-05, …}`."""
    return {name: _masked(value) for name, value in _values(config).items()}


def _values(config: RunConfig) -> dict[str, Any]:
    return {name: value for name, value in flat(to_builtins(config)) if name not in UNSTORED}


def _masked(value: Any) -> Any:
    if isinstance(value, list):
        return [_masked(each) for each in value]
    return masked(value) if isinstance(value, str) else value


def revealed(config: RunConfig, environment: Mapping[str, str] = os.environ) -> RunConfig:
    """The same settings with the passwords that were masked when they were stored.

    Args:
        config: Settings, perhaps of a stored run.
        environment: Where the passwords are; see `lumos_rl.masking`.

    Raises:
        ConfigError: One is missing that the run needs.
    """
    found = _values(config)
    for name, value in found.items():
        if name == ENDPOINT and config.model.engine != Engine.OPENAI:
            continue  # it is not asked for anything
        if isinstance(value, str):
            found[name] = masking.revealed(value, name, environment)
        elif isinstance(value, list):
            found[name] = [_revealed_entry(entry, name, environment) for entry in value]
    return config if found == _values(config) else _like(config, found, "settings with passwords")


def _revealed_entry(entry: Any, name: str, environment: Mapping[str, str]) -> Any:
    """An entry such as `intercode_sql.backend=mysql://root:***@db`; its variable holds what stands behind the "="."""
    if not isinstance(entry, str) or masking.MASK not in entry:
        return entry
    option, given, value = entry.partition("=")
    return f"{option}={masking.revealed(value, option, environment)}" if given else entry


def stored_values(path: Path) -> dict[str, Any]:
    """The settings in a run's `config.json`, flat.

    Raises:
        DataError: They cannot be read, or are those of another version of this package.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, Mapping):
            raise ValueError(f"got {str(value)[:60]!r}")
    except ValueError as error:
        raise DataError(
            f"expected the settings of a run as one JSON object in {path}: {error}; choose another --run-dir, or remove"
            " that file and give the run's whole command again"
        ) from error
    return dict(flat(value))


def read_settings(path: Path) -> RunConfig:
    """The settings in a run's `config.json`; the task types that they name from outside are registered.

    Passwords are masked there; `revealed` brings them back.

    Raises:
        DataError: They cannot be read, or are those of another version of this package.
    """
    found = stored_values(path)
    task_types.load_plugins(found.get("plugins", ()))
    refuse_other_versions(path, found)
    return _built(found, str(path))


def refused_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The changes of settings with which a run cannot be continued, each as "seed: 0 there, 1 now".

    What only decides how fast a run goes, or how much memory it takes, may change. A batch may be cut into more steps
    whose gradients are added up, as that computes the same.

    Args:
        old: Those that the run was begun with, as `settings_of` has them.
        new: Those that are given now.
    """
    differing = [name for name in new if not _changeable(name) and old[name] != new[name]]
    batches = {f"{size} x {ACCUMULATION}": (_batch(old, size), _batch(new, size)) for size in BATCH_SIZES}
    found = {name: (old[name], new[name]) for name in differing if name not in (*BATCH_SIZES, ACCUMULATION)}
    found |= {name: values for name, values in batches.items() if values[0] != values[1]}
    return [f"{name}: {before} there, {now} now" for name, (before, now) in sorted(found.items())]


def _batch(settings: Mapping[str, Any], size: str) -> int:
    return int(settings[size] * settings[ACCUMULATION])


def _changeable(name: str) -> bool:
    return any(name == free or name.startswith(f"{free}.") for free in CHANGEABLE)


def refuse_other_versions(path: Path, stored: Mapping[str, Any]) -> None:
    """Refuses the settings of a run that this version cannot continue.

    Raises:
        DataError: Some of them do not exist here.
    """
    unknown = sorted(stored.keys() - settings_of(RunConfig()).keys())
    if unknown:
        some = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
        raise DataError(
            f"expected settings of this version of lumos_rl in {path}, got some that it does not have: {some}; begin a"
            " new run in another --run-dir, or take these out of a copy of the file and give that as --config"
        )


def names_in(path: Path) -> list[str]:
    """The settings that a file names; errors as for `changed`. A whole `config.json` of a run names none by choice."""
    found = _read(path)
    return [] if found.keys() >= settings_of(RunConfig()).keys() else list(found)


def plugins_in(path: Path) -> tuple[str, ...]:
    """The modules with task types that a file of settings names; errors as for `changed`."""
    given = _read(path).get("plugins", ())
    return (given,) if isinstance(given, str) else tuple(given)


def changed(config: RunConfig, path: Path) -> RunConfig:
    """Settings with the changes that a file names.

    Args:
        config: What they change.
        path: A JSON or YAML file, nested or flat.

    Raises:
        MissingFileError: There is no such file.
        MissingExtraError: It is YAML, and PyYAML is not installed.
        ConfigError: A name is unknown, or a value cannot be.
        DataError: It is no mapping, or a value is of the wrong type.
    """
    known = _values(config)
    found = _read(path)
    for name, value in found.items():
        if name not in known:
            raise ConfigError(f"expected settings in {path}, got {name!r}{closest(name, known)}; --help-all lists them")
        if isinstance(known[name], list):
            entries = value if isinstance(value, list) else [value]
            found[name] = [str(entry) for entry in entries] if name in ENTRIES else entries
    return _like(config, known | found, str(path))


def _like(config: RunConfig, values: Mapping[str, Any], where: str) -> RunConfig:
    """Settings with these values, of the same command."""
    return replace(_built(values, where), **{name: getattr(config, name) for name in UNSTORED})


def flat(nested: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Names with dots, and their values: nested mappings one after the other."""
    for name, value in nested.items():
        whole = f"{above}{name}".replace("-", "_")
        if isinstance(value, Mapping):
            yield from flat(value, f"{whole}.")
        else:
            yield whole, value


def _built(values: Mapping[str, Any], where: str) -> RunConfig:
    nested: dict[str, Any] = {}
    split = {
        name: words(values[name])
        for name in ("data.suites", "data.held_out", "data.test_split", "evaluate.also")
        if values.get(name)
    }
    for name, value in {**values, **split}.items():
        *sections, last = name.split(".")
        inner = nested
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[last] = value
    return from_builtins(RunConfig, nested, where)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingFileError(f"expected a file of settings as --config, got {path}, which is not there")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"expected settings as UTF-8 text in {path}: {error}") from error
    try:
        value = json.loads(text)
    except ValueError as error:
        if path.suffix == ".json":
            raise DataError(f"expected JSON in {path}: {error}") from error
        value = _yaml(text, path)
    if not isinstance(value, Mapping):
        raise DataError(f"expected settings as NAME: VALUE in {path}, got {str(value)[:60]!r}")
    return dict(flat(value))


def _yaml(text: str, path: Path) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("PyYAML", "train", f"; or write {path} as JSON") from error

    loader: Any = type("Loader", (yaml.SafeLoader,), {})
    loader.add_implicit_resolver("tag:yaml.org,2002:float", NUMBER, list("-+.0123456789"))
    try:
        return yaml.load(text, loader)
    except yaml.YAMLError as error:
        raise DataError(f"expected YAML in {path}: {error}") from error
