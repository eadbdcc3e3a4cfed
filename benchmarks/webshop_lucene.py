"""Whether the shop's search engine finds the terms and gives the ranking of the real Lucene.

    apt-get install default-jdk-headless liblucene8-java
    python benchmarks/webshop_lucene.py                    # 5,000 products, 2,000 queries

Products are generated; awkward words (apostrophes, versions, trademarks, emoji, other scripts, combining marks) are
mixed into them and into the queries, and every fifth product is there twice, so that there are ties. Java is needed for
this comparison alone.
"""

from __future__ import annotations

import argparse
import base64
import random
import subprocess
import tempfile
from pathlib import Path

from webshop_products import records

from lumos_rl.envs.webshop.tools.analysis import terms
from lumos_rl.envs.webshop.tools.search import SearchIndex

HERE = Path(__file__).parent
AWKWARD = (
    *("3.5mm", "U.S.A.", "don’t", "women's", "12:30", "x:y", "a_b", "_", "__a__", "1,000.50", "1;2", "A/B", "wi-fi"),
    *(
        "C++",
        "½ cup",
        "数学 テスト ひらがな",
        "ｶﾀｶﾅ",
        "naïve",
        "Größe",
        "©2020",
        "brand™",
        "®",
        "4K",
        "16.9oz",
        "a.b.c",
    ),
    *("O'Neil's", "rock'n'roll", "e.g.", "http://www.a-b.com/x?y=1", "foo@bar.com", "...", "$5.00", "#1", "x²", "50°c"),
    *(
        "İstanbul",
        "ﬁne",
        "a\u00adb",
        "e\u0301te",
        "👍🏽 ok",
        "\u200bzero",
        "한국어",
        "ไทย",
        "عربي",
        "שלום",
        "a·b",
        "it's",
    ),
    *(
        "x＇s",
        "٣٫٤",
        "Ⅷ",
        "①",
        "running",
        "shoes",
        "waterproof",
        "the",
        "lamps",
        "happiness",
        "generalizations",
        "ties",
    ),
)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def made(products: int, queries: int, seed: int) -> tuple[list[tuple[str, str]], list[str]]:
    """Documents with their ids, and queries."""
    rng = random.Random(seed)

    def spiced(words: list[str], most: int) -> str:
        for _ in range(rng.randint(0, most)):
            words.insert(rng.randint(0, len(words)), rng.choice(AWKWARD))
        return " ".join(words).lower()

    texts = [f"{record['name']} {record['full_description']}" for record, _ in records(products, seed)]
    documents = [(f"B{rng.randrange(10**9):09d}", spiced(text.split(), 6)) for text in texts]
    documents += [(f"C{place:09d}", text) for place, (_, text) in enumerate(documents[::5])]
    rng.shuffle(documents)
    words = [word for text in texts[:500] for word in text.lower().split()]
    return documents, [spiced(rng.choices(words, k=rng.randint(1, 9)), 2) for _ in range(queries)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=5000)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jars", type=Path, default=Path("/usr/share/java"), help="folder with Lucene 8's jars")
    options = parser.parse_args()
    jars = [
        next(iter(sorted(options.jars.glob(f"lucene-{name}-8*.jar"))), None) for name in ("core", "analyzers-common")
    ]
    if None in jars:
        parser.error(f"expected lucene-core-8*.jar and lucene-analyzers-common-8*.jar in {options.jars}")
    documents, queries = made(options.products, options.queries, options.seed)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "docs.txt").write_text("".join(f"{key}\t{encoded(text)}\n" for key, text in documents))
        (work / "queries.txt").write_text("".join(f"{encoded(text)}\n" for text in queries))
        path = ":".join(map(str, jars))
        subprocess.run(["javac", "-cp", path, "-d", folder, str(HERE / "WebShopLucene.java")], check=True)
        subprocess.run(["java", "-cp", f"{path}:{folder}", "WebShopLucene"], check=True, cwd=folder)
        found = [line.split("\x01") if line else [] for line in (work / "terms.txt").read_text().split("\n")]
        hits = [line.split() for line in (work / "hits.txt").read_text().split("\n")]
    index = SearchIndex.build(documents)
    same_terms = sum(terms(text) == expected for (_, text), expected in zip(documents, found, strict=False))
    ranked = ([documents[place][0] for place in index.search(query)] for query in queries)
    same = sum(ours == expected for ours, expected in zip(ranked, hits, strict=False))
    print(f"seed {options.seed}: same terms in {same_terms:,} of {len(documents):,} documents,", end=" ")
    print(f"same ranking for {same:,} of {len(queries):,} queries ({jars[0].name})")  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
