r"""Splits a statement into MySQL's tokens, and writes tokens so that the parser of `dialect` reads them as MySQL does.

    [token.text for token in tokens_of("SELECT a--1 -- x")]    # ['SELECT', 'a', '-', '-', '1', '']
    tokens_of(r"'50\%' 'a''b'")[0].text                                 # "50\\%a'b": adjacent texts are one

A comment begins with `#`, `/*`, or `--` and a blank; a backslash escapes in texts, but stays before % and _.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from lumos_rl.errors import ToolError

# Words reserved in MySQL 8.0 (its manual, section Keywords and Reserved Words).
RESERVED = frozenset(
    """
    accessible add all alter analyze and as asc asensitive before between bigint binary blob both by call cascade case
    change char character check collate column condition constraint continue convert create cross cube cume_dist
    current_date current_time current_timestamp current_user cursor database databases day_hour day_microsecond
    day_minute day_second dec decimal declare default delayed delete dense_rank desc describe deterministic distinct
    distinctrow div double drop dual each else elseif empty enclosed escaped except exists exit explain false fetch
    first_value float float4 float8 for force foreign from fulltext function generated get grant group grouping groups
    having high_priority hour_microsecond hour_minute hour_second if ignore in index infile inner inout insensitive
    insert int int1 int2 int3 int4 int8 integer intersect interval into io_after_gtids io_before_gtids is iterate join
    json_table key keys kill lag last_value lateral lead leading leave left like limit linear lines load localtime
    localtimestamp lock long longblob longtext loop low_priority master_bind master_ssl_verify_server_cert match
    maxvalue mediumblob mediumint mediumtext middleint minute_microsecond minute_second mod modifies natural not
    no_write_to_binlog nth_value ntile null numeric of on optimize optimizer_costs option optionally or order out outer
    outfile over partition percent_rank precision primary procedure purge range rank read reads read_write real
    recursive references regexp release rename repeat replace require resignal restrict return revoke right rlike row
    row_number rows schema schemas second_microsecond select sensitive separator set show signal smallint spatial
    specific sql sqlexception sqlstate sqlwarning sql_big_result sql_calc_found_rows sql_small_result ssl starting
    stored straight_join system table terminated then tinyblob tinyint tinytext to trailing trigger true undo union
    unique unlock unsigned update usage use using utc_date utc_time utc_timestamp values varbinary varchar
    varcharacter varying virtual when where while window with write xor year_month zerofill
    """.split()
)
_SYNTAX = (
    "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the right"
    " syntax to use near '{}' at line {}"
)
_TOKEN = re.compile(
    r"""
      (?P<blank>[ \t\n\r\f\v]++|--(?=[ \t\n\r\f\v]|\Z)[^\n]*+|\#[^\n]*+|/\*(?!!).*?\*/)
    | (?P<bits>[xXbB]'[0-9a-fA-F]*+'|0[xb][0-9a-fA-F]++(?![\w$]))
    | (?P<text>(?:[nN]|_(?:utf8mb4|utf8mb3|utf8|latin1|ascii)[ \t\n]*+)?'(?:[^'\\]|\\.|'')*+'|"(?:[^"\\]|\\.|"")*+")
    | (?P<quoted>`(?:[^`]|``)++`)
    | (?P<number>\d++\.\d*+(?:[eE][-+]?\d++)?|\.\d++(?:[eE][-+]?\d++)?|\d++[eE][-+]?\d++|\d++(?![\w$]))
    | (?P<name>[0-9A-Za-z_$\u0080-\uffff]++)
    | (?P<sign><=>|->>|->|:=|\|\||&&|<<|>>|<>|!=|<=|>=|@@|[-+*/%^~!<>=()&|,.;@?{}])
    """,
    re.DOTALL | re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)|''|\"\"", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "Z": "\x1a", "%": "\\%", "_": "\\_"}


class Token(NamedTuple):
    """One token.

    Attributes:
        kind: "name", "quoted" (a name in backticks), "text", "number", "bits", "sign", "bad" (no token) or "end".
        text: Its meaning: the name or text without quotes; otherwise as written.
        word: The name in upper case, or the sign; "" for other kinds.
        start: Position of its first character.
        end: Position after its last character.
    """

    kind: str
    text: str
    word: str
    start: int
    end: int


def syntax_error(near: str, line: int = 1) -> ToolError:
    """MySQL's error 1064, for a text that it cannot parse."""
    return ToolError(_SYNTAX.format(near[:80], line))


def unsupported(what: str) -> ToolError:
    """MySQL's error 1235, for what is MySQL but not covered here."""
    return ToolError(f"This version of MySQL doesn't yet support '{what}'")


def unquoted(text: str, quote: str = "'") -> str:
    """The text that a literal without its quotes stands for."""
    if "\\" not in text and quote not in text:
        return text
    return _ESCAPE.sub(lambda found: _meant(found, quote), text)


def _meant(found: re.Match[str], quote: str) -> str:
    if found[1] is not None:
        return _ESCAPES.get(found[1], found[1])
    return quote if found[0] == 2 * quote else found[0]


def tokens_of(text: str) -> list[Token]:
    """The tokens of a statement, without comments; the last is of kind "end"."""
    text, found, position = text.rstrip("; \t\n\r\f\v"), [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            found.append(Token("bad", text[position], "", position, len(text)))
            break
        kind, end = str(match.lastgroup), match.end()
        if kind != "blank":
            token = _token(kind, match[0], position, end)
            if kind == "text" and found and found[-1].kind == "text":
                last = found.pop()
                token = Token("text", last.text + token.text, "", last.start, end)
            found.append(token)
        position = end
    return [*found, Token("end", "", "", len(text), len(text))]


def _token(kind: str, raw: str, start: int, end: int) -> Token:
    if kind == "name":
        return Token(kind, raw, raw.upper(), start, end)
    if kind == "text":
        quote = raw[-1]
        return Token(kind, unquoted(raw[raw.index(quote) + 1 : -1], quote), "", start, end)
    if kind == "quoted":
        return Token(kind, raw[1:-1].replace("``", "`"), "", start, end)
    return Token(kind, raw, raw if kind == "sign" else "", start, end)


_WRITTEN = {"||": "OR", "&&": "AND", "!=": "<>"}


def written(tokens: Iterable[Token], names: set[int]) -> str:
    """The statement with quoted names, plain operators and no comments.

    Args:
        tokens: Its tokens.
        names: Start of each token that is the name of a column, a table or an alias.
    """
    parts, last = [""], Token("end", "", "", -1, -1)
    for token in tokens:
        glued = "." in (token.word, last.word) or (token.word == "(" and token.start == last.end)
        parts.append(_one(token, names) if glued else " " + _one(token, names))
        last = token
    return "".join(parts).strip()


def _one(token: Token, names: set[int]) -> str:
    if token.kind == "text":
        return "'" + token.text.replace("\\", "\\\\").replace("'", "''") + "'"
    if token.kind == "quoted" or token.start in names:
        return "`" + token.text.replace("`", "``") + "`"
    if token.kind == "number" and token.text.endswith("."):
        return token.text + "0"
    return _WRITTEN.get(token.word, token.text)
