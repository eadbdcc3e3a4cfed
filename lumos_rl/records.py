"""Converts frozen dataclasses (records of `lumos_rl.core`, settings) to JSON and back, and checks every type.

    to_json(Action(("R1",), "Count", "R0"))  # '{"outputs": ["R1"], "tool": "Count", "args": "R0", "result": null}'
    from_json(Action, '{"outputs": ["R1"], "tool": 7, "args": "R0"}', "plans.jsonl:3")
    # DataError: tool: expected str, got 7 (plans.jsonl:3)

Fields hold text, numbers, booleans, None, enums, dataclasses, and tuples and mappings of these. A field with a default
may be missing. An int is accepted as a float; no other type is converted.

`well_formed` makes text storable. A Python `str` may hold lone surrogates (`chr(0xD800)`), which neither a file nor a
tokenizer accepts, so every record that text enters by (a tool's value, a task, a completion, an observation) passes it.
"""

from __future__ import annotations

import dataclasses
import json
import operator
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, cast

import msgspec

from lumos_rl.errors import DataError

Kind = TypeVar("Kind")


def well_formed(value: Kind) -> Kind:
    """The text with U+FFFD for each lone surrogate; texts in lists, tuples, mappings and dataclasses likewise.

    >>> well_formed([chr(0xD800) + " apples", "5 €", 7])
    ['� apples', '5 €', 7]

    Two surrogates that form a pair become its character. What needs no change is returned itself.
    """
    made: Any = value
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            made = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    elif isinstance(value, list | tuple):
        items = [well_formed(item) for item in value]
        if any(map(operator.is_not, items, value)):
            made = items if isinstance(value, list) else tuple(items)
    elif isinstance(value, Mapping):
        pairs = {well_formed(name): well_formed(item) for name, item in value.items()}
        if any(name not in value or pairs[name] is not value[name] for name in pairs):
            made = pairs
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        if (pairs := well_formed(fields)) is not fields:
            made = dataclasses.replace(value, **pairs)
    return cast(Kind, made)


def to_json(record: object) -> str:
    """One JSON line (no newline) holding the record; non-ASCII text stays readable.

    Raises:
        DataError: A field holds a value of the wrong type, which `from_json` would refuse.
    """
    plain = msgspec.to_builtins(record, enc_hook=_plain)
    _converted(type(record), plain, f"{type(record).__name__} to be written")
    return json.dumps(plain, ensure_ascii=False)  # msgspec's own encoder turns NaN and infinities into null


def from_json(kind: type[Kind], line: str, where: str = "") -> Kind:
    """Parses a line that `to_json` wrote.

    Args:
        kind: The expected class.
        line: One JSON object.
        where: File and line, for the error message.

    Raises:
        DataError: The line is not JSON, or as in `from_builtins`.
    """
    try:
        value = json.loads(well_formed(line))
    except ValueError as error:
        raise DataError(f"expected one JSON object, got {line[:60]!r}{_in_brackets(where)}: {error}") from error
    if "\\ud" in line.lower():  # an escape may be a lone surrogate
        value = well_formed(value)
    return from_builtins(kind, value, where)


def to_builtins(record: object) -> dict[str, Any]:
    """The record as nested dicts and lists, as its JSON would parse."""
    return dict(json.loads(to_json(record)))


def from_builtins(kind: type[Kind], value: Any, where: str = "") -> Kind:
    """Builds a record from what `to_builtins` returned.

    Args:
        kind: The expected class.
        value: Its fields, nested as in JSON.
        where: File and line, for the error message.

    Raises:
        DataError: A field is missing, unknown or of the wrong type, or the class refuses a value. The message names the
            field by its path, such as `sft.lora.rank` or `turns[0].reward`.
    """
    record = _converted(kind, value, where)
    unknown = ", ".join(_unknown(value, msgspec.to_builtins(record, enc_hook=_plain), ""))
    if unknown:  # msgspec ignores them unless the class is a Struct
        raise DataError(f"expected the fields of {kind.__name__}, got also {unknown}{_in_brackets(where)}")
    return record


def _plain(value: Any) -> Any:
    """Converts what msgspec does not accept: other mappings, and subclasses such as NumPy's float64."""
    if isinstance(value, Mapping):
        return dict(value)
    for base in (str, int, float):
        if isinstance(value, base):
            return base(value)
    raise NotImplementedError


def _converted(kind: type[Kind], value: Any, where: str) -> Kind:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        says, _, place = str(error).partition(" - at `$")
        path = place.rstrip("`").removeprefix(".")
        says = _reworded(says, _at(value, path))
        raise DataError(f"{path or kind.__name__}: {says}{_in_brackets(where)}") from error


def _reworded(says: str, got: Any) -> str:
    """A message of msgspec that shows the value instead of its type."""
    if found := re.fullmatch("Expected `(.+)`, got `.+`", says):
        return f"expected {found[1]}, got {got!r:.60}"
    if found := re.fullmatch("Object missing required field `(.+)`", says):
        return f"expected a field {found[1]}, got {', '.join(got) or 'none'}"
    return says[:1].lower() + says[1:]


def _at(value: Any, path: str) -> Any:
    """The value at one of msgspec's paths. Such a path omits a mapping's keys; it then gives the whole mapping."""
    for step in re.findall(r"\w+", path.partition("[...]")[0]):
        value = value[step if isinstance(value, dict) else int(step)]
    return value


def _unknown(given: Any, kept: Any, path: str) -> Iterator[str]:
    """Paths of the fields that were given and that the record did not keep."""
    if isinstance(given, dict):
        for name, item in given.items():
            inner = f"{path}.{name}" if path else name
            if name not in kept:
                yield inner
            elif isinstance(item, dict | list | tuple):
                yield from _unknown(item, kept[name], inner)
    elif isinstance(given, list | tuple) and list(given) != list(kept):
        for place, (item, same) in enumerate(zip(given, kept, strict=True)):
            yield from _unknown(item, same, f"{path}[{place}]")


def _in_brackets(where: str) -> str:
    return f" ({where})" if where else ""
