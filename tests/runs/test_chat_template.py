"""A run on a model whose own chat template cannot be trained with."""

import json
from dataclasses import replace

import pytest
import tiny_tokenizers as kinds
from small_run import CONFIG, SFT, fine_tune
from transformers import AutoModelForCausalLM, AutoTokenizer

from lumos_rl.errors import ConfigError
from lumos_rl.policies.checkpoints import load_tokenizer
from lumos_rl.policies.hf import HFPolicy
from lumos_rl.policies.settings import OpenAISettings
from lumos_rl.policies.templates import CHATML
from lumos_rl.runs.config import Engine, ModelConfig
from lumos_rl.runs.dry_run import describe_run
from lumos_rl.runs.folder import RunFolder
from lumos_rl.runs.job import Job
from lumos_rl.runs.policies import make_policy


@pytest.fixture(scope="module")
def qwen(tiny_base, tmp_path_factory):
    """A model whose template writes a think block before the last turn alone, as Qwen3's does."""
    folder = tmp_path_factory.mktemp("qwen")
    tokenizer, model = AutoTokenizer.from_pretrained(tiny_base), AutoModelForCausalLM.from_pretrained(tiny_base)
    tokenizer.add_tokens(kinds.IM + kinds.THINK)
    tokenizer.chat_template = kinds.QWEN_3
    model.resize_token_embeddings(len(tokenizer))
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def configured(base, *template):
    return replace(CONFIG, model=ModelConfig(base=str(base), profile="compact", chat_template=template))


def test_a_dry_run_refuses_the_models_own_template_and_names_the_flag(qwen, tmp_path):
    config = replace(configured(qwen), run_dir=str(tmp_path / "run"))
    with pytest.raises(ConfigError, match=r"base model: .*give --model\.chat-template chatml"):
        describe_run(Job(config))
    described = describe_run(Job(replace(configured(qwen, "chatml"), run_dir=str(tmp_path / "run"))))
    assert "tokens in its vocabulary, turns end with <|im_end|>" in described
    assert "model.chat_template = ['chatml']" in described


def test_what_is_trained_keeps_the_template(qwen, tmp_path):
    config = configured(qwen, "chatml", "style=short")
    with RunFolder(tmp_path / "run", replace(config, sft=replace(SFT, max_length=1024))) as run:
        fine_tune(run)
        trained = run.checkpoint("sft")
    template = load_tokenizer(trained).chat_template
    assert template.endswith(CHATML) and json.loads(template.split(": ", 1)[1].split(" #}")[0]) == {"style": "short"}
    again, plain = (make_policy(str(trained), "sft", model) for model in (config.model, ModelConfig()))
    assert again.tokenizer_hash == plain.tokenizer_hash == HFPolicy.load(trained, device="cpu").tokenizer_hash


def test_later_stages_take_what_was_saved_even_where_the_file_has_gone(tmp_path):
    config = replace(configured("org/model", "gone.jinja"), run_dir=str(tmp_path / "run"))
    own, other = tmp_path / "run" / "checkpoints", tmp_path / "other" / "checkpoints"
    given = [
        Job(config).policy(*where).args[2].chat_template
        for where in ((own / "sft", "sft"), (own / "base", "base"), (other / "sft", "sft"))
    ]
    assert given == [(), ("gone.jinja",), ("gone.jinja",)]


def test_a_template_without_use_is_refused():
    ModelConfig(engine=Engine.OPENAI, chat_template=("lumos",), openai=OpenAISettings(tokenizer="folder"))
    for engine in (Engine.OPENAI, Engine.SCRIPT):
        with pytest.raises(ConfigError, match=f"got it with {engine}, which gets text"):
            ModelConfig(engine=engine, chat_template=("lumos",))
    with pytest.raises(ConfigError, match=r"knows the chat template chatml.*built here"):
        Job(configured("scratch", "chatml")).check_trainable()
    Job(configured("scratch", "lumos")).check_trainable()
