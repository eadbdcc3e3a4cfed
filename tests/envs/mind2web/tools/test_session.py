"""Steps of a task, one after the other, whatever is predicted."""

import copy
import re

import pytest

from lumos_rl.core import Action
from lumos_rl.envs.mind2web.tools.actions import canonical, native, web_tools
from lumos_rl.envs.mind2web.tools.page import Step, StepPage
from lumos_rl.envs.mind2web.tools.ranking import LexicalRanker
from lumos_rl.envs.mind2web.tools.session import Session
from lumos_rl.errors import DataError
from lumos_rl.language import parse_actions
from lumos_rl.tools.base import Executor


def markup(first=100):
    """A page with a search field, two buttons that look alike, and a selection; its ids begin with `first`."""
    page = (
        '<html #0><input #1 type="text" aria_label="City"/><button #2><text #3>Search</text></button>'
        "<button #4><text #5>Search</text></button>"
        "<select #6 label='Guests'><option #7><text>Two</text></option></select><a #8><text #9>Home</text></a></html>"
    )
    return re.sub(r"#(\d)", lambda match: f'backend_node_id="{first + int(match[1])}"', page)


TEXTS = ("[textbox]  City -> TYPE: Oslo", "[button]  Search -> CLICK", "[combobox]  Guests -> SELECT: Two")
STEPS = (
    Step("a", "TYPE", "Oslo", TEXTS[0], ("101",), ("108", "102", "104", "106"), markup()),
    Step("b", "CLICK", "", TEXTS[1], ("104",), ("102", "108", "101"), markup()),
    Step("c", "SELECT", "Two", TEXTS[2], ("106",), ("108", "102"), markup()),
)


def session(steps=STEPS, top_k=50, with_page=True, ranker=None):
    texts = [step.text for step in steps]
    return Session("t", "Find a bed", texts, lambda i: StepPage(steps[i]), ranker or LexicalRanker(), top_k, with_page)


def run(played, text):
    return Executor(web_tools(played)).run([canonical(action) for action in parse_actions(text)])


def test_candidates_stand_in_the_order_of_the_page():
    page = StepPage(Step("u", "CLICK", "", "x", ("106", "101", "999"), ("108", "102"), markup()))
    assert page.candidates == ("101", "102", "106", "108")
    assert page.positives == ("106", "101")
    assert page.pool == ("106", "101", "108", "102")
    assert page.ranked(lambda query, text: 0.0, "x") == page.candidates, "a tie tells nothing of which one is right"
    assert copy.deepcopy(page) is page


def test_a_ranker_is_asked_once_for_a_query():
    asked = []

    def ranker(query, text):
        asked.append(query)
        return 0.0

    page = StepPage(STEPS[0])
    page.ranked(ranker, "q")
    page.ranked(ranker, "q")
    assert len(asked) == 4  # five candidates, of which two look alike


def test_shown_elements_are_counted_from_0():
    text, ids = StepPage(STEPS[0]).shown(["104", "101"])
    assert ids == {"0": "101", "1": "104"}
    assert "(input id=0 text city )" in text and "(button id=1Search)" in text


def test_the_pages_own_ids_are_shown_where_numbers_would_mean_two_elements():
    step = Step("u", "CLICK", "", "x", ("2",), ("1", "8"), markup(first=0))
    text, ids = StepPage(step).shown(["8", "2"])
    assert ids == {"2": "2", "8": "8"}
    assert "(button id=2Search)" in text
    _, ids = StepPage(step).shown(["8"])  # 0 is no candidate
    assert ids == {"0": "8"}


def test_gold_steps_by_id_are_all_right():
    played = session()
    for op, value, key in (("TYPE", "Oslo", "101"), ("CLICK", "", "104"), ("SELECT", "Two", "106")):
        shown = next(number for number, own in played.view.elements.items() if own == key)
        found = played.predict(op, value, shown_id=shown)
        assert (found.element, found.score.success, found.exact, found.lumos) == (key, True, True, True)
    assert played.over


def test_an_id_of_the_page_is_taken_as_well():
    assert session().predict("TYPE", "Oslo", shown_id="101").score.success


def test_whatever_is_predicted_the_next_step_follows():
    played = session()
    wrong = played.predict("CLICK", shown_id="nonsense")
    assert (wrong.element, wrong.score.element, wrong.score.operation_f1, wrong.lumos) == (None, 0.0, 0.0, False)
    assert played.previous == TEXTS[:1]
    assert played.predict("CLICK", shown_id="102").score.element == 0.0
    assert played.happened.endswith("button Search")


