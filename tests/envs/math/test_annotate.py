from fractions import Fraction

import pytest

from lumos_rl.core import Action, Subgoal, Task
from lumos_rl.data.annotate import annotate
from lumos_rl.envs.math.annotate_equation import Operation, parse_equation
from lumos_rl.envs.math.equations import equations
from lumos_rl.envs.math.given import given_numbers
from lumos_rl.envs.math.plan_builder import Plan, PlanBuilder
from lumos_rl.envs.math.plan_sentence import ask, ask_for_unknown
from lumos_rl.envs.math.verify import check, verified
from lumos_rl.errors import UnknownNameError
from lumos_rl.language import format_actions
from lumos_rl.task_types import Reject


def gsm8k(question: str, solution: str, gold: str) -> Task | Reject:
    return annotate(Task("gsm8k/train/0", "gsm8k", question, gold, "train", meta={"solution": solution}))


def actions(task: Task | Reject) -> list[str]:
    assert isinstance(task, Task), task
    return [format_actions([action]) for subgoal in task.subgoals for action in subgoal.actions]


def sentences(task: Task | Reject) -> list[str]:
    assert isinstance(task, Task), task
    return [subgoal.text for subgoal in task.subgoals]


def test_each_calculation_becomes_a_subgoal_and_results_are_referred_to():
    task = gsm8k(
        "Natalia sold clips to 48 friends in April, and then she sold half as many clips in May. How many in all?",
        "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n"
        "Natalia sold 48+24 = <<48+24=72>>72 clips altogether in April and May.",
        "72",
    )
    assert actions(task) == ["R1 = Calculator(48 / 2) = 24", "R2 = Calculator(48 + R1) = 72"]
    assert sentences(task) == [
        "Natalia sold how many clips in May?",
        "Natalia sold how many clips altogether in April and May?",
    ]


def test_plain_calculations_count_when_they_come_to_what_is_stated():
    task = gsm8k("It lasts 5 days at 6 an hour for 9 hours.", "So 9*6 = $54.\nThat is 5*54 = 270.\nBut 5*5=26.", "270")
    assert actions(task) == ["R1 = Calculator(9 * 6) = 54", "R2 = Calculator(5 * R1) = 270"]


def test_a_number_of_the_question_stays_and_its_second_use_is_the_result_that_nothing_else_uses():
    task = gsm8k(
        "Tom has 5 hats, then 2, 3 and 1.",
        "He buys 2+3=<<2+3=5>>5.\nNow 5+1=<<5+1=6>>6.\nIn all 6+5=<<6+5=11>>11.",
        "11",
    )
    assert actions(task)[1:] == ["R2 = Calculator(5 + 1) = 6", "R3 = Calculator(R2 + R1) = 11"]
    assert task.meta["choices"] == {"R2": [["5", "R1"]], "R3": [["R1", "5"]]}


SACKS = "A cart holds 5 sacks of 8 kg each and forty bags of 6 kg each. How many kg is that?"


def test_a_number_word_of_the_question_stays_although_a_result_has_its_value():
    task = gsm8k(SACKS, "5*8=<<5*8=40>>40\n40*6=<<40*6=240>>240\n40+240=<<40+240=280>>280", "280")
    assert [action.split(" = ")[1] for action in actions(task)] == [
        "Calculator(5 * 8)",
        "Calculator(40 * 6)",
        "Calculator(R1 + R2)",
    ]


@pytest.mark.parametrize(
    ("question", "solution", "gold", "expected"),
    [
        (  # 1/4 is a fraction of the question, not a share of the 4 pens
            "Ann has 2 red and 2 blue pens, and gives away 1/4 of her 20 hats. How many pens and given hats?",
            "2+2=<<2+2=4>>4 pens\n1/4*20=<<1/4*20=5>>5 hats\n4+5=<<4+5=9>>9",
            "9",
            ["Calculator(2 + 2)", "Calculator(1 / 4 * 20)", "Calculator(R1 + R2)"],
        ),
        (  # 20% is no 20 apples
            "Ann has 4 bags of 5 apples, and 20% of her 50 plums are ripe. How many apples and ripe plums are there?",
            "4*5=<<4*5=20>>20 apples\n20%*50=<<20*.01*50=10>>10 plums\n20+10=<<20+10=30>>30",
            "30",
            ["Calculator(4 * 5)", "Calculator(20 * .01 * 50)", "Calculator(R1 + R2)"],
        ),
        (  # an hour has 60 minutes, however many balls there are
            "Ann has 20 boxes of 3 balls. She plays for 4 hours. How many balls and minutes are that?",
            "20*3=<<20*3=60>>60 balls\n4*60=<<4*60=240>>240 minutes\n60+240=<<60+240=300>>300",
            "300",
            ["Calculator(20 * 3)", "Calculator(4 * 60)", "Calculator(R1 + R2)"],
        ),
        (  # but 12 is what was computed where nothing else would use it
            "Ann has 7 red and 5 blue pens at 3 dollars each. What do they cost?",
            "7+5=<<7+5=12>>12 pens\n12*3=<<12*3=36>>36",
            "36",
            ["Calculator(7 + 5)", "Calculator(R1 * 3)"],
        ),
    ],
)
def test_fractions_percentages_and_constants_stay_literals(question, solution, gold, expected):
    assert [action.split(" = ")[1] for action in actions(gsm8k(question, solution, gold))] == expected


