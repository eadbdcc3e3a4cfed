"""How long a statement of an agent may be: reading it takes at most some tens of milliseconds.

    check_length("SELECT 1")                # nothing
    check_length("SELECT " + "1+" * 9_000)  # ToolLimitError: Thread stack overrun: expected at most 1500 words …

MySQL's own limits are `max_allowed_packet` (64 MB) and the depth of its stack. The parser here is written in Python, so
the limits are lower: InterCode's longest recorded statement has fewer than 1,000 characters. They do not hold for the
dump, which is the user's.
"""

from __future__ import annotations

import re

from lumos_rl.errors import ToolLimitError

MAX_CHARACTERS = 60_000
MAX_WORDS = 1_500  # words, numbers, texts, signs and comments
MAX_SETS = 20  # UNION, INTERSECT and EXCEPT
_WORD = re.compile(
    r"""(?P<set>\b(?:UNION|INTERSECT|EXCEPT)\b)|\w+|--[ \t\r\n][^\n]*|\#[^\n]*|/\*.*?\*/"""
    r"""|'(?:[^'\\]|\\.)*+'?|"(?:[^"\\]|\\.)*+"?|`[^`]*+`?|[^\w\s]""",
    re.DOTALL | re.IGNORECASE,
)


def check_length(statement: str) -> None:
    """Refuses a statement that would take long to read.

    Raises:
        ToolLimitError: It is too long, or has too many words.
    """
    if len(statement) > MAX_CHARACTERS:
        raise ToolLimitError(
            f"Got a packet bigger than 'max_allowed_packet' bytes: expected at most {MAX_CHARACTERS} characters of SQL,"
            f" got {len(statement)}"
        )
    if len(statement) <= 14 * MAX_SETS:
        return  # for speed: not even UNION SELECT 1 fits in so often
    words = sets = 0
    for found in _WORD.finditer(statement):
        words += 1
        sets += found["set"] is not None
    if words > MAX_WORDS or sets > MAX_SETS:
        raise ToolLimitError(
            f"Thread stack overrun: expected at most {MAX_WORDS} words and signs and {MAX_SETS} set operations in a"
            f" statement, got {words} and {sets}"
        )
