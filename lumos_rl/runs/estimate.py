"""How many tokens, how much memory and how much time the stages of a run take, roughly.

- Tokens of training: conversations (or pairs, which are two) times their mean length, which is that of an encoded
  sample, or a share of its characters where the tokenizer is only trained in the run, or out of reach. Tokens of
  episodes: as many as they may write, `max_subgoals` turns of planner and grounder of `max_new_tokens` each; most
  write fewer.
- Memory of training: see `lumos_rl.runs.memory`.
- Time: training a token takes 6 operations per weight (Kaplan et al. 2020), and a pair of DPO a third more for its
  reference. A token that may be written takes 2.5 times as long as one that is trained, since turns are written token
  by token: so it is with the preset tiny on 2 CPU cores, whose 3,200 episodes take 78 s. A small model's rate is
  measured: training steps of its shape on this device. A large one's is assumed: 40 % of the rate at which this device
  multiplies matrices, which is measured.

Copies of tasks and conversations, which take long to make, are counted and not made: one of each stands for all.

A machine with other work on it is slower, and so are environments that wait for something.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import replace
from functools import cached_property
from itertools import islice

from lumos_rl import task_types
from lumos_rl.errors import MissingFileError
from lumos_rl.policies.bases import SCRATCH
from lumos_rl.policies.layout import Layout
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.runs.config import DataConfig, ModelConfig, Modules, RunConfig
from lumos_rl.runs.job import Job
from lumos_rl.runs.memory import KNOWN, Settings, Shape, scratch_shape, shape_of, training_bytes
from lumos_rl.runs.steps import RefineStep
from lumos_rl.training.settings import DPOSettings, SFTSettings

SAMPLE = 200  # conversations whose length is measured
CHARACTERS_PER_TOKEN = 2  # of a small vocabulary with single digits; 2.0 for the preset tiny
CHARACTERS_OF_LARGE = 3.5  # of a vocabulary of 49,000 or more
MEASURED_WEIGHTS = 50_000_000  # larger models are not built for a measurement
WRITTEN = 0.4  # tokens of episodes in the time of one that is trained
UTILISATION = 0.4  # of matrix products, by training code that is not tuned


class Sketch:
    """The training data of a run without its copies, each of which looks like the next.

    Args:
        job: The run.

    Attributes:
        job: The same run with one copy of each task and conversation that has some.
        conversations: About how many conversations SFT learns.
        steps: The steps of the refinement, with the tasks that the run itself will try.
    """

    def __init__(self, job: Job) -> None:
        data = job.config.data
        few = replace(data, resample=min(1, data.resample), rename=min(1, data.rename))
        self.job = Job(replace(job.config, data=few))
        bare = Job(replace(job.config, data=replace(data, resample=0, rename=0)))
        with_one, without = (Counter(row.benchmark for row in each.taught_rows) for each in (self.job, bare))
        self.bare = bare.training
        self.conversations = sum(
            without[name] + (count - without[name]) * max(1, _copies(name, job.config.data))
            for name, count in with_one.items()
        )

    @property
    def steps(self) -> list[RefineStep]:
        return self.job.steps

    @cached_property
    def lengths(self) -> list[float]:
        """Lengths in tokens of a sample of the conversations that SFT learns."""
        return _lengths(self.job)

    @property
    def longest(self) -> int:
        """The longest of them."""
        return math.ceil(max(self.lengths))


def _copies(benchmark: str, data: DataConfig) -> int:
    kind = task_types.find(benchmark)
    return data.resample if kind is not None and kind.resampler is not None else data.rename


class Estimates:
    """Estimates of one run's stages; making it takes seconds.

    Args:
        sketch: The run.
    """

    def __init__(self, sketch: Sketch) -> None:
        self.config = sketch.job.config
        self.shape = run_shape(self.config.model)
        self.length = statistics.fmean(sketch.lengths)
        self.longest = sketch.longest
        self.rate = _rate(self.shape, self.config.sft, self.length)

    def sft(self, settings: SFTSettings, conversations: int) -> str:
        """Of fine-tuning on so many conversations."""
        tokens = self._rows(settings, conversations) * self.length
        return self._training(settings, tokens, tokens)

    def dpo(self, settings: DPOSettings, pairs: int) -> str:
        """Of DPO on so many pairs."""
        tokens = 2 * self._rows(settings, pairs) * self.length
        return self._training(settings, tokens, tokens * 4 / 3)

    def episodes(self, tasks: int, rollout: RolloutConfig) -> str:
        """Of playing tasks."""
        tokens = tasks * rollout.samples * 2 * rollout.max_subgoals * rollout.max_new_tokens
        ray = self.config.ray
        devices = (ray.workers or 1) if ray.gpus_per_worker else (ray.engines or 1)
        return f"at most {_count(tokens)} tokens, {_time(tokens / (WRITTEN * self.rate * devices))}"

    def _rows(self, settings: SFTSettings | DPOSettings, available: int) -> float:
        if settings.max_steps is None:
            return settings.epochs * available
        models = len(Modules) if self.config.model.modules == Modules.SEPARATE else 1
        return models * settings.max_steps * settings.batch_size * settings.gradient_accumulation

    def _training(self, settings: SFTSettings | DPOSettings, tokens: float, work: float) -> str:
        memory = training_bytes(self.shape, shortened(settings, self.longest))
        return f"{_count(tokens)} tokens, {_gib(memory)} GiB, {_time(work / self.rate)}"


def shortened(settings: Settings, longest: int) -> Settings:
    """The settings with rows no longer than this."""
    return replace(settings, max_length=max(2, min(settings.max_length, longest)))


def planned_dpo(config: RunConfig) -> DPOSettings:
    """How a run's DPO trains: the adapter of SFT, where that trains one."""
    return replace(config.dpo_training, lora_rank=config.sft.lora_rank or config.dpo_training.lora_rank)


