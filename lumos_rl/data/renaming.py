"""Copies conversations with new words for those that are only copied: names, item ids, values, numbers.

    "… items? R1 = b0lxrl9m9s - Tervik Green Tea"  →  "Look at the first item, b0lxrl9m9s."  →  "R2 = Click(b0lxrl9m9s)"
    "… items? R1 = c4wknv2f7d - Tervik Green Tea"  →  "Look at the first item, c4wknv2f7d."  →  "R2 = Click(c4wknv2f7d)"

A model that learns from few conversations memorises their names and writes them in place of others. In copies with
other names it has to read them. Jia and Liang 2016 recombine the entities of semantic parses for this reason; here a
rule finds the words that may change. It is for benchmarks whose results are not computed from the words of the task.
Math needs computed results, so `lumos_rl.envs.math.resample` makes its copies.
"""

from __future__ import annotations

import logging
import random
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lumos_rl.core import Message
from lumos_rl.data.overlap import HeldOut
from lumos_rl.data.rows import ChatRow

log = logging.getLogger(__name__)

_WORD = re.compile(r"(?<!Subgoal )(?<![^\W_])[^\W_]{2,}")
_MOST_SHARE = 0.05  # of a benchmark's tasks; a word that more tasks use belongs to the benchmark's language
_LEAST_COUNT = 2  # tasks that may share a word even if a benchmark has few tasks
_SHORTEST_ID = 4  # characters of an id of letters and digits; names such as R1 are shorter
_LETTERS, _DIGITS = "bcdfghjklmnpqrstvwxz", "0123456789"


def renamed(rows: Sequence[ChatRow], copies: int, seed: int, held_out: HeldOut | None = None) -> list[ChatRow]:
    """Copies of conversations with new words for those that are only copied.

    A word may change if every conversation of its task writes it, each after reading it; if few tasks of the benchmark
    contain it; and if it is not the plural or singular of another word of the task. It changes everywhere in the
    task's conversations. A number or id becomes a random one of the same form. Any other word becomes a changeable word
    of another task, or the first half of one joined to the second half of another. Results are not recomputed.

    Args:
        rows: Conversations; those of one task have the same id.
        copies: How many of each.
        seed: Seed of the new words.
        held_out: Tasks whose words no copy may contain, however they are written; None for none.

    Returns:
        The copies, ids `{row.id}~1`, …, without token ids; none for a task without such words.
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
    refused = 0
    for (benchmark, key), own in tasks.items():
        rng = random.Random(f"{seed}/{benchmark}/{key}")
        pool = sorted(pools[benchmark])
        for number in range(1, copies + 1):
            new = _rename(own, free[benchmark, key], pool, rng, f"{key}~{number}")
            if held_out is None or not any(held_out.in_text(_first(row)) for row in new):
                found += new
            else:
                refused += 1
    if refused:
        log.info("%d copies with other names equal tasks that are held out, and are not learned", refused)
    return found


def _split(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _words(rows: Sequence[ChatRow]) -> set[str]:
    return {word for row in rows for message in _told(row) for word in _split(message["content"])}


def _told(row: ChatRow) -> list[Message]:
    """Its messages without that of the system, which is the same for all tasks and stays as it is."""
    return [message for message in row.messages if message["role"] != "system"]


def _first(row: ChatRow) -> str:
    """The text with the task."""
    return _told(row)[0]["content"]


def _copied(rows: Sequence[ChatRow]) -> list[str]:
    """Words, in lower case, that every one of these conversations writes, each only after reading it."""
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
        for message in _told(row):
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
    """The rows with new words in place of `words`; [] if no word could be replaced."""
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
    """A number or id of the same form; else a word of the pool, or one made from two of them."""
    if word.isdecimal():
        return rng.choice(_DIGITS[1:]) + "".join(rng.choices(_DIGITS, k=len(word) - 1))
    if not word.isalpha():
        return "".join(rng.choice(_LETTERS if mark.isalpha() else _DIGITS) for mark in word)
    first, second = rng.choice(pool), rng.choice(pool)
    return first if rng.random() < 0.5 else first[: (len(first) + 1) // 2] + second[len(second) // 2 :]


def _replaced(message: Message, others: Mapping[str, str]) -> Message:
    def written(match: re.Match[str]) -> str:
        """The new word, in the case of the old one."""
        new = others.get(match[0].lower())
        if new is None:
            return match[0]
        return new if match[0].islower() else new.upper() if match[0].isupper() else new.capitalize()

    if message["role"] == "system":
        return message
    return {"role": message["role"], "content": _WORD.sub(written, message["content"])}
