import re
from fractions import Fraction

import pytest

from lumos_rl.core import Action, Subgoal, Task
from lumos_rl.data.annotate import annotate
from lumos_rl.data.files import Row
from lumos_rl.envs.math.given import given_numbers
from lumos_rl.envs.math.mawps import READER
from lumos_rl.envs.math.resample import resample
from lumos_rl.envs.math.verify import check


def annotated(text: str, equation: str, gold: str) -> Task:
    task = annotate(Task("mawps/train/0", "mawps", text, gold, "train", meta={"equation": equation, "question": ""}))
    assert isinstance(task, Task)
    return task


SHARE = annotated(
    "Tom shares 1,200 nuts among 24 kids with 3 dogs. How many nuts does each kid get?", "/ 1200 24", "50"
)


def test_text_and_program_change_together_and_the_answer_is_computed():
    for task in resample(SHARE, 20, seed=1):
        nuts, kids = (int(part) for part in task.subgoals[0].actions[0].args.split("/"))
        name, things = task.instruction.split()[0], task.instruction.split()[3]
        text = f"{name} shares {nuts:,} {things} among {kids} kids with 3 dogs. How many {things} does each kid get?"
        assert task.instruction == text
        assert (name, things) != ("Tom", "nuts")
        assert check(task.subgoals, str(nuts // kids)) == ("", "")
        assert task.answer == str(nuts // kids) == task.subgoals[0].actions[0].result
        assert nuts % kids == 0 and {nuts, kids} <= given_numbers(task.subgoals[0].text)


def test_divisions_that_came_out_even_still_do():
    assert all(Fraction(task.answer).denominator == 1 for task in resample(SHARE, 20))


def test_new_tasks_differ_and_have_ids_of_their_own():
    tasks = resample(SHARE, 5)
    assert [task.id for task in tasks] == [f"mawps/train/0~{k}" for k in range(1, 6)]
    assert len({SHARE.instruction, *(task.instruction for task in tasks)}) == 6
    assert tasks[0].meta == {"resampled_from": "mawps/train/0"}


def test_the_same_seed_gives_the_same_tasks():
    assert resample(SHARE, 3, seed=4) == resample(SHARE, 3, seed=4) != resample(SHARE, 3, seed=5)


def test_signs_and_shares_keep_their_kind():
    less = annotated("Tom had 9 nuts and ate 7. How many are left?", "- 9 7", "2")
    assert all(Fraction(task.answer) > 0 for task in resample(less, 20))
    share = annotated("Of 8 nuts 2 are bad. What share is that?", "/ 2 8", "0.25")
    assert all(0 < Fraction(task.answer) < 1 for task in resample(share, 20))


def test_decimals_keep_their_places():
    price = annotated("A hat costs $ 1.50. How much do 4 cost?", "* 1.5 4", "6")
    for task in resample(price, 10):
        assert len(task.instruction.split("$ ")[1].split(" ")[0].rstrip(".").partition(".")[2]) == 2


@pytest.mark.parametrize(
    "task",
    [
        annotated("Tom had nine nuts and ate seven. How many are left?", "- 9 7", "2"),  # words, not digits
        annotated("Which is less, 4 plus 5 or 11?", "+ 4 5", "9"),  # compares
        annotated("The 5th of 1/3 on 4:30", "+ 5 4", "9"),  # parts of other words
        Task("t", "mawps", "5 and 6", "11"),  # no plan
    ],
)
def test_a_task_that_may_need_another_program_is_left_alone(task):
    assert resample(task, 3) == []


def test_a_plan_with_other_tools_than_the_math_ones_is_not_tried(monkeypatch):
    monkeypatch.setattr("lumos_rl.envs.math.resample._rewrite", lambda *_: pytest.fail("tried other numbers"))
    action = Action(("R1",), "Query", "SELECT COUNT(*) FROM book WHERE pages > 276", "[(9,)]")
    question = "How many books have more pages than 276?"
    assert resample(Task("t", "intercode_sql", question, subgoals=(Subgoal("Query book.", (action,)),)), 2) == []


def test_a_literal_that_may_have_been_a_result_is_left_alone():
    solution = "2+3=<<2+3=5>>5\nNow 5+8=<<5+8=13>>13"
    task = annotate(Task("g", "gsm8k", "Tom has 5, 2 and 3, later 8.", "13", "train", meta={"solution": solution}))
    assert task.meta["choices"] and resample(task, 3) == []


def worked(question: str, solution: str, gold: str) -> Task:
    task = annotate(Task("gsm8k/train/0", "gsm8k", question, gold, "train", meta={"solution": solution}))
    assert isinstance(task, Task), task
    return task


@pytest.mark.parametrize("solution", ["5*7=35\n35*6=210\n35+210=245", "35*6=210\n35+210=245"])
def test_a_number_that_words_or_other_numbers_make_does_not_change(solution):
    for count, other in (("thirty-five", "35"), ("35", "35")):
        text = f"A cart holds 5 sacks of 7 kg and {count} bags of 6 kg. How many kg is that?"
        copies = resample(worked(text, solution, "245"), 10)
        for task in copies:
            found = re.search(rf"5 \w+ of 7 kg and (?:{count}|{other}) \w+ of (\d+) kg", task.instruction)
            assert found and int(task.answer) == 35 + 35 * int(found[1])
        assert bool(copies) == solution.startswith("35")


def test_the_rounding_of_a_copy_is_the_one_that_the_words_name():
    text = "A bar costs $8 and Ann has $41. How many bars does she get?"
    copies = resample(worked(text, "41/8 = 5.125, which rounds down to 5.", "5"), 10)
    assert len(copies) == 10
    for task in copies:
        price, money = map(int, re.findall(r"\d+", task.instruction))
        assert int(task.answer) == money // price


def test_a_rounding_that_no_word_decides_has_no_copies():
    assert (
        resample(worked("A bar costs $8 and Ann has $41. How many does she get?", "41/8 = 5.125\nSo 5.", "5"), 3) == []
    )


def test_a_constant_of_a_unit_does_not_change():
    task = worked("Ann eats 7 nuts a day. How many in 3 weeks?", "3*7=<<3*7=21>>21 days\n21*7=<<21*7=147>>147", "147")
    for copy in resample(task, 5):
        found = re.search(r"eats 7 \w+ a day.*in (\d+) weeks", copy.instruction)
        assert found and int(copy.answer) == 49 * int(found[1])


def test_a_digit_that_a_word_stands_for_as_well_stays():
    text = "Cori is 3 years old. In 5 years she will be one-third as old as her aunt. How old is her aunt?"
    copies = resample(annotated(text, "- * + 3 5 3 5", "19"), 10)
    for task in copies:
        found = re.search(r"is 3 years old\. In (\d+) years", task.instruction)
        assert found and int(task.answer) == (3 + int(found[1])) * 3 - int(found[1])
    assert len({task.answer for task in copies}) > 3


def test_a_constant_of_an_equation_does_not_change_with_a_number_of_the_text():
    value = {"Question": "Ann buys number0 hats of number1 dollars in 2 colours .", "Equation": "* number1 2.0"}
    row = Row(0, "train.csv:2", value | {"Numbers": "2.0 15.0", "Answer": "30.0"})
    task = annotate(READER.task(row, "train"))
    assert isinstance(task, Task)
    for copy in resample(task, 5):
        assert copy.subgoals[0].actions[0].args.endswith(" * 2") and copy.instruction.split()[2] == "2"


def test_worded_numbers_stay_while_the_others_change():
    task = annotated("Twice as much as 40 nuts and 3 more.", "+ * 2 40 3", "83")
    found = resample(task, 5)
    assert len(found) == 5
    assert all(new.subgoals[0].actions[0].args.startswith("2 * ") for new in found)
    assert all(new.instruction.startswith("Twice as much as ") for new in found)
