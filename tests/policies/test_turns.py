"""What surrounds a turn is cut; the turn itself, and everything that only looks alike, is not."""

import time

import pytest

from lumos_rl.policies.turns import turn_text

PLAN, ACT = "Subgoal 1: Add.", "R1 = Calculator(2 + 3)"


@pytest.mark.parametrize(
    ("written", "turn"),
    [
        ("<think>\n\n</think>\n\nSubgoal 1: Add.", PLAN),
        ("\n<think>Is 2 < 3? </think>Subgoal 1: Add.", PLAN),
        ("<thinking>a</think>b</thinking>Subgoal 1: Add.", PLAN),
        ("first, I add.\n</think>\n\nSubgoal 1: Add.", PLAN),  # the template has opened the block
        ("<think>\nand so on", ""),
        (f"{ACT}<|im_end|>", ACT),
        (f"{ACT}</s>", ACT),
        (f"{ACT}<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n5", ACT),
        (f"{ACT}<end_of_turn>\n<start_of_turn>user\n5", ACT),
        (f"{ACT}<｜end▁of▁sentence｜>", ACT),
        (f"{ACT} [INST] 5 [/INST] Stop.", f"{ACT} "),
        (f"{ACT}\nUser: 5\nAssistant: Stop.", ACT),
        (f"<|im_start|>assistant\n{ACT}", ACT),
        (f"<|start_header_id|>assistant<|end_header_id|>\n\n{ACT}<|eot_id|>", ACT),
        (f"```\n{ACT}\n```", ACT),
        (f"```python\n{ACT}\nR2 = Calculator(R1)\n```\n", f"{ACT}\nR2 = Calculator(R1)"),
        (f"~~~\n{ACT}\n~~~\nThat is all.", ACT),
        (f"```\n{ACT}", ACT),  # cut before its end
        (f"<think>x</think>\n```\n{ACT}\n```<|im_end|>", ACT),
        ("<think></think>", ""),
        ("", ""),
    ],
)
def test_what_surrounds_a_turn_is_cut(written, turn):
    assert turn_text(written) == turn


@pytest.mark.parametrize(
    "written",
    [
        " R1 = Calculator(2 + 3) ",
        "R1 = Code(```\nprint(1)\n```)",
        "R1 = Code(print('a')) \n```",
        "Subgoal 1: Find what the user: Tom, said.",
        "search[<b>think</b>]",
        "R1 = Calculator(2 <| 3)",
        "I think </b> so.",
    ],
)
def test_other_text_is_the_turn(written):
    assert turn_text(written) == written


HOSTILE = [
    "<think>",
    "</think",
    "```\n",
    "\n```",
    "<|a",
    "<|im_start|>",
    "\n  #",
    "\n",
    " ",
    "[INST",
    "~~~~",
    "~~~\n```",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_its_time_grows_with_the_text_only(piece):
    began = time.process_time()
    turn_text(piece * (600_000 // len(piece)))
    assert time.process_time() - began < 5  # in the square of the text, it takes minutes
