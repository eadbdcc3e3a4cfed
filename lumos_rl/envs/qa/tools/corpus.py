"""Documents as a source of knowledge: indexed once on disk, memory-mapped, shared by all processes of a machine.

    documents.jsonl     {"title": "Ed Wood", "text": "Ed Wood was an American filmmaker. He was born in 1924."}
    >>> corpus = open_corpus(Path("documents.jsonl"))    # makes documents.jsonl.index once           # doctest: +SKIP
    >>> corpus.lookup("ed wood").pieces[0].title, corpus.search("American filmmaker", 5)              # doctest: +SKIP

    python -m lumos_rl.envs.qa.tools.corpus documents.jsonl                 # makes the index ahead of time

A line is one paragraph or a whole document; `text` may also be a list of sentences, as in HotpotQA's dump of Wikipedia
abstracts. Lines with the same title belong to one document. A line that is no document is left out, with a warning
whenever the corpus is opened. An index is a folder:

    index.json                          the files it was made from, and what of them could not be read
    documents.bin, documents.offsets    the documents, and where each starts
    titles.*                            hashes of titles: as written, without case and accents, without suffix
    words.hashes, words.ids, bm25/      the words, and their BM25 scores as bm25s stores them

Everything is memory-mapped, so that opening is instant and processes share the pages they read. The index of a folder
is its subfolder `.lumos_index`. An index is rebuilt when its files have changed; only one process builds it, the others
wait.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lumos_rl.console import until_pipe_closes
from lumos_rl.envs.qa.tools.corpus_index import (
    FORMS,
    MANIFEST,
    OFFSETS,
    STORE,
    UNREADABLE,
    WORD_HASHES,
    WORD_IDS,
    fresh_index,
    text_hash,
)
from lumos_rl.envs.qa.tools.knowledge import Found, Piece, of_one_form, split_document
from lumos_rl.envs.qa.tools.ranking import rank
from lumos_rl.envs.qa.tools.titles import words
from lumos_rl.errors import InfrastructureError, LumosError

log = logging.getLogger(__name__)

_CANDIDATES = 10  # BM25 proposes this many documents for each one requested; they are ranked again with their titles
_MOST_DOCUMENTS = 200  # with the same title that a lookup returns
_COMMON = 0.1  # words in a larger share of all documents are skipped if the query has rarer ones
_COMMON_FROM = 100_000  # documents from which words are skipped; below, every word is fast


class Corpus:
    """Documents on disk, found by title and by their words. It is read-only, so threads may share it.

    Attributes:
        name: "corpus FOLDER_OR_FILE".
        source: The file or folder it was opened from.
        folder: Its index.
    """

    def __init__(self, source: Path) -> None:
        self.source = source.absolute()
        self.name = f"corpus {source.name}"
        self.folder = fresh_index(self.source)
        try:
            self._open()
        except (OSError, ValueError, KeyError) as error:
            raise InfrastructureError(f"expected a whole index in {self.folder}, got {error}; delete it") from error

    def _open(self) -> None:
        manifest = json.loads((self.folder / MANIFEST).read_text())
        self.size: int = manifest["documents"]
        count, said = manifest[UNREADABLE]
        if count:
            log.warning("%s: %d lines are no documents and are left out: %s", self.source, count, "; ".join(said))
        self._offsets = self._map(OFFSETS)
        self._store = np.memmap(self.folder / STORE, dtype=np.uint8, mode="r")
        self._titles = {form: (self._map(f"titles.{form}.hashes"), self._map(f"titles.{form}.ids")) for form in FORMS}
        self._word_hashes, self._word_ids = self._map(WORD_HASHES), self._map(WORD_IDS)
        self._index = _load_bm25(self.folder)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy in another process, which maps the same files."""
        return open_corpus, (self.source,)

    def __deepcopy__(self, memo: dict[int, Any]) -> Corpus:
        """The corpus itself, because it never changes."""
        return self

    def _map(self, name: str) -> NDArray[Any]:
        return np.load(self.folder / f"{name}.npy", mmap_mode="r")  # type: ignore[no-any-return]

    def document(self, index: int) -> list[Piece]:
        """The pieces of the document at a position."""
        start, end = int(self._offsets[index]), int(self._offsets[index + 1])
        title, text = json.loads(self._store[start:end].tobytes())
        return split_document(title, text)

    def lookup(self, query: str) -> Found:
        """The documents with that title: as written, else ignoring case and accents, else also ignoring a suffix."""
        for form, normal in FORMS.items():
            wanted = normal(query)
            same = [piece for piece in self._titled(form, wanted) if normal(piece.title) == wanted] if wanted else []
            if same:
                return of_one_form(same)
        return Found()

    def _titled(self, form: str, wanted: str) -> Iterator[Piece]:
        hashes, ids = self._titles[form]
        wanted_hash = text_hash(wanted)
        start = int(np.searchsorted(hashes, wanted_hash))
        for position in range(start, min(start + _MOST_DOCUMENTS, len(hashes))):
            if hashes[position] != wanted_hash:
                return
            yield from self.document(int(ids[position]))

    def search(self, query: str, count: int) -> list[Piece]:
        """The best pieces of the documents that BM25 proposes, ranked by `lumos_rl.envs.qa.tools.ranking.rank`."""
        wanted = self._word_ids_of(words(query))
        if not wanted or not self.size:
            return []
        scores = self._index.get_scores_from_ids(wanted)
        proposed = min(count * _CANDIDATES, self.size)
        top = np.argpartition(-scores, proposed - 1)[:proposed]
        top = top[np.lexsort((top, -scores[top]))]
        pieces = [piece for index in top if scores[index] > 0 for piece in self.document(int(index))]
        order = rank(query, [(piece.title, piece.text) for piece in pieces])
        return [pieces[index] for index in order[:count]]

    def _word_ids_of(self, asked: Sequence[str]) -> list[int]:
        """Ids of the words in the index; very common ones are left out if there are others."""
        found = []
        for word in dict.fromkeys(asked):
            position = int(np.searchsorted(self._word_hashes, text_hash(word)))
            if position < len(self._word_hashes) and self._word_hashes[position] == text_hash(word):
                found.append(int(self._word_ids[position]))
        if self.size < _COMMON_FROM:
            return found
        starts = self._index.scores["indptr"]
        rare = [word for word in found if starts[word + 1] - starts[word] <= _COMMON * self.size]
        return rare or found


def _load_bm25(folder: Path) -> Any:
    import bm25s

    return bm25s.BM25.load(folder / "bm25", mmap=True, load_vocab=False, show_progress=False)


def open_corpus(source: Path) -> Corpus:
    """The documents of a file or folder, indexed first if necessary; opened once per process and index.

    Raises:
        MissingFileError: There are no documents.
        DataError: No line is a document, or a compressed file is damaged.
        InfrastructureError: The index cannot be written.
    """
    source = source.absolute()
    return _opened(source, (fresh_index(source) / MANIFEST).stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _opened(source: Path, made_ns: int) -> Corpus:
    """The opened corpus; `made_ns` distinguishes an index from an earlier one in the cache."""
    return Corpus(source)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: makes the index of each given file or folder."""
    named = sys.argv[1:] if arguments is None else arguments
    if not named or named[0].startswith("-"):
        print("usage: python -m lumos_rl.envs.qa.tools.corpus FILE_OR_FOLDER …", file=sys.stderr)
        return 2
    for name in named:
        try:
            corpus = Corpus(Path(name))
        except LumosError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        print(f"{corpus.folder}: {corpus.size:,} documents")
    return 0


if __name__ == "__main__":
    with until_pipe_closes():
        sys.exit(main())
