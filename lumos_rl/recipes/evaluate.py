"""Tests a policy by its benchmark's own metric: `python -m lumos_rl.recipes.evaluate --help`.

    python -m lumos_rl.recipes.evaluate runs/tiny-0 --policy rs-1              # on the tasks the run was tested on
    python -m lumos_rl.recipes.evaluate runs/tiny-0 --benchmarks svamp,gsm8k=test.jsonl
    python -m lumos_rl.recipes.evaluate path/to/model --benchmarks gsm8k       # a model, an adapter pair, a hub name
    python -m lumos_rl.recipes.evaluate NAME --model.engine openai --benchmarks gsm8k    # a model of an endpoint
    python -m lumos_rl.recipes.evaluate my_agent:reply --benchmarks gsm8k,webshop        # a function of my_agent.py

A policy that is no run's is tested with the preset `defaults`: all test tasks, greedily, under Lumos's own limits.
Every score comes with the number of its episodes, a 95 % interval, and how many were left out because the machinery
failed. Episodes that a model spoiled (errors, no answer, endless turns) are never left out. Where the tasks are the
benchmark's own, what Agent Lumos reached is told beside it.
"""

from __future__ import annotations

import itertools
import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from lumos_rl.core import Trajectory
from lumos_rl.errors import MissingFileError
from lumos_rl.metrics import mean_interval, wilson_interval
from lumos_rl.policies.layout import CHECKPOINTS
from lumos_rl.recipes.collect import collect, describe, source_hash, weights_hash
from lumos_rl.runs.config import DataConfig, Engine, RunConfig, check_samples
from lumos_rl.runs.folder import EVALUATION, RunFolder, require_checkpoint
from lumos_rl.runs.launch import launch, stored_settings
from lumos_rl.runs.presets import PRESETS
from lumos_rl.runs.tasks import graded_as, split_source, test_examples, test_sources, test_tasks, validation_tasks

KINDS = ("greedy", "sampled")
COUNTS = ("lumos_steps", "steps")  # metrics that are no shares
PUBLISHED: Mapping[str, str] = {  # percent; 13B, then 7B; those of the best tools
    "gsm8k": "accuracy 55.4 (7B: 50.5)",
    "hotpotqa": "exact match 36.3 (7B: 29.4 to 36.0)",
    "intercode_sql": "success rate 7.3 (13B, a task type it had not learned)",
    "mind2web": "step success rate 31.3 (7B: 27.6), lumos_step_sr here",
    "strategyqa": "accuracy 76.7 (7B: 65.7 to 72.4)",
    "svamp": "accuracy 69.3 (7B: 65.5)",
    "webshop": "average reward 50.3 (7B: 39.8), a task type it had not learned",
}


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over episodes: of success, or of one of the benchmark's metrics.

    Attributes:
        value: The mean; of success it is the share of solved episodes, 0 to 1. None when there is no episode.
        low: Lower end of its 95 % interval: Wilson's of what is 0 or 1, such as success, else 1.96 standard errors.
            None without episodes, and where there is one that is neither 0 nor 1.
        high: Upper end; None likewise.
        n: Episodes that count.
        excluded: Episodes left out because the machinery failed.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    excluded: int

    def __str__(self) -> str:
        return self.text(100, 1)

    def text(self, scale: float, decimals: int) -> str:
        """The score in words: its value times `scale`, its interval, and its episodes."""
        if self.value is None:
            return "no episodes"
        interval = ""
        if self.low is not None and self.high is not None:
            interval = f" [{scale * self.low:.{decimals}f}, {scale * self.high:.{decimals}f}]"
        excluded = f" ({self.excluded} excluded)" if self.excluded else ""
        return f"{scale * self.value:.{decimals}f}{interval} n={self.n}{excluded}"


def score(trajectories: Sequence[Trajectory]) -> Score:
    """Success rate of episodes, failed ones left out."""
    counted = [trajectory for trajectory in trajectories if trajectory.failure is None]
    excluded = len(trajectories) - len(counted)
    if not counted:
        return Score(None, None, None, 0, excluded)
    solved = sum(trajectory.success for trajectory in counted)
    low, high = wilson_interval(solved, len(counted))
    return Score(solved / len(counted), low, high, len(counted), excluded)


def metric_scores(trajectories: Sequence[Trajectory]) -> dict[str, Score]:
    """Each metric of the benchmark, over the episodes that have it; failed ones are left out."""
    counted = [trajectory.metrics for trajectory in trajectories if trajectory.failure is None]
    excluded = len(trajectories) - len(counted)
    names = sorted({name for metrics in counted for name in metrics})
    return {
        name: _mean([metrics[name] for metrics in counted if name in metrics], excluded, share=name not in COUNTS)
        for name in names
    }


