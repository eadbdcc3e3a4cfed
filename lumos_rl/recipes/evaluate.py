"""Tests a policy by its benchmark's own metric: `python -m lumos_rl.recipes.evaluate --help`.

    python -m lumos_rl.recipes.evaluate runs/tiny-0 --policy rs-1              # on the tasks the run was tested on
    python -m lumos_rl.recipes.evaluate runs/tiny-0 --benchmarks svamp,gsm8k=test.jsonl
    python -m lumos_rl.recipes.evaluate path/to/model --benchmarks gsm8k       # a model, an adapter pair, a hub name
    python -m lumos_rl.recipes.evaluate NAME --model.engine openai --benchmarks gsm8k    # a model of an endpoint
    python -m lumos_rl.recipes.evaluate my_agent:reply --benchmarks gsm8k,webshop        # a function of my_agent.py

A policy from outside a run is tested with the preset `defaults`: all test tasks, greedily, under Lumos's own limits.
What was played before under the same limits is not played again: `--data.test-tasks 100` behind 5 plays 95.
Every score has the number of its episodes, a 95 % interval, and how many episodes were left out because the
infrastructure failed. Episodes that a model spoiled (errors, no answer, endless turns) are never left out. A line says
how many of the turns that had to be actions were some. Where the tasks are the benchmark's own, the published score of
Agent Lumos is printed too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import tyro

from lumos_rl import task_types
from lumos_rl.checks import closest, flag
from lumos_rl.errors import ConfigError, MissingFileError
from lumos_rl.policies.bases import PACKAGED, is_base, located
from lumos_rl.policies.layout import CHECKPOINTS, require_folder, rounding
from lumos_rl.runs.config import BASE, DataConfig, Engine, RunConfig, check_samples
from lumos_rl.runs.dry_run import describe_test
from lumos_rl.runs.entries import words
from lumos_rl.runs.examples import counted, test_examples
from lumos_rl.runs.exclusive import given as given_names
from lumos_rl.runs.folder import RunFolder, require_checkpoint
from lumos_rl.runs.job import Job
from lumos_rl.runs.launch import known_flags, launch, stored_settings
from lumos_rl.runs.overlap import learned, learned_in
from lumos_rl.runs.policies import source_hash, weights_hash
from lumos_rl.runs.presets import PRESETS
from lumos_rl.runs.score import KINDS, Actions, Score, benchmark_of, told_apart
from lumos_rl.runs.stages import evaluate_stage
from lumos_rl.runs.tasks import graded_as, split_source, test_sources
from lumos_rl.runs.testing import learned_tests, with_stored_tests
from lumos_rl.task_types import Scale, TaskType


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """What is tested. The first word of the command line is a run's folder, a model's, a model's name, or a function.

    Attributes:
        run: The run; its test tasks and its settings of test episodes are used.
        policy: Name of the stage whose checkpoint is tested.
        checkpoint: What to test instead: a model folder, smollm2, FILE.gguf, a hub name, or, as model.engine says, an
            endpoint's model or MODULE:FUNCTION.
        benchmarks: What to test on instead of the run's test tasks, with commas or spaces between: BENCHMARK for its
            built-in suite, or BENCHMARK=WHERE as for data.test. The results go to `benchmarks/` in the run's folder.
    """

    UNUSED: ClassVar = ("Supervised fine-tuning", "Self-improvement")  # groups of --help

    run: Annotated[RunConfig, tyro.conf.arg(name="")] = field(default_factory=RunConfig)
    policy: str = "sft"
    checkpoint: str | None = None
    benchmarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """The flags that say what is tested.

    Attributes:
        checkpoint: A model or function.
        run_dir: Folder of the results.
        engine: What writes turns.
    """

    checkpoint: str | None = None
    run_dir: str | None = None
    engine: Annotated[str | None, tyro.conf.arg(name="model.engine")] = None


def main(job: Job, run: RunFolder, config: EvaluateConfig) -> None:
    """Tests one policy and prints its scores.

    Raises:
        ConfigError: A model would play a task greedily more than once, or the run has learned test tasks.
        MissingFileError: The model is the path of a folder that is not there.
    """
    engine = config.run.model.engine
    if engine != Engine.SCRIPT:  # a function may draw as it likes
        check_samples("evaluate", config.run.test_rollout)
    if config.checkpoint is None:
        version, where = config.policy, require_checkpoint(run.checkpoint(config.policy))
    else:
        if engine in (Engine.HF, Engine.VLLM):
            require_folder(config.checkpoint)  # as it was given: a `Path` would drop "./"
        in_weights = engine in (Engine.HF, Engine.VLLM)
        where = Path(located(config.checkpoint) if in_weights else config.checkpoint)
        version = _as_name(config.checkpoint)
        if engine == Engine.SCRIPT:
            version += f"-{source_hash(config.checkpoint)}"  # a function that was changed is another policy
        elif where.is_dir():
            version += f"-{weights_hash(where)}"  # and so is a model that was trained again
    trained = run.config if config.checkpoint is None else None
    if not config.benchmarks:
        return _test(job, run, version, where, trained)
    other = _on_benchmarks(config, run.path)
    with RunFolder(other.folder, with_stored_tests(other)) as folder:
        return _test(Job(other), folder, version, where, trained)


def _test(job: Job, run: RunFolder, version: str, checkpoint: Path, trained: RunConfig | None) -> None:
    """Tests a policy.

    Args:
        job: What is asked.
        run: Where the results go.
        version: The policy's name.
        checkpoint: Its folder.
        trained: Settings of the run that trained it; None for a policy from elsewhere.
    """
    asked, usual = job.config, run.config
    as_in_run = trained is usual and asked.data.examples == usual.data.examples
    examples = test_examples(asked.data, everywhere=version == BASE or not as_in_run)
    same = asked.data == usual.data and asked.evaluate == usual.evaluate
    stage = f"evaluate-{version}" if same else f"evaluate-{version}@{len(job.test_tasks)}x{asked.evaluate.samples}"
    memorised: Mapping[str, Sequence[int]] = learned_in(run.path)
    if trained is not None and (asked.data.allow_overlap or not (trained is usual and same)):
        memorised = learned_tests(trained, job.test_tasks, asked.data)
    rollout = asked.test_rollout
    result = evaluate_stage(run, job.player(run), version, checkpoint, job.test_tasks, rollout, examples, stage)
    _report(asked.data, version, result, memorised)
    if said := rounding(checkpoint):
        print(f"    The base model's {said}.")


def _on_benchmarks(config: EvaluateConfig, run_dir: Path) -> RunConfig:
    """The run's settings, for tests on other benchmarks than the run's."""
    sources = tuple(name if "=" in name else f"{name}=synthetic" for name in words(config.benchmarks))
    data = replace(config.run.data, suites=(), held_out=(), test=sources)
    folder = run_dir / "benchmarks" / _as_name("+".join(sources))
    return replace(config.run, data=data, run_dir=str(folder))


def opened(config: EvaluateConfig) -> RunConfig:
    """The settings under which the run folder is opened; errors as for `_refuse_policy`."""
    _refuse_policy(config)
    return with_stored_tests(config.run)


def _refuse_policy(config: EvaluateConfig) -> None:
    """Refuses the name of a policy where no run is tested.

    Raises:
        ConfigError: A model or function is tested, and has no policies to choose from.
    """
    if config.checkpoint is not None and config.policy != EvaluateConfig().policy:
        raise ConfigError(
            f"expected the folder of a run with --policy {config.policy}, got {config.checkpoint!r}, which is none;"
            " give a run's folder, or leave --policy out"
        )


def dry_run(job: Job, config: EvaluateConfig) -> str:
    """What would be tested, and whether it can be.

    Raises:
        ConfigError: Some check failed; the message lists every one that did.
        MissingFileError: The run has no such policy.
    """
    _refuse_policy(config)
    run_dir = config.run.folder
    checkpoint = config.checkpoint or str(require_checkpoint(run_dir / CHECKPOINTS / config.policy))
    return describe_test(Job(_on_benchmarks(config, run_dir)) if config.benchmarks else job, checkpoint)


def _as_name(text: str) -> str:
    """The text as a file's name."""
    return re.sub(r"[^\w.=-]+", "-", text.strip("/"))


