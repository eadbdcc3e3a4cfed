"""Texts made to be slow: reading them takes time in proportion to their length, for questions, documents and pages."""

import time
from collections.abc import Callable, Mapping

import pytest

pytest.importorskip("lxml")

from lumos_rl.data.kept import Kept
from lumos_rl.envs.mind2web.tools.dom import as_text, clean_tree, format_candidate, get_tree_repr, prune_tree
from lumos_rl.envs.mind2web.tools.page_text import PageText
from lumos_rl.envs.mind2web.tools.ranking import LexicalRanker
from lumos_rl.envs.qa.tools import titles
from lumos_rl.envs.qa.tools.deciding import is_yes_no, options_of, read_line
from lumos_rl.envs.qa.tools.extractive import ExtractiveReader
from lumos_rl.envs.qa.tools.knowledge import MAX_QUERY, fill, split_context, split_document
from lumos_rl.envs.qa.tools.quantity import FactCalculator, read_date, read_quantity
from lumos_rl.envs.qa.tools.titles import split_sentences, suffixless, without_suffix
from lumos_rl.errors import ToolError
from lumos_rl.prompts import reading_prompt
from lumos_rl.tools.base import Value

SHORT, LONG = 4_000, 32_000  # characters: eight times as many take 64 times as long if the time grows with the square
PAGE = ["ancestors: /html\ntarget: (a id=0 " + f"word{index} other{index})" for index in range(300)]


def read(text: str) -> None:
    ExtractiveReader()(reading_prompt("Who directed the film Silver Harbour?", [f"[Silver Harbour] {text}"]))


def ask(text: str) -> None:
    ExtractiveReader()(reading_prompt(text, ["[Silver Harbour] It was directed by Ida Vorelan in 1931."]))


def calculate(text: str) -> None:
    with pytest.raises(ToolError):
        FactCalculator()("R1 * R2", {"R1": Value.of(text), "R2": Value.of("no number")})


def context(text: str) -> None:
    with pytest.raises(ToolError):
        split_context(text, "Query", "an example")


def page(text: str) -> None:
    clean_tree(f'<svg backend_node_id="1" class="{text}"/>', [])


def links(count: int) -> str:
    """A page of as many links with texts between them."""
    parts = (f'<a backend_node_id="{key}"> <text>w{key}</text> </a> <text>x{key}</text>' for key in range(1, count))
    return f'<html backend_node_id="0"> {" ".join(parts)} </html>'


def candidates(text: str) -> None:
    page = PageText(links(len(text)))
    for key in page.keys[1:100]:
        page.candidate(key)


def rank(text: str) -> None:
    LexicalRanker().score_all(text, PAGE)


CASES: Mapping[str, tuple[Callable[[str], object], str]] = {  # what reads, and the part that is repeated
    "names between words": (read, "Ab x "),
    "one sentence of names": (read, "Ab, "),
    "opening words": (read, "The "),
    "many sentences": (read, "A! "),
    "abbreviations": (read, "Dr. A "),
    "title": (lambda text: read_line(f"[{text}] x"), "[]"),
    "names in a question": (ask, "A "),
    "letters in a question": (ask, "A"),
    "alternatives": (ask, "A or "),
    "yes or no": (is_yes_no, "if a,"),
    "options": (lambda text: options_of(f"{text} or b", []), "A, "),
    "sentences": (split_sentences, "A. "),
    "quotes behind a sentence": (split_sentences, '."'),
    "lines of a document": (lambda text: split_document("T", text), "a\n"),
    "sentences without words": (lambda text: split_document("T", ["" for _ in text]), " "),
    "blanks in a title": (suffixless, " "),
    "brackets in a title": (without_suffix, "(a"),
    "blanks behind a date": (lambda text: read_date(f"May 5, 1950{text}x"), " "),
    "blanks behind a number": (lambda text: read_quantity(f"May 5 1950{text}x"), " "),
    "number words": (calculate, "hundred "),
    "blanks before a query": (lambda text: context(f"[{text}x"), " "),
    "brackets before a query": (context, "[ "),
    "icons": (page, "a"),
    "open texts": (as_text, "<text>"),
    "open tags": (as_text, "</"),
    "words that no page has": (rank, "wrd "),
}


def seconds(run: Callable[[str], object], text: str) -> float:
    """Processor time of the fastest of two runs."""
    taken = []
    for _ in range(2):
        titles._kept_plain.cache_clear()
        began = time.process_time()
        run(text)
        taken.append(time.process_time() - began)
    return min(taken)


