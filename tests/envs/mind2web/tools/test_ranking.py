import pytest

from lumos_rl.envs.mind2web.tools.ranking import LexicalRanker, rank, scores


def target(text, around="/html/body"):
    return f"ancestors: {around}\ntarget: ({text} )"


PAGE = [
    target("a id=0 (span Home )"),
    target("span id=0 Search hotels", "/html/button submit"),
    target("button id=0 submit (span Search hotels )"),
    target("label id=0 City of arrival"),
    target("input id=0 text city of arrival"),
    target("select id=0 room type (option Single ) (option Double ) (option Family ) (option Suite )"),
    target("label id=0 Room type"),
]


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("the search button", 2),
        ("textbox City of arrival", 4),
        ("label City of arrival", 3),
        ("combobox Room type", 5),
        ("room type The option contents should be close to 'Double'.", 5),
        ("link home", 0),
        ("the serch buton", 2),  # misspelt words count as those most alike
        ("task is: Home\nPrevious actions: [button]  Search hotels -> CLICK", 0),  # the task alone is looked at
    ],
)
def test_the_element_that_fits_best_comes_first(query, best):
    assert rank(LexicalRanker(), query, PAGE)[0] == best


def test_equally_good_ones_keep_their_order():
    assert rank(LexicalRanker(), "unrelated words", PAGE) == list(range(len(PAGE)))
    assert rank(lambda query, text: 1.0, "any", ["b", "a", "b"]) == [0, 1, 2]


def test_a_rare_word_tells_more_than_a_common_one():
    texts = [target(f"a id=0 room {name}") for name in ("red", "green", "blue", "room")]
    assert rank(LexicalRanker(), "room blue", texts)[0] == 2


def test_equal_texts_are_scored_once():
    asked = []

    def ranker(query, text):
        asked.append(text)
        return len(text)

    assert scores(ranker, "q", ["aa", "b", "aa", "b"]) == [2.0, 1.0, 2.0, 1.0]
    assert asked == ["aa", "b"]


def test_one_text_by_itself_and_none_at_all_have_scores():
    assert LexicalRanker()("search button", PAGE[2]) > LexicalRanker()("search button", PAGE[0])
    assert LexicalRanker()("", PAGE[0]) == 0.0
    assert scores(LexicalRanker(), "x", []) == []
    assert LexicalRanker()("x", "text without a target") == 0.0
    assert LexicalRanker()("without", "text without a target") > 0.0
