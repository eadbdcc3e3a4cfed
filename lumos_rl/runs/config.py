"""The settings of a run.

Settings are nested frozen dataclasses, one per stage; their fields are the flags (`--sft.learning-rate 2e-5`), and
`--help-all` shows each with its meaning and default. Each checks its values when it is made. A preset is a full set of
settings to start from:

    python -m lumos_rl.recipes.sft_then_dpo                      # preset tiny
    python -m lumos_rl.recipes.sft_then_dpo svamp --data FOLDER  # presets stand in lumos_rl.runs.presets
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import tyro

from lumos_rl import task_types
from lumos_rl.checks import at_least, between, check, closest, each, one_of
from lumos_rl.errors import ConfigError
from lumos_rl.policies.bases import check_word
from lumos_rl.policies.settings import OpenAISettings, VLLMSettings, template_parts
from lumos_rl.prompts import PROFILES
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.rollout.ray_config import RayConfig
from lumos_rl.runs.entries import by_benchmark, chats_parts, env_options, source_parts, words
from lumos_rl.runs.refine_settings import RefineConfig
from lumos_rl.training.settings import DTYPES, DPOSettings, ScratchSettings, SFTSettings

log = logging.getLogger(__name__)

OWN_PROFILE = "chats"  # value of model.profile: the sentences of the conversations in data.chats
TRACKERS = ("wandb", "tensorboard")
SPLITS = ("test", "dev", "unseen")  # of data.test_split
BASE, CONTROL, SWAP = "base", "control", "swap"  # of evaluate.also


def check_samples(name: str, rollout: RolloutConfig) -> None:
    """Sees to it that no episode is only another one's repetition, and tells of temperatures without a sample.

    Raises:
        ConfigError: A model would play a task greedily more than once.
    """
    greedy = sum(rollout.temperatures[sample % len(rollout.temperatures)] == 0 for sample in range(rollout.samples))
    if greedy > 1:
        raise ConfigError(
            f"expected at most one greedy episode per task, which any other would repeat, got {greedy} in the"
            f" {rollout.samples} samples of {name} at temperatures {rollout.temperatures}; give some above 0"
        )
    if unused := rollout.temperatures[rollout.samples :]:
        shown = ", ".join(map(str, unused))
        log.info("%s plays %d samples of each task, none at temperature %s", name, rollout.samples, shown)


class Modules(StrEnum):
    """Whether planner and grounder are one model or two."""

    SHARED = "shared"
    SEPARATE = "separate"


class Engine(StrEnum):
    """What writes the turns of episodes."""

    AUTO = "auto"  # vLLM or Transformers, whichever is faster here; see `runs.engine_choice`
    HF = "hf"  # Transformers, in each rollout worker
    VLLM = "vllm"  # vLLM, in engines that the workers share
    OPENAI = "openai"  # an endpoint that speaks OpenAI's protocol; it is played with and tested, not trained
    SCRIPT = "script"  # a function of Python; tested only


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Tasks to learn from and to be tested on.

    A source is BENCHMARK=WHERE, with WHERE one of: synthetic (the built-in suite), a file, a folder as the benchmark
    distributes it, or hf:NAME. Relative paths start at `folder`.

    Attributes:
        folder: Folder that the sources' relative paths start at; also the flag --data.
        suites: Built-in suites to learn and to be tested on, in place of `train` and `test`: math, qa, webshop,
            mind2web, sql. Commas or spaces stand between them; also the flag --suites.
        held_out: Built-in suites to be tested on beside those, without learning them, named likewise.
        examples: Annotated training tasks that test episodes start with, as turns already played: those of the suites
            in `held_out`, those of the base model before any training, and, where a model is only evaluated, all. They
            come from the training split of the tested files, from `train`, or from the built-in suite.
        train: Sources of training tasks.
        chats: Files of conversations that SFT learns beside, as planner=FILE and grounder=FILE, such as the annotations
            that Agent Lumos released; or FILE, of the unified set, whose records say it. Paths start at `folder`.
        weights: How often the annotated conversations of a benchmark are learned, those of `chats` as well, as
            BENCHMARK=TIMES; once where it is not named. 2.5 stands for twice, and half of them a third time.
        test: Sources of test tasks.
        annotated: Most annotated training tasks that SFT sees, of each source; None takes all of a file's. Which ones
            of a file the seed decides, whatever their order.
        resample: Copies of every annotated math task with other numbers, names and things in question and plan.
        rename: Copies of every annotated conversation of other benchmarks in which the names, ids and values that are
            only copied are others.
        explore: Training tasks that refinement tries with nothing but their answer. First come those whose annotation
            SFT did not see; a synthetic source makes new ones. None takes all of these from a file or, where all that
            can be are annotated, the whole file again.
        test_split: Splits of the test sources: test, or dev to choose settings by; and unseen, of built-in suites,
            whose tasks are made by templates that training never shows. Each is scored by itself.
        test_tasks: Most test tasks, of each source and split; None takes all. They are the first ones. A file that is
            both a training and a test source is divided: so many of its tasks are tests, in an order of their own (of
            databases, one after the other), and what takes place elsewhere is learned.
        validation_tasks: Tasks of every training source by which the best policy is chosen: of a built-in suite's dev
            split, or of the records, which are then not learned. 0 chooses none.
        env: Options of environments, as BENCHMARK.OPTION=VALUE, such as hotpotqa.knowledge=corpus.jsonl or
            intercode_sql.backend=mysql://root@127.0.0.1:3307; a value may be JSON, a path is as the
            workers see it. The cards name the options.
        allow_overlap: Whether tasks that are tested may be learned as well. Every table then says how many were; a file
            that is both a training and a test source is not divided.
        lower_case: Whether all task texts are put into lower case: a model from scratch learns more from sources that
            write the same words in different cases.
    """

    folder: Annotated[str, tyro.conf.arg(aliases=["--data"])] = "."
    suites: Annotated[tuple[str, ...], tyro.conf.arg(aliases=["--suites"])] = ()
    held_out: tuple[str, ...] = ()
    examples: int = 0
    train: tuple[str, ...] = ("gsm8k=synthetic",)
    chats: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    test: tuple[str, ...] = ("gsm8k=synthetic",)
    test_split: tuple[str, ...] = ("test",)
    annotated: int | None = 300
    resample: int = 0
    rename: int = 0
    explore: int | None = 2000
    test_tasks: int | None = 300
    validation_tasks: int = 0
    env: tuple[str, ...] = ()
    allow_overlap: bool = False
    lower_case: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "suites", words(self.suites))
        object.__setattr__(self, "held_out", words(self.held_out))
        object.__setattr__(self, "test_split", words(self.test_split))
        all_of_them = at_least(0, none="None for all")
        counts = dict.fromkeys(("examples", "resample", "rename", "validation_tasks"), at_least(0))
        check(self, "data", **counts, test_tasks=at_least(1, none="None for all"))
        check(self, "data", test_split=each(one_of(SPLITS)))
        check(self, "data", annotated=all_of_them, explore=all_of_them)
        by_benchmark(self.weights)
        env_options(self.env)
        for word in (*self.suites, *self.held_out):
            task_types.suites(word)
        for source in (*self.train, *self.test):
            source_parts(source)
        for entry in self.chats:
            chats_parts(entry)
        if not (self.suites or (self.train and self.test)):
            raise ConfigError("expected sources as --data.train and --data.test, or --suites, got none")
        if {"test", "dev"} <= {*self.test_split} or len({*self.test_split}) < len(self.test_split):
            raise ConfigError(
                f"expected one of test and dev as --data.test-split, and unseen beside it, got {self.test_split}"
            )
        if self.validation_tasks and "dev" in self.test_split:
            raise ConfigError(
                "expected --data.test-split test where validation tasks, of dev, choose the policy; got dev"
            )


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The model that is trained.

    Attributes:
        base: scratch (a small model built here), smollm2 (from an installed package), FILE.gguf, a model folder, or
            a hub name.
        modules: shared (one model is planner and grounder) or separate (one each).
        profile: Prompt profile: lumos, compact, instruct, thinking, chats, or a folder with a saved one. instruct
            begins with a system message that says what an action is; with thinking, the planner says what is asked and
            known before it names a subgoal; chats has the sentences of data.chats.
        chat_template: Template to use instead of the tokenizer's own: lumos, chatml, or a file; and arguments of the
            template as KEY=VALUE, such as enable_thinking=false. Both are saved with what is trained.
        scratch: Shape of the model built here.
        dtype: Weights' type when generating: float32 or bfloat16.
        generate_batch: Turns generated together by one worker, or by one engine of vLLM.
        engine: What writes the turns of episodes: hf, vllm, or auto, which is the faster one here; to evaluate alone,
            openai (a model of an endpoint, by its name) or script (a function, as MODULE:FUNCTION).
        vllm: Engines of vLLM.
        openai: The endpoint.
    """

    base: str = "scratch"
    modules: Modules = Modules.SHARED
    profile: str = "lumos"
    chat_template: tuple[str, ...] = ()
    scratch: ScratchSettings = field(default_factory=ScratchSettings)
    dtype: str = "float32"
    generate_batch: int = 64
    engine: Engine = Engine.HF
    vllm: VLLMSettings = field(default_factory=VLLMSettings)
    openai: OpenAISettings = field(default_factory=OpenAISettings)

    def __post_init__(self) -> None:
        check(
            self,
            "model",
            modules=one_of(Modules),
            dtype=one_of(DTYPES),
            generate_batch=at_least(1),
            engine=one_of(Engine),
        )
        template_parts(self.chat_template)
        gets_text = self.engine == Engine.SCRIPT or (self.engine == Engine.OPENAI and not self.openai.tokenizer)
        if self.chat_template and gets_text:
            raise ConfigError(
                "expected --model.chat-template with an engine that gets token ids (hf, vllm, or openai with"
                f" --model.openai.tokenizer), got it with {self.engine}, which gets text"
            )
        if not self.base:
            raise ConfigError("expected --model.base to be scratch, a model folder or a hub name, got an empty text")
        check_word(self.base)
        known = (*PROFILES, OWN_PROFILE)
        if self.profile not in known and "/" not in self.profile and not Path(self.profile).is_dir():
            raise ConfigError(
                f"expected --model.profile to be one of {', '.join(known)} or a folder with a saved one, got"
                f" {self.profile!r}{closest(self.profile, known)}"
            )


@dataclass(frozen=True, slots=True)
class EvaluateSettings:
    """How test episodes are played, where it differs from `rollout`.

    Attributes:
        samples: Episodes per test task.
        temperatures: Sampling temperature of each sample, reused in turn. Episodes at 0 are reported as greedy, the
            others as sampled.
        also: What is tested beside the main line: base, control, swap. base is the model before any training; control
            is SFT that continues for as many steps as the refinement took; swap is the planner of SFT with the grounder
            of the last step, and the other way round, which says which of them learned what.
    """

    samples: int = 1
    temperatures: tuple[float, ...] = (0.0,)
    also: tuple[str, ...] = (BASE, CONTROL)

    def __post_init__(self) -> None:
        object.__setattr__(self, "also", words(self.also))
        also = each(one_of((BASE, CONTROL, SWAP)), empty=True)
        check(self, "evaluate", samples=at_least(1), temperatures=each(at_least(0)), also=also)


@dataclass(frozen=True, slots=True)
class RunConfig:
    """A whole run.

    Attributes:
        run_dir: Folder that everything is written to; None takes runs/PRESET-SEED. A run with the same settings is
            continued there.
        config: File of settings that differ from the preset's: YAML, or a run's config.json. Flags win over it.
        seed: Seed of data, initial weights, training, and of the episodes that are played to learn from. Test episodes
            do not depend on it: every run plays the same task with the same noise.
        data: Tasks.
        model: Model.
        sft: Supervised fine-tuning on the annotated tasks.
        rollout: How episodes are played.
        refine: What is learned from them.
        evaluate: What test episodes do otherwise.
        ray: Where episodes are played.
        track: Where metrics go besides metrics.jsonl: wandb, tensorboard. The project in W&B is WANDB_PROJECT, and
            WANDB_MODE=offline keeps the metrics on disk; TensorBoard's files are in the run folder.
        plugins: Modules that bring task types from outside this package; also the flag --plugin.
        preview: How many training rows to print before SFT, with the tokens in the loss marked.
        dry_run: Say what would be done and whether it can be, then stop.
        resume: Continue run_dir; an error when there is nothing to continue.
    """

    run_dir: str | None = None
    config: str | None = None
    seed: int = 0
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    sft: SFTSettings = field(default_factory=SFTSettings)
    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    refine: RefineConfig = field(default_factory=RefineConfig)
    evaluate: EvaluateSettings = field(default_factory=EvaluateSettings)
    ray: RayConfig = field(default_factory=RayConfig)
    track: tuple[str, ...] = ()
    plugins: Annotated[tuple[str, ...], tyro.conf.arg(aliases=["--plugin"])] = ()
    preview: int = 0
    dry_run: bool = False
    resume: bool = False

    def __post_init__(self) -> None:
        trackers = each(one_of(TRACKERS), empty=True)
        check(self, "", seed=between(0, 2**32 - 1), preview=at_least(0), track=trackers)

    @property
    def folder(self) -> Path:
        """Where everything is written."""
        assert self.run_dir is not None, "a command line names one, or its preset and seed do"
        return Path(self.run_dir)

    @property
    def test_rollout(self) -> RolloutConfig:
        """How test episodes are played."""
        return replace(self.rollout, samples=self.evaluate.samples, temperatures=self.evaluate.temperatures)

    @property
    def rs_training(self) -> SFTSettings:
        """How rejection sampling trains."""
        return self.refine.rs.train.settings(self.sft)

    @property
    def dpo_training(self) -> DPOSettings:
        """How DPO trains."""
        return self.refine.dpo.train.settings(self.sft)


UNSTORED = ("run_dir", "config", "preview", "dry_run", "resume")  # of one command, not of the run
# Stored with a run, and free to change when it is continued: where it computes and reports, tests on the side, and what
# only decides how fast it goes or how much memory it takes. Batches may change as `stored.refused_changes` says. Types
# of numbers may not: what is computed with fewer digits is another result.
CHANGEABLE = (
    "ray",
    "track",
    "evaluate.also",
    "model.generate_batch",
    "model.vllm.gpu_memory",
    "model.vllm.in_turn",
    "model.openai.concurrency",
    "rollout.concurrency",
    "rollout.tool_threads",
    "sft.gradient_checkpointing",
    "sft.save_steps",
)
