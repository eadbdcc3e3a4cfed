"""Question answering over many documents: HotpotQA and StrategyQA, from local knowledge.

env = gym.make("lumos_rl/HotpotQA-v0", source="hotpot_dev_distractor_v1.json")
env.reset(options={"task": 0})
env.step("R1 = KnowledgeQuery(Ed Wood); R2 = ParagraphRetrieve(R1, Query: nationality)")
env.step("R3 = QA([R2], Question: What was the nationality of Ed Wood?)")   # "R3 = Question: …; Answer: American"
env.step("Finish(R3)")                          # graded by exact match, F1 and recall of supporting paragraphs
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lumos_rl.core import Task
from lumos_rl.envs.base import Grade, LumosEnv
from lumos_rl.envs.qa.strategyqa import evidence_titles
from lumos_rl.envs.qa.tools.deciding import verdict
from lumos_rl.envs.qa.tools.extractive import ExtractiveReader
from lumos_rl.envs.qa.tools.knowledge import Facts, KnowledgeQuery, ParagraphRetrieve, Pieces, Reply, Source
from lumos_rl.envs.qa.tools.question import QA, compose, qa_tools
from lumos_rl.envs.qa.tools.sources import open_source, task_source
from lumos_rl.envs.qa.tools.titles import key_of
from lumos_rl.errors import ConfigError
from lumos_rl.metrics import exact_match, token_f1, yes_no, yes_no_match
from lumos_rl.prompts import judging_prompt
from lumos_rl.tools.base import Executor, Tool, Value
from lumos_rl.tools.code.code import check_sandbox

YES_NO_BENCHMARKS = ("strategyqa",)


class QAEnv(LumosEnv):
    """A question whose answer is a short text (HotpotQA) or yes or no (StrategyQA).

    Attributes:
        knowledge: The setting, as given.
        reader: Answers the questions of `QA` and composes the final answer.
    """

    def __init__(
        self,
        benchmark: str,
        *,
        knowledge: str | os.PathLike[str] | Source | None = None,
        reader: Callable[[str], str] | None = None,
        judge: Callable[[str], str] | None = None,
        sandbox: str = "auto",
        **settings: Any,
    ) -> None:
        """Opens the knowledge and loads the tasks.

        Args:
            benchmark: "hotpotqa" or "strategyqa"; fixed by the environment's id.
            knowledge: "context" (the task's own paragraphs), "facts" (StrategyQA's own fact sentences: an oracle), a
                file or folder of documents, "wikipedia", "wikipedia:record:FOLDER", "wikipedia:replay:FOLDER", or a
                `Source`. None takes the task's paragraphs if it has any, otherwise its facts.
            reader: Text to text; None takes the extractive reader, which needs no model.
            judge: Text to text, replies yes or no; adds the metric `judge` to HotpotQA. None omits this metric.
            sandbox: "auto" or "required", as for `lumos_rl.tools.code.code.Code`.
            **settings: As for `LumosEnv`.

        Raises:
            ConfigError: A setting is invalid.
            DataError: The documents cannot be read.
        """
        for name, function in (("reader", reader), ("judge", judge)):
            if function is not None and not callable(function):
                raise ConfigError(f"expected {name} as a function from text to text, got {type(function).__name__}")
        check_sandbox(sandbox)
        super().__init__(benchmark, **settings)
        self.sandbox = sandbox
        self.knowledge = knowledge
        self.reader: Callable[[str], str] = ExtractiveReader() if reader is None else reader
        self.judge = judge
        self._shared = open_source(knowledge)
        self._decisive = benchmark in YES_NO_BENCHMARKS
        self._tools: Mapping[str, Tool] = {}
        self._source: Source | None = None

    def tools(self, task: Task) -> Mapping[str, Tool]:
        """KnowledgeQuery, ParagraphRetrieve, QA, Calculator and Code."""
        own = None if self.knowledge is None else str(self.knowledge)
        self._source = task_source(task.meta, own) if self._shared is None else self._shared
        self._tools = qa_tools(self._source, self.reader, task.instruction if self._decisive else None, self.sandbox)
        return self._tools

    def inform(self) -> dict[str, Any]:
        """`knowledge`: the name of the source in use, e.g. "context" or "facts (oracle)"."""
        return {"knowledge": self._source.name} if self._source is not None else {}

    def conclude(self, task: Task, executor: Executor, args: str) -> Value | None:
        """The bare answer of the named result; without a name, the answer composed from all results."""
        if not args:
            answer = compose(self.reader, task.instruction, executor.bindings, self._decisive)
            return None if answer is None else Value.of(answer)
        value = super().conclude(task, executor, args)
        if value is not None and isinstance(value.exact, Reply):
            return Value.of(value.exact.answer)
        if value is not None and isinstance(value.exact, Pieces):
            answer = compose(self.reader, task.instruction, {args: value}, self._decisive)
            return None if answer is None else Value.of(answer)
        return value

    def grade(self, task: Task, answer: str | None) -> Grade:
        """Exact match on HotpotQA, accuracy on StrategyQA, and the recall of the supporting paragraphs."""
        gold = str(task.answer)
        recall = self._recall(supporting_titles(task))
        if self._decisive:
            right = verdict(answer) is not None and yes_no_match(answer, gold)
            oracle = {"oracle_accuracy": float(right)} if self._is_oracle else {}
            return Grade(float(right), right, {"accuracy": float(right), **oracle, **recall})
        golds = [gold, *task.meta.get("answer_aliases", ())]
        right = any(exact_match(answer, each) for each in golds)
        metrics = {"em": float(right), "f1": max(token_f1(answer, each) for each in golds), **recall}
        if self.judge is not None:
            metrics["judge"] = float(self._judged(self.judge, task, answer))
        return Grade(float(right), right, metrics)

    def _judged(self, judge: Callable[[str], str], task: Task, answer: str | None) -> bool:
        if not answer:
            return False
        said = judge(judging_prompt(task.instruction, answer, str(task.answer)))
        if not isinstance(said, str):
            raise ConfigError(f"expected a judge that returns text, got {type(said).__name__} from {judge!r}")
        return yes_no(said) is True

    @property
    def _is_oracle(self) -> bool:
        """Whether the source is the facts that the question was made from; such an accuracy has a name of its own."""
        return isinstance(self._source, Facts)

    def _recall(self, wanted: Iterable[str]) -> dict[str, float]:
        """Share of the supporting documents that `ParagraphRetrieve` showed or `QA` read.

        If neither ran, the share that `KnowledgeQuery` found. Empty if the task names no documents, or its knowledge
        has no titles.
        """
        keys = {key_of(title) for title in wanted}
        if not keys or self._is_oracle:
            return {}
        tools = self._tools.values()
        read = [piece for tool in tools if isinstance(tool, ParagraphRetrieve | QA) for piece in tool.found]
        found = read or [piece for tool in tools if isinstance(tool, KnowledgeQuery) for piece in tool.found]
        return {"supporting_recall": len(keys & {key_of(piece.title) for piece in found}) / len(keys)}


def supporting_titles(task: Task) -> list[str]:
    """Titles of the documents on which annotators based the answer of a task, without duplicates."""
    titles = [title for title, _ in task.meta.get("supporting_facts", ())]
    return list(dict.fromkeys(titles or evidence_titles(task.meta.get("evidence", []))))
