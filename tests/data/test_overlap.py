"""The same task in other writing, and other tasks in nearly the same."""

import pytest

from lumos_rl.core import Task
from lumos_rl.data.overlap import HeldOut, normalized


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Tom has 3 apples. How many?", "TOM  has 3 apples -- how many"),
        ("Janet’s ducks", "Janet's ducks"),
        ("She paid $1,250.", "she paid $1250"),
        ("a café in Zürich", "a cafe\u0301 in Zu\u0308rich"),  # composed and decomposed
        ("ﬁve ½ ３", "five 1⁄2 3"),  # ligature, fraction, full width: NFKC
        ("co\u00adope\u200brate", "cooperate"),  # soft hyphen, zero-width space
        ("well-known and/or twenty-five", "well known and or twenty five"),
        ("“What is 3 − 5?”", "what is 3 - 5"),
        ("4 × 5 ÷ 2", "4*5/2"),
        ("straße", "STRASSE"),
    ],
)
def test_other_writing_is_the_same_text(one, other):
    assert normalized(one) == normalized(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 3 + 5?", "What is 3 - 5?"),
        ("What is 3 - 5?", "What is 3 5?"),
        ("n - 2 = 5", "n + 2 = 5"),
        ("3.5 kg", "35 kg"),
        ("2 and 1/2", "2 and 12"),
        ("20 % of 50", "20 of 50"),
        ("$5", "5"),
        ("x < 3", "x > 3"),
        ("1,2 and 3", "12 and 3"),
        ("resume", "résumé"),
    ],
)
def test_another_number_or_sign_is_another_text(one, other):
    assert normalized(one) != normalized(other)


def test_the_same_words_in_another_place_are_another_task():
    here, there = (Task(f"mind2web/{each}", "mind2web", "Find a room.", meta={"website": each}) for each in "ab")
    assert here in HeldOut([here]) and there not in HeldOut([here])
    of_math = [Task(f"gsm8k/{each}", "gsm8k", "Find a room.", meta={"website": each}) for each in "ab"]
    assert of_math[1] in HeldOut(of_math[:1])


def test_a_task_is_found_inside_of_a_prompt():
    held_out = HeldOut(
        [Task("a", "gsm8k", "How many eggs do 16 hens lay in 3 days?"), Task("b", "gsm8k", "Is ice cold?")]
    )
    assert held_out.in_text("Solve it.\nTask: how many  eggs do 16 hens lay, in 3 days? Go on.")[0].startswith(
        "how many"
    )
    assert held_out.in_text("Please answer: Is ice cold")[0] == "is ice cold"
    assert held_out.in_text("She asks whether it is ice cold, or not") is None  # so few words stand there by chance
    assert held_out.in_text("How many eggs do 16 hens lay in 4 days?") is None
    assert HeldOut().in_text("How many eggs?") is None