def run_shape(model: ModelConfig) -> Shape:
    """The shape of a run's model; errors as for `memory.shape_of`."""
    return scratch_shape(model.scratch) if model.base == SCRATCH else shape_of(model.base)


def _lengths(job: Job) -> list[float]:
    """Lengths in tokens of a sample of the conversations that SFT learns."""
    rows = job.taught_rows
    sample = list(islice(rows, 0, len(rows), max(1, len(rows) // SAMPLE)))
    characters = [sum(len(message["content"]) for message in row.messages) for row in sample]
    model = job.config.model
    if model.base == SCRATCH:
        return [each / CHARACTERS_PER_TOKEN for each in characters]
    from lumos_rl.policies.checkpoints import load_tokenizer
    from lumos_rl.policies.encoding import encode_chat

    try:
        tokenizer = load_tokenizer(Layout.of(model.base).first, model.chat_template)
    except MissingFileError:
        if model.base not in KNOWN:
            raise
        return [each / CHARACTERS_OF_LARGE for each in characters]
    return [float(len(encode_chat(tokenizer, row.messages)[0])) for row in sample]


def _rate(shape: Shape, settings: SFTSettings, length: float) -> float:
    """Tokens per second that this device trains."""
    from lumos_rl.training.speed import operations_per_second, trained_tokens_per_second

    if shape.weights > MEASURED_WEIGHTS:
        return UTILISATION * operations_per_second(settings.dtype) / (6 * shape.weights)
    batch, rounded = settings.batch_size, max(2, round(length))
    parts = shape.vocabulary, shape.hidden, shape.layers, shape.heads, shape.feedforward
    return trained_tokens_per_second(*parts, batch, rounded)


def _gib(memory: float) -> str:
    gib = memory / 2**30
    return f"{gib:.1f}" if gib >= 0.1 else f"{gib:.1g}"


def _count(tokens: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if tokens >= limit:
            return f"{tokens / limit:.2g}{unit}" if tokens < 10 * limit else f"{tokens / limit:.0f}{unit}"
    return f"{tokens:.0f}"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
