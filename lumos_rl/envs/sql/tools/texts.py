"""MySQL's functions of regular expressions, and rarer ones of texts; `functions` installs them.

FUNCTIONS["regexp_replace"]("abc", "b(.)", "$1-")     # 'ac-'
FUNCTIONS["insert"]("Quadratic", 3, 4, "What")        # 'QuWhattic'
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Any

from lumos_rl.envs.sql.tools.numerics import bits, number_of, whole
from lumos_rl.envs.sql.tools.patterns import expression, matching

_SOUNDS = str.maketrans("BFPVCGJKQSXZDTLMNR", "111122222222334556")
MAX_MADE = 1_000_000  # characters that one replacement makes
_REFERENCE = re.compile(r"\\(.)|\$(\d)", re.DOTALL)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _found(text: Any, pattern: Any, start: Any, flags: Any) -> Iterator[Any]:
    """The matches in a text from a position that counts from 1."""
    text, flags = _text(text), _text(flags)
    is_case = flags.rfind("c") > flags.rfind("i")
    extra = "".join({"m": "m", "n": "s", "u": ""}.get(flag, "") for flag in flags if flag not in "ci")
    whole_pattern = f"(?{extra}){_text(pattern)}" if extra else _text(pattern)
    with matching() as timeout:
        yield from expression(whole_pattern, text, ignore_case=not is_case).finditer(
            text, pos=max(0, whole(start) - 1), timeout=timeout
        )


def _nth(found: Iterator[Any], occurrence: Any) -> Any:
    return next((match for number, match in enumerate(found, 1) if number == max(1, whole(occurrence))), None)


def _like(text: Any, pattern: Any, flags: Any = "") -> int:
    return int(_nth(_found(text, pattern, 1, flags), 1) is not None)


def _substring(text: Any, pattern: Any, start: Any = 1, occurrence: Any = 1, flags: Any = "") -> str | None:
    match = _nth(_found(text, pattern, start, flags), occurrence)
    return None if match is None else str(match[0])


def _position(text: Any, pattern: Any, start: Any = 1, occurrence: Any = 1, is_end: Any = 0, flags: Any = "") -> int:
    match = _nth(_found(text, pattern, start, flags), occurrence)
    return 0 if match is None else 1 + (match.end() if whole(is_end) else match.start())


def _replaced(text: Any, pattern: Any, new: Any, start: Any = 1, occurrence: Any = 0, flags: Any = "") -> str | None:
    whole_text, parts, position, left = _text(text), [], 0, MAX_MADE
    for number, match in enumerate(_found(text, pattern, start, flags), 1):
        if whole(occurrence) in (0, number):
            parts += [whole_text[position : match.start()], _filled(_text(new), match)]
            position = match.end()
            left -= len(parts[-1]) + len(parts[-2])
            if left < 0:
                return None
    return "".join([*parts, whole_text[position:]])


def _filled(new: str, match: Any) -> str:
    return _REFERENCE.sub(lambda found: found[1] if found[1] is not None else match[int(found[2])] or "", new)


def _insert(text: Any, position: Any, length: Any, new: Any) -> str:
    old, start, size = _text(text), whole(position) - 1, whole(length)
    if not 0 <= start < len(old):
        return old
    end = len(old) if size < 0 else start + size
    return old[:start] + _text(new) + old[end:]


def _soundex(value: Any) -> str:
    letters = [letter for letter in _text(value).upper() if letter.isalpha()]
    codes = [letter.translate(_SOUNDS) if letter.isascii() else "" for letter in letters]
    found, before = "".join(letters[:1]), codes[0] if codes else ""
    for letter, code in zip(letters[1:], codes[1:], strict=True):
        if code.isdigit() and code != before:
            found += code
        if letter not in "HW":
            before = code if code.isdigit() else "" if letter in "AEIOUY" else before
    return found.ljust(4, "0") if found else ""


def _quote(value: Any) -> str:
    text = _text(value).replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0").replace("\x1a", "\\Z")
    return f"'{text}'"


def _make_set(number: Any, *parts: Any) -> str:
    return ",".join(_text(part) for place, part in enumerate(parts) if bits(number) >> place & 1)


def _from_base64(value: Any) -> bytes | None:
    try:
        return base64.b64decode(_text(value), validate=True)
    except binascii.Error:
        return None


def _char(*codes: Any) -> bytes:
    return b"".join(_bytes(bits(code) % 2**32) for code in codes)


def _bytes(code: int) -> bytes:
    return code.to_bytes(max(1, (code.bit_length() + 7) // 8))


def _inet(value: Any) -> int | None:
    parts = _text(value).split(".")
    if not (len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)):
        return None
    return sum(int(part) << 8 * place for place, part in enumerate(reversed(parts)))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "regexp_like": _like,
    "regexp_substr": _substring,
    "regexp_instr": _position,
    "regexp_replace": _replaced,
    "insert": _insert,
    "soundex": _soundex,
    "quote": _quote,
    "make_set": _make_set,
    "ord": lambda value: int.from_bytes(_text(value)[:1].encode("utf-8", "replace")),
    "bit_length": lambda value: 8 * len(value if isinstance(value, bytes) else _text(value).encode("utf-8", "replace")),
    "to_base64": lambda value: base64.b64encode(_text(value).encode()).decode(),
    "from_base64": _from_base64,
    "char": _char,
    "inet_aton": _inet,
    "inet_ntoa": lambda value: ".".join(str(whole(number_of(value)) >> shift & 255) for shift in (24, 16, 8, 0)),
}
