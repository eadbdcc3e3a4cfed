"""The shop's tools read any text in time that grows with it, as the first reader of WebShop's syntax would."""

import re
import time

import pytest
from tiny_shop import visit

from lumos_rl.envs.webshop.tools.actions import MAX_LIST, MAX_QUERY, shop_tools
from lumos_rl.envs.webshop.tools.session import MAX_WORDS, _named
from lumos_rl.errors import ToolError
from lumos_rl.tools.base import Value

SIZE = 64_000
HOSTILE = [
    ("Act", "search[" * (SIZE // 7)),
    ("Act", "search" + "[" * SIZE),
    ("Act", "search[" + "]" * SIZE),
    ("Search", "'" * SIZE),
    ("Search", "-a" * (SIZE // 2)),
    ("Click", "x" * SIZE),
    ("Pick", "Item_names: " + ", Item_features: [" * (SIZE // 18)),
    ("Pick", "Item_names: a, Item_features: [" + "], Query" * (SIZE // 8)),
    ("Pick", "Item_names: " + "a," * (SIZE // 4) + ", Item_features: [" + "b," * (SIZE // 4) + "], Query: a"),
    ("FeatureRetrieve", ",Query" * (SIZE // 6)),
    ("FeatureRetrieve", "a" + " " * SIZE + "b"),
    ("FeatureRetrieve", "a," * (SIZE // 4) + " Query: " + "a b " * (SIZE // 8)),
]


@pytest.mark.parametrize(("tool", "args"), HOSTILE)
def test_hostile_arguments_are_read_in_little_time(tool: str, args: str) -> None:
    tools, began = shop_tools(visit()), time.process_time()
    with pytest.raises(ToolError):
        tools[tool](args, {})
        raise ToolError("it was answered")
    assert time.process_time() - began < 1  # in the square of the text, seconds to minutes


@pytest.mark.parametrize(
    "text",
    ["search[a]", "search[a[b]c]", "search[a]]b", "[a]", "x[]", "x[[]", "x[a\n]", "x[a]\nb", "x]a[b]", "[[a]"],
)
def test_actions_are_split_as_the_original_splits_them(text: str) -> None:
    match = re.compile(r"(.+)\[(.+)\]").match(text)
    assert _named(text) == (match.groups() if match else ("", ""))


def test_what_is_too_long_is_told() -> None:
    tools = shop_tools(visit())
    with pytest.raises(ToolError, match=f"at most {MAX_QUERY} characters, got 301"):
        tools["FeatureRetrieve"]("red, blue, Query: " + "x" * 301, {})
    with pytest.raises(ToolError, match=f"at most {MAX_LIST} characters, got 3001"):
        tools["FeatureRetrieve"]("x" * 3001 + ", Query: red", {})
    with pytest.raises(ToolError, match=f"at most {MAX_WORDS} different words, got 1025"):
        tools["Search"](" ".join(f"w{number}" for number in range(1025)), {})


def test_a_list_that_a_page_gave_may_be_of_any_length() -> None:
    shown = Value(tuple(Value.of(f"color {number}") for number in range(2000)), "")
    best = shop_tools(visit())["FeatureRetrieve"]("R1, Query: color 1234", {"R1": shown})
    assert best.text.startswith("color 1234, ")
