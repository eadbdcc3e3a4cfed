"""The shop in the action language: tools that share one visit.

    R1 = Search(red desk lamp)                                    # b07x - Desk Lamp ** b09y - Floor Lamp
    R2 = Click(b07x); R3 = FeatureRetrieve(R2, Query: dark red)   # red, dark blue, large
    R4 = Click(< Prev); R5 = Click(b09y); R6 = FeatureRetrieve(R5, Query: dark red)
    R7 = Pick(Item_names: R1, Item_features: [R3, R6], Query: red desk lamp)   # b07x - Desk Lamp
    R8 = Click(< Prev); R9 = Click(R7); R10 = Click(red); R11 = Click(Buy Now)

`Act(search[words])` and `Act(click[button])` do the same in WebShop's own syntax.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from lumos_rl.envs.webshop.tools.analysis import terms
from lumos_rl.envs.webshop.tools.fuzzy import token_set_ratio
from lumos_rl.envs.webshop.tools.pages import Kind
from lumos_rl.envs.webshop.tools.session import Session
from lumos_rl.errors import ToolError
from lumos_rl.tools.base import Tool, ToolSpec, Value, arguments, lookup

Scorer = Callable[[str, str], float]  # query, text → how well they fit

BETWEEN_ITEMS = " ** "
BETWEEN_PARTS = " - "  # between the id and the title of an item
SHOWN_ITEMS = 2  # Yin et al. 2023: a search gives its first two products
CLOSEST = 3  # Yin et al. 2023: FeatureRetrieve gives the three closest features
_RESULT = re.compile(r"R[0-9]+")
_NAMES = re.compile(r"Item_names:")
_ITEM_FEATURES = re.compile(r",\s*Item_features:\s*\[")
_END_AND_QUERY = re.compile(r"\],\s*Query:")
_QUERY = re.compile(r",\s*Query:")
MAX_QUERY = 300  # characters; comparing two texts takes the product of their lengths
MAX_LIST = 3000  # characters of a list that is written in the action


def lexical_score(query: str, text: str) -> float:
    """Share of the query's words in the text; ties are broken by the similarity of the two."""
    wanted = _terms(query)
    share = len(wanted & _terms(text)) / len(wanted) if wanted else 0.0
    return share + token_set_ratio(query, text) / 10_000


@lru_cache(maxsize=1 << 12)
def _terms(text: str) -> frozenset[str]:
    return frozenset(terms(text))


class Search:
    """Searches, and returns the first two products."""

    usage = "Search(words): opens the results and gives the first two items, each as its id and its title"
    schema = arguments(words="Words to search for.")

    def __init__(self, session: Session) -> None:
        self.session = session

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The items as a list; its text has ` ** ` between them.

        Raises:
            ToolError: There are no words, the shop cannot do this search, or it found nothing (its page is open then).
        """
        query = _text(args, bindings).lower()
        if not query:
            raise ToolError("expected words to search for, got none")
        self.session.search(query)
        nodes = self.session.page.nodes
        places = [place for place, node in enumerate(nodes) if node.kind is Kind.LINK][:SHOWN_ITEMS]
        if not places:
            raise ToolError(f"nothing was found for {query[:60]!r}; search for other words")
        return _listed(
            [f"{nodes[place].text.lower()}{BETWEEN_PARTS}{nodes[place + 1].text}" for place in places], BETWEEN_ITEMS
        )


class Click:
    """Clicks something on the page."""

    usage = "Click(item or button): clicks what has this id or text, and gives what can be clicked next"
    schema = arguments(target="Id or text of what can be clicked.")

    def __init__(self, session: Session) -> None:
        self.session = session

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """What can be clicked on the next page; after a purchase the reward.

        Raises:
            ToolError: The page has nothing to click with this text.
        """
        target = _text(args, bindings).lower()
        targets = self.session.page.targets
        item = target.partition(BETWEEN_PARTS)[0]  # the id of the first item in a result of Search
        if target not in targets and item in targets and targets[item].kind is Kind.LINK:
            target = item
        self.session.click(target)
        if self.session.reward is not None:
            return Value(self.session.reward, str(self.session.reward))
        return _listed(self.session.page.clickables, ", ")


class FeatureRetrieve:
    """Selects the features of an item that best match a query."""

    usage = "FeatureRetrieve(R2, Query: words): the 3 options of the item page R2 that are closest to the words"
    schema = arguments(page="An item page, such as R2.", query="Words that the option should fit.")

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The features, best first, or "none": the options of an item page, or the items of another list.

        Raises:
            ToolError: The arguments cannot be parsed, or a name is not bound.
        """
        parts = _between(args, _QUERY)
        if parts is None:
            raise ToolError(f"expected FeatureRetrieve(R2, Query: words), got {args[:60]!r}")
        query = _query(parts[1], bindings)
        features = _without_buttons(_items(parts[0], bindings))
        ranked = sorted(features, key=lambda feature: -self.scorer(query, feature))
        return _listed(ranked[:CLOSEST] or ["none"], ", ")


