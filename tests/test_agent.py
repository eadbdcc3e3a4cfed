import pytest

from lumos_rl import task_types
from lumos_rl.agent import Act, Ask, Outcome, play
from lumos_rl.core import Formulation, Module, StopReason
from lumos_rl.errors import UnknownNameError
from lumos_rl.language import parse_actions
from lumos_rl.prompts import COMPACT_PROFILE, LUMOS_PROFILE

TASK = "Tom has 3 apples and gets 2."


def drive(formulation, replies, profile=LUMOS_PROFILE, max_subgoals=8):
    """Sends the replies in turn; returns what the agent said, and why it ended."""
    episode = play(formulation, TASK, ["Calculator", "Count"], profile, max_subgoals)
    steps = [next(episode)]
    for reply in replies:
        try:
            steps.append(episode.send(reply))
        except StopIteration as stop:
            return steps, stop.value
    return steps, None


def test_iterative_plans_grounds_and_feeds_back_until_the_planner_stops():
    replies = ["Add.", "R1 = Calculator(3 + 2)", Outcome("5", None, False), "Yes, I will stop planning."]
    steps, reason = drive("iterative", [*replies, Outcome("", None, True)])
    assert [getattr(step, "module", None) for step in steps] == ["planner", "grounder", None, "planner", None]
    assert steps[0].prompt.endswith(f"Task: {TASK}; Initial Environment Description: None.")
    assert "Calculator, Count" in steps[1].prompt
    assert steps[1].prompt.endswith(f"Task: {TASK} \nSubgoal to be grounded: Subgoal 1: Add.\n")
    assert steps[2] == Act("R1 = Calculator(3 + 2)")
    assert steps[3].prompt == "The executed result for Subgoal 1 is 5. Should we stop planning?"
    assert steps[4] == Act("Finish()")
    assert reason == StopReason.ANSWERED


def test_the_grounder_gets_a_later_subgoal_alone_and_without_its_prefix():
    replies = ["Add.", "R1 = Count(3)", Outcome("1", None, False), "No, I will keep planning. Subgoal 2: Double it."]
    steps, _ = drive("iterative", replies)
    assert steps[-1] == Ask(Module.GROUNDER, "Subgoal to be grounded: Subgoal 2: Double it.\n")


def of(name, formulation):
    """An episode as the record of a task type wants it."""
    kind = task_types.get(name)
    flags = {"reads_results": kind.reads_results, "tells_actions": kind.tells_actions}
    return play(formulation, TASK, [*kind.tool_names(), "Finish"], LUMOS_PROFILE, **flags)


@pytest.mark.parametrize("name", ["hotpotqa", "strategyqa"])
def test_the_grounder_of_questions_reads_the_earlier_results(name):
    episode = of(name, Formulation.ITERATIVE)
    next(episode)
    for reply in ("Find X.", "R1 = QA(Question: X?)", Outcome("Question: X?; Answer: 5", None, False)):
        episode.send(reply)
    assert episode.send("No, I will keep planning. Subgoal 2: Find Y.") == Ask(
        Module.GROUNDER,
        "Subgoal to be grounded: Subgoal 2: Find Y. The grounding could be based on the following results:"
        " The execution result for Subgoal 1 is Question: X?; Answer: 5\n",
    )


def test_an_error_goes_back_to_the_planner():
    steps, _ = drive("iterative", ["Add.", "R1 = Sum(3)", Outcome("", "unknown tool Sum", False)])
    assert steps[-1].prompt.startswith("The executed result for Subgoal 1 is Error: unknown tool Sum.")


@pytest.mark.parametrize("formulation", ["iterative", "integrated"])
def test_the_last_subgoal_finishes_the_episode(formulation):
    replies = {"iterative": ["Add.", "R1 = Count(3)"], "integrated": ["Add.\nR1 = Count(3)"]}[formulation]
    steps, reason = drive(formulation, [*replies, Outcome("1", None, True)], max_subgoals=1)
    assert steps[-1] == Act("R1 = Count(3)\nFinish()")
    assert reason == StopReason.TURN_LIMIT


