"""All products of a shop with their prices and their search index, in memory or memory-mapped from a folder.

    catalogue = Catalogue.build(products)                 # in memory
    Catalogue.write(products, Path("cache"))              # on disk, in one pass, for any number of products
    catalogue = Catalogue.open(Path("cache"))             # instant; processes share one copy in memory
    catalogue.search("desk lamp"); catalogue.get("B09X"); catalogue[0]; catalogue.price("B09X")

A folder holds `products.bin` (concatenated JSON records), an `.npy` file per array, and `catalogue.json`. Products are
decoded on access, and the last few thousand are cached.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import random
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lumos_rl.envs.webshop.tools.product import MAX_ASIN, NO_PRICE, Product
from lumos_rl.envs.webshop.tools.search import SearchIndex
from lumos_rl.errors import MissingFileError

PRICE_SEED = 0  # the original draws prices unseeded; this is as if it called `random.seed(0)` before loading
FORMAT = 1  # version of the folder's files
KEPT_PRODUCTS = 2048  # cached products; about 20 MB with long texts
KEPT_SEARCHES = 1024  # cached search results, as places
META = "catalogue.json"
_INDEX_ARRAYS = tuple(item.name for item in dataclasses.fields(SearchIndex))
_fields_of = attrgetter(*(item.name for item in dataclasses.fields(Product)))
_OWN_ARRAYS = ("offsets", "asins", "places", "prices", "queries", "categories")


def document(product: Product) -> str:
    """The text of a product that the search engine indexes."""
    options = ", and ".join(f"{name}: {', '.join(values)}" for name, values in product.options.items())
    bullet = product.bullets[0] if product.bullets else ""
    return " ".join((product.name, product.description, bullet, options)).lower()


@dataclass(frozen=True, slots=True)
class Columns:
    """Values of every product that are available without decoding it.

    Attributes:
        offsets: Where each product's record begins in the blob, and where the last one ends.
        asins: Ids in ascending order.
        places: The place of the product with each of these ids.
        prices: Numeric price of each product.
        queries: Hash of each product's query.
        categories: Hash of each product's category.
    """

    offsets: NDArray[np.int64]
    asins: NDArray[np.str_]
    places: NDArray[np.int32]
    prices: NDArray[np.float64]
    queries: NDArray[np.uint64]
    categories: NDArray[np.uint64]


@dataclass(slots=True)
class _Recorder:
    """Writes products to a blob while they are indexed, and collects their columns."""

    blob: BinaryIO
    rng: random.Random = field(default_factory=lambda: random.Random(PRICE_SEED))
    offsets: array[int] = field(default_factory=lambda: array("q", [0]))
    asins: list[str] = field(default_factory=list)
    prices: array[float] = field(default_factory=lambda: array("d"))
    queries: array[int] = field(default_factory=lambda: array("Q"))
    categories: array[int] = field(default_factory=lambda: array("Q"))

    def documents(self, products: Iterable[Product]) -> Iterator[tuple[str, str]]:
        for product in products:
            record = json.dumps(_fields_of(product), separators=(",", ":"))
            self.offsets.append(self.offsets[-1] + self.blob.write(record.encode()))
            self.asins.append(product.asin)
            self.prices.append(draw_price(product, self.rng))
            self.queries.append(_hash(product.query))
            self.categories.append(_hash(product.category))
            yield product.asin, document(product)

    def columns(self) -> Columns:
        places = np.array(sorted(range(len(self.asins)), key=self.asins.__getitem__), np.int32)
        return Columns(
            offsets=np.asarray(self.offsets, np.int64),
            asins=np.array(self.asins, np.str_)[places],
            places=places,
            prices=np.asarray(self.prices, np.float64),
            queries=np.asarray(self.queries, np.uint64),
            categories=np.asarray(self.categories, np.uint64),
        )


def draw_price(product: Product, rng: random.Random) -> float:
    """The price for goals and rewards: the only one, or one drawn between the two."""
    if len(product.pricing) == 2:
        return rng.uniform(*product.pricing)
    return product.pricing[0] if product.pricing else NO_PRICE


class Found(Sequence[Product]):
    """A sequence of products of a catalogue; they are decoded on access."""

    def __init__(self, catalogue: Catalogue, places: Sequence[int] | NDArray[np.int64]) -> None:
        self._catalogue, self._places = catalogue, places

    def __len__(self) -> int:
        """Number of products found."""
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        """One product, or a list of them for a slice."""
        if isinstance(index, slice):
            return [self._catalogue[int(place)] for place in self._places[index]]
        return self._catalogue[int(self._places[index])]


class Catalogue:
    """The products of a shop in the order they were loaded.

    Attributes:
        folder: Its folder; None if it is in memory.
        report: Records read, products loaded, problems by kind with examples.
    """

    def __init__(
        self,
        blob: NDArray[np.uint8],
        columns: Columns,
        index: SearchIndex,
        folder: Path | None = None,
        report: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder, self.report = folder, dict(report or {})
        self._blob, self._columns = blob, columns
        self._index = index
        self._decode = lru_cache(maxsize=KEPT_PRODUCTS)(self._decoded)
        self._hits = lru_cache(maxsize=KEPT_SEARCHES)(lambda query: tuple(index.search(query)))

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy in another process: the same folder, or the same arrays, without what was found so far."""
        if self.folder is not None:
            return Catalogue.open, (self.folder,)
        return Catalogue, (self._blob, self._columns, self._index, None, self.report)

    @classmethod
    def build(cls, products: Iterable[Product], report: Mapping[str, Any] | None = None) -> Catalogue:
        """A catalogue in memory."""
        blob = io.BytesIO()
        recorder = _Recorder(blob)
        index = SearchIndex.build(recorder.documents(products))
        return cls(np.frombuffer(blob.getvalue(), np.uint8), recorder.columns(), index, report=report)

    @staticmethod
    def write(products: Iterable[Product], folder: Path, report: Callable[[], Mapping[str, Any]] = dict) -> None:
        """Writes a catalogue into an existing folder; `report` is called after the last product."""
        with (folder / "products.bin").open("wb") as blob:
            recorder = _Recorder(blob)
            index = SearchIndex.build(recorder.documents(products))
        columns = recorder.columns()
        for part, names in ((index, _INDEX_ARRAYS), (columns, _OWN_ARRAYS)):
            for name in names:
                np.save(folder / f"{name}.npy", getattr(part, name))
        meta = {"format": FORMAT, "products": len(recorder.asins), "report": dict(report())}
        (folder / META).write_text(json.dumps(meta, indent=1), encoding="utf-8")

    @classmethod
    def open(cls, folder: Path) -> Catalogue:
        """The catalogue that `write` stored in a folder; products are read on access.

        Raises:
            MissingFileError: The folder holds no catalogue, or one of another format.
        """
        try:
            meta = json.loads((folder / META).read_text(encoding="utf-8"))
            if meta["format"] != FORMAT:
                raise MissingFileError(f"expected a catalogue of format {FORMAT} in {folder}, got {meta['format']}")
            arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _INDEX_ARRAYS + _OWN_ARRAYS}
        except FileNotFoundError as error:
            raise MissingFileError(f"expected a catalogue in {folder}, got none: {error}") from error
        size = (folder / "products.bin").stat().st_size
        blob = np.memmap(folder / "products.bin", np.uint8, mode="r") if size else np.zeros(0, np.uint8)
        columns = Columns(**{name: arrays[name] for name in _OWN_ARRAYS})
        index = SearchIndex(**{name: arrays[name] for name in _INDEX_ARRAYS})
        return cls(blob, columns, index, folder, meta["report"])

    def __len__(self) -> int:
        """Number of products."""
        return len(self._columns.prices)

    def __getitem__(self, place: int) -> Product:
        """The product at a place, from 0."""
        if not 0 <= place < len(self):
            raise IndexError(f"expected a place from 0 to {len(self) - 1}, got {place}")
        return self._decode(place)

    def __iter__(self) -> Iterator[Product]:
        """Every product in order, decoded without caching."""
        return map(self._decoded, range(len(self)))

    def get(self, asin: str) -> Product | None:
        """The product with this id; None if there is none."""
        place = self._place(asin)
        return None if place is None else self._decode(place)

    def price(self, asin: str) -> float:
        """The price of a product as a number; `NO_PRICE` for an unknown product."""
        place = self._place(asin)
        return NO_PRICE if place is None else float(self._columns.prices[place])

    def search(self, query: str) -> Found:
        """At most 50 products for a query, best first."""
        return Found(self, self._hits(query))

    def with_category(self, category: str) -> Found:
        """Every product of a category, in the catalogue's order."""
        return Found(self, np.flatnonzero(self._columns.categories == np.uint64(_hash(category))))

    def with_query(self, query: str) -> Found:
        """Every product whose record has this query, in the catalogue's order."""
        return Found(self, np.flatnonzero(self._columns.queries == np.uint64(_hash(query))))

    def with_ids(self, asins: Iterable[str]) -> Found:
        """The products with these ids, in their order; unknown ids are skipped."""
        return Found(self, [place for asin in asins if (place := self._place(asin)) is not None])

    def _place(self, asin: str) -> int | None:
        asins = self._columns.asins
        if len(asin) > MAX_ASIN:  # NumPy would copy all ids to compare them with a longer text
            return None
        place = int(np.searchsorted(asins, asin)) if len(asins) else 0
        return int(self._columns.places[place]) if place < len(asins) and asins[place] == asin else None

    def _decoded(self, place: int) -> Product:
        start, end = self._columns.offsets[place : place + 2]
        values = json.loads(self._blob[start:end].tobytes())
        fields: list[Any] = [tuple(value) if isinstance(value, list) else value for value in values]
        return Product(*fields)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
