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

from lumos_rl.envs.webshop.tools.analysis import terms
from lumos_rl.envs.webshop.tools.fuzzy import token_set_ratio
from lumos_rl.envs.webshop.tools.pages import Kind
from lumos_rl.envs.webshop.tools.session import Session
from lumos_rl.errors import ToolError
from lumos_rl.tools.base import Tool, ToolSpec, Value, arguments, lookup

Scorer = Callable[[str, str], float]  # query, text → how well they fit

BETWEEN_ITEMS = " ** "
BETWEEN_PARTS = " - "  # of an item: its id and its title
SHOWN_ITEMS = 2  # Yin et al. 2023: a search gives its first two products
CLOSEST = 3  # and FeatureRetrieve the three closest features
_RESULT = re.compile(r"R[0-9]+")
_FEATURES = re.compile(r"(?P<features>.*?),\s*Query:\s*(?P<query>.*)", re.DOTALL)
_PICK = re.compile(
    r"Item_names:\s*(?P<names>.*?),\s*Item_features:\s*\[(?P<features>.*?)\],\s*Query:\s*(?P<query>.*)", re.DOTALL
)


def lexical_score(query: str, text: str) -> float:
    """Share of the query's words that the text has, and in a tie how alike the two are."""
    wanted = set(terms(query))
    share = len(wanted & set(terms(text))) / len(wanted) if wanted else 0.0
    return share + token_set_ratio(query, text) / 10_000


class Search:
    """Searches, and gives the first two products."""

    usage = "Search(words): opens the results and gives the first two items, each as its id and its title"
    schema = arguments(words="Words to search for.")

    def __init__(self, session: Session) -> None:
        self.session = session

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The items as a list; its text has ` ** ` between them.

        Raises:
            ToolError: No words, a search that the shop cannot do, or nothing was found (the page is open anyway).
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
        """What can be clicked on the page that follows; after a purchase the reward.

        Raises:
            ToolError: Nothing on the page has this text.
        """
        target = _text(args, bindings).lower()
        targets = self.session.page.targets
        item = target.partition(BETWEEN_PARTS)[0]  # of an item, or of the first of several, as Search gives it
        if target not in targets and item in targets and targets[item].kind is Kind.LINK:
            target = item
        self.session.click(target)
        if self.session.reward is not None:
            return Value(self.session.reward, str(self.session.reward))
        return _listed(self.session.page.clickables, ", ")


class FeatureRetrieve:
    """Chooses the features of an item that fit a query best."""

    usage = "FeatureRetrieve(R2, Query: words): the 3 options of the item page R2 that are closest to the words"
    schema = arguments(page="An item page, such as R2.", query="Words that the option should fit.")

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The features, best first, "none" where there are none; of a page the options alone, of another list all.

        Raises:
            ToolError: Arguments that cannot be read, or a name that is bound to nothing.
        """
        match = _FEATURES.fullmatch(args)
        if match is None:
            raise ToolError(f"expected FeatureRetrieve(R2, Query: words), got {args[:60]!r}")
        query = _text(match["query"], bindings)
        features = _without_buttons(_items(match["features"], bindings))
        ranked = sorted(features, key=lambda feature: -self.scorer(query, feature))
        return _listed(ranked[:CLOSEST] or ["none"], ", ")


class Pick:
    """Chooses the item that fits a query best."""

    usage = "Pick(Item_names: R1, Item_features: [R3, R6], Query: words): the item of R1 that fits the words best"
    schema = arguments(
        item_names="Names of items, such as R1.",
        item_features=("array", "Features found on their pages, such as R3."),
        query="Words that the item should fit.",
    )

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The best item, by its title and its features together; the first one in a tie.

        Raises:
            ToolError: Arguments that cannot be read, a name that is bound to nothing, or not one list of features for
                each item.
        """
        match = _PICK.fullmatch(args)
        if match is None:
            raise ToolError(f"expected Pick(Item_names: R1, Item_features: [R3, R6], Query: words), got {args[:60]!r}")
        query = _text(match["query"], bindings)
        names = _items(match["names"], bindings)
        features = [_text(part, bindings) for part in match["features"].split(",") if part.strip()]
        if not names or len(names) != len(features):
            raise ToolError(f"expected features for each of the {len(names)} items, got {len(features)}")
        scores = [self.scorer(query, f"{name}, {feature}") for name, feature in zip(names, features, strict=True)]
        return Value.of(names[scores.index(max(scores))])


class Act:
    """Takes WebShop's own syntax."""

    usage = "Act(search[words]) or Act(click[button]): the shop's own actions, which also work without Act and brackets"
    schema = arguments(action="search[words] or click[button].")

    def __init__(self, session: Session) -> None:
        self.session = session

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The page that follows, as text.

        Raises:
            ToolError: Nothing happened, and why.
        """
        self.session.act(args)
        return Value.of(self.session.page.text())


def _text(args: str, bindings: Mapping[str, Value]) -> str:
    args = args.strip()
    return lookup(args, bindings).text if _RESULT.fullmatch(args) else args


def _items(args: str, bindings: Mapping[str, Value]) -> list[str]:
    """The texts of a result that is a list, or of a list that is written out."""
    args = args.strip()
    if not _RESULT.fullmatch(args):
        separator = BETWEEN_ITEMS.strip() if BETWEEN_ITEMS.strip() in args else ","
        return [part.strip() for part in args.removeprefix("[").removesuffix("]").split(separator) if part.strip()]
    value = lookup(args, bindings)
    return [item.text for item in value.exact] if isinstance(value.exact, tuple) else [value.text]


def _without_buttons(texts: Sequence[str]) -> list[str]:
    """Of the clickables of an item page the options: what stands behind the button to buy."""
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
