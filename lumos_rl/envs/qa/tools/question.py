"""The tools of question answering, and `QA`, which asks a reader.

    >>> from lumos_rl.envs.qa.tools.knowledge import Paragraphs
    >>> tools = qa_tools(Paragraphs([Piece("Ed Wood", ("Ed Wood was born in Poughkeepsie in 1924.",))]))
    >>> list(tools)
    ['KnowledgeQuery', 'ParagraphRetrieve', 'QA', 'Calculator', 'Code']
    >>> bindings = {"R1": tools["KnowledgeQuery"]("Ed Wood", {})}
    >>> tools["QA"]("[R1], Question: When was Ed Wood born?", bindings).text
    'Question: When was Ed Wood born?; Answer: 1924'

A reader is any function from text to text: it gets a prompt (`lumos_rl.prompts.reading_prompt`) and returns an answer,
so nothing here imports a model. `ExtractiveReader` needs no model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from lumos_rl.envs.qa.tools.deciding import is_yes_no, verdict
from lumos_rl.envs.qa.tools.extractive import ExtractiveReader
from lumos_rl.envs.qa.tools.knowledge import (
    MAX_PIECES,
    KnowledgeQuery,
    ParagraphRetrieve,
    Piece,
    Pieces,
    Reply,
    Source,
    checked_query,
    fill,
    split_context,
)
from lumos_rl.envs.qa.tools.quantity import FactCalculator, FactCode
from lumos_rl.errors import ConfigError, ToolError
from lumos_rl.metrics import normalize_answer
from lumos_rl.prompts import NO_ANSWER, reading_prompt
from lumos_rl.tools.base import Tool, ToolSpec, Value, arguments, lookup

Reader = Callable[[str], str]
_EXAMPLE = "QA([R2, R6], Question: Who wrote it?)"
_MAX_ANSWER = 400  # characters


class QA:
    """Answers a question from earlier results.

    If the reader finds no answer, it is asked again: first with pieces that the source finds for the question, then
    without evidence, and last, if the answer must be yes or no, with only these two answers allowed.

    Args:
        source: Where more evidence comes from.
        reader: Answers a reading prompt.
        decisive: The question of a task whose answer must be yes or no; then any yes-or-no question must get one.
    """

    usage = "QA([R2, R6], Question: question): a short answer to the question from the results R2 and R6"
    schema = arguments(
        results=("array", "Results to answer from, such as R2; none answers without."), question="One question."
    )
    untimed = True  # the reader may be a model

    def __init__(self, source: Source, reader: Reader, decisive: str | None = None) -> None:
        self.source, self.reader, self.decisive = source, reader, decisive
        self.found: list[Piece] = []

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """Question and answer; the answer is "No answer" if there is none.

        Raises:
            ToolError: There is no question, or a result is unknown.
        """
        names, question = split_context(args, "Question", _EXAMPLE)
        question = checked_query(fill(question, bindings), _EXAMPLE)
        values = {name: lookup(name, bindings) for name in names}
        for value in values.values():
            self.found += value.exact.items if isinstance(value.exact, Pieces) else ()
        answer = self._answer(question, evidence_lines(values))
        return Value(Reply(question, answer), f"Question: {question}; Answer: {answer}")

    def _answer(self, question: str, lines: list[str]) -> str:
        answer = ask(self.reader, question, lines)
        if answer == NO_ANSWER:
            more = [piece for piece in self._search(question) if piece.line not in lines]
            if more:
                self.found += more
                lines = [*lines, *(piece.line for piece in more)]
                answer = ask(self.reader, question, lines)
        if answer == NO_ANSWER and lines:
            answer = ask(self.reader, question, [])
        forced = self.decisive is not None and (is_yes_no(question) or question == self.decisive)
        if forced and verdict(answer) is None:
            answer = ask(self.reader, question, lines, yes_no=True)
        return answer

    def _search(self, question: str) -> Sequence[Piece]:
        try:
            return self.source.search(question, MAX_PIECES)
        except ToolError:
            return ()


def ask(reader: Reader, question: str, lines: Sequence[str], yes_no: bool = False) -> str:
    """The reader's answer in one line; "No answer" if it has none.

    Raises:
        ConfigError: The reader returned something other than text.
    """
    reply = reader(reading_prompt(question, lines, yes_no))
    if not isinstance(reply, str):
        raise ConfigError(f"expected a reader that returns text, got {type(reply).__name__} from {reader!r}")
    answer = " ".join(reply.strip().removeprefix("Answer:").split())[:_MAX_ANSWER]
    return NO_ANSWER if normalize_answer(answer) in ("", "no answer", "noanswer") else answer


def evidence_lines(values: Mapping[str, Value]) -> list[str]:
    """Results as lines for a reader: one line per piece, and one per answer with its question."""
    lines: list[str] = []
    for name, value in values.items():
        if isinstance(value.exact, Pieces):
            lines += [piece.line for piece in value.exact.items]
        else:
            lines.append(value.text if isinstance(value.exact, Reply) else f"Question: {name}; Answer: {value.text}")
    return list(dict.fromkeys(lines))


def compose(reader: Reader, question: str, values: Mapping[str, Value], decisive: bool) -> str | None:
    """The answer to a task from the answers of its episode, or from the pieces if there are no answers.

    Args:
        reader: Answers a reading prompt.
        question: The task's question.
        values: All results of the episode, in order.
        decisive: Whether it must be yes or no.

    Returns:
        The answer; None if there are no results.
    """
    told = {name: value for name, value in values.items() if not isinstance(value.exact, Pieces)}
    lines = evidence_lines(told or values)
    return ask(reader, question, lines, decisive) if lines else None


SPECS = (
    ToolSpec.of(KnowledgeQuery),
    ToolSpec.of(ParagraphRetrieve),
    ToolSpec.of(QA),
    ToolSpec.of(FactCalculator, "Calculator"),
    ToolSpec.of(FactCode, "Code"),
)


def qa_tools(
    source: Source, reader: Reader | None = None, decisive: str | None = None, sandbox: str = "auto"
) -> dict[str, Tool]:
    """Tool name → tool, in the order shown to the model.

    Args:
        source: Where the knowledge comes from.
        reader: Answers a reading prompt; None takes the extractive reader.
        decisive: As for `QA`.
        sandbox: As for `Code`.
    """
    tools: Iterable[tuple[str, Tool]] = (
        ("KnowledgeQuery", KnowledgeQuery(source)),
        ("ParagraphRetrieve", ParagraphRetrieve()),
        ("QA", QA(source, ExtractiveReader() if reader is None else reader, decisive)),
        ("Calculator", FactCalculator()),
        ("Code", FactCode(sandbox=sandbox)),
    )
    return dict(tools)