@pytest.mark.parametrize(
    ("question", "solution", "gold"),
    [
        ("Ann has some coins and gets 35 more. How many?", "125 coins and 35 more are 125+35=<<125+35=160>>160", "160"),
        ("Ann has 125 coins and 35 more. How many?", "So 135+25=<<135+25=160>>160", "160"),
        ("Ann has eight pens and buys some more.", "8+5=<<8+5=13>>13", "13"),
    ],
)
def test_a_plan_with_a_number_from_nowhere_is_rejected(question, solution, gold):
    rejected = gsm8k(question, solution, gold)
    assert isinstance(rejected, Reject) and rejected.reason == "a number comes from nowhere"


@pytest.mark.parametrize(
    ("question", "solution", "gold"),
    [
        ("Thirty-five pens cost two dollars each.", "35*2=<<35*2=70>>70", "70"),
        ("A hat of $50 is sold with 20% off.", "50*.8=<<50*.8=40>>40", "40"),
        ("She earns $3 a day. How much in 2 weeks?", "2*7=<<2*7=14>>14\n14*3=<<14*3=42>>42", "42"),
        ("The scores are 7, 8 and 9. What is the average?", "7+8+9=<<7+8+9=24>>24\n24/3=<<24/3=8>>8", "8"),
        ("Leo has twice as many as Ann, in all 36.", "There are 3 shares: 36/3=<<36/3=12>>12", "12"),
        ("Two dozen eggs cost 50 cents each.", "24*.5=<<24*.5=12>>12", "12"),
    ],
)
def test_numbers_that_words_and_units_explain_are_kept(question, solution, gold):
    assert actions(gsm8k(question, solution, gold))


def test_of_several_equal_results_the_latest_unused_one_is_taken_and_all_are_kept():
    task = gsm8k("2, 4, 16 and 1.", "2*4=<<2*4=8>>8\n16/2=<<16/2=8>>8\n8+1=<<8+1=9>>9\n8+9=<<8+9=17>>17", "17")
    assert actions(task)[2:] == ["R3 = Calculator(R2 + 1) = 9", "R4 = Calculator(R1 + R3) = 17"]
    assert task.meta["choices"]["R3"] == [["R2", "R1"]]


def test_arithmetic_is_exact_where_the_solution_rounds():
    task = gsm8k("10 for 3, buy 6.", "One costs 10/3=$<<10/3=3.33>>3.33.\nSix cost 3.33*6=$<<3.33*6=20>>20.", "20")
    assert actions(task) == ["R1 = Calculator(10 / 3) = 10/3", "R2 = Calculator(R1 * 6) = 20"]


def test_a_rounding_that_the_result_needs_is_calculated():
    task = gsm8k("100 over 6.", "He can buy 100 / 6= 16 books.\nHe pays 16 x 6 = <<16*6=96>>96.", "96")
    assert actions(task) == ["R1 = Calculator(floor(100 / 6)) = 16", "R2 = Calculator(R1 * 6) = 96"]


BARS = "A bar costs $8 and Ann has $41. How many bars does she get?"


