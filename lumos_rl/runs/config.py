"""The settings of a run, its presets, and how a command line becomes settings.

Settings are nested frozen dataclasses, one per stage; their fields are the flags (`--sft.learning-rate 2e-5`), and
`--help` shows each with its meaning and default. A preset is a full set of settings to start from:

    python -m lumos_rl.recipes.sft_then_dpo                      # preset tiny
    python -m lumos_rl.recipes.sft_then_dpo svamp --data FOLDER  # presets stand in lumos_rl.runs.presets
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

import tyro

from lumos_rl import task_types
from lumos_rl.errors import ConfigError, UnknownNameError
from lumos_rl.policies.settings import OpenAISettings, VLLMSettings
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.rollout.ray_config import RayConfig
from lumos_rl.training.settings import DPOSettings, ScratchSettings, SFTSettings


def by_benchmark(entries: Sequence[str], most: float = math.inf) -> dict[str, float]:
    """Reads settings of single benchmarks, such as `("webshop=2", "gsm8k=0.5")`.

    Args:
        entries: As BENCHMARK=NUMBER.
        most: The largest number there may be.

    Raises:
        ConfigError: An entry is not of this form, or its number is negative or too large.
        UnknownNameError: No such benchmark.
    """
    found = {}
    for entry in entries:
        name, _, number = entry.partition("=")
        if name not in (known := task_types.environments()):
            raise UnknownNameError("benchmark", name, known)
        try:
            found[name] = float(number)
        except ValueError:
            found[name] = -1.0
        if not (0 <= found[name] <= most and math.isfinite(found[name])):
            raise ConfigError(f"expected BENCHMARK=NUMBER with a number from 0 to {most:g}, got {entry!r}")
    return found


def check_samples(name: str, rollout: RolloutConfig) -> None:
    """Sees to it that no episode is only another one's repetition.

    Raises:
        ConfigError: A model would play a task greedily more than once.
    """
    greedy = sum(rollout.temperatures[sample % len(rollout.temperatures)] == 0 for sample in range(rollout.samples))
    if greedy > 1:
        raise ConfigError(
            f"expected at most one greedy episode per task, which any other would repeat, got {greedy} in the"
            f" {rollout.samples} samples of {name} at temperatures {rollout.temperatures}; give some above 0"
        )


class Modules(StrEnum):
    """Whether planner and grounder are one model or two."""

    SHARED = "shared"
    SEPARATE = "separate"


class Engine(StrEnum):
    """What writes the turns of episodes."""

    HF = "hf"  # Transformers, in each rollout worker
    VLLM = "vllm"  # vLLM, in engines that the workers share
    OPENAI = "openai"  # an endpoint that speaks OpenAI's protocol; it is played with and tested, not trained
    SCRIPT = "script"  # a function of Python; tested only


class Refine(StrEnum):
    """One step of refinement: collect episodes with the current policy, then learn from them."""

    RS = "rs"  # rejection sampling: fine-tune on the episodes that succeeded
    DPO = "dpo"  # preferences between turns of better and worse episodes


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Tasks to learn from and to be tested on.

    A source is BENCHMARK=WHERE, with WHERE one of: synthetic (the built-in suite), a file, a folder as the benchmark
    distributes it, or hf:NAME. Relative paths start at `folder`.

    Attributes:
        folder: Folder that the sources' relative paths start at; also the flag --data.
        suites: Built-in suites to learn and to be tested on, in place of `train` and `test`, by task type and with
            commas between: math, qa, webshop, mind2web, sql; also the flag --suites.
        unseen: Built-in suites to be tested on beside those, without learning them, named likewise.
        examples: Annotated training tasks of an unseen suite that its episodes start with, as turns already played.
        train: Sources of training tasks.
        chats: Files of conversations that SFT learns beside, as planner=FILE and grounder=FILE, such as the annotations
            that Agent Lumos released; or FILE, of the unified set, whose records say it. Paths start at `folder`.
        weights: How often the annotated conversations of a benchmark are learned, those of `chats` as well, as
            BENCHMARK=TIMES; once where it is not named. 2.5 stands for twice, and half of them a third time.
        test: Sources of test tasks.
        annotated: Most annotated training tasks that SFT sees, of each source; 0 takes all, and none of a built-in
            suite, which has no end.
        resample: Copies of every annotated math task with other numbers, names and things in question and plan.
        rename: Copies of every annotated conversation of other benchmarks in which the names, ids and values that are
            only copied are others.
        explore: Training tasks that refinement tries with nothing but their answer. A synthetic source makes new ones;
            from files they are the training tasks themselves, 0 for all of them.
        test_split: Split of the test source: test, or dev to choose settings by.
        test_tasks: Most test tasks; 0 takes all.
        validation_tasks: Tasks of every training source by which the best policy is chosen: of a built-in suite's dev
            split, or the last of the records, which are then not learned. 0 chooses none.
        env: Options of environments, as BENCHMARK.OPTION=VALUE, such as hotpotqa.knowledge=corpus.jsonl or
            intercode_sql.backend=mysql://root@127.0.0.1:3307; a value may be JSON, a path is as the
            workers see it. The cards name the options.
        lower_case: Whether all task texts are put into lower case: a model from scratch learns more from sources that
            write the same words in different cases.
    """

    folder: Annotated[str, tyro.conf.arg(aliases=["--data"])] = "."
    suites: Annotated[str, tyro.conf.arg(aliases=["--suites"])] = ""
    unseen: str = ""
    examples: int = 0
    train: tuple[str, ...] = ("gsm8k=synthetic",)
    chats: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    test: tuple[str, ...] = ("gsm8k=synthetic",)
    test_split: str = "test"
    annotated: int = 300
    resample: int = 0
    rename: int = 0
    explore: int = 2000
    test_tasks: int = 300
    validation_tasks: int = 0
    env: tuple[str, ...] = ()
    lower_case: bool = False

    def __post_init__(self) -> None:
        by_benchmark(self.weights)
        if self.validation_tasks and self.test_split == "dev":
            raise ConfigError(
                "expected --data.test-split test where validation tasks, of dev, choose the policy; got dev"
            )


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The model that is trained.

    Attributes:
        base: scratch (a small model built here), a model folder, or a hub name.
        modules: shared (one model is planner and grounder) or separate (one each).
        profile: Prompt profile: lumos, compact, chats (the sentences of the conversations in data.chats), or a folder
            with a saved one.
        scratch: Shape of the model built here.
        device: Where to generate: auto, cpu or cuda.
        dtype: Weights' type when generating: float32 or bfloat16.
        generate_batch: Turns generated together by one worker, or by one engine of vLLM.
        engine: What writes the turns of episodes: hf or vllm; to evaluate alone, openai (a model of an endpoint, by its
            name) or script (a function, as MODULE:FUNCTION).
        vllm: Engines of vLLM.
        openai: The endpoint.
    """

    base: str = "scratch"
    modules: Modules = Modules.SHARED
    profile: str = "lumos"
    scratch: ScratchSettings = field(default_factory=ScratchSettings)
    device: str = "auto"
    dtype: str = "float32"
    generate_batch: int = 64
    engine: Engine = Engine.HF
    vllm: VLLMSettings = field(default_factory=VLLMSettings)
    openai: OpenAISettings = field(default_factory=OpenAISettings)


def _check_step(tasks: int, samples: int) -> None:
    if tasks < 0 or samples < 0:
        raise ConfigError(f"expected tasks and samples of a step >= 0, got {tasks} and {samples}")


@dataclass(frozen=True, slots=True)
class RejectionConfig:
    """Rejection sampling: which episodes are learned, and how.

    Attributes:
        tasks: Tasks of each benchmark that are tried for this; 0 tries all of data.explore. Steps take them in turn:
            each goes on behind those that the step before it took, and begins anew where they are used up.
        samples: Episodes per task, at the first of rollout.temperatures; 0 stands for rollout.samples. Different tasks
            teach more than the same ones again.
        min_reward: Least share of the reward that its task can give, of an episode that is learned.
        min_rewards: Other least shares of single benchmarks, as BENCHMARK=SHARE: webshop=0.75 learns purchases that are
            nearly right.
        max_per_task: Most different episodes learned per task.
        resample: Copies, with other numbers, names and things, of every math task that was solved, that are learned
            too: a plan that solved its task is an annotation nobody had to write.
        rename: Copies, with other names, ids and values, of every other episode that is learned.
        annotated: Whether the annotated conversations are learned again beside the episodes.
        balanced: Whether every benchmark is learned about as often; else those whose tasks are solved often crowd out
            the others.
        train: How to fine-tune on them.
    """

    tasks: int = 0
    samples: int = 0
    min_reward: float = 1.0
    min_rewards: tuple[str, ...] = ()
    max_per_task: int = 4
    resample: int = 0
    rename: int = 0
    annotated: bool = True
    balanced: bool = False
    train: SFTSettings = field(default_factory=SFTSettings)

    def __post_init__(self) -> None:
        _check_step(self.tasks, self.samples)
        by_benchmark(self.min_rewards, most=1.0)


@dataclass(frozen=True, slots=True)
class PreferenceConfig:
    """DPO: which pairs are built, and how they are learned.

    Attributes:
        tasks: Tasks of each benchmark that are tried for this; 0 tries all of data.explore. Taken in turn, as in
            rejection sampling.
        samples: Episodes per task; 0 stands for rollout.samples. A pair needs a task that is solved by some of them.
        min_margin: Least difference between the mean rewards after the two turns of a pair, as shares of what the task
            can give.
        min_margins: Other least differences of single benchmarks, as BENCHMARK=SHARE: webshop=0.2 where a metric counts
            parts.
        max_per_task: Most pairs per task.
        train: How to optimise them.
    """

    tasks: int = 0
    samples: int = 0
    min_margin: float = 0.5
    min_margins: tuple[str, ...] = ()
    max_per_task: int = 4
    train: DPOSettings = field(default_factory=DPOSettings)

    def __post_init__(self) -> None:
        _check_step(self.tasks, self.samples)
        by_benchmark(self.min_margins, most=2.0)  # a reward may be negative


@dataclass(frozen=True, slots=True)
class RefineConfig:
    """Self-improvement: what is done, in which order, with episodes of the current policy.

    Attributes:
        steps: Steps of one iteration, each of rs or dpo; every step collects episodes anew.
        iterations: How often the steps are repeated; also the flag --iterations.
        rs: Rejection sampling.
        dpo: Preferences.
        control: Whether to train a control: SFT that goes on for as many optimizer steps as the refinement took.
        swap: Whether to test the planner of SFT with the grounder of the last step, and the other way round, which
            says which of them learned what.
    """

    steps: tuple[Refine, ...] = (Refine.RS, Refine.DPO)
    iterations: Annotated[int, tyro.conf.arg(aliases=["--iterations"])] = 1
    rs: RejectionConfig = field(default_factory=RejectionConfig)
    dpo: PreferenceConfig = field(default_factory=PreferenceConfig)
    control: bool = True
    swap: bool = False


@dataclass(frozen=True, slots=True)
class TrackConfig:
    """Where metrics go besides `metrics.jsonl`.

    Attributes:
        wandb: Log to Weights & Biases; WANDB_MODE=offline keeps it on disk.
        wandb_project: Its project.
        tensorboard: Write TensorBoard files into the run folder.
    """

    wandb: bool = False
    wandb_project: str = "lumos_rl"
    tensorboard: bool = False


@dataclass(frozen=True, slots=True)
class RunConfig:
    """A whole run.

    Attributes:
        plugins: Modules that bring task types from outside this package; also the flag --plugin.
        run_dir: Where everything is written; empty takes runs/PRESET-SEED. A folder with the same settings is gone on
            with.
        seed: Seed of everything random but episodes, whose own are rollout.seed and evaluate.seed: two tests of one
            model with another `seed` play the same.
        data: Tasks.
        model: Model.
        sft: Supervised fine-tuning on the annotated tasks.
        rollout: How episodes are played to learn from.
        refine: What is learned from them.
        evaluate: How test episodes are played; a temperature of 0 is reported as greedy, the others as sampled.
        evaluate_base: Whether to test the model before any training as well.
        ray: Where episodes are played.
        track: Where metrics go.
        preview: How many training rows to print before SFT, with the tokens in the loss marked.
        dry_run: Say what would be done and whether it can be, then stop.
        resume: Go on with run_dir; an error when there is nothing to go on with.
    """

    plugins: Annotated[tuple[str, ...], tyro.conf.arg(aliases=["--plugin"])] = ()
    run_dir: str = ""
    seed: int = 0
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    sft: SFTSettings = field(default_factory=SFTSettings)
    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    refine: RefineConfig = field(default_factory=RefineConfig)
    evaluate: RolloutConfig = field(default_factory=RolloutConfig)
    evaluate_base: bool = True
    ray: RayConfig = field(default_factory=RayConfig)
    track: TrackConfig = field(default_factory=TrackConfig)
    preview: int = 0
    dry_run: bool = False
    resume: bool = False


UNSTORED = ("run_dir", "preview", "dry_run", "resume")  # of one command, not of the run
# Stored with a run, and free to change when it is gone on with: where it computes and reports, and tests on the side.
CHANGEABLE = ("ray", "track", "refine.control", "refine.swap", "evaluate_base")
