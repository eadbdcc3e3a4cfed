"""Scorers of web navigation (Mind2Web), pure functions like those of `lumos_rl.metrics`.

    >>> operation_f1("TYPE New York", "TYPE York"), operation_f1("CLICK ", "CLICK ")
    (0.8, 1.0)
    >>> steps = [web_step("a", "12", "CLICK ", ["12"], "CLICK "), web_step("a", "7", "CLICK ", ["12"], "CLICK ")]
    >>> web_scores([*steps, web_step("b", "3", "TYPE x", [], "TYPE x")])["marco_step_acc"]
    0.25

There are three conventions in the literature: MindAct's (`web_step`, `web_scores`), Synapse's (`exact_web_step`) and
that of Lumos (`lumos_step`, `lumos_step_sr`).
"""

from __future__ import annotations

import math
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lumos_rl.core import Trajectory


@dataclass(frozen=True, slots=True)
class WebStep:
    """The scores of one predicted step.

    Attributes:
        task: The task it belongs to.
        element: 1 if the chosen element is a right one, otherwise 0.
        operation_f1: `operation_f1` of the operation.
        success: Whether both are right.
    """

    task: str
    element: float
    operation_f1: float
    success: bool


def operation_text(op: str, value: str = "") -> str:
    """The text that `operation_f1` compares: "TYPE Boston", "CLICK "; a click has no value."""
    return f"{op} {'' if op == 'CLICK' else value}"


def operation_f1(prediction: str | None, gold: str) -> float:
    """Harmonic mean of precision and recall of two operations as sets of words.

    Source: `calculate_f1` of github.com/OSU-NLP-Group/Mind2Web, src/action_prediction/metric.py. Words that occur in
    `string.punctuation` are dropped; case matters; two empty sets are equal.
    """
    got, expected = (
        {word for word in (text or "").split() if word not in string.punctuation} for text in (prediction, gold)
    )
    if not got or not expected:
        return float(got == expected)
    return 2 * len(got & expected) / (len(got) + len(expected))


def web_step(
    task: str, element: str | None, operation: str | None, positives: Iterable[str], gold_operation: str
) -> WebStep:
    """The scores of one predicted step.

    Source: github.com/OSU-NLP-Group/Mind2Web, src/action_prediction/metric.py. All scores are 0, also that of the
    operation, if no right element could be chosen, or if none was chosen.

    Args:
        task: The task it belongs to.
        element: Id of the chosen element; None if none was chosen.
        operation: Predicted operation, as from `operation_text`; None if there is none.
        positives: Ids of the right elements that could be chosen (in MindAct those among the best 50 candidates).
        gold_operation: The recorded operation.
    """
    right = set(positives)
    if not right or element is None:
        return WebStep(task, 0.0, 0.0, False)
    found, score = float(element in right), operation_f1(operation, gold_operation)
    return WebStep(task, found, score, found == 1 and score == 1)


def reachable(candidates: Iterable[Mapping[str, Any]], top_k: int = 50) -> list[str]:
    """Ids of the right elements that could be chosen: those of `pos_candidates` with a rank below `top_k`.

    Source: as `web_step`. The rank in a record is from MindAct's ranker; candidates without a rank are included.
    """
    return [str(found["backend_node_id"]) for found in candidates if found.get("rank", 0) < top_k]


