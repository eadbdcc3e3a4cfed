"""Builds the shop's pages: what they show, and what can be clicked on them.

    >>> page = index_page("Find me a lamp")
    >>> page.text()
    'WebShop [SEP] Instruction: [SEP] Find me a lamp [SEP] Search'
    >>> page.clickables
    ['search']

A page is the sequence of text nodes of WebShop's HTML; both observation modes and the clickables are derived from it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lumos_rl.envs.webshop.tools.product import Product

SEPARATOR = " [SEP] "
PER_PAGE = 10  # products on a page of results

SEARCH, BUY, BACK, NEXT, PREVIOUS = "Search", "Buy Now", "Back to Search", "Next >", "< Prev"
DESCRIPTION, FEATURES, REVIEWS, ATTRIBUTES = "Description", "Features", "Reviews", "Attributes"
SUB_PAGES = (DESCRIPTION, FEATURES, REVIEWS, ATTRIBUTES)

_ASCII_SPACES = " \n\t\f\r"
_JSON_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&'"}


class Kind(StrEnum):
    """The kind of a text node."""

    TEXT = "text"
    BUTTON = "button"
    LINK = "link"  # to a product
    OPTION = "option"


class PageName(StrEnum):
    """The five kinds of page."""

    INDEX = "index"
    RESULTS = "search_results"
    ITEM = "item_page"
    SUB = "item_sub_page"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Node:
    """A piece of text; `option` is the name of the option if the text is a value of one."""

    text: str
    kind: Kind = Kind.TEXT
    option: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page.

    Attributes:
        name: Which kind of page.
        nodes: Its texts in order, as written.
        targets: Clickable text → its node, in the order shown to agents.
        location: The end of the page's address, which holds the selected options; "" if nothing can be selected.
        visited: Ids of the products seen since the last visit to the index page.
    """

    name: PageName
    nodes: tuple[Node, ...]
    targets: Mapping[str, Node]
    location: str = ""
    visited: Collection[str] = ()

    @property
    def clickables(self) -> list[str]:
        """What `click[…]` accepts, in order."""
        return list(self.targets)

    def text(self) -> str:
        """The observation of mode "text", which does not show selected options."""
        return SEPARATOR.join(node.text.strip() for node in self.nodes)

    def text_rich(self) -> str:
        """The observation of mode "text_rich", which marks buttons and what was clicked."""
        chosen: list[str] = []
        lines: list[str] = []
        for node in self.nodes:
            clicked = self._is_clicked(node)
            mark = "clicked button" if clicked else "button"
            if node.kind == Kind.TEXT:
                lines.append(node.text)
            elif node.kind == Kind.BUTTON:
                lines.append(f"[button] {node.text} [button_]")
            elif node.kind == Kind.LINK:
                lines.append(f"\n[{mark}] {node.text} [{mark}_]")
            else:
                lines.append(f"  [{mark}] {node.text} [{mark}_]")
                if clicked:
                    chosen.insert(0, f"You have clicked {node.text}.")
        return "".join(f"{line}\n" for line in chosen + lines)

    def _is_clicked(self, node: Node) -> bool:
        if node.kind == Kind.LINK:
            return node.text in self.visited
        return node.kind == Kind.OPTION and f'"{node.text}"' in self.location


def page_of(name: PageName, nodes: Iterable[Node], location: str = "", visited: Collection[str] = ()) -> Page:
    """The page with these texts, without those that a browser would not show."""
    nodes = tuple(nodes)
    return Page(name, tuple(_visible(nodes)), _targets(nodes), location, visited)


def _visible(nodes: Iterable[Node]) -> Iterable[Node]:
    """Drops texts as an HTML parser does: empty ones, and blank ones with a line break; other blank ones become " "."""
    for node in nodes:
        if node.text.strip(_ASCII_SPACES):
            yield node
        elif node.text and "\n" not in node.text:
            yield Node(" ", node.kind, node.option)


def _targets(nodes: Sequence[Node]) -> dict[str, Node]:
    """Buttons, then links, then options; a repeated text keeps its first place but gets the last node."""
    found = {node.text.lower(): node for kind in (Kind.BUTTON, Kind.LINK) for node in nodes if node.kind is kind}
    found.update((node.text, node) for node in nodes if node.kind is Kind.OPTION)
    return found


def _instruction(instruction: str) -> list[Node]:
    return [Node("Instruction:"), Node(instruction), Node(BACK, Kind.BUTTON)]


def index_page(instruction: str) -> Page:
    """The page with the search bar."""
    nodes = (Node("WebShop"), Node("Instruction: "), Node(instruction), Node(SEARCH, Kind.BUTTON))
    return page_of(PageName.INDEX, nodes)


def results_page(
    instruction: str, products: Sequence[Product], number: int, total: int, visited: Collection[str]
) -> Page:
    """Page `number` (from 1) of `total` results, with its own `products`."""
    nodes = [*_instruction(instruction), Node(f"Page {number} (Total results: {total})")]
    if number > 1:
        nodes.append(Node(PREVIOUS, Kind.BUTTON))
    nodes.append(Node(NEXT, Kind.BUTTON))
    for product in products:
        nodes += (Node(product.asin, Kind.LINK), Node(product.name), Node(product.price_tag))
    return page_of(PageName.RESULTS, nodes, visited=visited)


def item_page(instruction: str, product: Product, location: str, show_attributes: bool) -> Page:
    """A product with its options; `location` as in `Page`."""
    nodes = [*_instruction(instruction), Node(PREVIOUS, Kind.BUTTON)]
    for name, values in product.options.items():
        nodes.append(Node(name))
        nodes += (Node(value, Kind.OPTION, name) for value in values)
    nodes += (Node(product.name), Node(f"Price: {product.price_tag}"), Node("Rating: N.A."))
    subs = SUB_PAGES if show_attributes else SUB_PAGES[:-1]
    nodes += (Node(title, Kind.BUTTON) for title in (*subs, BUY))
    return page_of(PageName.ITEM, nodes, location)


def sub_page(instruction: str, product: Product, title: str) -> Page:
    """One of `SUB_PAGES` of a product."""
    nodes = [*_instruction(instruction), Node(PREVIOUS, Kind.BUTTON)]
    if title == DESCRIPTION:
        nodes.append(Node(product.description))
    elif title == FEATURES:
        nodes += (Node(f" {bullet}") for bullet in product.bullets)
    elif title == ATTRIBUTES:
        nodes += (Node(f" {attribute}") for attribute in product.attributes)
        nodes += (Node(product.category), Node(product.query), Node(product.product_category))
    return page_of(PageName.SUB, nodes)


def done_page(asin: str, options: Mapping[str, str], reward: float) -> Page:
    """The page after a purchase. Its words are WebShop's, including the fields that WebShop leaves empty."""
    shown = json.dumps(options, sort_keys=True).translate(_JSON_ESCAPES)
    texts = (
        *("Thank you for shopping with us!", "Your code: ", "None", " (Paste it in your MTurk interface.)"),
        *("Purchased", "asin", asin, "options", shown, "attrs", "None", "category", "None", "query", "None"),
        *("product category", "None", "Target", "asin", "options", "attrs", "price upper", "instuction text"),
        *("category", "product category", "query", "Goal ", "None", "Reward"),
        *("Your score (min 0.0, max 1.0)", str(reward), "Reward Details ", "None"),
    )
    return page_of(PageName.DONE, map(Node, texts))
