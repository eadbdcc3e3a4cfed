import pytest

from lumos_rl.core import Action, Formulation, Module, Subgoal, Task
from lumos_rl.data.conversations import conversations
from lumos_rl.data.gold import numbered_plan
from lumos_rl.errors import ConfigError, DataError
from lumos_rl.prompts import COMPACT_PROFILE

TEXT = "Tom has 4 boxes with 12 pens each and gives away 9. How many are left?"
TASK = Task(
    "gsm8k/train/1",
    "gsm8k",
    TEXT,
    "39",
    "train",
    (
        Subgoal("Find the pens in the boxes.", (Action(("R1",), "Calculator", "4 * 12", "48"),)),
        Subgoal(
            "Take off those given away.",
            (Action(("R2",), "Calculator", "R1 - 9", "39"), Action(("Output",), "", "R2", "39")),
        ),
    ),
)
FIRST = "Find the pens in the boxes."
SECOND = "Take off those given away."
TOOLS = ["Calculator", "Count"]
CAN = "Only these actions are available: Calculator, Count.\n\nTask: " + TEXT


def contents(messages):
    """Texts of a conversation whose roles take turns, beginning with the user."""
    assert [message["role"] for message in messages] == (["user", "assistant"] * len(messages))[: len(messages)]
    return [message["content"] for message in messages]


def test_the_iterative_form():
    said = conversations(TASK, Formulation.ITERATIVE, tools=TOOLS)
    planner, grounder = contents(said[Module.PLANNER]), contents(said[Module.GROUNDER])
    assert planner[0].endswith(f"\nTask: {TEXT}; Initial Environment Description: None.")
    assert planner[1:] == [
        f"Subgoal 1: {FIRST}",
        "The executed result for Subgoal 1 is 48. Should we stop planning?",
        f"No, I will keep planning. Subgoal 2: {SECOND}",
        "The executed result for Subgoal 2 is 39. Should we stop planning?",
        "Yes, I will stop planning.",
    ]
    assert grounder[0].endswith(f"{CAN} \nSubgoal to be grounded: Subgoal 1: {FIRST}\n")
    assert grounder[1:] == [
        "R1 = Calculator(4 * 12)",
        f"Subgoal to be grounded: Subgoal 2: {SECOND}\n",
        "R2 = Calculator(R1 - 9); R3 = R2",
    ]


@pytest.mark.parametrize("result", ["Type Rome in the textbox City", None])
@pytest.mark.parametrize("formulation", [Formulation.ITERATIVE, Formulation.INTEGRATED])
def test_web_navigation_tells_what_was_done(formulation, result):
    text = "Type Rome in the textbox City"
    action = Action(("R1",), "TYPE", "Env, QUERY: City, TEXT: Rome", result)
    task = Task("mind2web/train/1", "mind2web", "Find a bed.", subgoals=(Subgoal(text, (action,)),))
    said = contents(next(iter(conversations(task, formulation).values())))
    assert said[2] == "We have already type Rome in the textbox City. Should we stop planning?"


def test_the_onetime_form():
    said = conversations(TASK, Formulation.ONETIME, tools=TOOLS)
    planner, grounder = contents(said[Module.PLANNER]), contents(said[Module.GROUNDER])
    plan = f"Subgoal 1: {FIRST}; Subgoal 2: {SECOND}"
    assert planner[0].endswith(f"\nTask: {TEXT}; Initial Environment Description: None.")
    assert planner[1:] == [plan]
    assert grounder[0].endswith(f"{CAN} \nSubgoals to be grounded: {plan}\n")
    assert grounder[1:] == ["R1 = Calculator(4 * 12); R2 = Calculator(R1 - 9); Output = R2"]


def test_the_integrated_form():
    (messages,) = conversations(TASK, Formulation.INTEGRATED).values()
    assert contents(messages)[1:] == [
        f"Subgoal 1: {FIRST}\nR1 = Calculator(4 * 12)",
        "The executed result for Subgoal 1 is 48. Should we stop planning?",
        f"No, I will keep planning. Subgoal 2: {SECOND}\nR2 = Calculator(R1 - 9); R3 = R2",
        "The executed result for Subgoal 2 is 39. Should we stop planning?",
        "Yes, I will stop planning.",
    ]
    assert messages[0]["content"].endswith(f"\nTask: {TEXT}")


def test_the_compact_profile_says_the_same_in_fewer_words():
    said = conversations(TASK, Formulation.ITERATIVE, COMPACT_PROFILE, TOOLS)
    assert contents(said[Module.PLANNER]) == [f"Plan: {TEXT}", FIRST, "48", SECOND, "39", "Stop."]
    assert contents(said[Module.GROUNDER]) == [
        f"Ground: {TEXT}\n{FIRST}",
        "R1 = Calculator(4 * 12)",
        SECOND,
        "R2 = Calculator(R1 - 9); R3 = R2",
    ]


def test_output_becomes_the_next_free_result():
    plan = (
        Subgoal("A", (Action(("R1", "R7"), "SolveEquation", "x^2 = 4", "-2, 2"),)),
        Subgoal("B", (Action(("Output",), "", "R1", "-2"),)),
        Subgoal("C", (Action(("R2",), "Calculator", "Output * 3", "-6"),)),
    )
    named = [action for _, actions in numbered_plan(Task("t", "gsm8k", "?", subgoals=plan)) for action in actions]
    assert [(action.outputs, action.args) for action in named] == [
        (("R1", "R7"), "x^2 = 4"),
        (("R8",), "R1"),
        (("R2",), "R8 * 3"),
    ]


def test_a_plan_that_names_no_output_stays_as_it_is():
    for (text, actions), subgoal in zip(numbered_plan(TASK)[:1], TASK.subgoals[:1], strict=True):
        assert (text, actions) == (subgoal.text, subgoal.actions)


@pytest.mark.parametrize("subgoals", [(), (Subgoal("A"),), (*TASK.subgoals, Subgoal("A"))])
def test_a_task_without_a_whole_plan_teaches_nothing(subgoals):
    with pytest.raises(DataError, match="task t"):
        conversations(Task("t", "gsm8k", "?", subgoals=subgoals))


@pytest.mark.parametrize("formulation", [Formulation.COT, Formulation.DIRECT])
def test_formulations_without_a_plan_are_refused(formulation):
    with pytest.raises(ConfigError, match="expected iterative, onetime or integrated"):
        conversations(TASK, formulation)
