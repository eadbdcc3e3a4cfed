"""What a dry run says of models: whether they can be used here, and what would be lowered."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from small_run import CONFIG

from lumos_rl.core import Task
from lumos_rl.errors import ConfigError
from lumos_rl.policies.checkpoints import load_tokenizer
from lumos_rl.policies.encoding import encode_prompt
from lumos_rl.policies.gguf_files import Quantised, save_note
from lumos_rl.prompts import COMPACT_PROFILE
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.runs import memory
from lumos_rl.runs.config import DataConfig
from lumos_rl.runs.dry_run import describe_run
from lumos_rl.runs.job import Job
from lumos_rl.runs.model_checks import NotLookedUpError, context_line, memory_text, model_line
from lumos_rl.runs.presets import PRESETS
from lumos_rl.runs.prompt_lengths import longest_prompt, prompt_line
from lumos_rl.training.settings import SFTSettings

QWEN3 = PRESETS["qwen3-4b"].config


@pytest.fixture
def base(tiny_base, tmp_path):
    return Path(shutil.copytree(tiny_base, tmp_path / "base"))


def with_base(base, **data):
    return replace(CONFIG, model=replace(CONFIG.model, base=str(base)), data=replace(CONFIG.data, **data))


def test_a_base_is_told_with_what_was_rounded_and_what_its_tokenizer_lacks(base):
    config = with_base(base)
    assert "rounded" not in model_line(str(base), config) and "template" not in model_line(str(base), config)
    save_note(Quantised("x.Q8_0.gguf", "", {"Q8_0": 9}), base)
    for file in ("chat_template.jinja", "tokenizer_config.json"):
        if file.endswith("json"):
            found = {name: value for name, value in json.loads((base / file).read_text()).items() if "chat" not in name}
            (base / file).write_text(json.dumps(found))
        else:
            (base / file).unlink(missing_ok=True)
    told = model_line(str(base), config)
    assert told.endswith(
        "no chat template of its own, so it gets Lumos's (--model.chat-template names another: chatml, or a file),"
        " weights were rounded to 8 bits (Q8_0) in x.Q8_0.gguf"
    )
    named = replace(config, model=replace(config.model, chat_template=("lumos",)))
    assert "no chat template" not in model_line(str(base), named)


def test_the_longest_prompt_is_that_of_the_longest_task_with_its_examples(tiny_base):
    tokenizer = load_tokenizer(tiny_base)
    job = Job(with_base(tiny_base))
    task = max(job.test_tasks, key=lambda task: len(task.instruction))
    tokens, whose = longest_prompt(job, {}, tokenizer)
    assert whose.startswith("gsm8k, ")
    prompt = COMPACT_PROFILE.planner_first(task.instruction)
    assert tokens >= len(encode_prompt(tokenizer, [{"role": "user", "content": prompt}]))
    example = job.training.annotated[0]
    assert longest_prompt(job, {"gsm8k": [example]}, tokenizer)[0] > tokens + 20


def test_prompts_that_do_not_fit_are_refused_and_short_turns_are_told():
    rollout = RolloutConfig(max_new_tokens=100)
    assert prompt_line((50, "gsm8k, planner"), 150, rollout) == (
        "at most 50 tokens before the first turn (gsm8k, planner), of 150"
    )
    assert prompt_line((51, "x"), 150, rollout).endswith(
        "turns are cut at 99 tokens, not at the 100 of --rollout.max-new-tokens"
    )
    with pytest.raises(ConfigError, match=r"fit into the 150 tokens that the model reads, got 150 before the first"):
        prompt_line((150, "x"), 150, rollout)


def test_a_base_that_reads_less_than_its_prompts_fails_a_check(tiny_base, tmp_path):
    config = replace(with_base(tiny_base), run_dir=str(tmp_path / "run"))
    long = "Tom has 3 apples and gets 2. " * 40
    job = Job(config)
    job.__dict__["test_tasks"] = [Task("gsm8k/test/0", "gsm8k", long, "5")]
    with pytest.raises(ConfigError, match=r"1 checks failed: context: .* the 128 tokens that the model reads"):
        describe_run(job)
    with pytest.raises(NotLookedUpError):
        context_line(Job(with_base("nobody/nothing")), "nobody/nothing", dict)


def test_preferences_train_the_adapter_of_sft_and_take_its_memory(tiny_base, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: (1e12, "this machine"))
    config = replace(with_base(tiny_base), sft=SFTSettings(lora_rank=4, batch_size=1))
    shape = memory.shape_of(tiny_base)
    fixed = 4 * shape.weights + 16 * shape.adapter(4)
    told = memory_text(config, lambda: 7)
    assert told.startswith(f"dpo takes {fixed / 2**30:.1f} GiB for weights and optimizer, ")
    assert "with rows of 7 tokens" in told

    def fails():
        raise ConfigError("no rows")

    assert "with rows of 512 tokens" in memory_text(replace(config, sft=replace(config.sft, max_length=512)), fails)


def test_a_preset_is_estimated_where_the_hub_is_out_of_reach(tmp_path, monkeypatch, capsys):
    data = DataConfig(annotated=6, explore=4, test_tasks=3)
    config = replace(QWEN3, data=data, run_dir=str(tmp_path / "run"), model=replace(QWEN3.model, dtype="float32"))
    config = replace(config, sft=replace(config.sft, dtype="float32"))
    monkeypatch.setattr(memory, "available_bytes", lambda: (80e9, "the first GPU"))
    told = describe_run(Job(config))
    assert "unseen  base model: Qwen/Qwen3-4B-Instruct-2507 is on the hub, which cannot be reached from here" in told
    assert "4.0 billion weights by its config" in told and "unseen  context: " in told
    assert "GiB for weights and optimizer, " in told and "74.5 GiB free on the first GPU" in told
    (sft,) = [line for line in told.splitlines() if line.startswith("  sft: 2 epochs, modules separate; ")]
    assert "tokens, " in sft and " GiB, about " in sft
    monkeypatch.setattr(memory, "available_bytes", lambda: (10e9, "the first GPU"))
    with pytest.raises(
        ConfigError, match=r"1 checks failed: memory: expected \d+\.\d GiB for weights, .* 9\.3 GiB free"
    ):
        describe_run(Job(config))
    assert sft.split(" GiB")[0] in capsys.readouterr().out  # the estimates are told all the same
