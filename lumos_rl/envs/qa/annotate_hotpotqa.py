"""Gold plans for HotpotQA from supporting facts: look up each supporting document, then answer from all of them.

    question          "Were Scott Derrickson and Ed Wood of the same nationality?"
    supporting facts  [["Scott Derrickson", 0], ["Ed Wood", 0]]

    Subgoal 1: Find what is known about Scott Derrickson.
    Action 1-1: R1 = KnowledgeQuery(Scott Derrickson)
    Action 1-2: R2 = ParagraphRetrieve(R1, Query: Were Scott Derrickson and Ed Wood of the same nationality?)
    Subgoal 2: Find what is known about Ed Wood.
    …
    Subgoal 3: Answer the question from what was found.
    Action 3-1: R5 = QA([R2, R4], Question: Were Scott Derrickson and Ed Wood of the same nationality?)

The document that best matches the question comes first. A plan is kept if it runs and retrieves every supporting
document. The answer may be wrong: it depends on the reader, not on the plan.
"""

from __future__ import annotations

from lumos_rl.core import Task
from lumos_rl.envs.qa.plans import CANNOT_WRITE, DOES_NOT_RUN, QAPlan, as_argument
from lumos_rl.envs.qa.tools.knowledge import ParagraphRetrieve
from lumos_rl.envs.qa.tools.ranking import rank
from lumos_rl.envs.qa.tools.titles import key_of
from lumos_rl.errors import ToolError
from lumos_rl.task_types import Reject

NOTHING_TO_PLAN = "no supporting facts"


def annotated(task: Task) -> Task | Reject:
    """The task with its plan, or the reason why there is none."""
    titles = _in_order(task)
    if not titles:
        return Reject(task.id, NOTHING_TO_PLAN)
    plan, question, evidence = QAPlan(task), as_argument(task.instruction), []
    try:
        for title in titles:
            evidence.append(plan.look_up(as_argument(title), question))
            plan.close(f"Find what is known about {title}.")
        plan.ask(question, evidence)
        plan.close("Answer the question from what was found.")
    except ToolError as error:
        return Reject(task.id, DOES_NOT_RUN, str(error))
    except ValueError as error:
        return Reject(task.id, CANNOT_WRITE, str(error))
    missing = {key_of(title) for title in titles} - _retrieved(plan)
    if missing:
        return Reject(task.id, "a supporting document is not retrieved", ", ".join(sorted(missing)))
    return plan.finished()


def _in_order(task: Task) -> list[str]:
    """The supporting titles, the title of the first hop first."""
    titles = list(dict.fromkeys(title for title, _ in task.meta.get("supporting_facts", ())))
    texts = {title: " ".join(sentences) for title, sentences in task.meta.get("context", ())}
    order = rank(task.instruction, [(title, texts.get(title, "")) for title in titles])
    return [titles[index] for index in order] + [title for i, title in enumerate(titles) if i not in order]


def _retrieved(plan: QAPlan) -> set[str]:
    retrieve = plan.executor.tools["ParagraphRetrieve"]
    assert isinstance(retrieve, ParagraphRetrieve)
    return {key_of(piece.title) for piece in retrieve.found}
