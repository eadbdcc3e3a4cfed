r"""Makes texts of one page for many selections of elements, without building a tree for each.

    >>> page = PageText('<html backend_node_id="1"> <a backend_node_id="2" title="Cart"> <text>two</text></a></html>')
    >>> page.around(["2"])
    ('(html (a id=0 cart two))', {'2': 0})
    >>> page.candidate("2")
    'ancestors: /html\ntarget: (a id=0 cart two)'

`around` equals `get_tree_repr(prune_tree(page, ids), id_mapping=…)`, and `candidate` equals `format_candidate`. On
regular pages, like those of the dataset (every element has its own id, no comments, no namespaces), the markup is
composed of pieces that are computed once; on any other page those functions are called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from itertools import chain, islice
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from lumos_rl.envs.mind2web.tools import dom
from lumos_rl.errors import UnknownNodeError

if TYPE_CHECKING:
    from lxml.etree import _Element

_MOST_TEXTS = 200  # texts of one element that are written for a ranker, which reads at most 100 words of them
_DEEPEST = 200  # maximum depth of a regular page, because it is written by recursion


class _Part:
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
    """

    __slots__ = (
        "attributes",
        "children",
        "depth",
        "key",
        "parent",
        "place",
        "rank",
        "size",
        "tag",
        "tail",
        "text",
        "texts",
    )

    def __init__(self, node: _Element, key: str, parent: _Part | None) -> None:
        self.key, self.tag, self.attributes = key, str(node.tag), tuple(node.items())
        self.text, self.tail = _markup(node.text), _markup(node.tail)
        self.children: list[_Part] = []
        self.texts: list[tuple[int, str]] = []
        self.parent, self.size = parent, 0
        self.place: int = parent.size if parent else 0
        self.rank: int = len(parent.children) if parent else 0
        self.depth: int = parent.depth + 1 if parent else 0
        if parent:
            parent.children.append(self)

    def surroundings(self) -> Iterator[_Part | None]:
        """The element, its ancestors, its first descendants (None for texts), and its neighbours."""
        part: _Part | None = self
        while part is not None:
            yield part
            part = part.parent
        yield from islice(self._descendants(), dom.MAX_CHILDREN)
        if self.parent is not None:
            low, high = self.rank - dom.MAX_SIBLING, self.rank + dom.MAX_SIBLING + 1
            yield from self.parent.children[max(0, low) : high]

    def _descendants(self) -> Iterator[_Part | None]:
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

    def _content(self) -> Iterator[_Part | None]:
        if not self.texts:
            return iter(self.children)
        found = chain(((place, None) for place, _ in self.texts), ((child.place, child) for child in self.children))
        return iter([child for _, child in sorted(found, key=lambda item: item[0])])


def _markup(text: str | None) -> str:
    return escape(text, {"\r": "&#13;"}) if text else ""


def _quoted(value: str) -> str:
    return '"' + escape(value, {'"': "&quot;"}) + '"'


class PageText:
    """A page from which texts are made.

    Attributes:
        keys: Ids of all elements except texts, in document order.
    """

    def __init__(self, text: str) -> None:
        root = dom.parse_page(text)
        self._parts = {} if "xmlns" in text and dom.has_namespaces(root) else _parts(root)
        self._page = None if self._parts else dom.Page(root)
        nodes = {} if self._page is None else self._page.nodes
        self.keys = tuple(self._parts) or tuple(key for key, node in nodes.items() if node.tag != dom.TEXT)

    def __deepcopy__(self, memo: object) -> PageText:
        """The page itself, because it never changes."""
        return self

    def around(
        self, ids: Iterable[str], id_mapping: MutableMapping[str, Any] | None = None
    ) -> tuple[str, MutableMapping[str, Any]]:
        """The surroundings of some elements as one line, and the ids in it.

        Args:
            ids: Ids of the elements.
            id_mapping: As in `get_tree_repr`.

        Raises:
            UnknownNodeError: No element has one of the ids.
        """
        mapping = {} if id_mapping is None else id_mapping
        if self._page is not None:
            return dom.get_tree_repr(dom.prune_tree(self._page, ids), id_mapping=mapping)
        candidates = [self._part(key) for key in ids]
        writer = _Writer(candidates, self._root, mapping)
        return dom.as_text(writer.write()), mapping

    def candidate(self, key: str) -> str:
        """An element and its ancestors, in the format for rankers.

        Raises:
            UnknownNodeError: No element has this id.
        """
        if self._page is not None:
            return dom.format_candidate(self._page, {dom.ID: key})
        part = self._part(key)
        writer = _Writer([part], self._root, {}, aside=part)
        rest = writer.write()
        return dom.candidate_text(dom.as_text(rest) if part.parent else "", dom.as_text(writer.target))

    @property
    def _root(self) -> _Part:
        return next(iter(self._parts.values()))

    def _part(self, key: str) -> _Part:
        if key not in self._parts:
            raise UnknownNodeError(f"expected a {dom.ID} of this page ({len(self._parts)} elements), got {key!r}")
        return self._parts[key]