@pytest.mark.parametrize(
    ("question", "line", "gold", "function"),
    [
        (BARS, "41/8 = 5.125, which rounds down to 5.", "5", "floor"),
        (BARS, "41/8 = 5.125\nTo the nearest whole number 5.", "5", "round"),
        (BARS.replace("does she get", "can she buy"), "41/8 = 5.125\nSo 5.", "5", "floor"),
        (BARS.replace("41", "47"), "47/8 = 5.875, which rounds up to 6.", "6", "ceil"),
        ("A box holds 8. How many boxes are needed for 47?", "47/8 = 5.875\nSo 6 boxes.", "6", "ceil"),
        ("2 of 3, to the nearest percent?", "That is 2/3*100 = 66.67, which rounds up to 67%", "67", "round"),
    ],
)
def test_the_words_decide_how_a_last_line_rounds(question, line, gold, function):
    task = gsm8k(question, line, gold)
    assert actions(task)[-1] == f"R2 = Calculator({function}(R1)) = {gold}" and not task.meta.get("choices")


def test_where_no_word_decides_every_rounding_that_fits_is_kept():
    task = gsm8k(BARS, "41/8 = 5.125\nSo 5.", "5")
    assert task.meta["choices"] == {"R2": [["round(", "floor("]]}


@pytest.mark.parametrize(
    ("solution", "gold", "expected"),
    [
        (
            "There are 4+6=<<4+6=10>>10 balls.\nThe chance is 4 / 10 = 40%",
            "40",
            ["R1 = Calculator(4 + 6) = 10", "R2 = Calculator(4 / R1) = 0.4", "R3 = Calculator(R2 * 100) = 40"],
        ),
        ("So 100% - 40% = 60% are left.", "60", ["R1 = Calculator(100 - 40) = 60"]),
        (
            "So 100% - 40% = 60%.\nThat is 60% * 50 = 30",
            "30",
            ["R1 = Calculator(100 - 40) = 60", "R2 = Calculator((R1 / 100) * 50) = 30"],
        ),
        ("As a share 6 / 15 * 100% = 40%", "40", ["R1 = Calculator(6 / 15 * 100) = 40"]),
    ],
)
def test_percentages_end_on_the_scale_that_is_stated(solution, gold, expected):
    assert actions(gsm8k("4 of 6, 40%, 50, 15: what percentage?", solution, gold)) == expected


def test_cents_are_asked_for():
    task = gsm8k("How much more is $0.50 than $.25, in cents?", "It is .50-.25 = $<<0.50-.25=0.25>>0.25 more.", "25")
    assert actions(task)[-1] == "R2 = Calculator(R1 * 100) = 25"


def test_an_equation_with_an_unknown_is_set_up_and_solved():
    task = gsm8k(
        "Three hats and 5 dollars make 20. How much are two?",
        "Let x be the price of a hat.\nSo 3x + 5 = 20.\n3x = 15\nx = <<5=5>>5\nTwo cost 5*2=<<5*2=10>>10.",
        "10",
    )
    assert actions(task) == [
        "R1 = SetEquation(3 * x + 5 = 20) = 3 * x + 5 = 20",
        "R2 = SolveEquation(R1) = 5",
        "R3 = Calculator(R2 * 2) = 10",
    ]
    assert sentences(task)[0] == "Set up an equation for x, the price of a hat, and solve it."


def test_a_solved_unknown_is_put_into_an_expression():
    task = gsm8k("Half as many of 30.", "x + 2x = 30.\nx = 10.\nSo 2x = 20 games.", "20")
    assert actions(task)[-1] == "R3 = Calculator(2 * R2) = 20"


def test_an_answer_that_is_an_earlier_result_is_an_alias():
    task = gsm8k(
        "Which is less, 480 by 30 or 340 by 20?",
        "A: 480 / 30 = <<480/30=16>>16\nB: 340/20=<<340/20=17>>17\nIt is <<16=16>>16.",
        "16",
    )
    assert actions(task)[-1] == "R3 = R1 = 16"


def test_a_slip_in_the_last_line_is_put_right_by_the_calculator():
    assert actions(gsm8k("14 gigs of 20.", "He played 14*20=140 minutes", "280")) == ["R1 = Calculator(14 * 20) = 280"]


@pytest.mark.parametrize(
    ("solution", "gold", "reason"),
    [
        ("She is 7 years old.", "7", "no equation in the solution"),
        ("The answer is <<7=7>>7.", "7", "no equation in the solution"),
        ("x = 7", "7", "no equation in the solution"),
        ("So 2+3=<<2+3=5>>5.", "6", "the result is not the gold answer"),
        ("", "6", "no equation in the solution"),
    ],
)
def test_an_answer_that_nothing_computes_is_rejected_with_a_reason(solution, gold, reason):
    rejected = gsm8k("Question", solution, gold)
    assert isinstance(rejected, Reject) and rejected.reason == reason and rejected.id == "gsm8k/train/0"


