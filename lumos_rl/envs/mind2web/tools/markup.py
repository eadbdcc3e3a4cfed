r"""Markup of a page as the short text that a model or a ranker reads (MindAct, Deng et al. 2023).

>>> as_text('<html><a id="0" meta="cart"> <text>two</text></a></html>')
'(html(a id=0 cart two))'
>>> candidate_text("(html (ul list (li home )))", "(li id=0 Cart)")
'ancestors: /html/ul list/li home\ntarget: (li id=0 Cart)'
"""

from __future__ import annotations

import re

ANCESTOR_WORDS, TARGET_WORDS = 50, 100  # MindAct, format_candidate
_SPACES = re.compile(r"\s+")
_LONGEST = 10_000  # characters of what is before an element or after it
_OPENING, _CLOSING = re.compile(r"\s*\(\s*"), re.compile(r"\s*\)\s*")
_CLOSINGS = re.compile(r" ?\)[ )]*")
_UNESCAPED = (
    *(("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&ndash;", "-")),
    *(("&rsquo;", "'"), ("&lsquo;", "'"), ("&ldquo;", '"'), ("&rdquo;", '"')),
    *(("&#39;", "'"), ("&#40;", "("), ("&#41;", ")")),
)


def as_text(markup: str, keep_html_brackets: bool = False) -> str:
    """The markup with brackets instead of tags; page text that looks like markup is replaced, too, as in MindAct."""
    return _SPACES.sub(" ", bracketed(markup, keep_html_brackets)).strip()


def bracketed(markup: str, keep_html_brackets: bool = False) -> str:
    """As `as_text`, for a part of a page from one tag of an element to the next; all blanks are kept."""
    text = markup.replace('"', " ").replace("meta= ", "").replace("id= ", "id=").replace(" >", ">")
    text = _replaced(r"<text>(.*?)</text>", r"\1", text, "</text>")
    if not keep_html_brackets:
        text = text.replace("/>", "$/$>")
        text = _replaced(r"</.+?>", ")", text, ">")
        text = _replaced(r"<(.+?)>", r"(\1", text, ">")
        text = text.replace("$/$", ")")
    for entity, character in _UNESCAPED:
        text = text.replace(entity, character)
    return text


def _replaced(pattern: str, new: str, text: str, end: str) -> str:
    """`re.sub` for matches within a line that end with `end`; what is behind its last one is not searched in vain."""
    lines = text.split("\n")
    cuts = [line.rfind(end) + len(end) if end in line else 0 for line in lines]
    return "\n".join(re.sub(pattern, new, line[:cut]) + line[cut:] for line, cut in zip(lines, cuts, strict=True))


def candidate_text(rest: str, target: str) -> str:
    """The text of an element for rankers, from the text around it ("" for the root) and its own."""
    shown = " ".join(path_words(rest)[-ANCESTOR_WORDS:])
    return f"ancestors: {shown}\ntarget: {' '.join(target.split()[:TARGET_WORDS])}"


def path_words(text: str) -> list[str]:
    """The words of a text of ancestors, in which an opening bracket is a slash, and a closing one is nothing."""
    return _CLOSING.sub("", _OPENING.sub("/", text)).split()


def spaced(markup: str) -> str:
    """A part of a page as text, with one blank where there are several."""
    return _SPACES.sub(" ", bracketed(markup))


def path_piece(markup: str) -> str:
    """A part of the markup of ancestors as text, without blanks around brackets; several closing ones become one."""
    return _CLOSINGS.sub(")", _OPENING.sub("(", spaced(markup)))


def last_words(text: str) -> str:
    """As much of pieces of ancestors as their last words need."""
    text = _CLOSINGS.sub(")", text)  # where pieces meet
    words, most = path_words(text), ANCESTOR_WORDS + 1  # the first may be joined to a word before it
    return (text if len(words) <= most else " ".join(words[-most:]))[-_LONGEST:]
