"""One visit to the shop: `search[…]` and `click[…]` move between pages, and buying ends it.

    session = Session(shop, goal)
    session.act("search[desk lamp]"); session.page.clickables   # ["back to search", "next >", "b09x", …]
    session.act("click[b09x]"); session.act("click[red]")
    session.act("click[buy now]"); session.reward               # 1.0

Moves and their precedence are those of WebShop's text environment, with three deliberate differences: an action without
effect says why, there are no actions after the purchase, and a search for the word "search_results" does not change
what `< Prev` does on an item page.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lumos_rl.envs.webshop.tools import pages
from lumos_rl.envs.webshop.tools.catalogue import Catalogue, Found
from lumos_rl.envs.webshop.tools.nouns import NounExtractor, default_nouns
from lumos_rl.envs.webshop.tools.pages import Kind, Node, Page, PageName
from lumos_rl.envs.webshop.tools.product import Product
from lumos_rl.envs.webshop.tools.reward import reward_details
from lumos_rl.envs.webshop.tools.search import MAX_HITS
from lumos_rl.errors import ToolError

Search = Callable[[list[str]], Sequence[str]]  # keywords → ids of products, best first

MAX_WORDS = 1024  # of a search: Lucene's limit of clauses
_SEARCH, _BUY, _BACK, _NEXT, _PREVIOUS = (
    title.lower() for title in (pages.SEARCH, pages.BUY, pages.BACK, pages.NEXT, pages.PREVIOUS)
)
_SUB_TITLES = {title.lower(): title for title in pages.SUB_PAGES}


@dataclass(frozen=True)
class Shop:
    """The parts that all visits share. It never changes, so copies of an environment share it, too.

    Attributes:
        catalogue: The products, with their prices and search index.
        prices: Product id → price that overrides the catalogue's.
        search: Finds products for a list of keywords; None takes the catalogue's own engine.
        nouns: Finds the nouns for the reward.
        show_attributes: Whether item pages have the Attributes button.
    """

    catalogue: Catalogue
    prices: Mapping[str, float] = field(default_factory=dict)
    search: Search | None = None
    nouns: NounExtractor = field(default_factory=default_nouns)
    show_attributes: bool = False

    def price(self, product: Product) -> float:
        """The price of the product, as a number."""
        return self.prices.get(product.asin, self.catalogue.price(product.asin))

    def find(self, keywords: list[str], rng: random.Random) -> Found:
        """The products that a search finds.

        Args:
            keywords: The query in lower case, split at single spaces. `<r>` gives 50 random products, `<c> x` those of
                category x, `<q> words` those whose record has this query.
            rng: Draws for `<r>`.

        Raises:
            ToolError: The shop cannot do this search.
        """
        first = keywords[0]
        if first == "<r>":
            if len(self.catalogue) < MAX_HITS:
                raise ToolError(
                    f"<r> needs a catalogue of at least {MAX_HITS} products, this has {len(self.catalogue)}"
                )
            return Found(self.catalogue, rng.sample(range(len(self.catalogue)), MAX_HITS))
        if first == "<c>" and len(keywords) == 1:
            raise ToolError("<c> needs a category: search[<c> garden]")
        if first == "<c>":
            return self.catalogue.with_category(keywords[1].strip())
        if first == "<q>":
            return self.catalogue.with_query(" ".join(keywords[1:]).strip())
        if first == "<a>":
            raise ToolError("<a> does not work in this shop; search for words instead")
        if self.search is None:
            return self.catalogue.search(" ".join(keywords))
        return self.catalogue.with_ids(list(self.search(list(keywords)))[:MAX_HITS])

    def __deepcopy__(self, memo: dict[int, Any]) -> Shop:
        return self


@dataclass
class Session:
    """A visit with one goal.

    Attributes:
        shop: The shop.
        goal: What to buy: a mapping with the keys that `reward` reads.
        instruction: The goal in words, shown on the pages.
        rng: Draws the products of `search[<r>]`.
        page: The page that is open.
        keywords: Words of the last search; None on the index page.
        number: Page of the results.
        product: The product that is open.
        options: Selected value of each option.
        visited: Ids of the products opened since the index page.
        reward: Reward of the purchase; None before it.
        details: The parts of the reward.
    """

    shop: Shop
    goal: Mapping[str, Any]
    instruction: str
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    page: Page = field(init=False)
    keywords: list[str] | None = None
    number: int = 0
    product: Product | None = None
    options: dict[str, str] = field(default_factory=dict)
    visited: set[str] = field(default_factory=set)
    reward: float | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._index()

    @property
    def bought(self) -> bool:
        """Whether the visit is over."""
        return self.reward is not None

    def act(self, text: str) -> None:
        """Runs an action in WebShop's own syntax.

        Raises:
            ToolError: The action has no effect; the message says why.
        """
        name, target = _named(text)
        if name not in ("search", "click"):
            self._check_open()
            raise ToolError("expected search[words] or click[one of the clickables]")
        if name == "search":
            self.search(target)
        else:
            self.click(target)

    def search(self, query: str) -> None:
        """Shows the first page of results for a query in lower case; works on every page.

        Raises:
            ToolError: The shop cannot do this search, and the page stays open.
        """
        self._check_open()
        words = query.split(" ")
        if len(set(words)) > MAX_WORDS:
            raise ToolError(f"a search takes at most {MAX_WORDS} different words, got {len(set(words))}")
        self._results(words, 1)

    def click(self, target: str) -> None:
        """Clicks the target with this text, in lower case.

        Raises:
            ToolError: It is not on the page, or cannot be clicked.
        """
        self._check_open()
        node = self.page.targets.get(target)
        if node is None:
            raise ToolError(f"{target[:60]!r} is not on this page; clickables: {', '.join(self.page.clickables)}")
        if target == _SEARCH:
            raise ToolError("'search' alone does nothing; use search[words]")
        name = self.page.name
        if target == _BUY:
            self._buy()
        elif target == _BACK:
            self._index()
        elif name is PageName.RESULTS and target in (_NEXT, _PREVIOUS):
            self._results(self.keywords or [""], self.number + (1 if target == _NEXT else -1))
        elif name is PageName.ITEM and target == _PREVIOUS:
            self._results(self.keywords or [""], self.number)
        elif target in _SUB_TITLES:
            self.page = pages.sub_page(self.instruction, self._open_product(), _SUB_TITLES[target])
        else:
            self._item(target, node)

    def _check_open(self) -> None:
        if self.bought:
            raise ToolError("the item is bought, so there is nothing left to do")

    def _index(self) -> None:
        self.keywords, self.number, self.product = None, 0, None
        self.options, self.visited = {}, set()
        self.page = pages.index_page(self.instruction)

    def _results(self, keywords: list[str], number: int) -> None:
        found = self.shop.find(keywords, self.rng)
        self.keywords, self.number, self.product, self.options = keywords, number, None, {}
        shown = found[(number - 1) * pages.PER_PAGE : number * pages.PER_PAGE]
        self.page = pages.results_page(self.instruction, shown, number, len(found), frozenset(self.visited))

    def _item(self, target: str, node: Node) -> None:
        """Opens a product, selects an option, or returns from a sub page."""
        if node.kind == Kind.LINK:
            self.product = self._linked(target)
            self.visited.add(self.product.asin)
        elif node.kind == Kind.OPTION:
            self.options[node.option] = target
        location = f"{'+'.join(self.keywords or [])}/{self.number}/{json.dumps(self.options)}"
        self.page = pages.item_page(self.instruction, self._open_product(), location, self.shop.show_attributes)

    def _linked(self, target: str) -> Product:
        product = self.shop.catalogue.get(target.upper())
        if product is None:
            raise ToolError(f"{target!r} cannot be opened: the catalogue has no product {target.upper()!r}")
        return product

    def _open_product(self) -> Product:
        if self.product is None:
            raise ToolError("no product is open")
        return self.product

    def _buy(self) -> None:
        product = self._open_product()
        price = self.shop.price(product)
        extract = self.shop.nouns.extract
        self.details = reward_details(product.purchased(), self.goal, price, self.options, extract)
        self.reward = float(self.details["reward"])
        self.page = pages.done_page(product.asin, self.options, self.reward)


def _named(text: str) -> tuple[str, str]:
    r"""Name and target of an action as the original's `(.+)\[(.+)\]` finds them, in linear time; else ("", "")."""
    line = text.partition("\n")[0]
    close = line.rfind("]")
    start = line.rfind("[", 1, max(close - 1, 1))
    return ("", "") if start < 0 else (line[:start], line[start + 1 : close].lower())
