"""Rewrites a recorded page as HTML that is safe to open: nothing in it runs, and nothing is loaded.

    still_html(raw_html, {"152": "gold", "170": "candidate"})
    # '<div> <button class="mark gold" id="e-152" …>Search</button> …'

Only plain elements and harmless attributes of the recorded page are written; scripts, styles, frames, addresses and
handlers are not. Elements keep their order, so the content of the page is visible, but not its design.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

from lxml import etree
from lxml.etree import _Element

from lumos_rl.envs.mind2web.tools.dom import ID, TEXT, parse_page

_DROPPED = frozenset(
    "script style head link meta base title iframe frame frameset object embed applet noscript template".split()
)
_PLAIN = frozenset(
    "a abbr address article aside b blockquote br button caption center cite code dd del details dfn dialog div dl dt"
    " em fieldset figcaption figure footer h1 h2 h3 h4 h5 h6 header hr i input ins kbd label legend li main mark nav ol"
    " optgroup option p pre q s section select small span strong sub summary sup table tbody td textarea tfoot th thead"
    " tr u ul var".split()
)
_VOID = frozenset({"br", "hr", "input"})
_KEPT = frozenset(
    "alt title role type value placeholder checked selected disabled colspan rowspan label aria_label".split()
)


def still_html(raw: str, marks: Mapping[str, str]) -> str:
    """The page as safe HTML.

    Args:
        raw: The page as recorded.
        marks: Id → classes of the elements to outline.

    Raises:
        DataError: It contains no page.
    """
    return "".join(_pieces(parse_page(raw), marks))


def _pieces(root: _Element, marks: Mapping[str, str]) -> Iterator[str]:
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, node in walk:
        if not isinstance(node.tag, str):
            continue
        tag = node.tag.rpartition("}")[2].lower()
        if tag in _DROPPED:
            if event == "start":
                walk.skip_subtree()
            elif node is not root:
                yield escape(node.tail or "")
        elif event == "start":
            yield (_start(node, tag, marks) if tag != TEXT else "") + escape(node.text or "")
        else:
            yield (_end(tag) if tag != TEXT else "") + (escape(node.tail or "") if node is not root else "")


def _name(tag: str) -> str:
    return tag if tag in _PLAIN else "div" if tag in ("html", "body", "form") else "span"


def _start(node: _Element, tag: str, marks: Mapping[str, str]) -> str:
    key = node.get(ID) or ""
    written = {name.replace("aria_", "aria-"): value for name, value in node.items() if name in _KEPT}
    if key in marks:
        written |= {"class": f"mark {marks[key]}", "id": f"e-{key}"}
    if tag == "input" and written.get("type") in ("file", "image", "hidden"):
        written["type"] = "text"  # visible and harmless
    if tag == "button":
        written["type"] = "button"
    shown = "".join(f' {name}="{escape(value)}"' for name, value in written.items())
    inside = escape(node.get("alt") or "▣") if tag in ("img", "svg", "video", "canvas", "picture") else ""
    return f"<{_name(tag)}{shown}>{inside}"


def _end(tag: str) -> str:
    return "" if tag in _VOID else f"</{_name(tag)}>"