def _mean(values: Sequence[float], excluded: int, share: bool) -> Score:
    low: float | None
    high: float | None
    if share and {*values} <= {0.0, 1.0}:
        low, high = wilson_interval(round(sum(values)), len(values))
    elif len(values) > 1:
        bounds = (-1.0 if min(values) < 0 else 0.0, 1.0 if share else math.inf)
        low, high = mean_interval(values, bounds=bounds)
    else:
        low = high = None
    return Score(statistics.fmean(values), low, high, len(values), excluded)


def evaluate_stage(run: RunFolder, version: str, checkpoint: Path) -> dict[str, Any]:
    """Plays the run's test tasks with a policy, once, and scores greedy and sampled episodes apart.

    Returns:
        The numbers of `scores_of` and of `describe`; with several benchmarks, those of each under "benchmarks" too.
    """

    def work() -> dict[str, Any]:
        data = run.config.data
        played = collect(
            run, checkpoint, version, test_tasks(data), run.config.evaluate, EVALUATION, test_examples(data)
        )
        parts: dict[str, list[Trajectory]] = {}
        for trajectory in played:
            parts.setdefault(trajectory.benchmark, []).append(trajectory)
        found = {name: scores_of(part) for name, part in parts.items()}
        for name, scores in found.items():
            where = f"evaluate/{version}" + (f"/{name}" if len(found) > 1 else "")
            run.log(where, 0, {kind: scores[kind]["value"] for kind in KINDS if scores[kind]["value"] is not None})
        return scores_of(played) | ({"benchmarks": found} if len(found) > 1 else {}) | describe(played)

    return run.stage(f"evaluate-{version}", work, _failures)


def validate_stage(run: RunFolder, version: str, checkpoint: Path) -> dict[str, Any]:
    """Plays the run's validation tasks greedily with a policy, once; the numbers are those of `evaluate_stage`."""

    def work() -> dict[str, Any]:
        rollout = replace(run.config.evaluate, samples=1, temperatures=(0.0,))
        played = collect(run, checkpoint, version, validation_tasks(run.config.data), rollout, EVALUATION)
        return scores_of(played) | describe(played)

    return run.stage(f"validate-{version}", work, _failures)


def _failures(result: Mapping[str, Any]) -> str:
    """Why a test is gone on with: another day, the machinery may let its failed episodes come to an end."""
    return f"{result['failed']} episodes that the machinery failed" if result["failed"] else ""


def scores_of(played: Sequence[Trajectory]) -> dict[str, Any]:
    """`{"greedy": SCORE, "sampled": SCORE, "metrics": {"greedy": {NAME: SCORE, …}, …}}` of these episodes."""
    parts = {
        "greedy": [trajectory for trajectory in played if trajectory.temperature == 0],
        "sampled": [trajectory for trajectory in played if trajectory.temperature > 0],
    }
    metrics = {kind: {name: asdict(each) for name, each in metric_scores(part).items()} for kind, part in parts.items()}
    return {kind: asdict(score(part)) for kind, part in parts.items()} | {"metrics": metrics}


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """What is tested. The first word of the command line is a run's folder, a model's, a model's name, or a function.

    Attributes:
        run: The run; its test tasks and its settings of test episodes are used.
        policy: Name of the stage whose checkpoint is tested.
        checkpoint: What to test instead: a model folder, a hub name, or, as model.engine says, an endpoint's model or
            MODULE:FUNCTION.
        benchmarks: What to test on instead of the run's test tasks, with commas between: BENCHMARK for its built-in
            suite, or BENCHMARK=WHERE as for data.test. The results go to `benchmarks/` in the run's folder.
    """

    run: Annotated[RunConfig, tyro.conf.arg(name="")] = field(default_factory=RunConfig)
    policy: str = "sft"
    checkpoint: str = ""
    benchmarks: str = ""


def main(config: EvaluateConfig, run: RunFolder) -> None:
    """Tests one policy and prints its scores.

    Raises:
        ConfigError: A model would play a task greedily more than once.
    """
    if run.config.model.engine != Engine.SCRIPT:  # a function may draw as it likes
        check_samples("evaluate", run.config.evaluate)
    where = Path(config.checkpoint) if config.checkpoint else require_checkpoint(run.checkpoint(config.policy))
    version = _as_name(config.checkpoint) or config.policy
    if run.config.model.engine == Engine.SCRIPT:
        version += f"-{source_hash(config.checkpoint)}"  # a function that was changed is another policy
    elif config.checkpoint and where.is_dir():
        version += f"-{weights_hash(where)}"  # and so is a model that was trained again
    if not config.benchmarks:
        return _report(run.config.data, version, evaluate_stage(run, version, where))
    other = _on_benchmarks(config, run.path)
    with RunFolder(Path(other.run_dir), other) as folder:
        return _report(other.data, version, evaluate_stage(folder, version, where))


