"""Makes the index of `lumos_rl.envs.qa.tools.corpus`: one pass over the documents, then BM25 by bm25s.

>>> fresh_index(Path("documents.jsonl"))                              # doctest: +SKIP
PosixPath('documents.jsonl.index')

It is made in a temporary folder and moved to its place when it is complete, so there is never a partial index.
"""

from __future__ import annotations

import bz2
import fcntl
import gzip
import hashlib
import json
import shutil
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from lumos_rl.data.raw import CURE
from lumos_rl.envs.qa.tools.ranking import K1, B
from lumos_rl.envs.qa.tools.titles import key_of, suffixless, words
from lumos_rl.errors import DataError, InfrastructureError, MissingFileError

VERSION = 3  # of the file layout and of the tokenizer
MANIFEST, STORE = "index.json", "documents.bin"
UNREADABLE = "unreadable"  # key of the manifest: number of lines that are no documents, and what is wrong with some
OFFSETS, WORD_HASHES, WORD_IDS = "documents.offsets", "words.hashes", "words.ids"
FORMS: Mapping[str, Callable[[str], str]] = {"exact": str.strip, "plain": key_of, "suffixless": suffixless}
_PATTERNS = ("*.jsonl", "*.jsonl.gz", "*.jsonl.bz2", "wiki_*.bz2")
_WHOLE = "*.json"  # used if no file matches those patterns; a file holds one document or a list
_OPENERS: Mapping[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}


def text_hash(text: str) -> np.uint64:
    """A hash of the text that is equal in every process."""
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()))


def fresh_index(source: Path) -> Path:
    """The index folder of a file or folder of documents; the index is made if missing or out of date."""
    files = document_files(source)
    folder = source / ".lumos_index" if source.is_dir() else source.with_name(source.name + ".index")
    stamp = {
        "version": VERSION,
        "files": [
            [str(path.relative_to(source.parent)), path.stat().st_size, path.stat().st_mtime_ns] for path in files
        ],
    }
    if _stamp_of(folder) == stamp:
        return folder
    try:
        with _lock(folder.with_name(folder.name + ".lock")):
            if _stamp_of(folder) != stamp:  # another process may have made it meanwhile
                _make(files, folder, stamp)
    except OSError as error:
        raise InfrastructureError(f"expected to write an index at {folder}, got {error}") from error
    return folder


def document_files(source: Path) -> list[Path]:
    """The files with documents: `source` itself, or those in it; .json files only if there are no JSON-lines files.

    Raises:
        MissingFileError: There are none.
    """
    if source.is_file():
        return [source]
    for patterns in (_PATTERNS, (_WHOLE,)):
        found = {path for pattern in patterns for path in source.rglob(pattern) if path.is_file()}
        if own := sorted(path for path in found if ".lumos_index" not in path.relative_to(source).parts):
            return own
    raise MissingFileError(f"expected {' or '.join((*_PATTERNS, _WHOLE))} in {source.absolute()}, got none")


def read_documents(files: list[Path], report: Callable[[DataError], None]) -> Iterator[tuple[str, str | list[str]]]:
    """Title and text of each document; what is wrong with a line that is none goes to `report`.

    Raises:
        DataError: A compressed file is damaged.
    """
    for value, where in _values(files):
        try:
            yield _document(_parsed(value, where) if isinstance(value, bytes) else value, where)
        except DataError as error:
            report(error)


def _values(files: list[Path]) -> Iterator[tuple[Any, str]]:
    """The documents as lines or as parsed values, each with its place."""
    for path in files:
        if path.match(_WHOLE) and (values := _whole(path)):
            for number, value in enumerate(values, 1):
                yield value, f"{path.name}, document {number}"
            continue
        with _OPENERS.get(path.suffix, open)(path, "rb") as lines:
            number = 0
            try:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        yield line, f"{path.name}:{number}"
            except (EOFError, OSError, zlib.error) as error:  # a compressed file that is truncated or invalid
                raise DataError(f"{path.name}:{number + 1}: expected another line or the end, got {error}") from error


