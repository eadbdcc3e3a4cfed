"""Pages, clickables and moves, each rule of the original's text environment by itself."""

import random

import pytest
from tiny_shop import GOAL, options, record, shop, visit

from lumos_rl.envs.webshop.tools.pages import PageName, done_page
from lumos_rl.envs.webshop.tools.session import Session
from lumos_rl.errors import ToolError

HEAD = "Instruction: [SEP] Find me a lamp [SEP] Back to Search"
ITEM = (
    f"{HEAD} [SEP] < Prev [SEP] color [SEP] red [SEP] black | white [SEP] size [SEP] small [SEP] large [SEP] Desk Lamp"
    " [SEP] Price: $34.0 [SEP] Rating: N.A. [SEP] Description [SEP] Features [SEP] Reviews [SEP] Buy Now"
)
BUTTONS = ["back to search", "< prev", "description", "features", "reviews", "buy now"]


def after(session: Session, *actions: str) -> str:
    for action in actions:
        session.act(action)
    return session.page.text()


def test_the_index_page() -> None:
    session = visit()
    assert session.page.text() == "WebShop [SEP] Instruction: [SEP] Find me a lamp [SEP] Search"
    assert session.page.text_rich() == "WebShop\nInstruction: \nFind me a lamp\n[button] Search [button_]\n"
    assert session.page.clickables == ["search"]


def test_a_page_of_results() -> None:
    session = visit()
    assert after(session, "search[Lamp]") == (
        f"{HEAD} [SEP] Page 1 (Total results: 2) [SEP] Next > [SEP] B003 [SEP] Floor Lamp [SEP] $34.0"
        " [SEP] B001 [SEP] Desk Lamp [SEP] $34.0"
    )
    assert session.page.clickables == ["back to search", "next >", "b003", "b001"]


def test_an_item_page_and_its_clickables() -> None:
    session = visit()
    assert after(session, "search[lamp]", "click[b001]") == ITEM
    assert session.page.clickables == [*BUTTONS, "red", "black | white", "small", "large"]
    assert after(session, "click[red]", "click[small]", "click[large]") == ITEM  # selections do not show
    assert session.options == {"color": "red", "size": "large"}


@pytest.mark.parametrize(
    ("title", "texts"),
    [
        ("description", " [SEP] Bright."),
        ("features", " [SEP] led [SEP] small foot"),
        ("reviews", ""),
        ("attributes", " [SEP] long lasting [SEP] home [SEP] lamps [SEP] Home › Lamps › Desk"),
    ],
)
def test_sub_pages_lead_back_to_the_item_with_its_options(title: str, texts: str) -> None:
    session = visit(show_attributes=True)
    assert (
        after(session, "search[lamp]", "click[b001]", "click[red]", f"click[{title}]") == f"{HEAD} [SEP] < Prev{texts}"
    )
    assert session.page.clickables == ["back to search", "< prev"]
    session.act("click[< prev]")
    assert (session.page.name, session.options) == (PageName.ITEM, {"color": "red"})


def test_the_attributes_button_is_there_only_when_asked_for() -> None:
    session = visit(show_attributes=True)
    after(session, "search[lamp]", "click[b001]")
    assert session.page.clickables[:7] == [*BUTTONS[:5], "attributes", "buy now"]


def test_a_purchase_ends_the_visit() -> None:
    session = visit()
    text = after(session, "search[lamp]", "click[b001]", "click[small]", "click[red]", "click[buy now]")
    assert text == (
        "Thank you for shopping with us! [SEP] Your code: [SEP] None [SEP] (Paste it in your MTurk interface.) [SEP]"
        ' Purchased [SEP] asin [SEP] B001 [SEP] options [SEP] {"color": "red", "size": "small"} [SEP] attrs [SEP] None'
        " [SEP] category [SEP] None [SEP] query [SEP] None [SEP] product category [SEP] None [SEP] Target [SEP] asin"
        " [SEP] options [SEP] attrs [SEP] price upper [SEP] instuction text [SEP] category [SEP] product category [SEP]"
        " query [SEP] Goal [SEP] None [SEP] Reward [SEP] Your score (min 0.0, max 1.0) [SEP] 1.0 [SEP] Reward Details"
        " [SEP] None"
    )
    assert (session.reward, session.page.clickables) == (1.0, [])
    for action in ("search[lamp]", "click[buy now]", "think"):
        with pytest.raises(ToolError, match="bought"):
            session.act(action)


