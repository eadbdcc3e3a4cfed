"""Settings as files: a run's `config.json`, and files that name only what differs from a preset.

    settings_of(RunConfig())                            # {"seed": 0, "sft.learning_rate": 2e-05, …}
    read_settings(Path("runs/tiny-0/config.json"))      # the whole settings of a run
    changed(PRESETS["tiny"].config, Path("my.yaml"))    # sft: {learning_rate: 1e-4}, or sft.learning_rate: 1e-4

YAML is read with PyYAML, which comes with `lumos_rl[train]`; JSON needs nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lumos_rl import task_types
from lumos_rl.checks import closest
from lumos_rl.errors import ConfigError, DataError, MissingExtraError, MissingFileError
from lumos_rl.records import from_builtins, to_builtins
from lumos_rl.runs.config import UNSTORED, RunConfig
from lumos_rl.runs.entries import words

ENTRIES = ("refine.rs.min_reward", "refine.dpo.min_margin")  # text, and often written as a number
NUMBER = re.compile(r"[-+]?(\d[\d_]*(\.[\d_]*)?|\.\d[\d_]*)[eE][-+]?\d+")  # YAML 1.1 takes 1e-4 for text


def settings_of(config: RunConfig) -> dict[str, Any]:
    """The settings that define a run, flat: `{"sft.learning_rate": 2e-05, …}`."""
    return {name: value for name, value in flat(to_builtins(config)) if name not in UNSTORED}


def read_settings(path: Path) -> RunConfig:
    """The settings in a run's `config.json`; the task types that they name from outside are registered.

    Raises:
        DataError: They cannot be read, or are those of another version of this package.
    """
    try:
        found = dict(flat(json.loads(path.read_text(encoding="utf-8"))))
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(f"expected the settings of a run in {path}: {error}; choose another --run-dir") from error
    task_types.load_plugins(found.get("plugins", ()))
    refuse_other_versions(path, found)
    return _built(found, str(path))


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
    known = settings_of(config)
    found = _read(path)
    for name, value in found.items():
        if name not in known:
            raise ConfigError(f"expected settings in {path}, got {name!r}{closest(name, known)}; --help-all lists them")
        if isinstance(known[name], list):
            entries = value if isinstance(value, list) else [value]
            found[name] = [str(entry) for entry in entries] if name in ENTRIES else entries
    kept = {name: getattr(config, name) for name in UNSTORED}
    return replace(_built(known | found, str(path)), **kept)


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
    split = {name: words(values[name]) for name in ("data.suites", "data.unseen") if values.get(name)}
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
    text = path.read_text(encoding="utf-8")
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
