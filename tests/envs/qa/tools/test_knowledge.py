import time

import pytest

from lumos_rl.envs.qa.tools.knowledge import (
    Facts,
    KnowledgeQuery,
    Nothing,
    ParagraphRetrieve,
    Paragraphs,
    Piece,
    Pieces,
    Source,
    split_document,
)
from lumos_rl.envs.qa.tools.question import qa_tools
from lumos_rl.envs.qa.tools.ranking import rank
from lumos_rl.envs.qa.tools.titles import key_of, split_sentences, suffixless, words
from lumos_rl.errors import ToolError
from lumos_rl.language import parse_actions
from lumos_rl.tools.base import Executor, Value

ED = Piece("Ed Wood", ("Ed Wood was an American filmmaker.", " He directed Glen or Glenda."))
GLEN = Piece("Glen or Glenda", ("It is a 1953 film.",))
PLANET, ELEMENT = Piece("Mercury (planet)", ("A planet.",)), Piece("Mercury (element)", ("A metal.",))
ZOE = Piece("Zoë Kruså", ("A Danish painter.",))
CARS = [Piece(title, ("A car.",)) for title in ("Audi R8", '"Heroes"', "Heroes", "!!!")]
SOURCE = Paragraphs(
    [GLEN, ED, PLANET, ELEMENT, ZOE, Piece("The Tower", ("A tower.",)), Piece("the tower", ("A song.",)), *CARS]
)


def run(*lines, source=SOURCE):
    executor = Executor(qa_tools(source))
    outcomes = [executor.run(parse_actions(line)) for line in lines]
    return outcomes[-1]


def test_the_sources_keep_the_protocol():
    assert all(isinstance(source, Source) for source in (SOURCE, Facts([]), Nothing("")))


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("Ed Wood", "Ed Wood"),
        ("ed  wood", "Ed Wood"),
        ("ED_WOOD", "Ed Wood"),
        ("zoe krusa", "Zoë Kruså"),
        ("Zoe\u0308 Krusa\u030a", "Zoë Kruså"),
        ("Mercury (planet)", "Mercury (planet)"),
        ("mercury planet", "Mercury (planet)"),
        ("Glen or Glenda (film)", "Glen or Glenda"),
        ("The Tower", "The Tower"),
        ("the tower", "the tower"),
        ("Query: Ed Wood", "Ed Wood"),
        ('"Ed Wood"', "Ed Wood"),
        ("“Ed Wood”", "Ed Wood"),
        ("Audi R8", "Audi R8"),
        ('"Heroes"', '"Heroes"'),
        ("Heroes", "Heroes"),
        ("!!!", "!!!"),
        ('"!!!"', "!!!"),
    ],
)
def test_a_title_is_found_exactly_or_nearly(query, title):
    pieces = KnowledgeQuery(SOURCE)(query, {"R8": Value(Pieces(()), "")}).exact
    assert isinstance(pieces, Pieces)
    assert [piece.title for piece in pieces.items] == [title]


def test_a_paragraph_is_shown_as_its_sentences_in_order_with_the_title():
    shown = KnowledgeQuery(SOURCE)("Ed Wood", {}).text
    assert shown == "[Ed Wood] Ed Wood was an American filmmaker. He directed Glen or Glenda."


def test_what_is_no_title_is_found_by_its_words():
    assert KnowledgeQuery(SOURCE)("American filmmaker", {}).text.startswith("[Ed Wood]")


@pytest.mark.parametrize("query", ["Mercury", "MERCURY (god)", "THE TOWER"])
def test_an_ambiguous_query_lists_the_titles(query):
    shown = KnowledgeQuery(SOURCE)(query, {}).text
    assert "may mean: " in shown
    assert shown.count(";") == 1
    assert "Query one of these titles." in shown


def test_an_ambiguous_query_lists_at_most_five_titles():
    many = Paragraphs(Piece(f"Halden ({number})", ("A place.",)) for number in range(9))
    assert KnowledgeQuery(many)("Halden", {}).text.count("Halden (") == 5


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("R1 = KnowledgeQuery()", "expected a query, as in KnowledgeQuery(Paris), got nothing"),
        ("R1 = KnowledgeQuery(…)", "expected a query"),
        ("R1 = KnowledgeQuery(qwxz)", "nothing is known about 'qwxz'; try another name"),
        ("R1 = KnowledgeQuery(" + "x" * 2_001 + ")", "at most 2000 characters, got 2001"),
        ("R1 = ParagraphRetrieve(Query: x)", "expected results to pick from"),
        ("R1 = ParagraphRetrieve(R9, Query: x)", "unknown result 'R9'"),
        ("R1 = ParagraphRetrieve(Ed Wood)", "expected earlier results and a query, as in ParagraphRetrieve(R1, Query:"),
        ("R1 = KnowledgeQuery(Ed Wood); R2 = ParagraphRetrieve(R1)", "expected a query"),
        ("R1 = Calculator(2 + 3); R2 = ParagraphRetrieve(R1, Query: x)", "R1 holds no paragraphs"),
        ("R1 = QA([R1], Question: Who?)", "unknown result 'R1'"),
        (
            "R1 = KnowledgeQuery(Ed Wood); R2 = QA([R1, ], Question: Who?)",
            "expected earlier results and a question, as",
        ),
        ("R1 = ParagraphRetrieve([R1 R2], Query: x)", "expected earlier results and a query, as"),
        ("R1 = KnowledgeQuery(Ed Wood); R2 = QA([R1], Question: )", "expected a query, as in QA([R2, R6], Question:"),
        ("R1 = KnowledgeQuery(Ed Wood); R2 = KnowledgeQuery(R1)", "R1 holds paragraphs, expected an answer"),
    ],
)
def test_what_cannot_be_looked_up_says_why(line, said):
    assert said in str(run(line).error)


