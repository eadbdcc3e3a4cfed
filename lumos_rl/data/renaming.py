"""Conversations with other words in the place of those that are only copied: names, item ids, values, numbers.

    "… items? R1 = b0lxrl9m9s - Tervik Green Tea"  →  "Look at the first item, b0lxrl9m9s."  →  "R2 = Click(b0lxrl9m9s)"
    "… items? R1 = c4wknv2f7d - Tervik Green Tea"  →  "Look at the first item, c4wknv2f7d."  →  "R2 = Click(c4wknv2f7d)"

A model that learns from few conversations knows their names by heart and writes them where others stand. In copies
whose names are drawn anew, only reading helps. Jia and Liang 2016 recombine the entities of semantic parses to that
end; here a rule finds what may change, in the conversations of any benchmark whose results need not be computed from
the words of the task, as math's are (`lumos_rl.envs.math.resample` makes its copies).
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from lumos_rl.core import Message
from lumos_rl.data.rows import ChatRow

_WORD = re.compile(r"(?<!Subgoal )(?<![^\W_])[^\W_]{2,}")
_MOST_SHARE = 0.05  # of a benchmark's tasks; a word that more of them name belongs to its language
_LEAST_COUNT = 2  # tasks that may name a word even where there are few
_SHORTEST_ID = 4  # characters of a word of letters and digits; R1 and its like are shorter
_LETTERS, _DIGITS = "bcdfghjklmnpqrstvwxz", "0123456789"


def renamed(rows: Sequence[ChatRow], copies: int, seed: int, held_out: Collection[str] = ()) -> list[ChatRow]:
    """Copies of conversations in which the words that are only copied are others.

    A word may change when every conversation of its task writes it, each after having read it, when few tasks of the
    benchmark name it, and when it is no plural or singular of another word of the task. It changes everywhere in the
    task's conversations: numbers and ids into random ones of the same form, another word into one that may change in
    another task, or into the beginning of one and the end of a second. Results in the conversations are not computed
    anew.

    Args:
        rows: Conversations; those of one task have the same id.
        copies: How many of each.
        seed: Which words.
        held_out: Texts of tasks that no copy may become by chance.

    Returns:
        The copies, ids `{row.id}~1`, …, without token ids; none of a task without such words.
    """
    tasks: dict[tuple[str, str], list[ChatRow]] = defaultdict(list)
    for row in rows:
        tasks[row.benchmark, row.id].append(row)
    named = Counter((benchmark, word) for (benchmark, _), own in tasks.items() for word in _words(own))
    sizes = Counter(benchmark for benchmark, _ in tasks)
    most = {benchmark: max(_LEAST_COUNT, _MOST_SHARE * size) for benchmark, size in sizes.items()}
    free = {
        (benchmark, key): [word for word in _copied(own) if named[benchmark, word] <= most[benchmark]]
        for (benchmark, key), own in tasks.items()
    }
    pools: dict[str, set[str]] = defaultdict(set)
    for (benchmark, _), words in free.items():
        pools[benchmark].update(filter(str.isalpha, words))
    found: list[ChatRow] = []
    for (benchmark, key), own in tasks.items():
        rng = random.Random(f"{seed}/{benchmark}/{key}")
        pool = sorted(pools[benchmark])
        for number in range(1, copies + 1):
            new = _rename(own, free[benchmark, key], pool, rng, f"{key}~{number}")
            if new and not any(text in row.messages[0]["content"] for row in new for text in held_out):
                found += new
    return found


def _split(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _words(rows: Sequence[ChatRow]) -> set[str]:
    return {word for row in rows for message in row.messages for word in _split(message["content"])}


def _copied(rows: Sequence[ChatRow]) -> list[str]:
    """Words that each of these conversations writes, none before having read it; in lower case."""
    words = _words(rows)
    copied = {
        word
        for word in words
        if (word.isalpha() or word.isdecimal() or len(word) >= _SHORTEST_ID)
        and not {f"{word}s", word.removesuffix("s")} & (words - {word})
    }
    for row in rows:
        read: set[str] = set()
        written: set[str] = set()
        for message in row.messages:
            found = _split(message["content"])
            if message["role"] == "assistant":
                copied -= found - read
                written |= found
            else:
                read |= found
        copied &= written
    return sorted(copied)


def _rename(
    rows: Sequence[ChatRow], words: Sequence[str], pool: Sequence[str], rng: random.Random, key: str
) -> list[ChatRow]:
    """The rows with another word for each of these; none where there is none."""
    taken = _words(rows)
    others: dict[str, str] = {}
    for word in words:
        new = _other(word, pool, rng)
        if new not in taken:
            taken.add(new)
            others[word] = new
    if not others:
        return []
    return [
        replace(row, id=key, messages=tuple(_replaced(message, others) for message in row.messages), transcript=None)
        for row in rows
    ]


def _other(word: str, pool: Sequence[str], rng: random.Random) -> str:
    """A number or an id of the same form, or a word of the pool, or one made of two of them."""
    if word.isdecimal():
        return rng.choice(_DIGITS[1:]) + "".join(rng.choices(_DIGITS, k=len(word) - 1))
    if not word.isalpha():
        return "".join(rng.choice(_LETTERS if mark.isalpha() else _DIGITS) for mark in word)
    first, second = rng.choice(pool), rng.choice(pool)
    return first if rng.random() < 0.5 else first[: (len(first) + 1) // 2] + second[len(second) // 2 :]


def _replaced(message: Message, others: Mapping[str, str]) -> Message:
    def written(match: re.Match[str]) -> str:
        """The other word in the case of this one."""
        new = others.get(match[0].lower())
        if new is None:
            return match[0]
        return new if match[0].islower() else new.upper() if match[0].isupper() else new.capitalize()

    return {"role": message["role"], "content": _WORD.sub(written, message["content"])}
