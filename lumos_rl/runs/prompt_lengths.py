"""Whether prompts fit into a model's context: the first ones of the longest test tasks, with their examples.

longest_prompt(job, examples={}, tokenizer=load_tokenizer("smollm2"))     # (412, "gsm8k, grounder")
prompt_line((412, "gsm8k, grounder"), context=8192, rollout=job.config.test_rollout)
# 'at most 412 tokens before the first turn (gsm8k, grounder), of 8192'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lumos_rl.core import Module, Task
from lumos_rl.errors import ConfigError
from lumos_rl.policies.base import Request, ScriptedPolicy
from lumos_rl.policies.encoding import encode_prompt
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes
from lumos_rl.runs.job import Job

REPLIES = {Module.PLANNER: "Subgoal 1: Think."}  # after which the grounder is asked as well


def longest_prompt(job: Job, examples: Mapping[str, Sequence[Task]], tokenizer: Any) -> tuple[int, str]:
    """Length in tokens of the longest first prompt of a module, and whose it is; of each benchmark's longest task.

    Args:
        job: The run.
        examples: Annotated tasks that episodes start with, by benchmark.
        tokenizer: The model's.
    """
    longest: dict[str, Task] = {}
    for task in job.test_tasks:
        if len(task.instruction) >= len(longest.get(task.benchmark, task).instruction):
            longest[task.benchmark] = task
    rollout = replace(job.config.test_rollout, samples=1, max_subgoals=1)
    plans = plan_episodes(list(longest.values()), rollout, examples)
    benchmarks = {plan.id: plan.task.benchmark for plan in plans}
    found = [(0, "")]

    def reply(request: Request) -> str:
        tokens = len(encode_prompt(tokenizer, request.messages))
        found.append((tokens, f"{benchmarks[request.id]}, {request.module}"))
        return REPLIES.get(request.module, "Stop")

    for _ in run_episodes(job.make_env, plans, ScriptedPolicy(reply), job.profile):
        pass
    return max(found)


def prompt_line(longest: tuple[int, str], context: int, rollout: RolloutConfig) -> str:
    """What a dry run says of the longest prompt.

    Raises:
        ConfigError: It does not fit into the context.
    """
    tokens, whose = longest
    if tokens >= context:
        raise ConfigError(
            f"expected prompts that fit into the {context} tokens that the model reads, got {tokens} before the first"
            f" turn ({whose}); give fewer --data.examples, --model.profile compact, or a --model.base that reads more"
        )
    told = f"at most {tokens} tokens before the first turn ({whose}), of {context}"
    if (left := context - tokens) < rollout.max_new_tokens:
        told += f"; turns are cut at {left} tokens, not at the {rollout.max_new_tokens} of --rollout.max-new-tokens"
    return told