def _report(data: DataConfig, version: str, result: Mapping[str, Any], memorised: Mapping[str, Sequence[int]]) -> None:
    sources = {graded_as(split_source(source, data)[0]): source for source in test_sources(data)}
    for name, scores in result.get("benchmarks", {next(iter(sources)): result}).items():
        benchmark = benchmark_of(name)
        source, task_type = sources.get(benchmark, benchmark), task_types.get(benchmark)
        if name in memorised:
            print(f"{source}: {learned(memorised[name])}")
        _print_scores(f"{source}{name.removeprefix(benchmark)}  {version}", task_type, scores)
        if examples := result.get("examples", {}).get(benchmark):
            print(f"    {counted(examples)} before each episode")
        if scores.get("actions", {}).get("turns"):  # older results do not say it
            print(f"    {'valid actions':20} {Actions(**scores['actions'])}")
        print(f"    {told_apart(scores[kind] for kind in KINDS)}")
        if source.startswith(f"{name}=") and not source.endswith("=synthetic") and task_type.published:
            print(f"    Agent Lumos (Yin et al. 2023): {task_type.published}")


def _print_scores(label: str, task_type: TaskType, scores: Mapping[str, Any]) -> None:
    for kind in KINDS:
        if scores[kind]["n"] or scores[kind]["excluded"]:
            print(f"{label}  {kind:8} {Score(**scores[kind])}")
        for name, found in scores["metrics"][kind].items():
            each = Score(**found)
            if ":" in name:  # how episodes were played, which is no score
                print(f"    {name:20} {each.value:.0%} of n={each.n}")
            else:
                counted = task_type.metric(name).scale == Scale.COUNT
                print(f"    {name:20} {each.text(1, 2) if counted else each}")


