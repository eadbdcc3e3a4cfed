"""Retrieval: `KnowledgeQuery` finds paragraphs about an entity, `ParagraphRetrieve` the best pieces for a question.

    >>> source = Paragraphs([Piece("Ed Wood", ("Ed Wood was an American filmmaker.", "He was born in 1924."))])
    >>> looked_up = KnowledgeQuery(source)("ed wood", {})
    >>> looked_up.text
    '[Ed Wood] Ed Wood was an American filmmaker. He was born in 1924.'
    >>> ParagraphRetrieve()("R1, Query: When was Ed Wood born?", {"R1": looked_up}).text
    'Evidence 1: [Ed Wood] Ed Wood was an American filmmaker. He was born in 1924.'

Knowledge comes from a `Source`: the paragraphs of a task (`Paragraphs`), its fact sentences (`Facts`), documents
indexed on disk (`lumos_rl.envs.qa.tools.corpus`), or Wikipedia (`lumos_rl.envs.qa.tools.wikipedia`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from lumos_rl.envs.qa.tools.ranking import rank
from lumos_rl.envs.qa.tools.titles import key_of, split_sentences, suffixless
from lumos_rl.errors import ToolError
from lumos_rl.tools.base import Value, arguments, lookup

MAX_PIECES = 5  # pieces that a ranking returns; Yin et al. 2023 show the reader five
MAX_CHOICES = 5  # titles listed for an ambiguous query
MAX_SHOWN = 6_000  # characters of paragraphs shown for one query; ParagraphRetrieve still sees all of them
MAX_WORDS = 200  # words of one piece of a document; a longer paragraph is split between sentences
MAX_QUERY = 2_000  # characters of a query
_NAMES = re.compile(r"(?:\[\s*)?((?:R[0-9]+|Output)(?:\s*,\s*(?:R[0-9]+|Output))*)\s*(?:\]\s*)?(?:,\s*)?")
_REFERENCE = re.compile(r"(?<![\w-])(?:R[0-9]+|Output)(?![\w-])")


@dataclass(frozen=True, slots=True)
class Piece:
    """A paragraph, or a part of a long one: the title of its document and its sentences in order."""

    title: str
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        """The sentences as running text."""
        return " ".join(sentence.strip() for sentence in self.sentences)

    @property
    def line(self) -> str:
        """Title and text in one line, as models and readers see them; facts have no title."""
        text = " ".join(self.text.split())
        return f"[{self.title}] {text}" if self.title else text


def split_document(title: str, text: str | Sequence[str]) -> list[Piece]:
    """The pieces of a document: its paragraphs, one per line; long ones are split between sentences.

    Args:
        title: Its title.
        text: Its text, or the sentences of its only paragraph.
    """
    paragraphs = [split_sentences(line) for line in text.splitlines()] if isinstance(text, str) else [list(text)]
    pieces: list[Piece] = []
    for sentences in paragraphs:
        part: list[str] = []
        held = 0  # words in `part`
        for sentence in sentences:
            size = len(sentence.split())
            if part and held + size > MAX_WORDS:
                pieces.append(Piece(title, tuple(part)))
                part, held = [], 0
            part.append(sentence)
            held += size
        if part:
            pieces.append(Piece(title, tuple(part)))
    return pieces or [Piece(title, ())]


@dataclass(frozen=True, slots=True)
class Found:
    """The result of looking up a title.

    Attributes:
        pieces: Paragraphs of the document with that title, or of the documents in `choices`.
        choices: Titles that an ambiguous query may mean.
    """

    pieces: tuple[Piece, ...] = ()
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pieces:
    """The exact object of a result of `KnowledgeQuery` or `ParagraphRetrieve`."""

    items: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """The exact object of a result of `QA`; its `answer` is "No answer" if there is none."""

    question: str
    answer: str


@runtime_checkable
class Source(Protocol):
    """Where knowledge comes from.

    Attributes:
        name: Shown in results, e.g. "context".
    """

    name: str

    def lookup(self, query: str) -> Found:
        """The document that `query` names; empty if there is none."""
        ...

    def search(self, query: str, count: int) -> list[Piece]:
        """The best pieces for a query by their text, best first; [] if nothing matches."""
        ...


def of_one_form(pieces: Sequence[Piece]) -> Found:
    """All pieces if they have one title; otherwise the first piece of each title, and the titles to choose from."""
    first = {piece.title: piece for piece in reversed(pieces)}
    titles = tuple(dict.fromkeys(piece.title for piece in pieces))[:MAX_CHOICES]
    return Found(tuple(pieces)) if len(first) == 1 else Found(tuple(first[title] for title in titles), titles)


class Paragraphs:
    """Paragraphs in memory, found by title and by their words."""

    def __init__(self, pieces: Iterable[Piece], name: str = "context") -> None:
        self.name = name
        self.pieces = tuple(pieces)

    def lookup(self, query: str) -> Found:
        """The paragraphs with that title: as written, else ignoring case and accents, else also ignoring a suffix."""
        for form in (str.strip, key_of, suffixless):
            wanted = form(query)
            if same := [piece for piece in self.pieces if wanted and form(piece.title) == wanted]:
                return of_one_form(same)
        return Found()

    def search(self, query: str, count: int) -> list[Piece]:
        """The best paragraphs by `rank`; those that share no word with the query are left out."""
        order = rank(query, [(piece.title, piece.text) for piece in self.pieces])
        return [self.pieces[index] for index in order[:count]]


class Facts:
    """Fact sentences that were written for one question: an oracle, because they always contain what it needs."""

    name = "facts (oracle)"

    def __init__(self, sentences: Iterable[str]) -> None:
        self.pieces = tuple(Piece("", (sentence,)) for sentence in sentences)

    def lookup(self, query: str) -> Found:
        """Nothing, because facts have no titles."""
        return Found()

    def search(self, query: str, count: int) -> list[Piece]:
        """All facts up to `count`, those that share words with the query first."""
        order = rank(query, [("", piece.text) for piece in self.pieces])
        order += sorted(set(range(len(self.pieces))) - set(order))
        return [self.pieces[index] for index in order[:count]]


class Nothing:
    """The source of a task without knowledge of its own."""

    name = "none"

    def __init__(self, why: str) -> None:
        self.why = why

    def lookup(self, query: str) -> Found:
        """Raises `ToolError`: there is nothing to look in."""
        raise ToolError(self.why)

    def search(self, query: str, count: int) -> list[Piece]:
        """Raises `ToolError`: there is nothing to look in."""
        raise ToolError(self.why)


class KnowledgeQuery:
    """Finds the paragraphs about an entity."""

    usage = "KnowledgeQuery(entity): the paragraphs about an entity, by title, else by the words of the query"
    schema = arguments(entity="A title, or words to search for.")
    untimed = True  # the source may be a server

    def __init__(self, source: Source) -> None:
        self.source = source
        self.found: list[Piece] = []  # everything found so far, for the episode's metrics

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The paragraphs of the document with that title, otherwise those that best match the words.

        Raises:
            ToolError: The query is empty, or nothing is known about it.
        """
        query, found = self._look_up(args.removeprefix("Query:").strip(), bindings)
        if found.choices:
            titles = "; ".join(found.choices)
            return Value(Pieces(found.pieces), f"{query[:60]!r} may mean: {titles}. Query one of these titles.")
        pieces = found.pieces or tuple(self.source.search(query, MAX_PIECES))
        if not pieces:
            raise ToolError(f"nothing is known about {query[:60]!r}; try another name or other words")
        self.found += pieces
        return Value(Pieces(pieces), _shown(pieces))

    def _look_up(self, asked: str, bindings: Mapping[str, Value]) -> tuple[str, Found]:
        """The query and the document it names; titles such as "Audi R8" or "“Heroes”" are first tried as written.

        Raises:
            ToolError: It is empty or too long, or neither a title nor a word to search for.
        """
        query, found = "", Found()
        readings: list[Callable[[], str]] = [
            lambda: fill(asked, bindings),
            lambda: fill(asked, bindings).strip("\"'“”"),
        ]
        if not _REFERENCE.fullmatch(asked):
            readings.insert(0, lambda: asked)
        for reading in readings:
            if (text := _in_one_line(reading(), "KnowledgeQuery(Paris)")) != query:
                query, found = text, self.source.lookup(text)
            if found.pieces or found.choices:
                return query, found
        return checked_query(query, "KnowledgeQuery(Paris)"), found


