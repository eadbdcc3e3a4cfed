r"""Makes texts of one page for many selections of elements, without building a tree for each.

    >>> page = PageText('<html backend_node_id="1"> <a backend_node_id="2" title="Cart"> <text>two</text></a></html>')
    >>> page.around(["2"])
    ('(html (a id=0 cart two))', {'2': 0})
    >>> page.candidate("2")
    'ancestors: /html\ntarget: (a id=0 cart two)'

`around` equals `get_tree_repr(prune_tree(page, ids), id_mapping=…)`, and `candidate` equals `format_candidate`. On
regular pages, like those of the dataset (every element has its own id, no comments, no namespaces), the markup is
composed of pieces that are computed once; on any other page those functions are called, and take time in proportion to
the page for each candidate.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from itertools import chain
from typing import Any

from lumos_rl.envs.mind2web.tools import dom
from lumos_rl.envs.mind2web.tools.ancestors import Ancestors, whole
from lumos_rl.envs.mind2web.tools.markup import as_text, candidate_text
from lumos_rl.envs.mind2web.tools.parts import Part, quoted, read_parts
from lumos_rl.errors import UnknownNodeError

_MOST_TEXTS = 200  # texts of one element that are written for a ranker, which reads at most 100 words of them
_DEEPEST = 200  # maximum depth of a page whose surroundings are written by recursion


class PageText:
    """A page from which texts are made.

    Attributes:
        keys: Ids of all elements except texts, in document order.
    """

    def __init__(self, text: str) -> None:
        root = dom.parse_page(text)
        self._parts = {} if "xmlns" in text and dom.has_namespaces(root) else read_parts(root)
        is_deep = any(part.depth > _DEEPEST for part in self._parts.values())
        self._page = dom.Page(root) if is_deep or not self._parts else None
        nodes = {} if self._page is None else self._page.nodes
        self._ancestors = Ancestors()
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
        kept = chain.from_iterable(part.surroundings() for part in candidates)
        writer = _Writer(candidates, kept, next(iter(self._parts.values())), mapping)
        return as_text(writer.write()), mapping

    def candidate(self, key: str) -> str:
        """An element and its ancestors, in the format for rankers.

        Raises:
            UnknownNodeError: No element has this id.
        """
        if not self._parts and self._page is not None:
            return dom.format_candidate(self._page, {dom.ID: key})
        part = self._part(key)
        target = _Writer([part], part.first_descendants(), part, {}).write(_MOST_TEXTS)
        return candidate_text(self._ancestors.text(part), as_text(target))

    def _part(self, key: str) -> Part:
        if key not in self._parts:
            raise UnknownNodeError(f"expected a {dom.ID} of this page ({len(self._parts)} elements), got {key!r}")
        return self._parts[key]


class _Writer:
    """Writes the markup of a pruned page once."""

    def __init__(
        self, candidates: list[Part], kept: Iterable[Part | None], root: Part, mapping: MutableMapping[str, Any]
    ) -> None:
        self._candidates, self._mapping, self._root = set(candidates), mapping, root
        self._kept: dict[Part, list[Part]] = {}  # element → its children that are kept
        for part in {part for part in kept if part is not None}:
            if part.parent is not None:
                self._kept.setdefault(part.parent, []).append(part)

    def write(self, most_texts: int | None = None) -> str:
        """The markup, with at most so many texts of each element, the first."""
        return self._element(self._root, most_texts) or ""

    def _element(self, part: Part, most_texts: int | None) -> str | None:
        """Markup of an element; None if nothing is left of it."""
        marks = ""
        if part in self._candidates:
            shown = str(self._mapping.setdefault(part.key, len(self._mapping)))
            marks = f" id={quoted(shown)}"
        content = part.texts[:most_texts] if self._candidates else []
        for child in sorted(self._kept.get(part, ()), key=lambda child: child.place):  # ids are counted in this order
            if (markup := self._element(child, most_texts)) is not None:
                content.append((child.place, markup))
        if part.is_plain and not marks and len(content) <= 1:
            return content[0][1] if content else None
        return whole(part, content, marks)