def test_a_reject_says_what_was_expected():
    assert gsm8k("Q", "So 2+3=<<2+3=5>>5.", "6").text == "the result is not the gold answer: expected 6, got 5"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("Weng earns 12/60 = $<<12/60=0.2>>0.2 per minute.", "Weng earns how much per minute?"),
        ("He ate 32 slices because 2 x 16 = <<2*16=32>>32", "He ate how many slices?"),
        ("First find the total number of pieces: 14 * 60 = 840 pieces", "First find the total number of pieces."),
        ("So 100% - 40% = 60% of them are boys.", "So what percentage of them are boys?"),
        ("12 * 12 = <<12*12=144>>144 square meters", "Multiply 12 by 12: how many square meters?"),
        ("2040 - 1150 = <<2040-1150=890>>890", "Subtract 1150 from 2040."),
        ("1 + 2 + 3 = <<1+2+3=6>>6", "Add 1, 2 and 3."),
        ("1 + 2 * 3 = <<1+2*3=7>>7", "Work out 1 + 2 * 3."),
        ("Costs $4 + $5 = $<<4+5=9>>9; no more.", "Costs how much, no more?"),
    ],
)
def test_a_sentence_asks_without_giving_its_result_away(line, sentence):
    assert ask(line, equations(line), set()) == sentence


def test_a_number_of_the_question_may_show_although_it_is_the_result():
    line = "The 8 boxes cost 2*4 = 8 dollars."
    assert ask(line, equations(line), {Fraction(8)}) == "The 8 boxes cost how many dollars?"
    assert ask(line, equations(line), set()) == "The how many boxes cost how many dollars?"


def test_an_earlier_result_is_named_by_its_subgoal():
    task = gsm8k("3 of 4 and 5.", "3*4=<<3*4=12>>12\n12+5=<<12+5=17>>17", "17")
    assert sentences(task) == ["Multiply 3 by 4.", "Add the result of Subgoal 1 and 5."]


def test_what_an_unknown_stands_for_is_looked_up():
    assert ask_for_unknown("n", ["Let the number of hats be n."]).startswith(
        "Set up an equation for n, the number of hats,"
    )
    assert ask_for_unknown("J", ["J = Josh's distance"]).startswith("Set up an equation for J, Josh's distance,")
    assert ask_for_unknown("x", ["3x = 12"]) == "Set up an equation for x and solve it."


def equation(text: str, equation_: str, gold: str, question: str = "") -> Task | Reject:
    meta = {"equation": equation_, "question": question}
    return annotate(Task("mawps/train/0", "mawps", text, gold, "train", meta=meta))


def test_every_operation_of_an_equation_becomes_a_subgoal():
    task = equation(
        "Mark's father gave him $ 85. Mark bought 10 books, each of which cost $ 5. How much money is left?",
        "- 85 * 10 5",
        "35",
        "How much money is left?",
    )
    assert sentences(task) == [
        "Multiply the 10 books by the 5 dollars.",
        "Subtract the result of Subgoal 1 from the 85 dollars to find how much money.",
    ]
    assert actions(task) == ["R1 = Calculator(10 * 5) = 50", "R2 = Calculator(85 - R1) = 35"]


def test_infix_and_prefix_read_the_same():
    tree = Operation("-", Operation("+", "3", "2.5"), "1")
    assert parse_equation("( ( 3.0 + 2.5 ) - 1.0 )") == tree == parse_equation("- + 3 2.50 1.0")


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("7 + 2", "+ 7 2"),
        ("14-8", "- 14 8"),
        ("(50-5)/5", "/ - 50 5 5"),
        ("2*3+4", "+ * 2 3 4"),
        ("2+3*4", "+ 2 * 3 4"),
        ("20 - 5 - 3", "- - 20 5 3"),
        ("20 / 5 / 2", "/ / 20 5 2"),
        ("((8.0 - 2.0) * (1.5 + 1e2))", "* - 8 2 + 1.5 100"),
        ("1,250 * 2", "* 1250 2"),
    ],
)
def test_infix_needs_no_outer_brackets_and_has_the_usual_precedence(text, prefix):
    assert parse_equation(text) == parse_equation(prefix)


def test_a_sign_belongs_to_its_number():
    assert parse_equation("-5 + 8") == Operation("+", "-5", "8")
    assert parse_equation("8 * (-5)") == Operation("*", "8", "-5") == parse_equation("* 8 -5")


