"""The shop's pages as HTML for people.

    document("Desk lamps", page_html(session.page, session.instruction, session.options, "/visit/x7"))

The pages have no scripts and load nothing: they only need forms and one style sheet, so they work in any browser, also
on a phone. Every text is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from itertools import dropwhile

from lumos_rl.envs.webshop.tools.pages import Kind, Node, Page, PageName

# Sent with every page: no script may run, and nothing may be loaded except the style sheet in the page itself.
SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --mark: #1a6fd4; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 46rem; overflow-wrap: anywhere; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin: 1rem 0 .3rem; }
.task { border-left: .3rem solid var(--mark); padding: .3rem .8rem; margin: 0 0 1rem; }
.button { display: inline-block; margin: .3rem 0; }
.bar { display: flex; flex-wrap: wrap; gap: .5rem; margin: .8rem 0; }
form { margin: 0; }
button, .button { font: inherit; min-height: 2.75rem; padding: .4rem .9rem; border: 1px solid var(--line);
  border-radius: .5rem; background: #8882; color: inherit; text-decoration: none; cursor: pointer; }
button.on { border-color: var(--mark); box-shadow: inset 0 0 0 1px var(--mark); }
button.buy { background: var(--mark); color: #fff; }
input[type=search] { font: inherit; min-height: 2.75rem; flex: 1 1 12rem; padding: .4rem .7rem; }
.card { border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem; margin: .6rem 0; }
.note { background: #d41a1a22; padding: .4rem .8rem; border-radius: .5rem; }
.reward { font-size: 2rem; } table { border-collapse: collapse; } td { padding: .1rem 1rem .1rem 0; }
pre { white-space: pre-wrap; background: #8882; padding: .5rem .8rem; border-radius: .5rem; }
"""


def document(title: str, *parts: str) -> str:
    """A complete HTML document from parts in HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def page_html(page: Page, instruction: str, options: Mapping[str, str], address: str | None) -> str:
    """One page of the shop.

    Args:
        page: The page.
        instruction: What to buy.
        options: Selected value of each option.
        address: Where the page's forms are sent; None disables all buttons.
    """
    parts = [f'<p class="task" id="instruction">{escape(instruction)}</p>']
    nodes = dropwhile(lambda node: node.kind is Kind.TEXT, page.nodes)  # the instruction is shown already
    if page.name is PageName.INDEX:
        parts.append(_search_bar(address))
    elif page.name is PageName.RESULTS:
        parts += _results(nodes, address)
    elif page.name is PageName.DONE:
        parts.append("<h1>Bought</h1>")
    else:
        parts += _item(nodes, options, address)
    return "\n".join(parts)


def _search_bar(address: str | None) -> str:
    off = _disabled(address)
    return (
        f'<h1>WebShop</h1>{_form_start(address)}<div class="bar">'
        f'<input type="search" name="query" id="query" aria-label="Search" required{off}>'
        f'<button name="act" value="search"{off}>Search</button></div></form>'
    )


def _results(nodes: Iterable[Node], address: str | None) -> list[str]:
    """Buttons and count, then a card for each product: its link and the texts after it."""
    top: list[str] = []
    cards: list[list[str]] = []
    for node in nodes:
        shown = f"<div>{escape(node.text)}</div>" if node.kind is Kind.TEXT else _button(node, address)
        if node.kind is Kind.LINK:
            cards.append([])
        (cards[-1] if cards else top).append(shown)
    return [f'<div class="bar">{"".join(top)}</div>', *(f'<div class="card">{"".join(card)}</div>' for card in cards)]


def _item(nodes: Iterable[Node], options: Mapping[str, str], address: str | None) -> list[str]:
    """An item or sub page: its buttons are in bars, the values of an option in one bar under its name."""
    parts: list[str] = []
    bar: list[str] = []

    def close() -> None:
        if bar:
            parts.append(f'<div class="bar">{"".join(bar)}</div>')
            bar.clear()

    for node in nodes:
        if node.kind is Kind.TEXT:
            close()
            parts.append(f"<p>{escape(node.text)}</p>")
        else:
            bar.append(_button(node, address, options.get(node.option) == node.text))
    close()
    return parts


def _button(node: Node, address: str | None, on: bool = False) -> str:
    target = node.text if node.kind is Kind.OPTION else node.text.lower()
    style = ' class="on" aria-pressed="true"' if on and node.kind is Kind.OPTION else ""
    style = ' class="buy"' if node.kind is Kind.BUTTON and target == "buy now" else style
    return (
        f'{_form_start(address)}<input type="hidden" name="act" value="click">'
        f'<button name="target" value="{escape(target)}"{style}{_disabled(address)}>{escape(node.text)}</button></form>'
    )


def _form_start(address: str | None) -> str:
    return f'<form method="post" action="{escape(address or "")}" accept-charset="utf-8">'


def _disabled(address: str | None) -> str:
    return "" if address else " disabled"


def reward_html(reward: float, details: Mapping[str, object]) -> str:
    """The reward of a purchase, with its parts."""
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>" for name, value in details.items())
    return f'<p>Reward (0 to 1)</p><p class="reward" id="reward">{reward}</p><table>{rows}</table>'


def note_html(text: str) -> str:
    """A note about the last action."""
    return f'<p class="note" id="note">{escape(text)}</p>'


def link_html(address: str, text: str, name: str = "") -> str:
    """A link that looks like a button, with an id if a name is given."""
    mark = f' id="{name}"' if name else ""
    return f'<a class="button"{mark} href="{escape(address)}">{escape(text)}</a>'