def _on_benchmarks(config: EvaluateConfig, run_dir: Path) -> RunConfig:
    """The run's settings, for tests on other benchmarks than the run's."""
    names = [name.strip() for name in config.benchmarks.split(",") if name.strip()]
    sources = tuple(name if "=" in name else f"{name}=synthetic" for name in names)
    data = replace(config.run.data, suites="", unseen="", test=sources)
    folder = run_dir / "benchmarks" / _as_name("+".join(sources))
    return replace(config.run, data=data, run_dir=str(folder))


def dry_run(config: EvaluateConfig) -> str:
    """What would be tested, and whether it can be.

    Raises:
        ConfigError: Some check failed; the message lists every one that did.
        MissingFileError: The run has no such policy.
    """
    from lumos_rl.runs.dry_run import describe_test

    run_dir = Path(config.run.run_dir)
    checkpoint = config.checkpoint or str(require_checkpoint(run_dir / CHECKPOINTS / config.policy))
    return describe_test(_on_benchmarks(config, run_dir) if config.benchmarks else config.run, checkpoint)


def _as_name(text: str) -> str:
    """The text as a file's name."""
    return re.sub(r"[^\w.=-]+", "-", text.strip("/"))


def _report(data: DataConfig, version: str, result: Mapping[str, Any]) -> None:
    sources = {graded_as(split_source(source, data)[0]): source for source in test_sources(data)}
    for benchmark, scores in result.get("benchmarks", {next(iter(sources)): result}).items():
        source = sources.get(benchmark, benchmark)
        for kind in KINDS:
            if scores[kind]["n"] or scores[kind]["excluded"]:
                print(f"{source}  {version}  {kind:8} {Score(**scores[kind])}")
            for name, found in scores["metrics"][kind].items():
                each = Score(**found)
                if ":" in name:  # how episodes were played, which is no score
                    print(f"    {name:20} {each.value:.0%} of n={each.n}")
                else:
                    print(f"    {name:20} {each.text(1, 2) if name in COUNTS else each}")
        if source.startswith(f"{benchmark}=") and not source.endswith("=synthetic") and benchmark in PUBLISHED:
            print(f"    Agent Lumos (Yin et al. 2023): {PUBLISHED[benchmark]}")


def with_target(argv: Sequence[str]) -> list[str]:
    """A command line whose first word is a run or a model, as flags.

    >>> with_target(["org/model", "--benchmarks", "gsm8k"])
    ['defaults', '--checkpoint', 'org/model', '--run-dir', 'runs/evaluate-org-model', '--benchmarks', 'gsm8k']
    """
    if not argv or argv[0] in PRESETS:
        return list(argv)
    if argv[0].startswith("-"):
        return _settled(argv) if _given("checkpoint", argv) else list(argv)
    word, rest = argv[0], list(argv[1:])
    if (Path(word) / "stages").is_dir():
        return ["--run-dir", word, *rest]
    is_model = Path(word).is_dir() or "/" in word or "openai" in _values("model.engine", rest)
    if not is_model and re.fullmatch(r"[\w.]+:\w+", word):
        rest = ["--model.engine", "script", *rest]
    elif not is_model:
        known = ", ".join(PRESETS)
        raise MissingFileError(
            f"expected a preset ({known}), a run's or model's folder, ORG/MODEL, or MODULE:FUNCTION, got {word!r}"
        )
    name = _as_name(word)
    place = [] if _given("run-dir", rest) or _given("run_dir", rest) else ["--run-dir", f"runs/evaluate-{name}"]
    return _settled(["--checkpoint", word, *place, *rest])


def _settled(flags: Sequence[str]) -> list[str]:
    """The flags, with a preset before them where there is no run whose settings they change."""
    return [*flags] if stored_settings(flags) else ["defaults", *flags]


def _given(name: str, flags: Sequence[str]) -> bool:
    return any(flag.partition("=")[0] == f"--{name}" for flag in flags)


def _values(name: str, flags: Sequence[str]) -> list[str]:
    """What a flag is set to, as `--flag value` or `--flag=value`."""
    pairs = [(flag.partition("=")[0], flag.partition("=")[2]) for flag in flags]
    pairs += itertools.pairwise(flags)
    return [value for flag, value in pairs if flag == f"--{name}"]


if __name__ == "__main__":
    launch(__doc__, EvaluateConfig, main, with_target, dry_run)
