"""Builds gold plans of question answering step by step; only plans that run are kept.

    >>> plan = QAPlan(task)                                                                       # doctest: +SKIP
    >>> plan.look_up("Ed Wood", "When was Ed Wood born?"), plan.ask("When was Ed Wood born?", ["R2"])
    >>> plan.close("When was Ed Wood born?")
    >>> plan.finished()
    Task(…, subgoals=(Subgoal("When was Ed Wood born?", (Action(("R1",), "KnowledgeQuery", "Ed Wood", …), …)),))

Each action is run when it is added, on the task's own paragraphs or facts with the extractive reader, and stores its
result.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from lumos_rl.core import Action, Subgoal, Task
from lumos_rl.envs.qa.tools.question import qa_tools
from lumos_rl.envs.qa.tools.sources import task_source
from lumos_rl.errors import ActionParseError, ToolError
from lumos_rl.language import format_actions, format_annotation, parse_actions, parse_annotation
from lumos_rl.task_types import Reject
from lumos_rl.tools.base import Executor

DOES_NOT_RUN, CANNOT_WRITE = "the plan does not run", "the plan cannot be written"


class QAPlan:
    """A plan under construction.

    Attributes:
        task: The task it is for.
        executor: The executor that has run every action so far.
        subgoals: The closed subgoals.
    """

    def __init__(self, task: Task, decisive: str | None = None) -> None:
        self.task = task
        self.executor = Executor(qa_tools(task_source(task.meta), decisive=decisive))
        self.subgoals: list[Subgoal] = []
        self._actions: list[Action] = []

    def act(self, tool: str, args: str) -> str:
        """Runs an action and adds it; returns the name of its result.

        Raises:
            ToolError: It fails, and is not added.
            ValueError: It cannot be written in the action language.
        """
        name = f"R{len(self.executor.bindings) + 1}"
        written = parse_actions(format_actions([Action((name,), tool, args)]))
        execution = self.executor.run(written)
        if execution.error is not None:
            raise ToolError(execution.error)
        self._actions.append(with_result(written[0], execution.results[name]))
        return name

    def look_up(self, entity: str, query: str) -> str:
        """Finds an entity's paragraphs and retrieves the best for `query`; returns the name of that result."""
        found = self.act("KnowledgeQuery", entity)
        return self.act("ParagraphRetrieve", f"{found}, Query: {query}")

    def ask(self, question: str, context: Sequence[str]) -> str:
        """Asks a question about earlier results; returns the name of the answer."""
        return self.act("QA", f"[{', '.join(context)}], Question: {question}")

    def close(self, sentence: str) -> None:
        """Adds a subgoal with the actions since the last one."""
        self.subgoals.append(Subgoal(" ".join(sentence.split()), tuple(self._actions)))
        self._actions = []

    @property
    def last(self) -> str:
        """Text of the last result."""
        return self.executor.last.text if self.executor.last else ""

    def finished(self) -> Task | Reject:
        """The task with this plan, if the plan can be written and read back."""
        try:
            same = parse_annotation(format_annotation(self.subgoals)) == self.subgoals
        except (ActionParseError, ValueError) as error:
            return Reject(self.task.id, CANNOT_WRITE, str(error))
        if not same:
            return Reject(self.task.id, CANNOT_WRITE, "it reads back as another plan")
        return replace(self.task, subgoals=tuple(self.subgoals))


def with_result(action: Action, text: str) -> Action:
    """The action with its result; in one line, or without a result, if the language cannot contain that text."""
    for result in (text.strip(), " ".join(text.split())):
        done = replace(action, result=result)
        try:
            format_annotation([Subgoal("Try.", (done,))])
        except ValueError:
            continue
        return done
    return action


def as_argument(text: str) -> str:
    """A text as an argument of an action: one line, with balanced brackets."""
    text = " ".join(text.split())
    depth = 0
    for bracket in re.findall(r"[()]", text):
        depth += 1 if bracket == "(" else -1
        if depth < 0:
            break
    return text if depth == 0 else re.sub(r"[()]", "", text)
