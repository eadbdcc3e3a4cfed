"""Tables of scores over several runs, as Markdown.

    print(policies_table(["runs/tiny-*"], "control", Measure()))

    | policy | minus control | mean | seed 0 | seed 1 |
    |---|---|---|---|---|
    | rs-2 | 12.7 [8.1, 17.0] | 77.9 | 69.0 [63.6, 74.0] | 85.0 [80.5, 88.6] |

A mean difference with its interval over seeds and tasks comes first, as one seed alone says little; then single seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lumos_rl.errors import UnknownNameError
from lumos_rl.metrics import Difference, share_interval
from lumos_rl.runs.compare import Comparison, Measure, Tested, compared, policies, runs, together
from lumos_rl.runs.examples import counted
from lumos_rl.runs.lines import read_result
from lumos_rl.runs.overlap import learned, learned_in
from lumos_rl.runs.score import benchmark_of, part


def row(*cells: object) -> str:
    """A row of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def head(*titles: str) -> list[str]:
    """The first two rows."""
    return [row(*titles), row(*["---"] * len(titles)).replace(" ", "")]


def comparison_table(first: str, second: str, found: Comparison, measure: Measure) -> str:
    """Two policies: means, difference, and the smallest difference that could be seen."""
    one = found.rows[0].difference
    lines = [
        f"{first} minus {second}: {measure.metric} of {measure.kind} episodes in percent, with the 95 % interval of the"
        f" difference over tasks and {_seeds(one.seeds)}.",
        "",
        *head("", "first", "second", "difference", "tasks", "80 % power from"),
    ]
    for each in found.rows:
        means = (f"{100 * value:.1f}" for value in (each.first, each.second))
        least = f"{100 * each.difference.detectable():.1f}"
        lines.append(row(each.name, *means, _difference(each.difference), each.difference.tasks, least))
    lines.append("")
    if one.seeds == 1:
        lines.append("One seed: the interval is over tasks alone, and does not say what other seeds would give.")
    if found.left_out:
        lines.append(f"{found.left_out} tasks are left out, as not all of these tests have them.")
    if found.unpaired:
        lines.append(f"Without a run of the same seed: {', '.join(map(str, found.unpaired))}.")
    return "\n".join(lines).rstrip()


def policies_table(patterns: Sequence[str], reference: str, measure: Measure) -> str:
    """All policies of the runs that match, each compared with one of them; a table per part of the scores.

    Args:
        patterns: Folders of runs, one per seed, or patterns of them.
        reference: Name of the policy that the others are compared with.
        measure: What is shown.

    Raises:
        MissingFileError: No such run.
        UnknownNameError: No run has tested the reference.
        ConfigError: As for `compared`.
    """
    tested: dict[str, list[Tested]] = {}
    folders = list(dict.fromkeys(run for pattern in patterns for run in runs(pattern)))
    for run in folders:
        for name, each in policies(run).items():
            tested.setdefault(name, []).append(each)
    if reference not in tested:
        raise UnknownNameError(f"policy in {', '.join(patterns)}", reference, tested)
    names = [*filter(tested.__contains__, ("base", "sft", "control"))]
    names += [name for name in tested if name not in names]
    seeds = sorted({each.seed for own in tested.values() for each in own})
    differences = {
        name: {each.name: each.difference for each in compared(tested[name], tested[reference], measure).rows}
        for name in names
        if name != reference
    }
    episodes = [episode for own in tested.values() for each in own for episode in each.episodes]
    parts = {name: (name,) for name in dict.fromkeys(map(part, episodes))} | together(map(part, episodes))
    lines = [
        f"{measure.metric} of {measure.kind} episodes in percent, of {', '.join(map(str, folders))}. The difference to"
        f" {reference} is the mean over {_seeds(len(seeds))}, with its 95 % interval over tasks and seeds; those of"
        " single seeds are over tasks (Wilson).",
    ]
    for name, own_parts in parts.items():
        lines += ["", f"## {name}", "", *_marks(folders, name)]
        lines += head("policy", f"minus {reference}", "mean", *(f"seed {seed}" for seed in seeds))
        for policy in names:
            own = differences.get(policy, {}).get(name)
            scores = {each.seed: _score(each, own_parts, measure) for each in tested[policy]}
            means = [score[0] for score in scores.values() if score]
            mean = f"{100 * sum(means) / len(means):.1f}" if means else ""
            cells = [_shown(scores.get(seed)) for seed in seeds]
            lines.append(row(_label(policy, own_parts, folders), _difference(own) if own else "", mean, *cells))
    return "\n".join(lines)


def _label(policy: str, parts: Sequence[str], folders: Sequence[Path]) -> str:
    """The policy, and with how many examples it was tested on these parts, if with some."""
    paths = [run / "stages" / f"evaluate-{policy}.json" for run in folders]
    given = [read_result(path).get("examples", {}) for path in paths if path.is_file()]
    most = max((found.get(benchmark_of(part), 0) for found in given for part in parts), default=0)
    return f"{policy}, {counted(most)}" if most else policy


def _marks(folders: Sequence[Path], name: str) -> list[str]:
    """What is to be said of runs that learned tasks that they are tested on."""
    found = []
    for run in folders:
        counts = learned_in(run).get(name)
        found += [f"**{run}: {learned(counts)}**", ""] if counts else []
    return found


def _score(tested: Tested, parts: Sequence[str], measure: Measure) -> tuple[float, float, float] | None:
    by_task: dict[str, list[float]] = {}
    for episode in tested.episodes:
        value = measure.of(episode) if part(episode) in parts else None
        if value is not None:
            by_task.setdefault(episode.task_id, []).append(value)
    values = [value for own in by_task.values() for value in own]
    if not values:
        return None
    low, high = share_interval(list(by_task.values()), bounds=(-1.0 if min(values) < 0 else 0.0, 1.0))
    return sum(values) / len(values), low, high


def _shown(score: tuple[float, float, float] | None) -> str:
    return "" if score is None else f"{100 * score[0]:.1f} [{100 * score[1]:.1f}, {100 * score[2]:.1f}]"


def _difference(found: Difference) -> str:
    shown = f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"
    return shown if found.significant else f"{shown}, not significant"


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"