def with_target(argv: Sequence[str]) -> list[str]:
    """A command line whose first word is a run or a model, as flags.

    >>> with_target(["org/model", "--benchmarks", "gsm8k"])
    ['defaults', '--checkpoint', 'org/model', '--run-dir', 'runs/evaluate-org-model', '--benchmarks', 'gsm8k']
    """
    if not argv or argv[0] in PRESETS:
        return list(argv)
    word, flags = (None, list(argv)) if argv[0].startswith("-") else (argv[0], list(argv[1:]))
    given = known_flags(Target, flags)
    _refuse_both(word, flags)
    if word is None:
        return _settled(flags, given.run_dir) if given.checkpoint else flags
    if (Path(word) / "stages").is_dir():
        return ["--run-dir", word, *flags]
    is_model = Path(word).is_dir() or "/" in word or given.engine == Engine.OPENAI or is_base(word)
    if not is_model and re.fullmatch(r"[\w.]+:\w+", word):
        flags = ["--model.engine", "script", *flags]
    elif not is_model:
        raise MissingFileError(
            f"expected a preset ({', '.join(PRESETS)}), a run's or model's folder, {', '.join(PACKAGED)}, FILE.gguf,"
            f" ORG/MODEL, or MODULE:FUNCTION, got {word!r}{closest(word.lower(), [*PRESETS, *PACKAGED])}"
        )
    if given.run_dir is None:
        flags = ["--run-dir", f"runs/evaluate-{_as_name(word)}", *flags]
    return _settled(["--checkpoint", word, *flags], known_flags(Target, flags).run_dir)


def _refuse_both(word: str | None, flags: Sequence[str]) -> None:
    """Refuses flags of which one would be ignored.

    Raises:
        ConfigError: Two of them exclude each other.
    """
    named = given_names(flags)
    is_run = word is not None and (Path(word) / "stages").is_dir()
    for other in ("data.test", "data.suites", "data.held_out"):
        if "benchmarks" in named and other in named:
            raise ConfigError(f"expected --benchmarks or {flag('', other)}, got both, of which one would be ignored")
    for name in ("run_dir", "checkpoint") if is_run else ("checkpoint",) if word is not None else ():
        if name in named:
            raise ConfigError(
                f"expected one thing to be tested, got {word!r} and {flag('', name)}; {word!r} is"
                f" {'a run: --policy says which of its policies' if is_run else 'what is tested'}"
            )


def _settled(flags: Sequence[str], run_dir: str | None) -> list[str]:
    """The flags, with a preset before them where there is no run whose settings they change."""
    return [*flags] if stored_settings(run_dir) else ["defaults", *flags]


if __name__ == "__main__":
    launch(__doc__, EvaluateConfig, main, with_target, dry_run, opened)