def test_options_on_the_last_page_are_escaped_json() -> None:
    assert r'{"a": "\u003cb\u003e \u0026 \u0027 \u00e9 \""}' in done_page("B", {"a": "<b> & ' é \""}, 0.5).text()


def test_back_to_search_forgets_everything_but_the_goal() -> None:
    session = visit()
    after(session, "search[lamp]", "click[b001]", "click[red]", "click[back to search]")
    assert (session.keywords, session.product, session.options, session.visited) == (None, None, {}, set())
    assert session.page.clickables == ["search"]


def test_previous_on_an_item_gives_the_same_results_and_clears_options() -> None:
    session = visit()
    results = after(session, "search[lamp]")
    assert after(session, "click[b001]", "click[red]", "click[< prev]") == results
    assert (session.options, session.product, session.visited) == ({}, None, {"B001"})


def test_a_search_works_on_every_page_and_keeps_what_was_visited() -> None:
    session = visit()
    for actions in ((), ("click[b001]",), ("click[b001]", "click[features]")):
        after(session, "search[lamp]", *actions)
        assert "Total results: 1" in after(session, "search[shoes]")
        assert session.options == {}
    assert session.visited == {"B001"}


def test_pages_of_results_go_on_past_the_last() -> None:
    session = visit([record(f"B{number:03d}") for number in range(12)])
    first = after(session, "search[lamp]")
    assert "< Prev" not in first
    assert session.page.clickables[2:] == [f"b{number:03d}" for number in range(10)]
    assert "Page 2 (Total results: 12) [SEP] < Prev [SEP] Next > [SEP] B010" in after(session, "click[next >]")
    assert after(session, "click[next >]").endswith("Page 3 (Total results: 12) [SEP] < Prev [SEP] Next >")
    assert after(session, "click[< prev]", "click[< prev]") == first


def test_no_search_gives_more_than_fifty() -> None:
    assert "Total results: 50" in after(visit([record(f"B{number:03d}") for number in range(60)]), "search[lamp]")


NOTHING = [
    "think",
    " search[lamp]",
    "Search[lamp]",
    "click [search]",
    "click[search]",
    "click[a [b]]",
    "search[]",
    "",
    "click[b001]",
]


@pytest.mark.parametrize("action", NOTHING)
def test_what_is_no_action_changes_nothing_and_says_why(action: str) -> None:
    session = visit()
    before = session.page
    with pytest.raises(ToolError):
        session.act(action)
    assert session.page is before


def test_the_action_is_read_greedily_and_in_any_case() -> None:
    session = visit()
    after(session, "search[LAMP] and more")
    assert session.keywords == ["lamp"]
    after(session, "search[a]b] c")
    assert session.keywords == ["a]b"]
    after(session, "search[lamp  red]", "click[BACK TO SEARCH] now")
    assert session.page.name == PageName.INDEX


def test_a_blank_query_finds_nothing() -> None:
    session = visit()
    assert "Total results: 0" in after(session, "search[ ]")
    assert session.keywords == ["", ""]


def test_magic_words() -> None:
    session = visit()
    assert "Total results: 3" in after(session, "search[<c> home]")
    assert "Total results: 1" in after(session, "search[<q> shoes]")
    assert "Total results: 0" in after(session, "search[<q>]")
    for query, reason in (("<c>", "needs a category"), ("<a> red", "does not work"), ("<r>", "at least 50")):
        with pytest.raises(ToolError, match=reason):
            session.act(f"search[{query}]")
    assert "Total results: 0" in session.page.text()


def test_random_products_repeat_with_the_seed() -> None:
    many = [record(f"B{number:03d}") for number in range(60)]
    seen = []
    for seed in (1, 1, 2):
        session = Session(shop(many), GOAL, "x", random.Random(seed))
        seen.append(after(session, "search[<r>]"))
    assert seen[0] == seen[1] != seen[2]
    assert "Total results: 50" in seen[0]


def test_a_repeated_text_keeps_its_place_and_gets_the_last_meaning() -> None:
    session = visit([record("B001", customization_options=options(color=["small", "red"], size=["small"]))])
    after(session, "search[lamp]", "click[b001]", "click[small]")
    assert session.page.clickables == [*BUTTONS, "small", "red"]
    assert session.options == {"size": "small"}


