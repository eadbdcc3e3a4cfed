"""WebShop (Yao et al. 2022) in pure Python: search a catalogue, look at items, choose options, buy one.

env = gym.make("lumos_rl/WebShop-v0")                                        # the built-in shop
env = gym.make("lumos_rl/WebShop-v0", source="webshop/data", goals="human")  # the real files
env.reset(options={"task": 0})      # ("WebShop [SEP] Instruction: [SEP] Find me … [SEP] Search", {…})
env.step("search[dog bed]")         # ("Instruction: [SEP] … [SEP] B0HN23GHRR [SEP] …", 0.0, False, False, {…})
env.step("click[b0hn23ghrr]")       # info["clickables"]: ["back to search", "< prev", …, "buy now", "gray", "large"]
env.step("click[buy now]")          # ("Thank you for shopping with us! [SEP] …", 0.6, True, False, {…})

Pages, clickables, moves, goals and rewards are exactly those of the original's text environment, with these
differences:

- After the purchase (and after `Finish`) the episode is over, and `step` raises. The original allows further steps.
- `truncated` after `max_turns`; the original has no limit of its own.
- An action without effect leaves the observation unchanged, as in the original; here `info["error"]` says why.
- Random draws of the original, from an unseeded generator, are seeded here, so goals and prices are always the same.
- A search for the word "search_results" does not change what `< Prev` does.
- Without a spaCy model, the nouns that the reward compares are found by rules; `info["nouns"]` and the metrics name the
  method.

Besides the shop's own syntax, texts in the action language work: `R1 = Search(desk lamp)`, `Click`, `FeatureRetrieve`,
`Pick`, `Finish()`. After those the observation holds their results instead of the page.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from lumos_rl.core import Action, Task
from lumos_rl.data.synthetic import UNSEEN
from lumos_rl.envs.base import Grade, LumosEnv, NotResetError
from lumos_rl.envs.webshop import reader as files
from lumos_rl.envs.webshop.suite import suite_catalogue, suite_goals, suite_tasks
from lumos_rl.envs.webshop.tools.actions import Scorer, lexical_score, shop_tools
from lumos_rl.envs.webshop.tools.catalogue import Catalogue
from lumos_rl.envs.webshop.tools.goals import draw_goal, given_goals, manifest_hash, weight_sums
from lumos_rl.envs.webshop.tools.nouns import NounExtractor, Nouns, default_nouns
from lumos_rl.envs.webshop.tools.pages import SEPARATOR, PageName
from lumos_rl.envs.webshop.tools.session import Search, Session, Shop
from lumos_rl.errors import ActionParseError, ConfigError, UnknownNameError
from lumos_rl.language import parse_actions
from lumos_rl.tools.base import Execution, Tool
from lumos_rl.tools.finish import FINISH

MAX_TURNS = 15
BUILT_IN = "synthetic"
ACT = "Act"  # the tool that takes the shop's own syntax
_NATIVE = re.compile(r"(?:search|click)\[.+\]")

Observation = Literal["text", "text_rich"]


class WebShopEnv(LumosEnv):
    """A shop in which the agent buys what an instruction asks for.

    Attributes:
        shop: The catalogue with its prices and search; shared by all environments of a process.
        goals_hash: Hash of all goals in their order.
    """

    def __init__(
        self,
        benchmark: str = files.BENCHMARK,
        source: str | Path = "synthetic",
        goals: files.GoalKind | Sequence[Mapping[str, Any]] = "synthetic",
        observation: Observation = "text",
        num_products: int | None = None,
        max_turns: int = MAX_TURNS,
        nouns: Nouns | None = None,
        *,
        split: str | None = None,
        limit: int | None = None,
        prices: Mapping[str, float] | None = None,
        search: Search | None = None,
        show_attrs: bool = False,
        scorer: Scorer = lexical_score,
        num_prev_obs: int = 0,
        num_prev_actions: int = 0,
        tasks: Sequence[Task] | None = None,
        max_steps: int | None = None,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        """Opens the shop; the first use of a folder builds its index, which takes a while.

        Args:
            benchmark: "webshop"; fixed by the environment's id.
            source: "synthetic" (the built-in shop), a folder as distributed, or an items file in it.
            goals: "synthetic" or "human" goals of the catalogue, or a list of goals with the original's fields.
            observation: "text" or "text_rich", as in the original.
            num_products: Only so many records of the catalogue's file; None takes all.
            max_turns: Steps after which an episode is truncated.
            nouns: Finds the lower-case nouns of a title, repeated as often as they occur; None uses spaCy if a model
                is installed, otherwise rules.
            split: "test", "dev", "train" or, of the built-in shop, "unseen"; None takes all goals, but of the built-in
                shop its test split unless `prices` are given.
            limit: How many goals, from the first on; None takes all.
            prices: Product id → price that overrides the catalogue's.
            search: Finds ids of products for a list of keywords, instead of the catalogue's own engine.
            show_attrs: Whether item pages have the Attributes button.
            scorer: How well a query and a text fit, for `FeatureRetrieve` and `Pick`.
            num_prev_obs: How many earlier observations to show before the current one.
            num_prev_actions: How many earlier actions to show.
            tasks: Tasks given directly, each with its goal in `meta["goal"]`.
            max_steps: The same as `max_turns`, under the name that every environment has.
            render_mode: As in every environment.
            **settings: As for `LumosEnv`.

        Raises:
            LumosError: A setting is invalid, or files are missing or cannot be read.
        """
        if observation not in ("text", "text_rich"):
            raise ConfigError(f"expected observation 'text' or 'text_rich', got {observation!r}")
        if num_products is not None and num_products < 1:
            raise ConfigError(f"expected num_products >= 1 or None, got {num_products}")
        extractor = default_nouns() if nouns is None else NounExtractor(_name_of(nouns), nouns)
        self.source = BUILT_IN if str(source) == BUILT_IN else str(Path(source).absolute())
        self.shop = Shop(self._catalogue(self.source, num_products), prices or {}, search, extractor, show_attrs)
        found, self.goals_hash = self._manifest(goals, split, limit, num_products) if tasks is None else (tasks, "")
        super().__init__(
            benchmark=benchmark,
            limit=limit,
            max_steps=max_turns if max_steps is None else max_steps,
            tasks=found,
            render_mode=render_mode,
            **settings,
        )
        self.goals_hash = self.goals_hash or manifest_hash([_goal_of(task) for task in self.tasks])
        self._rich, self._scorer = observation == "text_rich", scorer
        self._kept = num_prev_obs, num_prev_actions
        self._sums: list[float] = []
        self._session: Session | None = None
        self._language_text: str | None = None  # the last text in the action language
        self._observations: list[str] = []
        self._actions: list[str] = []

    @property
    def session(self) -> Session:
        """The current visit.

        Raises:
            NotResetError: There is none yet.
        """
        if self._session is None:
            raise NotResetError("expected reset() first, got no visit to the shop")
        return self._session

    def tools(self, task: Task) -> Mapping[str, Tool]:
        """Search, Click, FeatureRetrieve, Pick, and Act for the shop's own syntax."""
        place = task.meta.get("source")
        shop = self.shop
        if place is not None and place != self.source:  # a task from another folder needs that folder's catalogue
            catalogue = self._catalogue(place, task.meta.get("num_products"))
            shop = replace(self.shop, catalogue=catalogue)
        rng = random.Random(int(self.np_random.integers(2**31)))
        self._session = Session(shop, _goal_of(task), task.instruction, rng)
        self._observations, self._actions = [], []
        return shop_tools(self._session, self._scorer)

    def grade(self, task: Task, answer: str | None) -> Grade:
        """The reward of the purchase, 0 without one; the full reward is a success."""
        reward = self.session.reward or 0.0
        success = reward == 1.0
        return Grade(reward, success, {"score": reward, "success": float(success)})

    def first(self, task: Task) -> str:
        """The page with the search bar."""
        return self._remembered(self._page())

    def read(self, text: str) -> list[Action]:
        """The text as an action of the shop, otherwise as actions of the action language.

        Raises:
            ActionParseError: It is neither.
        """
        self._language_text = None
        if _NATIVE.match(text):
            return [Action((), ACT, text)]
        try:
            actions = parse_actions(text)
        except ActionParseError as error:
            wanted = "expected search[words], click[one of the clickables] or actions such as R1 = Search(words)"
            raise ActionParseError(f"{wanted}; as such: {error}") from error
        known = {*shop_tools(self.session), FINISH}
        if any(action.outputs or action.tool in known for action in actions):  # otherwise it is in neither language
            self._language_text = text
        return actions

    def observe(self, action: str, execution: Execution, notes: Sequence[str]) -> str:
        """The page alone; after actions of the action language, their results."""
        self._actions.append(action)
        if action == self._language_text:
            return self._remembered(super().observe(action, execution, notes))
        return self._remembered(self._page())

    def inform(self) -> dict[str, Any]:
        """The clickables in order, the hash of the goals, the name of the noun finder, the parts of a final reward."""
        page = self.session.page
        told = {
            "clickables": page.clickables,
            "has_search_bar": page.name is PageName.INDEX,
            "goals_hash": self.goals_hash,
            "nouns": self.shop.nouns.name,
        }
        return told | ({"reward_details": dict(self.session.details)} if self.session.bought else {})

    def over(self) -> bool:
        """Whether something was bought."""
        return self.session.bought

    def draw(self) -> int:
        """Draws by weight, as WebShop does."""
        self._sums = self._sums or weight_sums(float(_goal_of(task).get("weight", 1)) for task in self.tasks)
        return draw_goal(self._sums, float(self.np_random.random()))

    def _page(self) -> str:
        page = self.session.page
        return page.text_rich() if self._rich else page.text()

    def _remembered(self, observation: str) -> str:
        """The observation after the earlier observations and actions that are shown with it."""
        lines = [observation]
        observations, actions = self._kept
        for back in range(1, 1 + max(self._kept)):
            if back <= min(actions, len(self._actions)):
                lines.append(self._actions[-back])
            if back <= min(observations, len(self._observations)):
                lines.append(self._observations[-back])
        self._observations.append(observation)
        return SEPARATOR.join(reversed(lines))

    def _catalogue(self, source: str, num_products: int | None) -> Catalogue:
        if source == BUILT_IN:
            return suite_catalogue(num_products)
        return files.open_catalogue(Path(source), num_products)

    def _manifest(
        self,
        goals: files.GoalKind | Sequence[Mapping[str, Any]],
        split: str | None,
        limit: int | None,
        num_products: int | None,
    ) -> tuple[Sequence[Task], str]:
        """The tasks, and the hash of all goals."""
        known = (*files.SPLITS, UNSEEN) if self.source == BUILT_IN else files.SPLITS
        if split is not None and split not in known:
            raise UnknownNameError("split of webshop", split, known)
        if isinstance(goals, str) and not self.shop.prices:
            if self.source != BUILT_IN:
                return files.folder_manifest(Path(self.source), goals, split, num_products)
            if goals == BUILT_IN:
                return suite_tasks(split or "test", limit, products=num_products), suite_goals(num_products)[1]
        if self.source == BUILT_IN and goals == BUILT_IN and split is not None:
            raise ConfigError(f"expected no split of the built-in shop when prices are given, got {split!r}")
        found = files.load_goals(self.shop.catalogue, goals, self.shop.prices)
        whole = self.source != BUILT_IN and files.has_splits(Path(self.source), goals, num_products)
        tasks = files.goal_tasks(found, whole=whole)
        return [task for task in tasks if not whole or split in (None, task.split)], manifest_hash(found)


def _goal_of(task: Task) -> dict[str, Any]:
    if "goal" not in task.meta:
        raise ConfigError(f"expected a webshop task with its goal in meta['goal'], got none (task {task.id!r})")
    return given_goals([task.meta["goal"]])[0]


def _name_of(nouns: Nouns) -> str:
    return str(getattr(nouns, "__qualname__", type(nouns).__name__))
