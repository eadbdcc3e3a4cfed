"""The elements of a regular page, like those of the dataset: each has its own id; no comments, no namespaces.

parts = read_parts(parse_page('<html backend_node_id="1"> <a backend_node_id="2" title="Cart"/></html>'))
parts["2"].parent is parts["1"], parts["2"].depth      # (True, 1)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from lumos_rl.envs.mind2web.tools import dom

if TYPE_CHECKING:
    from lxml.etree import _Element


class Part:
    """An element of a regular page.

    Attributes:
        key: Its id.
        tag: Its tag.
        attributes: Names and values, including its id.
        parent: Its parent; None for the root.
        place: Its place among the children of its parent, including texts.
        size: Number of its children, including texts.
        children: Its children without texts.
        text: Markup in it before its children.
        tail: Markup after it.
        texts: Place and markup of each `<text>` in it.
        rank: Its place among `parent.children`.
        depth: Number of its ancestors.
        is_plain: Whether nothing of it is written where only one of its children is.
        shown: Its nearest ancestor that is not plain; None for the root.
        branch: Its ancestor, or itself, that is a child of `shown`.
    """

    __slots__ = (
        "attributes",
        "branch",
        "children",
        "depth",
        "is_plain",
        "key",
        "parent",
        "place",
        "rank",
        "shown",
        "size",
        "tag",
        "tail",
        "text",
        "texts",
    )

    def __init__(self, node: _Element, key: str, parent: Part | None) -> None:
        self.key, self.tag, self.attributes = key, str(node.tag), tuple(node.items())
        self.text, self.tail = markup_of(node.text), markup_of(node.tail)
        self.children: list[Part] = []
        self.texts: list[tuple[int, str]] = []
        self.parent, self.size = parent, 0
        self.place: int = parent.size if parent else 0
        self.rank: int = len(parent.children) if parent else 0
        self.depth: int = parent.depth + 1 if parent else 0
        self.is_plain, self.shown, self.branch = False, parent, self
        if parent:
            parent.children.append(self)

    def neighbours(self) -> list[Part]:
        """Itself and its nearest siblings on both sides, but for texts; none for the root."""
        if self.parent is None:
            return []
        return self.parent.children[max(0, self.rank - dom.MAX_SIBLING) : self.rank + dom.MAX_SIBLING + 1]

    def surroundings(self) -> Iterator[Part | None]:
        """The element, its ancestors, its first descendants (None for texts), and its neighbours."""
        part: Part | None = self
        while part is not None:
            yield part
            part = part.parent
        yield from self.first_descendants()
        yield from self.neighbours()

    def first_descendants(self) -> Iterator[Part | None]:
        """Its first descendants in document order; None for texts."""
        return islice(self._descendants(), dom.MAX_CHILDREN)

    def _descendants(self) -> Iterator[Part | None]:
        """Descendants in document order; None for texts."""
        levels = [self._content()]
        while levels:
            for child in levels[-1]:
                yield child
                if child is not None and len(levels) <= dom.MAX_DEPTH:
                    levels.append(child._content())
                    break
            else:
                levels.pop()

    def _content(self) -> Iterator[Part | None]:
        if not self.texts:
            return iter(self.children)
        found = chain(((place, None) for place, _ in self.texts), ((child.place, child) for child in self.children))
        return iter([child for _, child in sorted(found, key=lambda item: item[0])])


def markup_of(text: str | None) -> str:
    """Text between tags as markup."""
    return escape(text, {"\r": "&#13;"}) if text else ""


def quoted(value: str) -> str:
    """The value of an attribute as markup."""
    return '"' + escape(value, {'"': "&quot;"}) + '"'


def read_parts(root: _Element) -> dict[str, Part]:
    """The elements of a regular page by id, in document order; empty if the page is not regular."""
    parts: dict[str, Part] = {}
    found: dict[_Element, Part] = {}
    text_keys: set[str | None] = set()
    for node in root.iter():
        if not isinstance(node.tag, str) or node.tag[0] == "{":
            return {}
        key, parent = node.get(dom.ID), found.get(node.getparent())
        if node.tag == dom.TEXT:
            if parent is None or len(node) or len(node.attrib) > (key is not None):
                return {}
            words = " ".join((node.text or "").split()[: dom.MAX_LENGTH])
            parent.texts.append((parent.size, f"<text>{escape(words)}</text>{markup_of(node.tail)}"))
            text_keys.add(key)
        else:
            if not key or key in parts:
                return {}
            parts[key] = found[node] = Part(node, key, parent)
        if parent is not None:
            parent.size += 1
    for part in parts.values():
        parent = part.parent
        part.is_plain = parent is not None and len(part.attributes) == 1 and not part.texts
        if parent is not None and parent.is_plain:
            part.shown, part.branch = parent.shown, parent.branch
    return parts if text_keys.isdisjoint(parts) else {}
