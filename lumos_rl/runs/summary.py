"""Writes the results of a run to `SUMMARY.md` for people, and to `summary.json` as data."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lumos_rl import task_types
from lumos_rl.policies.layout import rounding
from lumos_rl.runs.examples import counted
from lumos_rl.runs.folder import RunFolder
from lumos_rl.runs.overlap import OVERLAP, learned
from lumos_rl.runs.score import KINDS, Score, benchmark_of, told_apart
from lumos_rl.runs.stages import swapped
from lumos_rl.runs.tasks import graded_as, split_source, test_sources, training_line

VALID = "valid actions"  # a column of the table
PACKAGES = ("lumos_rl", "torch", "transformers", "trl", "peft", "ray", "gymnasium")


def write_summary(
    run: RunFolder, versions: Sequence[str], seconds: float, training: Mapping[str, int] | None = None
) -> str:
    """Writes both files.

    Args:
        run: A run whose stages are finished.
        versions: Names of the refined policies, in order.
        seconds: Wall-clock seconds of this call's work.
        training: `TrainingTasks.counts`; None leaves them out.

    Returns:
        The text of `SUMMARY.md`.
    """
    stages = run.results()
    mixed = [swapped(*pair) for pair in (("sft", versions[-1]), (versions[-1], "sft"))] if versions else []
    names = [name for name in ("base", "sft", "control", *versions, *mixed) if f"evaluate-{name}" in stages]
    summary = {
        "run": run.path.name,
        "seed": run.config.seed,
        "test": f"{', '.join(test_sources(run.config.data))} ({', '.join(run.config.data.test_split)})",
        "weights": rounding(run.checkpoint("sft")),
        "hardware": f"{platform.machine()}, {os.cpu_count()} CPU cores",
        "packages": {name: _version(name) for name in PACKAGES},
        "seconds": seconds,
        "training": dict(training or {}),
        "scores": {name: {kind: stages[f"evaluate-{name}"][kind] for kind in KINDS} for name in names},
        "benchmarks": _by_benchmark(run, {name: stages[f"evaluate-{name}"] for name in names}),
        "stages": stages,
    }
    run.write_text("summary.json", json.dumps(summary, indent=1) + "\n")
    text = _markdown(summary)
    run.write_text("SUMMARY.md", text)
    return text


def _reported(benchmark: str) -> list[str]:
    """Metrics that papers report, besides or instead of success."""
    return [metric.name for metric in task_types.get(benchmark_of(benchmark)).metrics if metric.reported]


def _by_benchmark(run: RunFolder, evaluated: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Benchmark, as `score.part` names it → policy → scores, and means of the benchmark's other metrics."""
    data = run.config.data
    (only, _), *_ = (split_source(source, data) for source in test_sources(data))
    found: dict[str, Any] = {}
    for policy, result in evaluated.items():
        for benchmark, scores in result.get(
            "benchmarks", {graded_as(only): result}
        ).items():  # older ones of one benchmark have none
            kind = "greedy" if scores["greedy"]["n"] else "sampled"
            metrics = scores["metrics"][kind]
            others = {name: metrics[name]["value"] for name in _reported(benchmark) if name in metrics}
            if scores.get("actions", {}).get("turns"):  # older results do not say it
                others[VALID] = scores["actions"]["valid"]
            row = {each: scores[each] for each in KINDS} | {"metrics": others}
            examples = result.get("examples", {}).get(benchmark_of(benchmark), 0)
            found.setdefault(benchmark, {})[policy] = row | {"examples": examples}
    return found


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _markdown(summary: dict[str, Any]) -> str:
    lines = [
        f"# {summary['run']}",
        "",
        f"Success on {summary['test']} in percent, with its 95 % interval (Wilson, by task) and the number of episodes;"
        f" seed {summary['seed']}, {summary['hardware']}, {summary['seconds'] / 60:.1f} minutes in this session."
        " A policy named A+B has the planner of A and the grounder of B. Further columns are means of the benchmark's"
        f' other metrics, in percent, of greedy episodes where there are some; "{VALID}" is the share of all turns that'
        " had to be actions and were some: they can be read, and name known tools. A row with examples was played"
        ' behind so many annotated tasks as turns already played. Tasks of "unseen" are made by templates that training'
        " never shows.",
        "",
        *([f"The base model's {summary['weights']}.", ""] if summary["weights"] else []),
    ]
    if summary["training"]:
        lines += [f"Training tasks: {training_line(summary['training'])}.", ""]
    for benchmark, scores in summary["benchmarks"].items():
        others = list(dict.fromkeys(name for each in scores.values() for name in each["metrics"]))
        kinds = [kind for kind in KINDS if any(found[kind]["n"] for found in scores.values())] or KINDS
        lines += [
            f"## {benchmark}",
            "",
            *_learned(summary["stages"].get(OVERLAP, {}).get(benchmark)),
            _row("policy", *kinds, *others),
            _row(*["---"] * (1 + len(kinds) + len(others))),
        ]
        for name, found in scores.items():
            means = [f"{100 * found['metrics'][each]:.1f}" if each in found["metrics"] else "" for each in others]
            label = f"{name}, {counted(found['examples'])}" if found["examples"] else name
            lines.append(_row(label, *(Score(**found[kind]) for kind in kinds), *means))
        lines += ["", *_smallest(scores)]
    if best := summary["stages"].get("best"):
        lines += [f"Chosen on validation tasks: {best['best']}.", ""]
    lines += ["## Stages"]
    titles = ("stage", "episodes", "tasks solved", "invalid turns", "pairs", "rows", "optimizer steps", "minutes")
    lines += ["", _row(*titles), _row(*["---"] * len(titles))]
    lines += [
        _stage_line(name, result)
        for name, result in summary["stages"].items()
        if not name.startswith(("evaluate", "validate")) and name not in ("best", OVERLAP)
    ]
    return "\n".join(lines) + "\n"


def _learned(counts: Sequence[int] | None) -> list[str]:
    """What a table of scores says of tasks that were learned."""
    return [] if counts is None else [f"**{learned(counts)}**", ""]


def _smallest(scores: Mapping[str, Any]) -> list[str]:
    """What these tasks can show of a difference between policies."""
    told = told_apart(found[kind] for found in scores.values() for kind in KINDS)
    return [f"{told} `python -m lumos_rl.recipes.compare` says what they differ by.", ""] if told else []


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _stage_line(name: str, result: dict[str, Any]) -> str:
    invalid = f"{result['invalid_turns']:.1%}" if "invalid_turns" in result else ""
    solved = f"{result['tasks_solved']} of {result['tasks']}" if "tasks" in result else ""
    seconds = _total(result, "seconds")
    minutes = f"{seconds / 60:.1f}" if seconds else ""
    cells = [result.get("episodes", ""), solved, invalid, _total(result, "pairs"), result.get("rows", "")]
    label = f"{name} (skipped: {result['skipped']})" if "skipped" in result else name
    return _row(label, *cells, _total(result, "steps"), minutes)


def _total(result: dict[str, Any], name: str) -> Any:
    """A number of a training run, summed over separate modules; "" if there is none."""
    found = [value for key, value in result.items() if key == name or key.endswith(f"_{name}")]
    return sum(found) if found else ""