@pytest.mark.parametrize("text", ["", "( 3 + )", "3 + 4 )", "+ ", "3 4", "( 3 ? 4 )", "( 3 + 4", "x", "+ " * 500])
def test_an_equation_that_cannot_be_read_is_rejected(text):
    rejected = equation("Q", text, "1")
    assert isinstance(rejected, Reject) and rejected.text.startswith("malformed record: mawps/train/0: equation")


def test_a_literal_of_an_equation_is_never_taken_for_a_result():
    task = equation("There are 2 and 4 and 8 cats.", "+ * 2 4 8", "16")
    assert actions(task) == ["R1 = Calculator(2 * 4) = 8", "R2 = Calculator(R1 + 8) = 16"]


def test_an_equation_that_fails_is_rejected():
    assert equation("5 cats for 0.", "/ 5 0", "1").reason == "no equation in the solution"
    assert equation("5 cats and 4.", "+ 5 4", "1").reason == "the result is not the gold answer"


def test_a_benchmark_without_rules_lists_those_with():
    with pytest.raises(UnknownNameError, match="Known: gsm8k, hotpotqa, "):
        annotate(Task("x/0", "nosuch", "buy"))


def test_plans_are_checked_from_their_text():
    subgoal = Subgoal("Add.", (Action(("R1",), "Calculator", "2 + 3", "5"),))
    assert check([subgoal], "5") == ("", "")
    assert check([subgoal], "6") == ("the result is not the gold answer", "expected 6, got 5")
    assert check([Subgoal("Add.", (Action(("R1",), "Calculator", "R9 + 3"),))], "6")[0] == "the plan does not run"
    assert check([Subgoal("Add.\n\nSubgoal 2: x", subgoal.actions)], "5")[0] == "the plan cannot be written"


def test_the_first_plan_that_gives_the_gold_answer_is_kept():
    plans = [
        Plan((Subgoal("A.", (Action(("R1",), "Calculator", text, None),)),)) for text in ("1 + 1", "1 + 2", "2 + 1")
    ]
    task = verified(Task("t", "gsm8k", "2 and 1", "3"), plans)
    assert task.subgoals[0].actions[0].args == "1 + 2"


def test_numbers_of_a_text_are_given_in_digits_and_words():
    assert given_numbers("Twice a dozen of 1,000.5 eggs") == {Fraction(2), Fraction(12), Fraction("1000.5")}


def test_a_failing_calculation_adds_nothing():
    builder = PlanBuilder("Q")
    assert builder.calculate(("1", "/", "0")) is None
    assert builder.calculate(("1", "+", "1"), "3", must_agree=True) is None
    assert builder.solve(("x", "*", "2"), ("4",), "5") is None
    builder.close("Nothing.")
    assert builder.plan.subgoals == ()


def test_a_solution_without_end_is_rejected_soon():
    rejected = gsm8k("1 and 1.", "1+1=2 so " * 7000, "2")
    assert isinstance(rejected, Reject) and "at most 200 calculations" in rejected.text


@pytest.mark.parametrize(
    ("solution", "expected"),
    [
        ("Half of n is $<<n*1/2=0.5n>>0.5n\nand 0.5n + 10 = 30\nso n=$40", "0.5 * n + 10 = 30"),
        ("Half and 10 are 0.5n + 10 = <<0.5n+10=30>>30\nn = 40", "0.5 * n + 10 = 30"),
        ("30 = <<n*1/2+10=0.5n+10>>\nn = 40", "30 = 0.5 * n + 10"),
    ],
)
def test_coefficients_glued_to_an_unknown_are_read_in_marks_too(solution, expected):
    task = gsm8k("Half of what she has and 10 more is 30.", solution, "40")
    assert actions(task)[-2:] == [f"R1 = SetEquation({expected}) = {expected}", "R2 = SolveEquation(R1) = 40"]


def test_the_first_factor_is_what_was_computed_and_the_second_the_constant():
    task = gsm8k(
        "Ann runs 20 minutes, three times a week, for 4 weeks. How many hours?",
        "20*3=<<20*3=60>>60 minutes\n60*4=<<60*4=240>>240 minutes\n240/60=<<240/60=4>>4 hours",
        "4",
    )
    assert [action.split(" = ")[1] for action in actions(task)] == [
        "Calculator(20 * 3)",
        "Calculator(R1 * 4)",
        "Calculator(R2 / 60)",
    ]
