"""Compares policies on the test tasks that both played: mean differences with intervals over seeds and tasks.

    first, second = side("runs/tiny-*:rs-2"), side("runs/tiny-*:control")       # a run per seed
    print(compared(first, second, Measure()))
    # gsm8k: 71.9 and 62.8, difference 9.1 [3.9, 14.2], 300 tasks, 3 seeds; …

Only `evaluation.jsonl` and `config.json` of the runs are read. Runs are paired by their seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lumos_rl import task_types
from lumos_rl.core import Trajectory
from lumos_rl.data.synthetic import UNSEEN
from lumos_rl.errors import ConfigError, MissingFileError, UnknownNameError
from lumos_rl.metrics import Difference, paired_difference
from lumos_rl.runs.folder import EVALUATION
from lumos_rl.runs.lines import Lines
from lumos_rl.runs.score import KINDS, benchmark_of, part
from lumos_rl.runs.stored import stored_values
from lumos_rl.task_types import Scale

SUCCESS, REWARD = "success", "reward"

TaskKey = tuple[str, str, str]  # part of the scores, id, instruction


@dataclass(frozen=True, slots=True)
class Measure:
    """What is compared.

    Attributes:
        kind: greedy or sampled episodes.
        metric: success, reward (as a share of the highest), or a metric of the benchmarks.
    """

    kind: str = "greedy"
    metric: str = SUCCESS

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownNameError("kind of episode", self.kind, KINDS)

    def of(self, episode: Trajectory) -> float | None:
        """Its value; None for an episode of the other kind, without the metric, or that the machinery failed."""
        if episode.failure is not None or (episode.temperature == 0) != (self.kind == "greedy"):
            return None
        if self.metric in (SUCCESS, REWARD):
            return float(episode.success) if self.metric == SUCCESS else episode.score
        kind = task_types.find(episode.benchmark)
        if kind is not None and kind.metric(self.metric).scale == Scale.COUNT:
            raise ConfigError(f"expected a metric that is a share as --metric, got {self.metric}, which is a count")
        return episode.metrics.get(self.metric)


@dataclass(frozen=True, slots=True)
class Tested:
    """The test episodes of one policy of one run.

    Attributes:
        run: Folder of the run.
        seed: Seed of the run.
        policy: Name of the policy.
        episodes: The last try of each.
    """

    run: Path
    seed: int
    policy: str
    episodes: tuple[Trajectory, ...]

    def means(self, measure: Measure) -> dict[TaskKey, float]:
        """The mean of each task's episodes."""
        found: dict[TaskKey, list[float]] = {}
        for episode in self.episodes:
            value = measure.of(episode)
            if value is not None:
                found.setdefault((part(episode), episode.task_id, episode.instruction), []).append(value)
        return {key: sum(values) / len(values) for key, values in found.items()}


def side(text: str) -> list[Tested]:
    """The policy that RUN:POLICY names, in every run that matches.

    Args:
        text: RUN is a folder, or a pattern such as `runs/tiny-*`.

    Raises:
        ConfigError: It is not RUN:POLICY.
        MissingFileError: No such run.
        UnknownNameError: One of the runs has no tests of this policy; the policies that it has are listed.
    """
    pattern, _, policy = text.rpartition(":")
    if not pattern or not policy:
        raise ConfigError(f"expected RUN:POLICY, such as runs/tiny-0:rs-2, got {text!r}")
    found = []
    for run in runs(pattern):
        known = policies(run)
        if policy not in known:
            raise UnknownNameError(f"policy in {run}", policy, known)
        found.append(known[policy])
    return found


def runs(pattern: str) -> list[Path]:
    """The folders of runs that match, by name.

    Raises:
        MissingFileError: None holds test episodes; those nearby that do are listed.
    """
    path = Path(pattern)
    matching = [path] if path.is_dir() else Path(path.anchor or ".").glob(str(path.relative_to(path.anchor)))
    found = sorted(each for each in matching if (each / EVALUATION).is_file())
    if not found:
        near = sorted(str(each.parent) for each in path.parent.glob(f"*/{EVALUATION}"))
        listed = f"; runs there are {', '.join(near)}" if near else ""
        raise MissingFileError(f"expected a run with test episodes at {pattern}, got none{listed}")
    return found


