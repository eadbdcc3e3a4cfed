import os
import subprocess
import sys
import time

import pytest

from lumos_rl.envs.qa.tools.extractive import ExtractiveReader
from lumos_rl.prompts import parse_reading, reading_prompt

WOOD = (
    "[Ed Wood] Ed Wood was an American filmmaker, born on October 10, 1924 in Poughkeepsie. He directed Glen or Glenda."
)
GLEN = "[Glen or Glenda] Glen or Glenda is a 1953 drama film. It cost 20,000 dollars and lasts 65 minutes."


def read(question, *evidence, yes_no=False):
    return ExtractiveReader()(reading_prompt(question, evidence, yes_no))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("In which city was Ed Wood born?", "Poughkeepsie"),
        ("When was Ed Wood born?", "October 10, 1924"),
        ("In which year was Ed Wood born?", "1924"),
        ("Who directed Glen or Glenda?", "Ed Wood"),
        ("How many minutes does Glen or Glenda last?", "65"),
        ("How much did Glen or Glenda cost?", "20,000"),
        ("What is the population of Peru?", "No answer"),
    ],
)
def test_the_span_fits_the_question_word(question, answer):
    assert read(question, WOOD, GLEN) == answer


def test_without_evidence_there_is_no_answer():
    assert read("Who directed Glen or Glenda?") == "No answer"


ANN, BO = "Question: When was Ann Lee born?; Answer: 1950", "Question: When was Bo Ray born?; Answer: 3 May 1940"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who was born earlier, Ann Lee or Bo Ray?", "Bo Ray"),
        ("Who is younger, Ann Lee or Bo Ray?", "Ann Lee"),
        ("Who was born first, Bo Ray or Ann Lee?", "Bo Ray"),
    ],
)
def test_a_choice_compares_what_was_answered_before(question, answer):
    assert read(question, ANN, BO) == answer


def test_a_choice_compares_what_two_articles_say():
    pieces = (
        "[Arthur's Magazine] Arthur's Magazine (1844–1846) was a periodical.",
        "[First for Women] It began in 1989.",
    )
    assert (
        read("Which magazine was started first, Arthur's Magazine or First for Women?", *pieces) == "Arthur's Magazine"
    )


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Is 22 greater than 5?", "yes"),
        ("Is 4 at least 5 more than 3 hundred?", "no"),
        ("Is 5 greater than or equal to five?", "yes"),
        ("Is 1960 before 1950?", "no"),
        ("Is Italy the same as Spain?", "no"),
        ("Is Italy different from Spain?", "yes"),
        ("Is Glen or Glenda a drama film?", "yes"),
        ("Did Ed Wood win the Nobel Prize for chemistry in Stockholm?", "no"),
    ],
)
def test_yes_or_no_is_decided(question, answer):
    assert read(question, WOOD, GLEN, yes_no=True) == answer


def test_a_yes_or_no_that_nothing_bears_on_is_left_open_unless_it_must_be_decided():
    assert read("Is water wet?") == "No answer"
    assert read("Is water wet?", yes_no=True) == "no"


def test_the_last_answer_answers_the_whole():
    assert (
        read("Where was the director of X born?", "Question: Who directed X?; Answer: Bo", "Question: ?; Answer: Oslo")
        == "Oslo"
    )
    assert read("Do they share a city?", ANN, "Question: R7; Answer: yes") == "yes"
    assert read("Which is it, Ann Lee or Bo Ray?", "Question: Which is it, Ann Lee or Bo Ray?; Answer: Cy") == "Cy"


TIES = """
import random
from lumos_rl.prompts import reading_prompt
from lumos_rl.envs.qa.tools.extractive import ExtractiveReader
names = "Ann Lee,Bo Ray,Cy Fox,Di Gee,Ed Hay".split(",")
for seed in range(120):
    rng = random.Random(seed)
    asked = rng.sample("alpha bravo charlie delta echoes foxtrot golfing hotel india juliet kilo lima".split(), 8)
    evidence = [f"{name} {' '.join(rng.sample(asked, 7))}." for name in names]
    print(ExtractiveReader()(reading_prompt(f"Who {' '.join(asked)}?", evidence)))
"""


def test_spans_that_fit_alike_are_chosen_alike_in_every_process():
    def run(seed):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.run([sys.executable, "-c", TIES], env=environment, capture_output=True, check=True).stdout

    assert run("1") == run("2") == run("3")


def test_a_question_that_was_answered_before_is_no_answer_itself():
    answered = "Question: Where was Ed Wood born?; Answer: Poughkeepsie"
    assert read("Where was Poughkeepsie?", answered, "[Oslo] Oslo is a city.") == "No answer"
    unanswered = "Question: When does the ball drop?; Answer: No answer"
    assert read("Who is No answer?", unanswered, "[Oslo] Oslo is a city.") == "No answer"


@pytest.mark.parametrize("yes_no", [True, False])
def test_a_prompt_is_read_back(yes_no):
    prompt = reading_prompt("Who?\nNow", ["[A] one\ntwo", "Question: x; Answer: y"], yes_no)
    assert parse_reading(prompt) == ("Who? Now", ["[A] one two", "Question: x; Answer: y"], yes_no)
    assert parse_reading(reading_prompt("Who?", [])) == ("Who?", [], False)
    assert parse_reading("anything")[1:] == ([], False)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 20_000,
        "A or " * 5_000,
        "A. " * 10_000,
        "(" * 9_000 + "is a " * 2_000,
        "1,000 " * 9_000,
        "9" * 60_000,
        "hundred " * 9_000,
    ],
)
def test_no_text_takes_long(text):
    start = time.process_time()
    for question in (
        "Who or what is A or B?",
        "Is A older than B?",
        "How many are there?",
        "Is A larger than B?",
        text[:2_000],
    ):
        read(question, text, f"[{text}] {text}")
    assert time.process_time() - start < 5