class ParagraphRetrieve:
    """Picks the best pieces for a query from earlier results of `KnowledgeQuery`."""

    usage = "ParagraphRetrieve(R1, R2, Query: question): the best five pieces of R1 and R2 for a question"
    schema = arguments(
        results=("array", "Results of KnowledgeQuery, such as R1."), query="The question that pieces are wanted for."
    )

    def __init__(self) -> None:
        self.found: list[Piece] = []

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The best pieces, best first.

        Raises:
            ToolError: There is no query or no result to pick from, or a result holds no paragraphs.
        """
        names, query = split_context(args, "Query", "ParagraphRetrieve(R1, Query: Who wrote it?)")
        query = checked_query(fill(query, bindings), "ParagraphRetrieve(R1, Query: Who wrote it?)")
        if not names:
            raise ToolError(
                "expected results to pick from, as in ParagraphRetrieve(R1, Query: Who wrote it?), got none"
            )
        pieces = tuple(dict.fromkeys(piece for name in names for piece in _pieces_of(name, bindings)))
        if not pieces:
            raise ToolError(f"{', '.join(names)} hold no paragraphs to pick from; query a title first")
        order = rank(query, [(piece.title, piece.text) for piece in pieces])
        order += sorted(set(range(len(pieces))) - set(order))
        best = tuple(pieces[index] for index in order[:MAX_PIECES])
        self.found += best
        text = "\n".join(f"Evidence {number}: {piece.line}" for number, piece in enumerate(best, 1))
        return Value(Pieces(best), text)


def split_context(args: str, label: str, example: str) -> tuple[list[str], str]:
    """The result names and the text of `[R2, R6], Question: …`; the label may be omitted after names.

    Raises:
        ToolError: There is neither a name nor the label, or there is something else between them.
    """
    args = args.strip()
    found = _NAMES.match(args)
    rest = args[found.end() :] if found else args
    labelled = re.match(rf"(?:\[\s*\]\s*(?:,\s*)?)?{label}\s*:\s*", rest, re.IGNORECASE)
    if not labelled and (not found or re.search(rf"\b{label}\s*:", rest, re.IGNORECASE)):
        raise ToolError(f"expected earlier results and a {label.lower()}, as in {example}, got {args[:60]!r}")
    return re.findall(r"R[0-9]+|Output", found[1]) if found else [], rest[labelled.end() if labelled else 0 :].strip()


def fill(text: str, bindings: Mapping[str, Value]) -> str:
    """The text with the names of earlier answers replaced by the answers: `Where was R3 born?`.

    Raises:
        ToolError: A name is bound to paragraphs, which a question cannot contain; or the text gets too long.
    """
    length = len(text)

    def answer(found: re.Match[str]) -> str:
        nonlocal length
        value = bindings.get(found[0])
        if value is None:
            return found[0]
        if isinstance(value.exact, Pieces):
            raise ToolError(f"{found[0]} holds paragraphs, expected an answer; ask QA([{found[0]}], Question: …) first")
        said = value.exact.answer if isinstance(value.exact, Reply) else value.text
        length += len(said) - len(found[0])
        if length > MAX_QUERY:  # before it is made: a long answer, named often, would fill the memory
            raise ToolError(f"expected a query of at most {MAX_QUERY} characters, got more with {found[0]} filled in")
        return said

    return _REFERENCE.sub(answer, text)


def checked_query(query: str, example: str) -> str:
    """The query in one line, if it is valid.

    Raises:
        ToolError: It is too long, or contains no word.
    """
    if not re.search(r"\w", query):
        raise ToolError(f"expected a query, as in {example}, got {'nothing' if not query else repr(query[:20])}")
    return _in_one_line(query, example)


def _in_one_line(query: str, example: str) -> str:
    if not query.strip():
        raise ToolError(f"expected a query, as in {example}, got nothing")
    if len(query) > MAX_QUERY:
        raise ToolError(f"expected a query of at most {MAX_QUERY} characters, got {len(query)}")
    return " ".join(query.split())


def _pieces_of(name: str, bindings: Mapping[str, Value]) -> Sequence[Piece]:
    value = lookup(name, bindings)
    if not isinstance(value.exact, Pieces):
        raise ToolError(f"{name} holds no paragraphs; expected a result of KnowledgeQuery")
    return value.exact.items


def _shown(pieces: Sequence[Piece]) -> str:
    lines: list[str] = []
    room = MAX_SHOWN
    for index, piece in enumerate(pieces):
        if lines and len(piece.line) > room:
            lines.append(f"… ({len(pieces) - index} more paragraphs)")
            break
        lines.append(piece.line if len(piece.line) <= room else piece.line[:room] + " …")
        room -= len(lines[-1])
    return "\n".join(lines)