def policies(run: Path) -> Mapping[str, Tested]:
    """Name → policy, for those that a run has tested, in the order of their tests.

    Raises:
        DataError: A line of its file is no episode.
    """
    state = (run / EVALUATION).stat()
    return _read(run, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _read(run: Path, size: int, changed_ns: int) -> Mapping[str, Tested]:
    """The same, read once while the file has this size and time."""
    tries: dict[str, dict[tuple[str, str], Trajectory]] = {}
    for episode in Lines(run / EVALUATION).all(Trajectory):
        tries.setdefault(episode.policy, {})[episode.id, episode.instruction] = episode
    settings = run / "config.json"
    seed = stored_values(settings).get("seed", 0) if settings.is_file() else 0
    return {policy: Tested(run, seed, policy, tuple(own.values())) for policy, own in tries.items()}


@dataclass(frozen=True, slots=True)
class Row:
    """The comparison of one part of the scores.

    Attributes:
        name: Benchmark, with "unseen" behind it for unseen templates; or "all".
        first: Mean of the first policy.
        second: Mean of the second.
        difference: Their difference.
    """

    name: str
    first: float
    second: float
    difference: Difference


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two policies compared.

    Attributes:
        rows: A row for each part that both were tested on, then for all of them.
        left_out: Number of tasks that not all of the compared tests have.
        unpaired: Runs without a run of the same seed on the other side.
    """

    rows: tuple[Row, ...]
    left_out: int
    unpaired: tuple[Path, ...]


def compared(first: Sequence[Tested], second: Sequence[Tested], measure: Measure) -> Comparison:
    """Compares two policies on the tasks that all of their runs tested.

    Args:
        first: One policy, of a run per seed.
        second: The other. Runs are paired by seed; a single run is compared with each of the other side.
        measure: What is compared.

    Raises:
        ConfigError: Two runs of a side have the same seed, no seed or no task is common, or the metric is a count.
    """
    pairs, unpaired = paired(first, second)
    values = [(one.means(measure), other.means(measure)) for one, other in pairs]
    every = set[TaskKey]().union(*(means for pair in values for means in pair))
    common = sorted(every.intersection(*(means.keys() for pair in values for means in pair)))
    if not common:
        names = ", ".join(sorted({f"{each.run}:{each.policy}" for pair in pairs for each in pair}))
        raise ConfigError(
            f"expected tasks that all were tested on, got none with {measure.metric} of {measure.kind} episodes in"
            f" {names}; test them on the same tasks, or choose another --kind or --metric"
        )
    rows = [
        _row(name, [key for key in common if key[0] == name], values) for name in sorted({key[0] for key in common})
    ]
    for name, parts in together(key[0] for key in common).items():
        rows.append(_row(name, [key for key in common if key[0] in parts], values))
    return Comparison(tuple(rows), len(every) - len(common), tuple(unpaired))


def together(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The parts of the scores that are also shown as one, where there are several: "all", and "all unseen"."""
    every = sorted(set(names))
    groups = {"all": [name for name in every if benchmark_of(name) == name]}
    groups[f"all {UNSEEN}"] = [name for name in every if benchmark_of(name) != name]
    return {name: tuple(parts) for name, parts in groups.items() if len(parts) > 1}


def _row(name: str, tasks: Sequence[TaskKey], values: Sequence[tuple[Mapping[TaskKey, float], ...]]) -> Row:
    one, other = ([[means[number][key] for key in tasks] for means in values] for number in (0, 1))
    count = len(tasks) * len(values)
    found = paired_difference(one, other)
    return Row(name, sum(map(sum, one)) / count, sum(map(sum, other)) / count, found)


def paired(first: Sequence[Tested], second: Sequence[Tested]) -> tuple[list[tuple[Tested, Tested]], list[Path]]:
    """Pairs of runs with the same seed, and the runs that have none; errors as for `compared`."""
    if len(first) == 1 or len(second) == 1:
        longer = max(len(first), len(second))
        return list(zip([*first] * (longer // len(first)), [*second] * (longer // len(second)), strict=True)), []
    for each in (first, second):
        _refuse_repeated_seeds(each)
    of_first, of_second = ({each.seed: each for each in runs} for runs in (first, second))
    seeds = sorted(of_first.keys() & of_second.keys())
    if not seeds:
        raise ConfigError(
            f"expected runs of the same seeds, got {sorted(of_first)} of {first[0].policy} and {sorted(of_second)} of"
            f" {second[0].policy}"
        )
    alone = [each.run for each in (*first, *second) if each.seed not in seeds]
    return [(of_first[seed], of_second[seed]) for seed in seeds], alone


def _refuse_repeated_seeds(tested: Iterable[Tested]) -> None:
    found = list(tested)
    counts = Counter(each.seed for each in found)
    repeated = [str(each.run) for each in found if counts[each.seed] > 1]
    if repeated:
        raise ConfigError(f"expected one run per seed, got several of one seed: {', '.join(repeated)}; name fewer")
