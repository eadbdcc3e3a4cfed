"""Builds the plan that buys the product of a goal, and runs it, so that every action has its result.

Find me dimmable, cordless desk lamp with color: navy, and price lower than 60.00 dollars

Find two desk lamp items that are dimmable and cordless.  R1 = Search(dimmable cordless desk lamp)
Look at the features of the first item, b0….              R2 = Click(b0…); R3 = FeatureRetrieve(R2, Query: navy)
Look at the features of the second item, b0….             R4 = Click(< Prev); R5 = Click(b0…); R6 = Feature…
Pick the item that fits best.                             R7 = Pick(Item_names: R1, Item_features: [R3, R6], …)
Open the picked item and choose navy.                     R8 = Click(< Prev); R9 = Click(R7); R10 = Click(navy)
Buy it.                                                   R11 = Click(Buy Now) = 1.0

The planner reads the result of a search and names the items, because the grounder of web tasks sees no results.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence

from lumos_rl.core import Action, Subgoal
from lumos_rl.envs.webshop.tools.actions import BETWEEN_ITEMS, BETWEEN_PARTS, shop_tools
from lumos_rl.envs.webshop.tools.goals import Goal
from lumos_rl.envs.webshop.tools.session import Session, Shop
from lumos_rl.errors import ToolError
from lumos_rl.language import format_actions, parse_actions
from lumos_rl.tools.base import Executor


def gold_plan(shop: Shop, goal: Goal) -> tuple[tuple[Subgoal, ...], str]:
    """The plan of a goal, or the reason why it fails.

    Returns:
        Subgoals whose actions have their results, and ""; or (), and why a plan of this form does not earn the full
        reward.
    """
    session = Session(shop, goal, goal["instruction_text"])
    executor = Executor(shop_tools(session))
    subgoals: list[Subgoal] = []
    product = shop.catalogue.get(str(goal["asin"]).upper())
    offered = [value for values in product.options.values() for value in values] if product else []
    for sentence, text in _steps(goal, executor, offered):
        try:
            actions = _run(text, executor)
        except ValueError as error:  # words that cannot be written as an action, or an action that failed
            return (), str(error)
        subgoals.append(Subgoal(sentence, actions))
    if session.reward != 1.0:
        return (), f"the purchase earns {session.reward:.2f}"
    return tuple(subgoals), ""


def _as_offered(value: str, offered: Sequence[str]) -> str:
    """An option's value as its page spells it: people write "black/red" for "black | red"."""
    if value in offered:
        return value
    return next((option for option in offered if _plain(option) == _plain(value)), value)


def _plain(value: str) -> str:
    return " ".join(re.split(r"[\s|/]+", value.strip().lower()))


def _run(text: str, executor: Executor) -> tuple[Action, ...]:
    """The actions of a text with their results.

    Raises:
        ActionParseError: The text is not in the action language.
        ToolError: An action failed.
        ValueError: Its result cannot be written in the action language.
    """
    actions: list[Action] = []
    for action in parse_actions(text):
        execution = executor.run([action])
        if execution.error is not None:
            raise ToolError(execution.error)
        actions.append(dataclasses.replace(action, result=execution.results[action.outputs[0]]))
    format_actions(actions)
    return tuple(actions)


def _steps(goal: Goal, executor: Executor, offered: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Sentence and actions of each subgoal; a generator, because later subgoals use the results of earlier ones."""
    wanted, noun = goal["attributes"], goal["query"]
    options = goal["goal_options"]
    values = [_as_offered(value, offered) for value in (options.values() if isinstance(options, dict) else options)]
    query, choice = " ".join((*wanted, noun)), ", ".join(values)
    features = choice or query
    yield f"Find two {noun} items that are {' and '.join(wanted)}.", f"R1 = Search({query})"
    items = [item.partition(BETWEEN_PARTS)[0] for item in executor.bindings["R1"].text.split(BETWEEN_ITEMS)]
    yield (
        f"Look at the features of the first item, {items[0]}.",
        f"R2 = Click({items[0]}); R3 = FeatureRetrieve(R2, Query: {features})",
    )
    yield (
        f"Look at the features of the second item, {items[-1]}.",
        f"R4 = Click(< Prev); R5 = Click({items[-1]}); R6 = FeatureRetrieve(R5, Query: {features})",
    )
    yield (
        "Pick the item that fits best.",
        f"R7 = Pick(Item_names: R1, Item_features: [{'R3, R6' if len(items) > 1 else 'R3'}], Query: {query}, {choice})",
    )
    clicks = [f"R{number} = Click({value})" for number, value in enumerate(values, 10)]
    sentence = f"Open the picked item and choose {choice}." if choice else "Open the picked item."
    yield sentence, "; ".join(["R8 = Click(< Prev)", "R9 = Click(R7)", *clicks])
    yield "Buy it.", f"R{10 + len(values)} = Click(Buy Now)"
