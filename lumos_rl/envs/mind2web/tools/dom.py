r"""Web pages as trees: cleaned, pruned around some elements, and written as short text (MindAct, Deng et al. 2023).

    >>> page = parse_page('<html backend_node_id="1"> <a backend_node_id="2" title="Cart"> <text>two</text></a></html>')
    >>> get_tree_repr(prune_tree(page, ["2"]), id_mapping={})
    ('(html (a id=0 cart two))', {'2': 0})
    >>> format_candidate(page, {"backend_node_id": "2"})
    'ancestors: /html\ntarget: (a id=0 cart two)'

A page is XML text, an lxml element, or the root of an lxml document. Elements are identified by their attribute
`backend_node_id`, and the text of a page is in `<text>` elements. No function changes the tree that it is given. Every
function also takes a `Page`, which finds elements by id without a search; use it for repeated operations on one page.

Texts and trees equal those of MindAct's public processing, including its treatment of comments, tails and empty ids.
"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from functools import lru_cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeAlias

from lumos_rl.envs.mind2web.tools.markup import as_text, candidate_text
from lumos_rl.errors import DataError, MissingExtraError, UnknownNodeError

try:
    from lxml import etree
except ImportError as error:
    raise MissingExtraError("lxml", "web") from error

if TYPE_CHECKING:
    from lxml.etree import _Element, _ElementTree

Tree: TypeAlias = "Page | _Element | _ElementTree | str"

ID = "backend_node_id"
TEXT = "text"
MAX_DEPTH, MAX_CHILDREN, MAX_SIBLING = 5, 50, 3  # MindAct, prune_tree
MAX_VALUE_LENGTH, MAX_LENGTH = 5, 20  # words; MindAct, get_tree_repr
_KEPT_LENGTH = 500  # characters of the attributes whose words are cached, so that the cache stays below some 50 MB
LONGEST_WORD = 14  # letters; longer words of attributes are not shown

# Informative attributes, in the order in which they are shown.
SHOWN = (
    *("role", "aria_role", "type", "alt", "aria_description", "aria_label", "label", "title", "name", "text_value"),
    *("value", "placeholder", "input_checked", "input_value", "option_selected", "class"),
)
SALIENT = frozenset(SHOWN) - {"class"}
_EMPTY = {"role": ("presentation", "none", "link"), "type": ("hidden",)}  # attribute → uninformative values
_EMPTY_VALUES = ("hidden", "none", "presentation", "null", "undefined")
_SPACES = re.compile(r"\s+")


def parse_page(text: str) -> _Element:
    """The tree of a page.

    The parser repairs malformed XML as far as it can. Entities are never expanded, and nothing is loaded.

    Raises:
        DataError: It contains no element.
    """
    data = text.encode("utf-8", "replace")
    options: dict[str, Any] = {"encoding": "utf-8", "huge_tree": True, "resolve_entities": False, "no_network": True}
    try:
        return etree.fromstring(data, etree.XMLParser(**options))
    except etree.XMLSyntaxError:
        root = etree.fromstring(data, etree.XMLParser(recover=True, **options)) if data.strip() else None
    if root is None:
        raise DataError(f"expected a page as XML, got {text[:60]!r}")
    return root


def has_namespaces(root: _Element) -> bool:
    """Whether a tree declares a namespace."""
    return bool(root.nsmap) or any(True for _ in etree.iterwalk(root, events=("start-ns",)))


def page_markup(tree: _Element) -> str:
    """A tree as XML, in the dataset's format of pages."""
    return str(etree.tostring(tree, encoding="unicode", with_tail=False))


class Page:
    """A page with an index of its elements by id.

    Attributes:
        root: The tree; do not change it.
        nodes: Id → the first element with it, in document order.
        has_namespaces: Whether the tree declares a namespace.
    """

    __slots__ = ("has_namespaces", "nodes", "root")

    def __init__(self, tree: Tree) -> None:
        self.root = _root(tree)
        self.has_namespaces = has_namespaces(self.root)
        self.nodes: dict[str, _Element] = {}
        for node in self.root.iter(etree.Element):
            key = node.get(ID)
            if key is not None:
                self.nodes.setdefault(key, node)

    def __deepcopy__(self, memo: object) -> Page:
        """The page itself, because it never changes."""
        return self

    def node(self, key: str) -> _Element:
        """The element with an id.

        Raises:
            UnknownNodeError: There is no such element.
        """
        if key not in self.nodes:
            raise UnknownNodeError(f"expected a {ID} of this page ({len(self.nodes)} elements), got {key!r}")
        return self.nodes[key]


