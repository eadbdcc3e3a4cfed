"""WebShop's files as distributed, read one product at a time.

    files = find_files(Path("webshop/data"))          # items_shuffle.json, items_ins_v2.json, items_human_ins.json
    report = LoadReport()
    for product in read_products(files, report):
        print(product.asin, product.name)
    report.as_dict()["problems"]                      # {"duplicate asin": 2, "pricing: expected text …": 1, …}

The items file is a JSON list of more than a million objects; it is never in memory as a whole. Records that the
original skips are skipped; records on which it would crash are repaired or skipped. All of this is counted and listed.
"""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from lumos_rl.envs.webshop.tools.product import MAX_ASIN, Product, read_product
from lumos_rl.errors import DataError, MissingFileError

ORIGIN = "https://github.com/princeton-nlp/WebShop (MIT), whose setup.sh downloads it"
ITEMS = ("items_shuffle.json", "items_shuffle_1000.json")
INSTRUCTIONS = {"items_shuffle.json": "items_ins_v2.json", "items_shuffle_1000.json": "items_ins_v2_1000.json"}
HUMAN = "items_human_ins.json"
LISTED = 1000  # problems listed in full; all are counted

_CHUNK = 1 << 20  # bytes read at a time
_MAX_RECORD = 1 << 26  # characters; a longer record is treated as broken
_GAP = re.compile(r"[\s,]*")
_NO_UTF8 = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a catalogue; `human` is None if there is none."""

    items: Path
    instructions: Path
    human: Path | None

    def __iter__(self) -> Iterator[Path]:
        """The files that exist."""
        return iter([path for path in (self.items, self.instructions, self.human) if path is not None])


def find_files(source: Path) -> Files:
    """The files of a folder, preferably of the full catalogue; or of the folder of an items file.

    Raises:
        MissingFileError: A file is missing; the message lists the expected and the existing files.
    """
    folder, names = (source.parent, (source.name,)) if source.is_file() else (source, ITEMS)
    items = next((folder / name for name in names if (folder / name).is_file()), None)
    if items is None:
        raise _missing(source, " or ".join(ITEMS))
    wanted = [INSTRUCTIONS[items.name]] if items.name in INSTRUCTIONS else []
    wanted += [name for name in INSTRUCTIONS.values() if name not in wanted]
    instructions = next((folder / name for name in wanted if (folder / name).is_file()), None)
    if instructions is None:
        raise _missing(source, " or ".join(wanted))
    human = folder / HUMAN
    return Files(items, instructions, human if human.is_file() else None)


def _missing(source: Path, expected: str) -> MissingFileError:
    folder = source.parent if source.is_file() else source
    there = sorted(path.name for path in folder.iterdir())[:12] if folder.is_dir() else []
    return MissingFileError(
        f"expected {expected} in {folder.absolute()}, got {', '.join(there) or 'no such folder, or an empty one'}; a"
        f" WebShop folder holds {' or '.join(ITEMS)}, {' or '.join(INSTRUCTIONS.values())} and {HUMAN}; they come from"
        f" {ORIGIN}"
    )


@dataclass(slots=True)
class LoadReport:
    """Counts of the records of an items file, and the problems in them.

    Attributes:
        read: Number of records.
        loaded: Number of records that became products.
        problems: How often each kind of problem occurred.
        listed: The first `LISTED` problems: record (from 0), asin, problem.
    """

    read: int = 0
    loaded: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    listed: list[dict[str, Any]] = field(default_factory=list)

    def add(self, record: int, asin: str, problem: str) -> None:
        """Adds a problem; problems that differ only after ", got " are counted together."""
        self.problems[problem.partition(", got ")[0]] += 1
        if len(self.listed) < LISTED:
            self.listed.append({"record": record, "asin": asin, "problem": problem})

    def as_dict(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {"read": self.read, "loaded": self.loaded, "problems": dict(self.problems), "listed": self.listed}


def read_products(files: Files, report: LoadReport, num_products: int | None = None) -> Iterator[Product]:
    """The products of a catalogue in the order of its file.

    Args:
        files: From `find_files`.
        report: Filled while reading.
        num_products: Read only so many records, including skipped ones; None reads all.

    Raises:
        DataError: A file is not JSON of the expected form.
    """
    attributes = _read_mapping(files.instructions)
    human = _read_mapping(files.human) if files.human else {}
    seen: set[str] = set()
    for index, (record, intact) in enumerate(_stream(files.items)):
        if index == num_products:
            return
        report.read += 1
        asin = record.get("asin") if isinstance(record, Mapping) else None
        reason = _reason_to_skip(asin, seen, intact)
        if reason:
            report.add(index, str(asin), reason)
            continue
        assert isinstance(asin, str), "a reason to skip covers everything else"
        seen.add(asin)
        report.loaded += 1
        if asin != asin.upper():
            report.add(index, asin, "asin not in upper case: it is found, but cannot be opened")
        yield read_product(record, attributes.get(asin), human.get(asin), partial(report.add, index, asin))


def _reason_to_skip(asin: Any, seen: set[str], intact: bool) -> str | None:
    if not isinstance(asin, str):
        return "left out: expected an object with an asin"
    if not intact:
        return "left out: bytes that are no UTF-8"
    if asin == "nan" or len(asin) > MAX_ASIN:
        return f"left out: asin 'nan' or longer than {MAX_ASIN} characters"
    return "left out: duplicate asin" if asin in seen else None


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes().decode("utf-8-sig", errors="replace"))
    except ValueError as error:
        raise DataError(f"{path.name}: expected JSON: {error}") from error
    if not isinstance(value, dict):
        raise DataError(f"{path.name}: expected an object with an entry per asin, got {type(value).__name__}")
    return value


def _stream(path: Path) -> Iterator[tuple[Any, bool]]:
    """The items of a JSON list, each with whether its bytes are UTF-8; only a few megabytes are held at once."""
    decode = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape").decode
    parse = json.JSONDecoder().raw_decode
    with path.open("rb") as file:
        text, count = decode(file.read(_CHUNK)).lstrip(), 0
        if not text.startswith("["):
            raise DataError(f"{path.name}: expected a JSON list of products, got {text[:40]!r}")
        position = 1
        while True:
            position = _GAP.match(text, position).end()  # type: ignore[union-attr]  # it always matches
            if text[position : position + 1] == "]":
                return
            try:
                value, end = parse(text, position)
            except ValueError as error:
                more = decode(chunk := file.read(_CHUNK), final=not chunk)
                if not chunk or len(text) - position > _MAX_RECORD:
                    raise DataError(f"{path.name}: record {count}: expected a JSON object or ']': {error}") from error
                text, position = text[position:] + more, 0
                continue
            yield value, not _NO_UTF8.search(text, position, end)
            position, count = end, count + 1