def test_an_option_named_like_a_button_acts_like_it() -> None:
    named = ["Features", "Buy Now", "Search", "Next >", "< Prev", "attributes"]
    session = visit([record("B001", customization_options=options(x=named))])
    item = after(session, "search[lamp]", "click[b001]")
    assert session.page.clickables == [*BUTTONS, "search", "next >", "attributes"]
    assert after(session, "click[next >]") == item
    assert session.options == {"x": "next >"}
    with pytest.raises(ToolError, match="search"):
        session.act("click[search]")
    assert "led" in after(session, "click[features]")
    assert "Total results" in after(session, "click[< prev]", "click[< prev]")
    assert "long lasting" in after(session, "click[b001]", "click[attributes]")
    after(session, "click[< prev]", "click[buy now]")
    assert session.bought


def test_the_word_for_a_page_in_a_query_does_not_change_the_way_back() -> None:
    session = visit()
    after(session, "search[search_results lamp]", "click[b001]", "click[< prev]")
    assert "Page 1" in session.page.text()


def test_rich_text_marks_what_was_clicked() -> None:
    session = visit()
    after(session, "search[lamp]", "click[b001]", "click[red]", "click[large]")
    rich = session.page.text_rich()
    assert rich.startswith("You have clicked large.\nYou have clicked red.\nInstruction:\nFind me a lamp\n")
    assert (
        "\n  [clicked button] red [clicked button_]\n  [button] black | white [button_]\nsize\n  [button] small" in rich
    )
    after(session, "click[< prev]")
    assert "\n\n[clicked button] B001 [clicked button_]\nDesk Lamp\n$34.0\n" in session.page.text_rich()
    assert "\n\n[button] B003 [button_]\n" in session.page.text_rich()


def test_rich_text_takes_any_quoted_text_of_the_address_for_a_click() -> None:
    session = visit([record("B001", customization_options=options(color=["small", "color", "größe"], size=["small"]))])
    after(session, 'search["größe" lamp]', "click[b001]", "click[small]", "click[color]")
    rich = session.page.text_rich()
    assert rich.count("[clicked button] small") == 2  # the same value in two lists
    assert "[clicked button] color" in rich
    assert "[clicked button] größe" in rich  # quoted in the query
    after(session, "search[lamp]", "click[b001]", "click[größe]")
    assert "[button] größe [button_]" in session.page.text_rich()  # escaped in the address, so never seen there


def test_blank_texts_show_as_a_browser_would_show_them() -> None:
    bullets = ["", " ", "\n", " \t", "\u00a0", "x"]
    session = visit([record("B001", small_description=bullets, full_description="\n")])
    after(session, "search[lamp]", "click[b001]")
    text = after(session, "click[features]")
    assert text == f"{HEAD} [SEP] < Prev [SEP]  [SEP]  [SEP]  [SEP]  [SEP] x"
    assert after(session, "click[< prev]", "click[description]") == f"{HEAD} [SEP] < Prev"


def test_prices_can_be_given() -> None:
    session = visit(prices={"B001": 40.01})
    after(session, "search[lamp]", "click[b001]", "click[red]", "click[buy now]")
    assert session.reward == pytest.approx(2 / 3)


def test_a_search_can_be_given_and_unknown_ids_are_dropped() -> None:
    asked: list[list[str]] = []

    def search(keywords: list[str]) -> list[str]:
        asked.append(keywords)
        return ["B002", "unknown", *["B001"] * 60]

    session = visit(search=search)
    assert "Total results: 49 [SEP]" in after(session, "search[Red  lamp]").replace(")", " [SEP]")
    assert session.page.clickables[2:] == ["b002", "b001"]
    assert asked == [["red", "", "lamp"]]
    after(session, "search[<c> home]")
    assert len(asked) == 1


def test_a_search_that_changes_its_keywords_changes_no_visit() -> None:
    def search(keywords: list[str]) -> list[str]:
        return ["B001"] if keywords.pop(0) == "red" else []

    session = visit(search=search)
    after(session, "search[red lamp]", "click[b001]")
    assert "Total results: 1" in after(session, "click[< prev]")


def test_a_lower_case_id_cannot_be_opened() -> None:
    session = visit([record("b9", "Lamp")])
    with pytest.raises(ToolError, match="cannot be opened"):
        after(session, "search[lamp]", "click[b9]")