def test_an_element_that_only_looks_right_counts_for_lumos_alone():
    played = session(STEPS[1:])
    found = played.predict("CLICK", shown_id="102")
    assert (found.score.success, found.exact, found.lumos) == (False, False, True)


def test_of_what_is_not_shown_nothing_can_be_chosen_by_id():
    def others_first(query, text):
        return 0.0 if "input" in text.partition("target")[2] else 1.0

    played = session(top_k=2, ranker=others_first)
    found = played.predict("TYPE", "Oslo", shown_id="101")
    assert (found.element, found.score.element, found.score.operation_f1, found.rank) == (None, 0.0, 0.0, 4)


def test_a_query_is_matched_against_all_candidates():
    found = session(top_k=1).predict("TYPE", "Oslo", query="city textbox")
    assert (found.element, found.score.success, found.exact, found.lumos) == ("101", True, True, True)


def test_without_a_page_there_are_no_ids():
    played = session(with_page=False)
    assert (played.view.text, dict(played.view.elements)) == ("", {})
    found = played.predict("TYPE", "Oslo", query="city")
    assert found.score.success and found.rank is None


def test_a_step_whose_target_was_lost_counts_0():
    lost = Step("a", "CLICK", "", "[a]  Home -> CLICK", (), ("108",), markup())
    found = session([lost]).predict("CLICK", shown_id="108")
    assert (found.score.element, found.score.operation_f1, found.lumos, found.rank) == (0.0, 0.0, False, None)
    gone = Step("a", "CLICK", "", "[a]  Home -> CLICK", ("999",), ("108",), markup())
    assert not session([gone]).predict("CLICK", query="home").score.success


def test_the_tools_tell_what_was_recorded():
    played = session()
    done = run(played, "R1 = Type(Env, QUERY: city, with a comma, TEXT: Oslo); R2 = HOVER(R1, QUERY: search button)")
    assert done.error is None
    assert done.results["R1"].endswith("Oslo in the textbox City")
    assert [found.score.operation_f1 for found in played.predictions] == [1.0, 1.0]


@pytest.mark.parametrize(
    "text",
    [
        "R1 = TYPE(Env, QUERY: city)",
        "R1 = CLICK(Env)",
        "R1 = CLICK(Env, QUERY: )",
        "R1 = SELECT(Env, TEXT: Two)",
        "R1 = Act(WAVE [3])",
    ],
)
def test_what_cannot_be_read_predicts_nothing(text):
    played = session()
    assert "expected" in (run(played, text).error or "")
    assert played.position == 0


def test_after_the_last_step_nothing_can_be_done():
    played = session(STEPS[:1])
    run(played, "R1 = CLICK(Env, QUERY: home)")
    assert "all 1 steps" in (run(played, "R2 = CLICK(R1, QUERY: home)").error or "")


@pytest.mark.parametrize(
    ("text", "op", "value"),
    [
        ("TYPE [101] Oslo", "TYPE", "Oslo"),
        (" TYPE [101] [Oslo] ", "TYPE", "Oslo"),
        ("CLICK [101]", "CLICK", ""),
        ("HOVER [101] whatever", "CLICK", ""),
        ("ENTER [101]", "CLICK", ""),
        ("SELECT[101]Two words", "SELECT", "Two words"),
    ],
)
def test_the_syntax_of_other_agents(text, op, value):
    played = session()
    action = native(text)
    assert action is not None
    assert Executor(web_tools(played)).run([action]).error is None
    expected = 1.0 if (op, value) == ("TYPE", "Oslo") else 0.0
    assert (played.predictions[0].element, played.predictions[0].score.success) == ("101", expected == 1.0)


@pytest.mark.parametrize("text", ["click [3]", "CLICK 3", "CLICK(3)", "PRESS [3]", "I CLICK [3]", "CLICK [3"])
def test_other_texts_are_not_in_it(text):
    assert native(text) is None


def test_an_unknown_id_is_told_once_the_step_is_taken():
    played = session()
    done = Executor(web_tools(played)).run([Action((), "Act", "CLICK [77]")])
    assert "'77'" in (done.error or "") and played.position == 1


def test_a_page_that_is_none_says_of_which_step():
    with pytest.raises(DataError, match="step u"):
        StepPage(Step("u", "CLICK", "", "x", (), (), "no page"))