@pytest.mark.parametrize("formulation", ["iterative", "integrated"])
def test_an_environment_can_end_the_episode_by_itself(formulation):
    replies = {"iterative": ["Add.", "Finish(5)"], "integrated": ["Add.\nFinish(5)"]}[formulation]
    _, reason = drive(formulation, [*replies, Outcome("", None, True)])
    assert reason == StopReason.ENDED


def test_onetime_plans_all_then_grounds_all_then_acts_once():
    replies = ["Subgoal 1: Add.; Subgoal 2: Double.", "R1 = Calculator(3 + 2); R2 = Calculator(R1 * 2)"]
    steps, reason = drive("onetime", [*replies, Outcome("10", None, True)])
    assert steps[1].prompt.endswith("Subgoals to be grounded: Subgoal 1: Add.; Subgoal 2: Double.\n")
    assert steps[2] == Act("R1 = Calculator(3 + 2); R2 = Calculator(R1 * 2)\nFinish()")
    assert len(steps) == 3 and reason == StopReason.ANSWERED


def test_integrated_has_one_model_for_subgoals_and_actions():
    replies = ["Add.\nR1 = Count(3)", Outcome("1", None, False), "Yes, I will stop planning."]
    steps, reason = drive("integrated", [*replies, Outcome("", None, True)])
    assert [getattr(step, "module", None) for step in steps] == ["solver", None, "solver", None]
    assert steps[1] == Act("R1 = Count(3)")
    assert reason == StopReason.ANSWERED


@pytest.mark.parametrize(
    ("formulation", "reply", "action"),
    [
        ("cot", "3 + 2 = 5. The answer is 5.", "Finish(5)"),
        ("direct", " 5\n", "Finish(5)"),
        ("direct", "f(x) :)", "Finish(f(x) :))"),
        ("direct", "5)\nR1 = Code(6", "Finish(5]\nR1 = Code[6)"),
        ("direct", "print(1))\nFinish(5", "Finish(print[1]]\nFinish[5)"),
    ],
)
def test_without_tools_the_answer_is_what_is_finished_with(formulation, reply, action):
    steps, reason = drive(formulation, [reply, Outcome("", None, True)])
    assert steps[0].module == Module.SOLVER and steps[1] == Act(action)
    assert [action.tool for action in parse_actions(action)] == ["Finish"]
    assert reason == StopReason.ANSWERED


@pytest.mark.parametrize("formulation", ["onetime", "cot", "direct"])
def test_an_end_that_the_environment_refuses_is_no_answer(formulation):
    replies = ["x"] * (2 if formulation == "onetime" else 1)
    _, reason = drive(formulation, [*replies, Outcome("", "cannot be read", False)])
    assert reason == StopReason.TURN_LIMIT


def test_the_compact_profile_numbers_nothing():
    steps, _ = drive("iterative", ["Add.", "R1 = Count(3)", Outcome("1", None, False)], COMPACT_PROFILE)
    assert [step.prompt for step in steps if isinstance(step, Ask)] == [f"Plan: {TASK}", f"Ground: {TASK}\nAdd.", "1"]


def test_an_unknown_formulation_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match="cot, direct, integrated, iterative, onetime"):
        play("lumos", TASK, [], LUMOS_PROFILE)


def test_formulations_are_all_playable():
    assert all(isinstance(next(play(name, TASK, [], LUMOS_PROFILE)), Ask) for name in Formulation)


@pytest.mark.parametrize("formulation", ["iterative", "integrated"])
def test_of_a_page_the_planner_is_told_what_was_done(formulation):
    episode = of("mind2web", formulation)
    said = next(episode)
    while isinstance(said, Ask):
        said = episode.send("Click Search\nR1 = CLICK(Env, QUERY: search)")
    asked = episode.send(Outcome("Visit button Search", None, False))
    assert asked.prompt == "We have already visit button Search. Should we stop planning?"
