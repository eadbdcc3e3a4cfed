"""Built-in suites: problems made from templates, with gold plans, for work without any download.

`synthetic_tasks("gsm8k", "train", limit=2)` gives problems of two to four steps, `"svamp"` problems of one or two steps
with a number that is not needed, `"hotpotqa"` and `"strategyqa"` questions about a made-up encyclopedia
(`lumos_rl.envs.qa.suite`). One datum:

    instruction  "Tom has 4 boxes with 12 pens each. Tom gives away 9 pens. How many pens does Tom have left?"
    answer       "39"
    subgoals     "Find how many pens Tom has in all." R1 = Calculator(4 * 12) = 48
                 "Find how many pens Tom has left."   R2 = Calculator(R1 - 9) = 39

Splits are disjoint by construction: template and numbers of a math problem are hashed, and the hash alone decides its
split, so no train problem and test problem share template and numbers, however many of each are drawn. Questions of
different splits share no entity.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import islice

from lumos_rl.core import Action, Subgoal, Task
from lumos_rl.envs.math import templates_gsm8k, templates_svamp
from lumos_rl.envs.math.template import Numbers, Template
from lumos_rl.envs.mind2web.suite import web_stream
from lumos_rl.envs.qa.suite import question_stream
from lumos_rl.envs.sql.suite import sql_stream
from lumos_rl.envs.webshop.suite import suite_stream
from lumos_rl.errors import UnknownNameError
from lumos_rl.tools.base import Value
from lumos_rl.tools.math.calculator import Calculator

SPLIT_SHARES: Mapping[str, range] = {"test": range(2), "dev": range(2, 4), "train": range(4, 20)}  # of 20 buckets
DEFAULT_SIZE: Mapping[str, int] = {"test": 300, "dev": 300, "train": 4000}

NAMES = (
    *("Tom", "Ann", "Ben", "Mia", "Sam", "Eva", "Leo", "Zoe", "Max", "Ida"),
    *("Raj", "Lin", "Omar", "Nina", "Paul", "Rosa", "Hugo", "Emma", "Ivan", "Sara"),
)
ITEMS = (
    *("pens", "cups", "hats", "keys", "books", "cards", "coins"),
    *("shells", "apples", "lemons", "stamps", "marbles", "buttons", "candles"),
)


TEMPLATES: Mapping[str, tuple[Template, ...]] = {
    "gsm8k": templates_gsm8k.TEMPLATES,
    "svamp": templates_svamp.TEMPLATES,
}


def synthetic_tasks(benchmark: str, split: str = "test", limit: int | None = None, seed: int = 0) -> list[Task]:
    """Problems of a built-in suite.

    Args:
        benchmark: A key of `SUITES`.
        split: "train", "dev" or "test".
        limit: How many; None gives `DEFAULT_SIZE[split]`. A smaller limit gives a prefix of a larger one.
        seed: Which problems; ids carry it unless it is 0.

    Returns:
        Tasks with gold answer and gold plan, each text once.

    Raises:
        UnknownNameError: No such suite or split.
    """
    if benchmark not in SUITES:
        raise UnknownNameError("built-in suite", benchmark, SUITES)
    if split not in SPLIT_SHARES:
        raise UnknownNameError("split of a built-in suite", split, SPLIT_SHARES)
    count = DEFAULT_SIZE[split] if limit is None else limit
    return _drawn(benchmark, split, seed).first(count)


@lru_cache(maxsize=16)
def _drawn(benchmark: str, split: str, seed: int) -> _Drawn:
    return _Drawn(SUITES[benchmark](benchmark, split, seed))


class _Drawn:
    """The problems of a suite that were drawn so far: hundreds of environments in one process draw them once."""

    def __init__(self, stream: Iterator[Task]) -> None:
        self._stream, self._tasks = stream, list[Task]()
        self._lock = threading.Lock()

    def first(self, count: int) -> list[Task]:
        with self._lock:
            self._tasks.extend(islice(self._stream, max(0, count - len(self._tasks))))
            return self._tasks[:count]


def _stream(benchmark: str, split: str, seed: int) -> Iterator[Task]:
    rng = random.Random(f"{benchmark}/{split}/{seed}")
    seen: set[str] = set()
    label = f"{benchmark}/{split}/synthetic-" + (f"{seed}-" if seed else "")
    while True:
        template = rng.choice(TEMPLATES[benchmark])
        numbers = template.draw(rng)
        words = {"item": rng.choice(ITEMS), **dict(zip(("name", "other"), rng.sample(NAMES, 2), strict=True))}
        text = rng.choice(template.texts).format(**words, **numbers)
        if _bucket(template.name, numbers) in SPLIT_SHARES[split] and text not in seen:
            seen.add(text)
            yield _task(template, numbers, words, text, f"{label}{len(seen) - 1}", benchmark, split)


SUITES: Mapping[str, Callable[[str, str, int], Iterator[Task]]] = {  # name → its problems of a split
    "gsm8k": _stream,
    "hotpotqa": question_stream,
    "intercode_sql": sql_stream,
    "mind2web": web_stream,
    "strategyqa": question_stream,
    "svamp": _stream,
    "webshop": suite_stream,
}


def _bucket(name: str, numbers: Numbers) -> int:
    key = f"{name} {sorted(numbers.items())}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % 20


def _task(
    template: Template, numbers: Numbers, words: Mapping[str, str], text: str, key: str, benchmark: str, split: str
) -> Task:
    bindings: dict[str, Value] = {}
    subgoals = []
    for index, (sentence, expression) in enumerate(template.steps, 1):
        args = expression.format(**numbers)
        value = bindings[f"R{index}"] = Calculator()(args, bindings)
        action = Action((f"R{index}",), "Calculator", args, value.text)
        subgoals.append(Subgoal(sentence.format(**words, **numbers), (action,)))
    answer = bindings[f"R{len(template.steps)}"].text
    return Task(key, benchmark, text, answer, split, tuple(subgoals), {"kind": template.name})