class _Writer:
    """Writes the markup of a pruned page once.

    Attributes:
        target: Markup of the element `aside`, which is written separately.
    """

    def __init__(
        self, candidates: list[_Part], root: _Part, mapping: MutableMapping[str, Any], aside: _Part | None = None
    ) -> None:
        self._candidates, self._mapping, self._aside = set(candidates), mapping, aside
        self._root, self.target = root, ""
        self._inside = False  # whether `aside` is being written
        kept = {near for part in candidates for near in part.surroundings() if near is not None}
        self._kept: dict[_Part, list[_Part]] = {}  # element → its children that are kept
        for part in kept:
            if part.parent is not None:
                self._kept.setdefault(part.parent, []).append(part)

    def write(self) -> str:
        """The markup, without the element `aside`."""
        return self._element(self._root) or ""

    def _element(self, part: _Part) -> str | None:
        """Markup of an element; None if nothing is left of it, "" for the element `aside`."""
        marks = ""
        if part in self._candidates:
            shown = str(self._mapping.setdefault(part.key, len(self._mapping)))
            marks = f" id={_quoted(shown)}"
        self._inside = self._inside or part is self._aside
        content = self._texts(part) if self._candidates else []
        for child in sorted(self._kept.get(part, ()), key=lambda child: child.place):  # ids are counted in this order
            if (markup := self._element(child)) is not None:
                content.append((child.place, markup))
        if len(part.attributes) == 1 and not marks and not part.texts and part.parent and len(content) <= 1:
            return content[0][1] if content else None
        if meta := dom.meta_words(part.attributes):
            marks += f" meta={_quoted(meta)}"
        inner = part.text + "".join(markup for _, markup in sorted(content))
        written = f"<{part.tag}{marks}>{inner}</{part.tag}>" if inner else f"<{part.tag}{marks}/>"
        if part is not self._aside:
            return written + part.tail
        self.target, self._inside = written + part.tail, False
        return ""

    def _texts(self, part: _Part) -> list[tuple[int, str]]:
        """The texts in an element; for a ranker those it can read: the last around `aside`, the first in it."""
        if self._aside is None:
            return list(part.texts)
        return part.texts[:_MOST_TEXTS] if self._inside else part.texts[-_MOST_TEXTS:]


def _parts(root: _Element) -> dict[str, _Part]:
    """The elements of a regular page by id, in document order; empty if the page is not regular."""
    parts: dict[str, _Part] = {}
    found: dict[_Element, _Part] = {}
    text_keys: set[str | None] = set()
    for node in root.iter():
        if not isinstance(node.tag, str) or node.tag[0] == "{":
            return {}
        key, parent = node.get(dom.ID), found.get(node.getparent())
        if node.tag == dom.TEXT:
            if parent is None or len(node) or len(node.attrib) > (key is not None):
                return {}
            words = " ".join((node.text or "").split()[: dom.MAX_LENGTH])
            parent.texts.append((parent.size, f"<text>{escape(words)}</text>{_markup(node.tail)}"))
            text_keys.add(key)
        else:
            if not key or key in parts or (parent is not None and parent.depth == _DEEPEST):
                return {}
            parts[key] = found[node] = _Part(node, key, parent)
        if parent is not None:
            parent.size += 1
    return parts if text_keys.isdisjoint(parts) else {}
