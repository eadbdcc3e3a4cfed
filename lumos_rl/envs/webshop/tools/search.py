"""BM25 search that ranks like Lucene, on NumPy arrays that can be memory-mapped.

    >>> index = SearchIndex.build([("B01", "red desk lamp"), ("B02", "blue desk"), ("B03", "a lamp, a red lamp")])
    >>> [int(document) for document in index.search("red lamps")]
    [2, 0]

Scores are computed in single precision and added in double, step by step as in Lucene, because this decides which
products are tied (`benchmarks/webshop_lucene.py` compares the two). An index is a few arrays: for each term its
documents and its count in each, and for each document its length and its rank by id. The arrays hold no Python objects,
so any number of processes can map one copy on disk.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumos_rl.envs.webshop.tools.analysis import terms
from lumos_rl.errors import DataError

K1, B = np.float32(0.9), np.float32(0.4)  # Anserini's defaults, which WebShop uses
ONE = np.float32(1)
MAX_HITS = 50  # WebShop, SEARCH_RETURN_N


@dataclass(frozen=True, slots=True)
class SearchIndex:
    """An inverted index.

    Attributes:
        keys: Hash of each term, in ascending order.
        starts: Where each term's entries begin in `documents` and `counts`; one more than there are terms.
        documents: Documents that contain the term, in ascending order.
        counts: How often each of them contains it.
        lengths: Number of terms of each document, in Lucene's code.
        order: Rank of each document by id.
        totals: Number of documents with terms, and total number of terms.
    """

    keys: NDArray[np.uint64]
    starts: NDArray[np.int64]
    documents: NDArray[np.int32]
    counts: NDArray[np.uint16]
    lengths: NDArray[np.uint8]
    order: NDArray[np.int32]
    totals: NDArray[np.int64]

    @classmethod
    def build(cls, documents: Iterable[tuple[str, str]]) -> SearchIndex:
        """Indexes documents, given as id and text, in one pass.

        Raises:
            DataError: Two different terms have the same hash (probability 1 in 10^7 for a million terms).
        """
        vocabulary: dict[str, int] = {}
        ids: list[str] = []
        lengths = array("I")
        sizes, terms_held, counts = array("I"), array("I"), array("H")
        for key, text in documents:
            found = Counter(terms(text))
            ids.append(key)
            lengths.append(found.total())
            sizes.append(len(found))
            terms_held.extend(vocabulary.setdefault(term, len(vocabulary)) for term in found)
            counts.extend(min(count, 0xFFFF) for count in found.values())
        return cls._assemble(vocabulary, ids, *(np.asarray(values) for values in (lengths, sizes, terms_held, counts)))

    @classmethod
    def _assemble(
        cls,
        vocabulary: Mapping[str, int],
        ids: list[str],
        lengths: NDArray[np.uint32],
        sizes: NDArray[np.uint32],
        terms_held: NDArray[np.uint32],
        counts: NDArray[np.uint16],
    ) -> SearchIndex:
        keys = np.fromiter((_key(term) for term in vocabulary), np.uint64, len(vocabulary))
        ranked = np.argsort(keys, kind="stable")
        if np.any(keys[ranked][1:] == keys[ranked][:-1]):
            raise DataError("expected a different hash for every term of the catalogue, got the same hash twice")
        place = np.empty(len(keys), np.int32)  # rank of each term's key
        place[ranked] = np.arange(len(keys), dtype=np.int32)
        by_term = place[terms_held.astype(np.int64)]
        documents = np.repeat(np.arange(len(ids), dtype=np.int32), sizes.astype(np.int64))
        sort = np.argsort(by_term, kind="stable")
        starts = np.zeros(len(keys) + 1, np.int64)
        np.cumsum(np.bincount(by_term, minlength=len(keys)), out=starts[1:])
        order = np.empty(len(ids), np.int32)
        order[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(ids), dtype=np.int32)
        return cls(
            keys=keys[ranked],
            starts=starts,
            documents=documents[sort],
            counts=counts[sort],
            lengths=encode_lengths(lengths),
            order=order,
            totals=np.array([np.count_nonzero(lengths), lengths.sum(dtype=np.int64)], np.int64),
        )

    def search(self, query: str, limit: int = MAX_HITS) -> list[int]:
        """Documents that contain a term of the query, best first; ties are ordered by id.

        Args:
            query: Any text.
            limit: Maximum number of documents.
        """
        scores = self._scores(query)
        if scores is None:
            return []
        found = np.flatnonzero(scores)
        scores = scores[found]
        if len(found) > limit:
            least = np.partition(scores, len(found) - limit)[len(found) - limit]
            kept = scores >= least
            found, scores = found[kept], scores[kept]
        best = np.lexsort((self.order[found], -scores))[:limit]
        return [int(document) for document in found[best]]

    def _scores(self, query: str) -> NDArray[np.float32] | None:
        """BM25 of every document; None when the query has no known term."""
        count, length = int(self.totals[0]), int(self.totals[1])
        mean = np.float32(max(length, 1) / max(count, 1))
        norms = ONE / (K1 * ((ONE - B) + B * DECODED_LENGTHS / mean))  # of each length code
        scores: NDArray[np.float64] | None = None
        for term, times in Counter(terms(query)).items():
            key = np.uint64(_key(term))
            place = int(np.searchsorted(self.keys, key))
            if place == len(self.keys) or self.keys[place] != key:
                continue
            part = slice(int(self.starts[place]), int(self.starts[place + 1]))
            documents, held = self.documents[part], self.counts[part].astype(np.float32)
            idf = math.log(1 + (count - len(documents) + 0.5) / (len(documents) + 0.5))
            weight = np.float32(times) * np.float32(idf)
            if scores is None:
                scores = np.zeros(len(self.lengths))
            scores[documents] += weight - weight / (ONE + held * norms[self.lengths[documents]])
        return None if scores is None else scores.astype(np.float32)


def _key(term: str) -> int:
    return int.from_bytes(hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


EXACT_LENGTHS = 24  # Lucene's SmallFloat.intToByte4: lengths below this are exact, others keep four significant bits


def _decoded(code: int) -> int:
    if code < EXACT_LENGTHS:
        return code
    exponent, mantissa = divmod(code - EXACT_LENGTHS, 8)
    return EXACT_LENGTHS + (mantissa if exponent == 0 else (mantissa + 8) << (exponent - 1))


DECODED_LENGTHS = np.array([_decoded(code) for code in range(256)], np.float32)


def encode_lengths(lengths: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """For each length, the code of the greatest storable length that does not exceed it."""
    return (np.searchsorted(DECODED_LENGTHS, lengths, side="right") - 1).astype(np.uint8)
