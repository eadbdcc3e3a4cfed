"""The search engine ranks as Lucene does: words, stems, lengths, scores and ties."""

import math
from pathlib import Path

import numpy as np
import pytest
from tiny_shop import products

from lumos_rl.envs.webshop.tools.analysis import terms
from lumos_rl.envs.webshop.tools.catalogue import META, Catalogue, document
from lumos_rl.envs.webshop.tools.porter import stem
from lumos_rl.envs.webshop.tools.search import DECODED_LENGTHS, SearchIndex, encode_lengths
from lumos_rl.envs.webshop.tools.words import split_words
from lumos_rl.errors import MissingFileError


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        *(("caresses", "caress"), ("ponies", "poni"), ("ties", "ti"), ("cats", "cat"), ("feed", "feed")),
        *(("agreed", "agre"), ("plastered", "plaster"), ("motoring", "motor"), ("sing", "sing"), ("sized", "size")),
        *(("hopping", "hop"), ("falling", "fall"), ("hissing", "hiss"), ("filing", "file"), ("happy", "happi")),
        *(("sky", "sky"), ("relational", "relat"), ("conformabli", "conform"), ("technology", "technolog")),
        *(("triplicate", "triplic"), ("goodness", "good"), ("adoption", "adopt"), ("rate", "rate"), ("cease", "ceas")),
        *(("controll", "control"), ("as", "as"), ("3.5mm", "3.5mm"), ("generalizations", "gener")),
    ],
)
def test_stems(word: str, expected: str) -> None:
    assert stem(word) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Women's don't the U.S.A.", ["women", "don't", "u.s.a"]),
        ("3.5mm 1,000 a.1 x:y 12:30 'q'", ["3.5mm", "1,000", "1", "x:y", "12", "30", "q"]),
        ("wi-fi under_score c++", ["wi", "fi", "under_scor", "c"]),
        ("The AND of WITH", []),
        ("brand™ B", ["brand", "™", "b"]),
        ("", []),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),  # as Lucene 8.7 gives them
    [
        ("a.b 1.2 a.1 1,2 1;2 a,b a:b 1:2", ["a.b", "1.2", "a", "1", "1,2", "1;2", "a", "b", "a:b", "1", "2"]),
        ("rock'n'roll 'q' s's", ["rock'n'roll", "q", "s's"]),
        ("_ __ _a_ a_1", ["_a_", "a_1"]),
        ("数学 テスト ひら ｶﾅ 한국어", ["数", "学", "テスト", "ひ", "ら", "ｶﾅ", "한국어"]),
        ("brand™ ©2020 ® 👍🏽👍", ["brand", "™", "©", "2020", "®", "👍🏽", "👍"]),
        ("e\u0301te\u0301 a\u00adb İ", ["e\u0301te\u0301", "a\u00adb", "İ"]),
        ("½ ² ① 50° Ⅷ ª x²", ["50", "Ⅷ", "ª", "x"]),
        ("3٫4 ไทย שלום x\u200by x＇s", ["3٫4", "ไทย", "שלום", "x", "y", "x＇s"]),
        ("x" * 300, ["x" * 255, "x" * 45]),
        ("é" + "x" * 300, ["é" + "x" * 254, "x" * 46]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert split_words(text) == words


def test_lengths_are_stored_in_four_bits() -> None:
    lengths = [0, 1, 23, 24, 39, 40, 41, 50, 100, 1000]
    decoded = DECODED_LENGTHS[encode_lengths(np.array(lengths, np.uint32))]
    assert decoded.tolist() == [0, 1, 23, 24, 39, 40, 40, 50, 96, 984]


def test_scores_are_bm25_with_k1_09_and_b_04() -> None:
    index = SearchIndex.build([("A", "lamp lamp red"), ("B", "lamp"), ("C", "blue")])
    scores = index._scores("lamps lamp red")
    assert scores is not None
    mean = 5 / 3

    def part(frequency: int, length: int, holding: int) -> float:
        idf = math.log(1 + (3 - holding + 0.5) / (holding + 0.5))
        return idf * frequency / (frequency + 0.9 * (0.6 + 0.4 * length / mean))

    expected = [2 * part(2, 3, 2) + part(1, 3, 1), 2 * part(1, 1, 2), 0.0]
    assert scores.tolist() == pytest.approx(expected, rel=1e-6)  # single precision, as in Lucene


def test_equal_scores_are_ordered_by_id_whatever_the_order_of_loading() -> None:
    index = SearchIndex.build([("B2", "red lamp"), ("B10", "red lamp"), ("B1", "blue lamp"), ("A", "desk")])
    assert index.search("red lamp") == [1, 0, 2]  # B10 before B2, as texts


def test_only_documents_with_a_term_are_found_and_at_most_fifty() -> None:
    index = SearchIndex.build([(f"B{number:03d}", "lamp") for number in range(70)] + [("A", "desk")])
    assert index.search("lamp") == list(range(50))
    assert index.search("the of") == index.search("") == index.search("sofa") == []


def test_an_empty_index_finds_nothing() -> None:
    assert SearchIndex.build([]).search("lamp") == []
    assert SearchIndex.build([("A", "the")]).search("the") == []


def test_title_description_first_bullet_and_options_are_indexed() -> None:
    lamp, shoes, floor = products()
    assert document(lamp) == "desk lamp bright. led color: red, black | white, and size: small, large"
    assert document(shoes) == "running shoes bright. led "
    assert document(floor) == "floor lamp   "


def test_a_catalogue_on_disk_equals_the_one_in_memory(tmp_path: Path) -> None:
    built = Catalogue.build(products())
    Catalogue.write(products(), tmp_path, lambda: {"read": 3})
    opened = Catalogue.open(tmp_path)
    assert list(opened) == list(built) == products()
    assert [product.asin for product in opened.search("lamps")] == ["B003", "B001"]
    assert opened.get("B002") == products()[1]
    assert (opened.get("B0"), opened.get("Z"), opened.report) == (None, None, {"read": 3})
    assert opened.price("B001") == 34.0
    assert opened.price("B002") == built.price("B002")
    assert 5.0 < opened.price("B002") < 9.0
    assert opened.price("unknown") == 100.0
    assert [product.asin for product in opened.with_category("home")] == ["B001", "B002", "B003"]
    assert [product.asin for product in opened.with_query("shoes")] == ["B002"]
    with pytest.raises(IndexError):
        opened[3]


def test_a_folder_without_a_catalogue_or_of_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="got none"):
        Catalogue.open(tmp_path)
    (tmp_path / META).write_text('{"format": 0}')
    with pytest.raises(MissingFileError, match="format"):
        Catalogue.open(tmp_path)