@pytest.mark.parametrize("args", ["[]{}x", "[]{0},{0}x", "[{}x", "R1{}x", "R1, {}Question"])
def test_blanks_in_a_context_take_no_time(args):
    start = time.process_time()
    run(f"R2 = QA({args.format(' ' * 30_000)})")
    assert time.process_time() - start < 1


def test_a_task_without_knowledge_says_so():
    tools = qa_tools(Nothing("this task comes without paragraphs"))
    with pytest.raises(ToolError, match="this task comes without paragraphs"):
        tools["KnowledgeQuery"]("Ed Wood", {})
    assert tools["QA"]("Question: Who?", {}).text == "Question: Who?; Answer: No answer"


def test_the_best_five_pieces_are_evidence_each_with_its_title():
    pieces = tuple(Piece(f"T{number}", (f"word {'film ' * number}.",)) for number in range(8))
    evidence = ParagraphRetrieve()("[R1], Query: film", {"R1": Value(Pieces(pieces), "")}).text.split("\n")
    assert len(evidence) == 5
    assert all(line.startswith(f"Evidence {number}: [T") for number, line in enumerate(evidence, 1))


def test_pieces_that_fit_no_word_come_last_but_come():
    bindings = {"R1": Value(Pieces((PLANET,)), ""), "R2": Value(Pieces((ED, PLANET)), "")}
    assert (
        ParagraphRetrieve()("R1, R2, Query: a filmmaker", bindings).text
        == f"Evidence 1: {ED.line}\nEvidence 2: {PLANET.line}"
    )


def test_an_answer_stands_for_its_name_in_later_questions():
    source = Paragraphs([Piece("Bo", ("Bo directed Jail Bait.",)), Piece("Jail Bait", ("It is a film of 1954.",))])
    lines = (
        "R1 = KnowledgeQuery(Bo)",
        "R2 = QA([R1], Question: Which film did Bo direct?)",
        "R3 = KnowledgeQuery(R2); R4 = QA([R3], Question: In which year was R2 made?)",
    )
    assert run(*lines, source=source).results["R4"] == "Question: In which year was Jail Bait made?; Answer: 1954"


def test_long_paragraphs_are_cut_when_shown_and_kept_whole():
    long = Paragraphs([Piece("A", ("word " * 2_000,)), Piece("A", ("more",))])
    value = KnowledgeQuery(long)("A", {})
    assert len(value.text) < 6_100
    assert "(1 more paragraphs)" in value.text
    assert len(value.exact.items) == 2


def test_a_document_is_split_into_paragraphs_and_long_ones_between_sentences():
    long = " ".join(f"Sentence {number} has exactly six words." for number in range(50))
    pieces = split_document("A", f"One. Two.\n\n{long}")
    assert [len(piece.text.split()) for piece in pieces] == [2, 198, 102]
    assert {piece.title for piece in pieces} == {"A"}
    assert " ".join(piece.text for piece in pieces[1:]) == long
    assert split_document("A", ["One.", " Two."]) == [Piece("A", ("One.", " Two."))]
    assert split_document("A", "") == [Piece("A", ())]


def test_facts_are_all_found_whatever_is_asked_those_that_fit_first():
    shown = KnowledgeQuery(Facts(["Bo is a cat.", "Ann is a dog."]))("Ann", {}).text
    assert shown == "Ann is a dog.\nBo is a cat."


def test_a_ranking_follows_the_hop_that_a_question_only_describes():
    pieces = [("Oslo", "The city of the director was born."), ("Glen", "A film by Bo."), ("Bo", "Painter from Rome.")]
    assert rank("Where was the director of Glen born?", pieces)[:2] == [1, 0]
    assert 2 in rank("Where was the director of Glen born?", pieces)
    assert rank("xyz", pieces) == rank("", pieces) == rank("Glen", []) == []


def test_forms_of_titles():
    assert key_of("São  Paulo_(state)!") == "sao paulo state"
    assert (key_of("Łódź"), key_of("Søren Ægir"), key_of("SOKAĞI")) == ("lodz", "soren aegir", key_of("Sokağı"))
    assert (suffixless("A (b) (c)"), suffixless("(film)")) == ("a b", "film")
    assert words("Cities of the Boss's glass") == ["city", "boss", "glass"]


def test_sentences_end_where_they_end():
    text = 'She met J. R. Smith at 3.5 p.m. on St. John. "Why?" he asked. 1950 was late.'
    assert split_sentences(text) == [
        "She met J. R. Smith at 3.5 p.m. on St. John.",
        '"Why?" he asked.',
        "1950 was late.",
    ]
    assert split_sentences("  ") == []
