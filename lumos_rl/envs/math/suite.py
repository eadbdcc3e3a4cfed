"""The built-in math suites: word problems made from templates, with gold plans.

`math_stream("gsm8k", "train", seed=0)` gives problems of two to four steps, `"svamp"` problems of one or two steps with
a number that is not needed. One datum:

    instruction  "Tom has 4 boxes with 12 pens each. Tom gives away 9 pens. How many pens does Tom have left?"
    answer       "39"
    subgoals     "Find how many pens Tom has in all." R1 = Calculator(4 * 12) = 48
                 "Find how many pens Tom has left."   R2 = Calculator(R1 - 9) = 39

Splits are disjoint by construction: a hash of template and numbers alone decides the split of a problem, so no problem
of train shares both template and numbers with one of test. The split "unseen" has templates of its own. `meta` names
the template.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping

from lumos_rl.core import Action, Subgoal, Task
from lumos_rl.data.synthetic import UNSEEN
from lumos_rl.envs.math import templates_gsm8k, templates_gsm8k_more, templates_svamp, templates_unseen
from lumos_rl.envs.math.template import Numbers, Template
from lumos_rl.tools.base import Value
from lumos_rl.tools.math.calculator import Calculator

SPLIT_SHARES: Mapping[str, range] = {"test": range(2), "dev": range(2, 4), "train": range(4, 20)}  # of 20 buckets

NAMES = (
    *("Tom", "Ann", "Ben", "Mia", "Sam", "Eva", "Leo", "Zoe", "Max", "Ida"),
    *("Raj", "Lin", "Omar", "Nina", "Paul", "Rosa", "Hugo", "Emma", "Ivan", "Sara"),
)
ITEMS = (
    *("pens", "cups", "hats", "keys", "books", "cards", "coins"),
    *("shells", "apples", "lemons", "stamps", "marbles", "buttons", "candles"),
)


TEMPLATES: Mapping[str, tuple[Template, ...]] = {
    "gsm8k": templates_gsm8k.TEMPLATES + templates_gsm8k_more.TEMPLATES,
    "svamp": templates_svamp.TEMPLATES,
}
UNSEEN_TEMPLATES: Mapping[str, tuple[Template, ...]] = {
    "gsm8k": templates_unseen.GSM8K,
    "svamp": templates_unseen.SVAMP,
}


def math_stream(benchmark: str, split: str, seed: int) -> Iterator[Task]:
    """An infinite stream of problems of a split; `seed` selects which."""
    rng = random.Random(f"{benchmark}/{split}/{seed}")
    seen: set[str] = set()
    templates = UNSEEN_TEMPLATES[benchmark] if split == UNSEEN else TEMPLATES[benchmark]
    label = f"{benchmark}/{split}/synthetic-" + (f"{seed}-" if seed else "")
    while True:
        template = rng.choice(templates)
        numbers = template.draw(rng)
        words = {"item": rng.choice(ITEMS), **dict(zip(("name", "other"), rng.sample(NAMES, 2), strict=True))}
        text = rng.choice(template.texts).format(**words, **numbers)
        is_of_split = split == UNSEEN or _bucket(template.name, numbers) in SPLIT_SHARES[split]
        if is_of_split and text not in seen:
            seen.add(text)
            yield _task(template, numbers, words, text, f"{label}{len(seen) - 1}", benchmark, split)


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
    meta = {"kind": template.name, "template": template.name}
    return Task(key, benchmark, text, answer, split, tuple(subgoals), meta)