def clean_tree(raw: Tree, candidate_ids: Iterable[str]) -> _Element:
    """A copy without uninformative attributes, empty texts, and elements that only wrap another.

    Args:
        raw: A page as recorded.
        candidate_ids: Ids of elements that are kept even if they only wrap another.
    """
    candidates = {str(key) for key in candidate_ids}
    root = _copy(raw)
    for node in reversed(list(root.iter(etree.Element))):
        _clean_attributes(node)
        parent = node.getparent()
        if node.tag == TEXT:
            node.text = _collapsed(node.text)
            if not node.text and parent is not None:
                parent.remove(node)
        elif (node.get(ID) or "") not in candidates and len(node.attrib) == 1:
            _splice(node)
    return root


def _clean_attributes(node: _Element) -> None:
    for name, value in node.items():
        kept = ""
        if name == ID:
            continue
        if name == "class" and value and node.tag == "svg":
            kept = " ".join(word for word in value.split() if "icon" in word.lower())
        elif name in SALIENT and value not in _EMPTY.get(name, ()):
            kept = _collapsed(value)
        if kept:
            node.set(name, kept)
        else:
            del node.attrib[name]


def _collapsed(text: str | None) -> str:
    return _SPACES.sub(" ", text or "").strip()


def _splice(node: _Element) -> None:
    """Replaces an element by its only child, or removes it if it is empty; keeps the root and elements with text."""
    parent, children = node.getparent(), list(node)
    if parent is None or len(children) > 1 or any(child.tag == TEXT for child in children):
        return
    for child in children:
        node.addprevious(child)
    parent.remove(node)


def prune_tree(
    tree: Tree,
    ids: Iterable[str],
    max_depth: int = MAX_DEPTH,
    max_children: int = MAX_CHILDREN,
    max_sibling: int = MAX_SIBLING,
) -> _Element:
    """A copy of the surroundings of some elements, in which only these elements keep their ids.

    Args:
        tree: A clean page.
        ids: Ids of the elements.
        max_depth: Levels below the children of an element that are kept.
        max_children: Maximum number of descendants of an element that are kept, the first in document order.
        max_sibling: Neighbours that are kept on each side of an element.

    Raises:
        UnknownNodeError: No element has one of the ids.
    """
    page = _page(tree)
    candidates = {str(key) for key in ids}
    kept: set[str] = set()
    for key in candidates:
        node = page.node(key)
        below = islice(_descendants(node, max_depth), max(0, max_children))
        kept.update(_id(near) for near in chain([node], node.iterancestors(), below, _siblings(node, max_sibling)))
    root = _copy_kept(page, kept)
    for node in reversed(list(root.iter(etree.Element))):
        parent = node.getparent()
        if parent is not None and not _stays(node, parent, kept):
            parent.remove(node)
            continue
        if node.tag == TEXT or _id(node) not in candidates:
            node.attrib.pop(ID, None)
        if node.tag != TEXT and not node.attrib:
            _splice(node)
    return root


def _id(node: _Element) -> str:
    return node.get(ID) or ""


def _descendants(node: _Element, max_depth: int) -> Iterator[_Element]:
    """Descendants in document order, including comments, down to `max_depth` levels below the children."""
    levels = [iter(node)] if max_depth >= 0 else []
    while levels:
        child = next(levels[-1], None)
        if child is None:
            levels.pop()
            continue
        yield child
        if len(levels) <= max_depth:
            levels.append(iter(child))


def _siblings(node: _Element, count: int) -> Iterator[_Element]:
    if node.getparent() is None:
        return
    for preceding in (True, False):
        others = (other for other in node.itersiblings(preceding=preceding) if other.tag != TEXT)
        yield from islice(others, max(0, count))


def _copy_kept(page: Page, kept: set[str]) -> _Element:
    """A copy of the root with all kept elements, and possibly more."""
    if not page.has_namespaces:
        with contextlib.suppress(ValueError):  # lxml reads but cannot write some names: fb:like without a namespace
            return _built(page.root, kept)
    return copy.deepcopy(page.root)


def _built(root: _Element, kept: set[str]) -> _Element:
    """A copy built from the kept elements only, which is fast, because most of a page is not kept.

    Raises:
        ValueError: lxml cannot write the name of an element.
    """
    top = _alike(root, None)
    pending = [(root, top)]
    while pending:
        source, target = pending.pop()
        for child in source:
            if not isinstance(child.tag, str):  # a comment
                target.append(copy.copy(child))
            elif _stays(child, source, kept):
                pending.append((child, _alike(child, target)))
    return top


