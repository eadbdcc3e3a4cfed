"""Everything a run needs, resolved from its settings: tasks, prompts, rows, steps, policies, environments.

    job = Job(config)
    job.test_tasks          # each part is computed once, on first use
    job.taught_rows         # the conversations that SFT learns

Stages get the parts that they need; a dry run uses the same parts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from lumos_rl import task_types
from lumos_rl.core import Formulation, Task
from lumos_rl.data.overlap import HeldOut
from lumos_rl.data.renaming import renamed
from lumos_rl.data.rows import ChatRow, annotation_rows, weighted
from lumos_rl.errors import ConfigError, DataError
from lumos_rl.policies.bases import SCRATCH
from lumos_rl.policies.layout import CHECKPOINTS
from lumos_rl.policies.settings import template_parts
from lumos_rl.prompts import PromptProfile
from lumos_rl.rollout.loop import Env
from lumos_rl.runs import tasks
from lumos_rl.runs.chats import chat_rows, profile_of
from lumos_rl.runs.config import BASE, Engine, Modules, RunConfig, check_samples
from lumos_rl.runs.entries import by_benchmark, env_options
from lumos_rl.runs.environments import make_env
from lumos_rl.runs.examples import test_examples
from lumos_rl.runs.folder import RunFolder
from lumos_rl.runs.learn import Learner
from lumos_rl.runs.overlap import learned_by_part, refuse_chats
from lumos_rl.runs.play import Player
from lumos_rl.runs.policies import Factory, policy_of
from lumos_rl.runs.stages import base_texts
from lumos_rl.runs.steps import RefineStep, refine_steps


class Job:
    """The parts of a run.

    Attributes:
        config: Settings of the run.
    """

    def __init__(self, config: RunConfig) -> None:
        self.config = config

    @cached_property
    def profile(self) -> PromptProfile:
        """The prompt profile of the run.

        Raises:
            UnknownNameError: No such profile.
            ConfigError: It cannot be extracted from the conversations of `data.chats`.
        """
        return profile_of(self.config.model.profile, self._chats)

    @cached_property
    def _chats(self) -> list[ChatRow]:
        found = chat_rows(self.config.data)
        if found:
            refuse_chats(found, self.test_tasks, self.config.data)
        return found

    @cached_property
    def overlap(self) -> dict[str, tuple[int, int]]:
        """By part of the scores, how many of how many test tasks are learned; {} unless `data.allow_overlap` is set."""
        if not self.config.data.allow_overlap:
            return {}
        learned = [*self.training.annotated, *self.training.explore, *self.validation_tasks]
        return learned_by_part(learned, self._chats, self.test_tasks)

    @cached_property
    def training(self) -> tasks.TrainingTasks:
        """The tasks to learn from; errors as for `training_tasks`."""
        return tasks.training_tasks(self.config.data, self.config.seed)

    @cached_property
    def test_tasks(self) -> list[Task]:
        """The tasks that every stage is tested on; errors as for `tasks.test_tasks`."""
        return tasks.test_tasks(self.config.data)

    @cached_property
    def validation_tasks(self) -> list[Task]:
        """The tasks for choosing the best policy; errors as for `tasks.validation_tasks`."""
        return tasks.validation_tasks(self.config.data)

    def examples(self, version: str) -> dict[str, list[Task]]:
        """Annotated tasks that the test episodes of a policy start with, by benchmark.

        The base model gets them everywhere, as nothing was learned; other policies only where nothing was.
        """
        return self._examples if version == BASE else self._examples_held_out

    @cached_property
    def _examples(self) -> dict[str, list[Task]]:
        return test_examples(self.config.data, everywhere=True)

    @cached_property
    def _examples_held_out(self) -> dict[str, list[Task]]:
        return test_examples(self.config.data)

    @cached_property
    def taught_rows(self) -> list[ChatRow]:
        """Everything that SFT learns: conversations of annotated tasks and of `data.chats`, and their renamed copies.

        Raises:
            DataError: There are none.
        """
        data = self.config.data
        rows = self.annotated_rows(self.training.annotated)
        rows += weighted(self._chats, by_benchmark(data.weights), self.config.seed)
        rows += self.renamed_rows(rows, data.rename)
        if not rows:
            sources = ", ".join(tasks.train_sources(data))
            raise DataError(
                f"expected annotated tasks in {sources} or data.chats, got none with data.annotated={data.annotated}"
            )
        return rows

    @cached_property
    def steps(self) -> list[RefineStep]:
        """The refinement steps with their tasks."""
        return refine_steps(self.config, self.training.explore)

    def annotated_rows(self, annotated: Sequence[Task]) -> list[ChatRow]:
        """Conversations of annotated tasks in the run's formulation, repeated by `data.weights`."""
        formulation = Formulation(self.config.rollout.formulation)
        rows = annotation_rows(annotated, formulation, self.profile)
        return weighted(rows, by_benchmark(self.config.data.weights), self.config.seed)

    def renamed_rows(self, rows: Sequence[ChatRow], copies: int) -> list[ChatRow]:
        """Copies of conversations with other names, ids and values, for task types that allow it."""
        if not copies:
            return []
        free = [row for row in rows if (kind := task_types.find(row.benchmark)) is not None and kind.renames]
        return renamed(free, copies, self.config.seed, self._held_out)

    @cached_property
    def _held_out(self) -> HeldOut:
        return HeldOut([*self.test_tasks, *self.validation_tasks])

    def resampled(self, solved: Sequence[Task], copies: int) -> list[Task]:
        """Copies of tasks with plans, with other numbers, names and things; held-out ones are left out."""
        return tasks.resampled(solved, copies, self.config.data, self.config.seed, self._held_out)

    def base_texts(self) -> Iterator[str]:
        """Texts for the tokenizer of a model from scratch."""
        yield from base_texts(self.taught_rows, self.training.explore)

    @cached_property
    def env_options(self) -> dict[str, dict[str, Any]]:
        """Options of environments by benchmark; errors as for `entries.env_options`."""
        return env_options(self.config.data.env)

    @property
    def make_env(self) -> Callable[[str], Env]:
        """Function that makes the environment of a benchmark, in this process or a worker."""
        return functools.partial(make_env, options=self.env_options, plugins=self.config.plugins)

    def policy(self, checkpoint: Path, version: str) -> Factory:
        """How workers get the policy of a checkpoint; errors as for `policy_of`."""
        config, model = self.config, self.config.model
        own = config.run_dir is not None and checkpoint.parent.resolve() == (config.folder / CHECKPOINTS).resolve()
        if own and version != "base":
            model = replace(model, chat_template=())  # it was saved with the checkpoint
        ranks = [rank for rank in (config.sft.lora_rank, config.refine.dpo.train.lora_rank) if rank is not None]
        return policy_of(checkpoint, version, model, max(ranks, default=None), config.ray.gpus_per_engine or 0)

    def player(self, run: RunFolder) -> Player:
        """The player of the run's episodes."""
        return Player(run, self.policy, self.make_env, self.profile)

    def learner(self, run: RunFolder) -> Learner:
        """The learner that trains the run's modules."""
        model = self.config.model
        return Learner(run, model.modules, self.config.seed, self.profile, model.chat_template)

    def check_trainable(self) -> None:
        """Checks settings that are valid alone but not together.

        Raises:
            ConfigError: The engine's model cannot be trained, modules are separate but the formulation has only one, a
                model that is built here has no such chat template, or a step would repeat greedy episodes.
        """
        config = self.config
        learned = config.rollout.formulation
        if config.model.engine in (Engine.OPENAI, Engine.SCRIPT):
            raise ConfigError(
                f"expected --model.engine hf or vllm for training, got {config.model.engine}, which cannot be trained;"
                " test it with python -m lumos_rl.recipes.evaluate"
            )
        if config.model.modules == Modules.SEPARATE and learned not in (Formulation.ITERATIVE, Formulation.ONETIME):
            raise ConfigError(
                f"expected --model.modules shared, as {learned} has one module, got {config.model.modules}"
            )
        template, _ = template_parts(config.model.chat_template)
        if config.model.base == SCRATCH and template not in (None, "lumos"):
            raise ConfigError(
                f"expected --model.base of a model that knows the chat template {template}, got a model that is built"
                " here, with Lumos's markup; leave --model.chat-template out"
            )
        base_is_tested = BASE in config.evaluate.also and config.model.base != SCRATCH
        if config.data.examples and not config.data.held_out and not base_is_tested:
            raise ConfigError(
                f"expected --data.held-out, or a pretrained base that is tested (--evaluate.also base), with"
                f" --data.examples {config.data.examples}, as what is learned needs no examples, got neither; name"
                " suites that are tested only, or leave examples out"
            )
        check_samples("evaluate", config.test_rollout)
        for step in refine_steps(config, []):
            check_samples(step.collecting, step.rollout)