def web_scores(steps: Iterable[WebStep]) -> dict[str, float]:
    """Micro and macro averages, with the names of the released evaluation, and the share of solved tasks.

    Source: as `web_step`. `element_acc`, `action_f1` and `step_acc` are means over all steps. `marco_*` (the release's
    spelling) are means over tasks of each task's mean, as papers report them. A task is solved if all its steps are.
    """
    by_task: dict[str, list[WebStep]] = {}
    for step in steps:
        by_task.setdefault(step.task, []).append(step)
    parts = {
        "element_acc": [[step.element for step in found] for found in by_task.values()],
        "action_f1": [[step.operation_f1 for step in found] for found in by_task.values()],
        "step_acc": [[float(step.success) for step in found] for found in by_task.values()],
    }
    micro = {name: _mean([value for task in tasks for value in task]) for name, tasks in parts.items()}
    macro = {f"marco_{name}": _mean([_mean(task) for task in tasks]) for name, tasks in parts.items()}
    solved = [float(min(task)) for task in parts["step_acc"]]
    return {**micro, **macro, "task_success": _mean(solved)}


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def exact_web_step(element: str | None, op: str, value: str, first_positive: str | None, gold: tuple[str, str]) -> bool:
    """Whether a step is exactly the recorded one; only the first right element counts.

    Source: step success of github.com/ltzheng/Synapse, which compares "OP [id] [value]" as text.

    Args:
        element: Id of the chosen element.
        op: Predicted operation.
        value: Its value; "" for a click.
        first_positive: The first right element; None if there is none.
        gold: The recorded operation and its value.
    """
    return first_positive is not None and (element, op, value) == (first_positive, *gold)


LUMOS_STEPS = 15  # steps of a task that the released Lumos evaluation plays


def lumos_step(chosen: str, first: str, operation: tuple[str, str], gold: tuple[str, str]) -> bool:
    """Whether a step counts in the step success rate of Yin et al. 2023.

    Source: github.com/allenai/lumos, eval/mind2web. The chosen element must have the same text as the first right one,
    so another element with that text counts as right. The value of a click and the case of values are ignored.

    Args:
        chosen: Text of the chosen element; it is chosen from the release's pool.
        first: Text of the first right element.
        operation: Predicted operation and its value.
        gold: Recorded operation and its value.
    """
    same = chosen.replace("\n", " ") == first.replace("\n", " ") and operation[0] == gold[0]
    return same and (gold[0] == "CLICK" or operation[1].lower() == gold[1].lower())


def lumos_step_sr(tasks: Iterable[Sequence[bool]]) -> float:
    """Mean over the predicted steps of all tasks, at most the first `LUMOS_STEPS` of each; 0 if there are none.

    Source: as `lumos_step`; published for the split test_domain only.
    """
    return _mean([float(right) for task in tasks for right in task[:LUMOS_STEPS]])


def split_scores(trajectories: Iterable[Trajectory]) -> dict[str, dict[str, float]]:
    """Micro and macro averages of episodes by split, with the names of `web_scores`.

    `lumos_step_sr`, a mean over predicted steps, is added. Failed episodes are excluded.
    """
    by_split: dict[str, list[Trajectory]] = {}
    for trajectory in trajectories:
        if trajectory.failure is None:
            by_split.setdefault(trajectory.split, []).append(trajectory)
    return {split: _pooled(found) for split, found in by_split.items()}


def _pooled(found: Sequence[Trajectory]) -> dict[str, float]:
    names = ("element_acc", "action_f1", "step_acc")
    micro = {name: _weighted(found, name, "steps") for name in names}
    macro = {f"marco_{name}": _mean([played.metrics[name] for played in found]) for name in names}
    solved = _mean([played.metrics["task_success"] for played in found])
    return {**micro, **macro, "task_success": solved, "lumos_step_sr": _weighted(found, "lumos_step_sr", "lumos_steps")}


def _weighted(found: Sequence[Trajectory], name: str, weight: str) -> float:
    """Mean of a metric, weighted with a count of each episode; earlier versions stored counts among the metrics."""
    weights = [played.counts.get(weight, played.metrics.get(weight, 0.0)) for played in found]
    total = math.fsum(weights)
    values = (played.metrics.get(name, 0.0) for played in found)
    return math.fsum(value * own for value, own in zip(values, weights, strict=True)) / total if total else 0.0


def recall_at(ranks: Sequence[int | None], k: int) -> float:
    """Share of steps with a right element among the best k candidates.

    Args:
        ranks: Best rank (from 0) of a right element in each step; None if there is none.
        k: How many candidates.
    """
    return _mean([float(rank is not None and rank < k) for rank in ranks])