@pytest.mark.parametrize("case", CASES)
def test_time_grows_with_the_length_of_a_text_and_no_faster(case: str) -> None:
    run, part = CASES[case]
    short, long = (seconds(run, part * (size // len(part))) for size in (SHORT, LONG))
    assert long < 24 * max(short, 0.005), f"{short:.3f} s, then {long:.3f} s"


def test_a_page_of_many_texts_is_written_in_linear_time() -> None:
    short, long = seconds(candidates, "x" * 300), seconds(candidates, "x" * 2_400)
    assert long < 24 * max(short, 0.005), f"{short:.3f} s, then {long:.3f} s"


def test_a_page_of_many_texts_is_written_as_before() -> None:
    text = links(500)
    page = PageText(text)
    for key in ("1", "2", "250", "499", "0"):
        assert page.candidate(key) == format_candidate(text, {"backend_node_id": key})


def nested(depth: int, about: str = "", after: str = "") -> str:
    """A page of as many elements, each in the one before it."""
    opened = (f'<div backend_node_id="{key}"{about}>a{key} ' for key in range(depth))
    return f"{''.join(opened)}{f'{after}</div>' * depth}"


def all_candidates(text: str) -> None:
    page = PageText(nested(len(text), ' title="w"'))
    for key in page.keys:
        page.candidate(key)


def test_the_candidates_of_a_deep_page_do_not_cost_more_the_deeper_they_are() -> None:
    short, long = seconds(all_candidates, "x" * 250), seconds(all_candidates, "x" * 2_000)
    assert long < 24 * max(short, 0.005), f"{short:.3f} s, then {long:.3f} s"


@pytest.mark.parametrize("about", ["", ' title="w"', ' style="x"'])
def test_a_deep_page_is_written_as_before(about: str) -> None:
    text = nested(260, about, " b")
    page = PageText(text)
    for key in ("0", "1", "199", "200", "201", "202", "258", "259"):
        assert page.candidate(key) == format_candidate(text, {"backend_node_id": key})
    assert page.around(["3", "250"]) == get_tree_repr(prune_tree(text, ["3", "250"]), id_mapping={})


def test_a_path_of_one_word_is_cut_at_10_000_characters() -> None:
    text = nested(1_500, ' style="x"', "b").replace(" <", "<")  # /diva0/diva1 … bbb
    words = PageText(text).candidate("1499").split("\n")[0].removeprefix("ancestors: ")
    assert len(words) == 10_000 + len("/diva1498") + 1_498 and words.endswith("/diva1497/diva1498" + "b" * 1_498)


def test_a_query_of_many_different_words_looks_few_of_them_up() -> None:
    few, many = (" ".join(f"wod{index}" for index in range(count)) for count in (100, 6_000))
    assert seconds(rank, many) < 10 * max(seconds(rank, few), 0.02)
    ranker = LexicalRanker()
    assert ranker.score_all("wurd7", PAGE)[7] == max(ranker.score_all("wurd7", PAGE))  # which is still looked up


def test_a_reader_tells_when_it_looks_at_the_first_of_very_many_names(caplog: pytest.LogCaptureFixture) -> None:
    names = " and ".join(f"Ann{number}" for number in range(3_990))
    ask = reading_prompt("Who directed Silver Harbour?", [f"[Film] Silver Harbour: {names} by Ida Vorelan"])
    assert ExtractiveReader()(ask) == "Ida Vorelan" and not caplog.messages
    more = ask.replace(" by Ida", f" and {names} by Ida")
    assert ExtractiveReader()(more) != "Ida Vorelan"
    told = "the reader looked only at the first 4000 sentences and possible answers of its evidence"
    assert caplog.messages == [told]
    assert ExtractiveReader()(ask.replace("Silver Harbour:", f"{'A! ' * 4_000} Silver Harbour:")) != "Ida Vorelan"
    assert caplog.messages == [told, told]


def test_the_calculator_reads_the_results_that_it_names_and_no_long_text() -> None:
    results = {f"R{number}": Value.of("x<" * 1_000) for number in range(2, 60)} | {"R1": Value.of("two")}
    FactCalculator()("R1 + 1", {"R1": Value.of("two")})
    assert seconds(lambda text: FactCalculator()(text, results), "R1 + 1") < 0.05
    assert FactCalculator()("R1 + 1", results).text == "3"
    with pytest.raises(ToolError, match="R1 is"):
        FactCalculator()("R1 + 1", {"R1": Value.of("two " + "x" * 5_000)})


def test_a_long_answer_that_is_named_often_does_not_fill_the_memory() -> None:
    long = {"R1": Value.of("z" * 60_000), "R2": Value.of("Oslo")}
    with pytest.raises(ToolError, match=f"at most {MAX_QUERY} characters, got more with R1 filled in"):
        fill("R1 " * 20_000, long)
    assert fill("Is R2 in R3?", long) == "Is Oslo in R3?"


def test_long_texts_are_not_cached() -> None:
    titles._kept_plain.cache_clear()
    assert titles.plain("É" * 501) == "e" * 501
    assert titles._kept_plain.cache_info().currsize == 0
    assert titles.plain("É") == "e" and titles._kept_plain.cache_info().currsize == 1


def test_what_is_kept_is_bounded_by_bytes_and_the_oldest_goes_first() -> None:
    made: list[str] = []

    def make(text: str) -> str:
        return kept.get(text[0], lambda: made.append(text) or text, len)

    kept = Kept[str](10)
    for text in ("aaaa", "bbbb", "aaaa", "cccc"):
        assert make(text) == text
    assert (made, kept.keys, kept.bytes) == (["aaaa", "bbbb", "cccc"], ["a", "c"], 8)
    make("d" * 50)  # too large, but in use
    assert (kept.keys, kept.bytes) == (["d"], 50)
    make("eeee")
    assert kept.keys == ["e"]