def _alike(node: _Element, parent: _Element | None) -> _Element:
    attributes = dict(node.attrib)
    made = etree.Element(node.tag, attributes) if parent is None else etree.SubElement(parent, node.tag, attributes)
    made.text, made.tail = node.text, node.tail
    return made


def _stays(node: _Element, parent: _Element, kept: set[str]) -> bool:
    """Whether an element is kept; a text is kept with its parent."""
    return _id(parent if node.tag == TEXT else node) in kept


def get_tree_repr(
    tree: Tree,
    max_value_length: int = MAX_VALUE_LENGTH,
    max_length: int = MAX_LENGTH,
    id_mapping: MutableMapping[str, Any] | None = None,
    keep_html_brackets: bool = False,
) -> tuple[str, MutableMapping[str, Any]]:
    """A page as one line of text, and the ids in it.

    Args:
        tree: A page, usually a pruned one.
        max_value_length: Maximum number of words of one attribute.
        max_length: Maximum number of words of one text, and of all attributes of an element.
        id_mapping: Id on the page → id in the text. Missing ids are added with the next numbers; None starts at 0.
        keep_html_brackets: Whether elements are written as `<a>…</a>` instead of `(a …)`.
    """
    mapping = {} if id_mapping is None else id_mapping
    root = _copy(tree)
    for node in root.iter(etree.Element):
        if node.tag == TEXT:
            node.text = " ".join((node.text or "").split()[:max_length])
            continue
        attributes = tuple(node.items())
        key = node.get(ID)
        if attributes:
            node.attrib.clear()
        if key is not None:
            node.set("id", str(mapping.setdefault(key, len(mapping))))
        if meta := meta_words(attributes, max_value_length, max_length):
            node.set("meta", meta)
    return as_text(etree.tostring(root, encoding="unicode"), keep_html_brackets), mapping


def meta_words(
    attributes: tuple[tuple[str, str], ...], max_value_length: int = MAX_VALUE_LENGTH, max_length: int = MAX_LENGTH
) -> str:
    """The words that show the attributes of an element."""
    short = sum(len(value) for _, value in attributes) <= _KEPT_LENGTH
    return (_kept_meta_words if short else _meta_words)(attributes, max_value_length, max_length)


@lru_cache(maxsize=1 << 14)
def _kept_meta_words(attributes: tuple[tuple[str, str], ...], max_value_length: int, max_length: int) -> str:
    return _meta_words(attributes, max_value_length, max_length)


def _meta_words(attributes: tuple[tuple[str, str], ...], max_value_length: int, max_length: int) -> str:
    found: Mapping[str, str] = dict(attributes)
    values: dict[str, None] = {}
    for name in SHOWN:
        value = found.get(name, "").lower()
        if value in _EMPTY_VALUES or value.startswith("http"):
            continue
        words = [word for word in value.split() if len(word) <= LONGEST_WORD]
        if words[:max_value_length]:
            values[" ".join(words[:max_value_length])] = None
    return " ".join(" ".join(values).split()[:max_length])


def format_candidate(tree: Tree, candidate: Mapping[str, Any]) -> str:
    """An element and its ancestors, in the format for rankers.

    Args:
        tree: A clean page.
        candidate: A record with its `backend_node_id`.

    Raises:
        UnknownNodeError: No element has this id.
    """
    pruned = prune_tree(tree, [candidate[ID]])
    node = next((found for found in pruned.iter(etree.Element) if found.get(ID) is not None), None)
    if node is None:
        raise UnknownNodeError(f"expected an element with {ID} {candidate[ID]!r}, got a text")
    parent = node.getparent()
    if parent is None:
        return candidate_text("", get_tree_repr(node)[0])
    parent.remove(node)
    return candidate_text(get_tree_repr(pruned)[0], get_tree_repr(node)[0])


def _root(tree: Tree) -> _Element:
    if isinstance(tree, str):
        return parse_page(tree)
    if isinstance(tree, Page):
        return tree.root
    return tree if etree.iselement(tree) else tree.getroot()


def _copy(tree: Tree) -> _Element:
    return parse_page(tree) if isinstance(tree, str) else copy.deepcopy(_root(tree))


def _page(tree: Tree) -> Page:
    return tree if isinstance(tree, Page) else Page(tree)
