"""How good retrieval and the embedded reader are, on HotpotQA's distractor setting, StrategyQA and the built-in suites.

    python benchmarks/qa_quality.py --hotpotqa hotpot_dev_distractor_v1.json --strategyqa dev.json

Retrieval: whether both supporting paragraphs are among the best 5 of a question's paragraphs, by plain BM25 over title
and text, and as ParagraphRetrieve ranks them. Gold plans: their recall, and EM and F1 of their answers with the
extractive reader and with an oracle reader, which says the gold answer wherever the evidence holds it (and yes or no
always), so that it bounds what any reader can reach on this evidence. Nothing here is random.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import gymnasium as gym

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl.core import Task
from lumos_rl.data import load_tasks
from lumos_rl.data.annotate import annotate
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.envs.qa.tools.ranking import plain_rank, rank
from lumos_rl.envs.qa.tools.titles import key_of
from lumos_rl.language import format_actions
from lumos_rl.metrics import share_interval
from lumos_rl.prompts import NO_ANSWER, parse_reading

NAMES = {"hotpotqa": "lumos_rl/HotpotQA-v0", "strategyqa": "lumos_rl/StrategyQA-v0"}


class Oracle:
    """A reader that knows the gold answer, and says it where the evidence holds it."""

    answer = ""

    def __call__(self, prompt: str) -> str:
        evidence = key_of(" ".join(parse_reading(prompt)[1]))
        held = self.answer in ("yes", "no") or f" {key_of(self.answer)} " in f" {evidence} "
        return self.answer if held else NO_ANSWER


def shown(values: Sequence[float]) -> str:
    low, high = share_interval([[value] for value in values])
    return f"{100 * sum(values) / len(values):.1f} % [{100 * low:.1f}, {100 * high:.1f}] (n = {len(values)})"


def retrieval(tasks: Iterable[Task]) -> None:
    plain, ours = [], []
    for task in tasks:
        pieces = [(title, " ".join(sentences)) for title, sentences in task.meta["context"]]
        wanted = {title for title, _ in task.meta["supporting_facts"]}
        for values, order in ((plain, plain_rank(task.instruction, pieces)), (ours, rank(task.instruction, pieces))):
            values.append(float(wanted <= {pieces[index][0] for index in order[:5]}))
    print(f"  both paragraphs in the best 5, plain BM25          {shown(plain)}")
    print(f"  both paragraphs in the best 5, ParagraphRetrieve   {shown(ours)}")


def gold_plans(tasks: Sequence[Task], oracle: bool) -> None:
    reader = Oracle() if oracle else None
    env = gym.make(NAMES[tasks[0].benchmark], tasks=tuple(tasks), reader=reader)
    metrics: dict[str, list[float]] = {}
    for index, task in enumerate(tasks):
        if reader is not None:
            reader.answer = str(task.answer)
        env.reset(options={"task": index})
        for subgoal in task.subgoals:
            env.step(format_actions(subgoal.actions))
        last = task.subgoals[-1].actions[-1].outputs[0]
        for name, value in env.step(f"Finish({last})")[4]["metrics"].items():
            metrics.setdefault(name, []).append(value)
    for name, values in metrics.items():
        print(f"  gold plans, {'oracle' if oracle else 'extractive'} reader: {name:<18} {shown(values)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="How good retrieval and the embedded reader are.")
    parser.add_argument("--hotpotqa", type=Path)
    parser.add_argument("--strategyqa", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    for benchmark in NAMES:
        print(f"{benchmark}, built-in suite, test split")
        gold_plans(synthetic_tasks(benchmark, "test"), oracle=False)
    if arguments.hotpotqa:
        tasks = load_tasks("hotpotqa", arguments.hotpotqa, "dev")
        print(f"hotpotqa, {arguments.hotpotqa.name}")
        retrieval(tasks)
        plans = [plan for plan in map(annotate, tasks) if isinstance(plan, Task)]
        print(f"  gold plans: {len(plans)} of {len(tasks)}")
        gold_plans(plans, oracle=False)
        gold_plans(plans, oracle=True)
    for path in arguments.strategyqa:
        tasks = load_tasks("strategyqa", path, "train" if "train" in path.name else "dev")
        plans = [plan for plan in map(annotate, tasks) if isinstance(plan, Task)]
        print(f"strategyqa, {path.name}, own facts (oracle)\n  gold plans: {len(plans)} of {len(tasks)}")
        gold_plans(plans, oracle=False)


if __name__ == "__main__":
    main()
