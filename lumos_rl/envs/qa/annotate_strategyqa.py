"""Gold plans for StrategyQA from its decompositions: steps look up facts or compute an operation.

    decomposition  "How many kids did Julius Caesar have?", "How many kids did Genghis Khan have?",
                   "Is #2 greater than #1?"

    Subgoal 1: How many kids did Julius Caesar have?
    Action 1-1: R1 = KnowledgeQuery(Julius Caesar)
    Action 1-2: R2 = ParagraphRetrieve(R1, Query: How many kids did Julius Caesar have?)
    Action 1-3: R3 = QA([R2], Question: How many kids did Julius Caesar have?)
    …
    Subgoal 3: Is the result of Subgoal 2 greater than the result of Subgoal 1?
    Action 3-1: R7 = Calculator(R6 > R3)

`#1` becomes the result of step 1. An operation becomes a `Calculator` action if it can be written as one and runs on
the answers found, otherwise a `QA` action over the steps it names. A plan that does not end in yes or no gets a last
step that asks the question itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from lumos_rl.core import Task
from lumos_rl.envs.qa.plans import CANNOT_WRITE, DOES_NOT_RUN, QAPlan, as_argument
from lumos_rl.envs.qa.strategyqa import evidence_titles
from lumos_rl.envs.qa.tools.deciding import is_yes_no
from lumos_rl.envs.qa.tools.titles import key_of, suffixless
from lumos_rl.errors import ToolError
from lumos_rl.task_types import Reject

_STEP = re.compile(r"(?<=\w)?#\s?(\d+)")
_REFERENCE = r"R\d+"
_NUMBER = r"(?:\d[\d,]*(?:\.\d+)?|one|two|three|four|five|six|seven|eight|nine|ten|zero)"
_TERM = rf"(?:the )?({_REFERENCE}|{_NUMBER})"
_SIGNS: Mapping[str, str] = {
    r"(?:at least|(?:greater|more|larger|higher) than or equal to|equal to or (?:greater|more) than)": ">=",
    r"(?:at most|(?:less|smaller|lower|fewer) than or equal to|equal to or (?:less|fewer) than)": "<=",
    r"(?:greater|more|larger|higher|bigger|longer|taller|heavier|later|faster|hotter) than|after|above": ">",
    r"(?:less|fewer|smaller|lower|shorter|lighter|earlier|slower|colder) than|before|below": "<",
    r"(?:the )?same as|(?:the )?same|equal to|identical to": "=",
    r"(?:not the same as|not equal to|different (?:from|than|to))": "!=",
}
_ARITHMETIC: Mapping[str, str] = {"minus": "-", "plus": "+", "divided by": "/", "times": "*", "multiplied by": "*"}
_NAME = re.compile(r"[A-Z][\w'’.-]*(?: (?:of|the|de|van|von|and|for|in) [A-Z][\w'’.-]*| [A-Z][\w'’.-]*)*")


def annotated(task: Task) -> Task | Reject:
    """The task with its plan, or the reason why there is none."""
    steps = task.meta.get("decomposition", ())
    if not steps:
        return Reject(task.id, "no decomposition")
    plan = QAPlan(task, decisive=as_argument(task.instruction))
    answers: list[str] = []  # the name of each step's result
    try:
        for index, step in enumerate(steps):
            answers.append(_add_step(plan, task, index, step, answers))
        if not is_yes_no(steps[-1]) or not _decided(plan):
            plan.ask(as_argument(task.instruction), answers)
            plan.close("Answer the question with yes or no.")
    except ToolError as error:
        return Reject(task.id, DOES_NOT_RUN, str(error))
    except ValueError as error:
        return Reject(task.id, CANNOT_WRITE, str(error))
    if not _decided(plan):
        return Reject(task.id, "the plan does not end in yes or no", plan.last[-60:])
    return plan.finished()


def _decided(plan: QAPlan) -> bool:
    """Whether the last result is yes or no and nothing else."""
    return plan.last.rpartition("Answer: ")[2] in ("yes", "no")


def _add_step(plan: QAPlan, task: Task, index: int, step: str, answers: list[str]) -> str:
    """Adds a step's actions and subgoal; returns the name of its result."""
    named = list(dict.fromkeys(int(number) for number in _STEP.findall(step) if 0 < int(number) <= index))
    question = as_argument(_STEP.sub(lambda found: _name(found, answers), step))
    context = [answers[number - 1] for number in named]
    if context and _is_operation(task, index, step):
        result = _compute(plan, question) or plan.ask(question, context)
    else:
        evidence = plan.look_up(as_argument(_entity(task, index, step, context)), question)
        result = plan.ask(question, [evidence])
    plan.close(_STEP.sub(lambda found: f" the result of Subgoal {found[1]}", step))
    return result


def _name(found: re.Match[str], answers: list[str]) -> str:
    number = int(found[1])
    before = " " if found.start() and found.string[found.start() - 1].isalnum() else ""
    return before + (answers[number - 1] if 0 < number <= len(answers) else f"step {number}")


def _is_operation(task: Task, index: int, step: str) -> bool:
    """Whether most annotators answered the step without looking anything up."""
    marks = [steps[index] for steps in task.meta.get("evidence", ()) if isinstance(steps, list) and index < len(steps)]
    if not marks:
        return is_yes_no(step)
    return sum("operation" in mark and not evidence_titles(mark) for mark in marks) * 2 > len(marks)


def _compute(plan: QAPlan, question: str) -> str | None:
    """Name of the step's result as arithmetic or comparison; None if it cannot be written as one or does not run."""
    expression = _expression(question)
    if expression is None:
        return None
    try:
        return plan.act("Calculator", expression)
    except ToolError:
        return None


def _expression(question: str) -> str | None:
    for words, sign in _SIGNS.items():
        if found := re.search(
            rf"^(?:is|are|was|were|does|do) {_TERM} (?:{words}) {_TERM}\??$", question, re.IGNORECASE
        ):
            return f"{found[1]} {sign} {found[2]}"
    if found := re.search(rf"\b{_TERM} ({'|'.join(_ARITHMETIC)}) {_TERM}\??$", question, re.IGNORECASE):
        return f"{found[1]} {_ARITHMETIC[found[2].lower()]} {found[3]}"
    if found := re.search(rf"\bdifference between {_TERM} and {_TERM}\??$", question, re.IGNORECASE):
        return f"abs({found[1]} - {found[2]})"
    if found := re.search(
        rf"^(?:is|are) (?:both )?({_REFERENCE}) (and|or) ({_REFERENCE}) (?:both )?(?:yes|true|positive)", question, re.I
    ):
        return f"{found[1]} {found[2].lower()} {found[3]}"
    return None


def _entity(task: Task, index: int, step: str, context: list[str]) -> str:
    """What a step looks up: its annotators' document, preferably a named one; else a result, a name or the term."""
    marks = [steps[index] for steps in task.meta.get("evidence", ()) if isinstance(steps, list) and index < len(steps)]
    if context and not _NAME.search(step[1:]):
        return context[0]
    titles = Counter(title for mark in marks for title in dict.fromkeys(evidence_titles(mark)))
    if titles:
        return max(titles, key=lambda title: (f" {suffixless(title)} " in f" {key_of(step)} ", titles[title]))
    names = _NAME.findall(step[1:])
    return max(names, key=len) if names else str(task.meta.get("term") or (context[0] if context else step))