def _whole(path: Path) -> list[Any]:
    """The documents of a file that is one JSON value; none if the file has one value per line."""
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return []
    return value if isinstance(value, list) else [value]


def _parsed(line: bytes, where: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        cure = f"; {CURE}" if isinstance(error, UnicodeDecodeError) else ""
        raise DataError(f"{where}: expected one JSON object, got {line[:60]!r} ({error}){cure}") from error


def _document(value: Any, where: str) -> tuple[str, str | list[str]]:
    if not isinstance(value, dict):
        raise DataError(f"{where}: expected an object with title and text, got {value!r:.60}")
    title, text = value.get("title"), value.get("text")
    if not isinstance(title, str) or not title.strip():
        raise DataError(f"{where}: field 'title': expected text, got {title!r:.60}")
    if isinstance(text, list) and all(isinstance(part, str) for part in text):
        return title.strip(), text
    if not isinstance(text, str):
        raise DataError(f"{where}: field 'text': expected text or a list of sentences, got {text!r:.60}")
    return title.strip(), text


def _stamp_of(folder: Path) -> Any:
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        return None
    return {name: manifest.get(name) for name in ("version", "files")}


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(files: list[Path], folder: Path, stamp: dict[str, Any]) -> None:
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        bad: list[DataError] = []
        with (partial / STORE).open("wb") as store:
            count, vocabulary, bags = _read_into(store, files, partial, bad)
        _write_words(partial, vocabulary)
        _write_bm25(partial / "bm25", bags, len(vocabulary))
        about = {"documents": count, UNREADABLE: [len(bad), list(map(str, bad[:3]))]}
        (partial / MANIFEST).write_text(json.dumps(stamp | about))
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _read_into(
    store: IO[bytes], files: list[Path], partial: Path, bad: list[DataError]
) -> tuple[int, dict[str, int], list[Any]]:
    """Stores documents and titles; returns the number of documents, word → id, and the word ids of each document."""
    offsets, hashes = array("Q", [0]), {form: array("Q") for form in FORMS}
    vocabulary: dict[str, int] = {}
    bags: list[Any] = []
    for title, text in read_documents(files, bad.append):
        line = json.dumps([title, text], ensure_ascii=False).encode("utf-8", "surrogatepass")
        store.write(line)
        offsets.append(offsets[-1] + len(line))
        for form, normal in FORMS.items():
            hashes[form].append(int(text_hash(normal(title))))
        body = text if isinstance(text, str) else " ".join(text)
        bag = [vocabulary.setdefault(word, len(vocabulary)) for word in words(f"{title} {body}")]
        bags.append(array("i", bag))
    if bad and not bags:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise DataError(f"expected documents, got none that can be read: {bad[0]}{more}")
    if not bags:
        raise DataError(f"expected documents in {', '.join(path.name for path in files[:5])}, got none")
    np.save(partial / f"{OFFSETS}.npy", np.array(offsets, dtype=np.uint64))
    for form, values in hashes.items():
        _write_sorted(partial, f"titles.{form}", np.array(values, dtype=np.uint64))
    return len(bags), vocabulary, bags


def _write_sorted(partial: Path, name: str, hashes: Any) -> None:
    order = np.argsort(hashes, kind="stable")
    np.save(partial / f"{name}.hashes.npy", hashes[order])
    np.save(partial / f"{name}.ids.npy", order.astype(np.uint32))


def _write_words(partial: Path, vocabulary: dict[str, int]) -> None:
    _write_sorted(partial, "words", np.array([text_hash(word) for word in vocabulary], dtype=np.uint64))


def _write_bm25(folder: Path, bags: list[Any], vocabulary: int) -> None:
    import bm25s

    index = bm25s.BM25(k1=K1, b=B)
    index.index((bags, {number: number for number in range(vocabulary)}), show_progress=False, create_empty_token=False)
    index.vocab_dict = {}  # words are looked up in words.hashes, whose memory processes share
    index.save(folder, show_progress=False)