class Pick:
    """Selects the item that best matches a query."""

    usage = "Pick(Item_names: R1, Item_features: [R3, R6], Query: words): the item of R1 that fits the words best"
    schema = arguments(
        item_names="Names of items, such as R1.",
        item_features=("array", "Features found on their pages, such as R3."),
        query="Words that the item should fit.",
    )

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The best item by title and features together; the first one in a tie.

        Raises:
            ToolError: The arguments cannot be parsed, a name is not bound, or there is not one list of features per
                item.
        """
        parts = _between(args, _NAMES, _ITEM_FEATURES, _END_AND_QUERY)
        if parts is None or parts[0]:
            raise ToolError(f"expected Pick(Item_names: R1, Item_features: [R3, R6], Query: words), got {args[:60]!r}")
        query = _query(parts[3], bindings)
        names = _items(parts[1], bindings)
        features = [_text(part, bindings) for part in _written(parts[2]).split(",") if part.strip()]
        if not names or len(names) != len(features):
            raise ToolError(f"expected features for each of the {len(names)} items, got {len(features)}")
        scores = [self.scorer(query, f"{name}, {feature}") for name, feature in zip(names, features, strict=True)]
        return Value.of(names[scores.index(max(scores))])


class Act:
    """Runs an action in WebShop's own syntax."""

    usage = "Act(search[words]) or Act(click[button]): the shop's own actions, which also work without Act and brackets"
    schema = arguments(action="search[words] or click[button].")

    def __init__(self, session: Session) -> None:
        self.session = session

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The next page, as text.

        Raises:
            ToolError: The action has no effect; the message says why.
        """
        self.session.act(args)
        return Value.of(self.session.page.text())


def _between(text: str, *marks: re.Pattern[str]) -> list[str] | None:
    """The texts before, between and after the first marks in this order; None if one is missing."""
    parts, start = [], 0
    for mark in marks:
        found = mark.search(text, start)
        if found is None:
            return None
        parts.append(text[start : found.start()])
        start = found.end()
    return [part.strip() for part in (*parts, text[start:])]


def _query(args: str, bindings: Mapping[str, Value]) -> str:
    """The words that something should fit.

    Raises:
        ToolError: They are too long.
    """
    query = _text(args, bindings)
    if len(query) > MAX_QUERY:
        raise ToolError(f"expected a query of at most {MAX_QUERY} characters, got {len(query)}")
    return query


def _written(text: str) -> str:
    """A list that is written in the action.

    Raises:
        ToolError: It is too long.
    """
    if len(text) > MAX_LIST:
        raise ToolError(f"expected a list of at most {MAX_LIST} characters, got {len(text)}; use a result such as R1")
    return text


def _text(args: str, bindings: Mapping[str, Value]) -> str:
    args = args.strip()
    return lookup(args, bindings).text if _RESULT.fullmatch(args) else args


def _items(args: str, bindings: Mapping[str, Value]) -> list[str]:
    """The items of a bound list, or of a list written in the action."""
    args = args.strip()
    if not _RESULT.fullmatch(args):
        separator = BETWEEN_ITEMS.strip() if BETWEEN_ITEMS.strip() in _written(args) else ","
        return [part.strip() for part in args.removeprefix("[").removesuffix("]").split(separator) if part.strip()]
    value = lookup(args, bindings)
    return [item.text for item in value.exact] if isinstance(value.exact, tuple) else [value.text]


def _without_buttons(texts: Sequence[str]) -> list[str]:
    """The options among the clickables of an item page, which come after "buy now"; other lists are unchanged."""
    buttons = ("back to search", "buy now")
    if all(button in texts for button in buttons):
        return list(texts[texts.index("buy now") + 1 :])
    return list(texts)


def _listed(texts: Sequence[str], separator: str) -> Value:
    return Value(tuple(Value.of(text) for text in texts), separator.join(texts))


SPECS = tuple(map(ToolSpec.of, (Search, Click, FeatureRetrieve, Pick, Act)))


def shop_tools(session: Session, scorer: Scorer = lexical_score) -> dict[str, Tool]:
    """The tools of one visit by name."""
    tools = (Search(session), Click(session), FeatureRetrieve(scorer), Pick(scorer), Act(session))
    return {type(tool).__name__: tool for tool in tools}
