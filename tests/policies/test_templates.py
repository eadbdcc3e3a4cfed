import shutil

import pytest
import tiny_tokenizers as kinds
from tiny_model import FLIP
from transformers import GenerationConfig

from lumos_rl.core import Module
from lumos_rl.errors import ConfigError
from lumos_rl.policies.base import Request
from lumos_rl.policies.checkpoints import cut_at_end, end_ids, load_tokenizer
from lumos_rl.policies.encoding import fingerprint
from lumos_rl.policies.hf import HFPolicy
from lumos_rl.policies.layout import Layout, saved_profile
from lumos_rl.policies.settings import template_parts
from lumos_rl.policies.templates import CHATML, render, use_template
from lumos_rl.prompts import COMPACT_PROFILE, LUMOS_CHAT_TEMPLATE

ASKED = [{"role": "user", "content": "5"}]


@pytest.fixture
def qwen(tmp_path):
    """The folder of a tokenizer whose template writes a think block before the last turn alone."""
    tokenizer = kinds.make("gpt-2", kinds.QWEN_3, kinds.IM + kinds.THINK)
    tokenizer.save_pretrained(tmp_path / "qwen")
    return tmp_path / "qwen"


def test_a_bad_template_is_told_at_once_and_the_remedy_works_and_is_saved(qwen, tmp_path):
    with pytest.raises(ConfigError, match=r"give --model\.chat-template chatml"):
        load_tokenizer(qwen)
    loaded = load_tokenizer(qwen, ("chatml",))
    assert (loaded.chat_template, loaded.eos_token) == (CHATML, "<|im_end|>")
    loaded.save_pretrained(tmp_path / "trained")
    again = load_tokenizer(tmp_path / "trained")
    assert again.chat_template == CHATML and fingerprint(again) == fingerprint(loaded)


def test_a_template_may_be_a_file(qwen, tmp_path):
    (tmp_path / "mine.jinja").write_text(CHATML + "{# mine #}")
    assert load_tokenizer(qwen, (str(tmp_path / "mine.jinja"),)).chat_template == CHATML + "{# mine #}"


def test_arguments_are_saved_with_the_template_and_the_last_value_counts(qwen, tmp_path):
    tokenizer = load_tokenizer(qwen, ("chatml",))
    tokenizer.chat_template = kinds.QWEN_3
    use_template(tokenizer, ("enable_thinking=false",))
    assert render(tokenizer, ASKED, True).endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    once = tokenizer.chat_template
    use_template(tokenizer, ("enable_thinking=false",))
    use_template(tokenizer, ())
    assert tokenizer.chat_template == once
    use_template(tokenizer, ("enable_thinking=true", "style=it's #} é"))
    assert render(tokenizer, ASKED, True).endswith("<|im_start|>assistant\n")
    tokenizer.chat_template += "{{ style }}"
    assert render(tokenizer, ASKED, True).endswith("it's #} é")
    use_template(tokenizer, ("style=null",))
    assert render(tokenizer, ASKED, True).endswith("<|im_start|>assistant\nNone")


def test_arguments_reach_macros_and_keep_leading_text():
    tokenizer = kinds.make("gpt-2", " so{% macro say() %}{{ word }}{% endmacro %} {{ say() }}")
    use_template(tokenizer, ("word=well",))
    assert render(tokenizer, ASKED, True) == " so well"


def test_one_of_several_templates_is_named():
    tokenizer = kinds.make("gpt-2", CHATML, kinds.IM)
    tokenizer.chat_template = {"default": CHATML, "tools": LUMOS_CHAT_TEMPLATE}
    use_template(tokenizer, ())
    assert tokenizer.chat_template == CHATML
    tokenizer.chat_template = {"default": CHATML, "tools": LUMOS_CHAT_TEMPLATE}
    use_template(tokenizer, ("tools",))
    assert tokenizer.chat_template == LUMOS_CHAT_TEMPLATE
    tokenizer.chat_template = {"tools": CHATML}
    with pytest.raises(ConfigError, match="a default chat template, got tools"):
        use_template(tokenizer, ())
    with pytest.raises(ConfigError, match="one of lumos, chatml, tools, or a file, got 'qwen'"):
        use_template(tokenizer, ("qwen",))


def test_entries_are_a_name_and_arguments():
    assert template_parts(()) == (None, {})
    assert template_parts(("chatml", "n=2", "on=true", "who=me")) == ("chatml", {"n": 2, "on": True, "who": "me"})
    for wrong in (("lumos", "chatml"), ("",), ("a b=1",), ("messages=[]",)):
        with pytest.raises(ConfigError, match="chat"):
            template_parts(wrong)


def test_a_template_that_raises_is_told_with_its_words():
    tokenizer = kinds.make("gpt-2", "{{ raise_exception('no system message') }}")
    with pytest.raises(ConfigError, match=r"no system message; give --model\.chat-template lumos"):
        render(tokenizer, ASKED, True)


def test_every_token_with_which_the_model_ends_texts_ends_a_turn(tiny_base, tmp_path):
    shutil.copytree(tiny_base, tmp_path / "base")
    tokenizer = load_tokenizer(tmp_path / "base")
    assert end_ids(Layout.of(tmp_path / "base"), tokenizer) == (tokenizer.eos_token_id,)
    other = tokenizer.encode("7")[0]
    GenerationConfig(eos_token_id=[other, tokenizer.eos_token_id]).save_pretrained(tmp_path / "base")
    assert end_ids(Layout.of(tmp_path / "base"), tokenizer) == (tokenizer.eos_token_id, other)
    tokenizer.save_pretrained(tmp_path / "bare")
    assert end_ids(Layout.of(tmp_path / "bare"), tokenizer) == (tokenizer.eos_token_id,)


def test_a_turn_that_another_token_ended_is_kept_with_the_templates_own():
    assert cut_at_end([5, 6, 9, 4], (1, 9)) == ([5, 6, 1], True)
    assert cut_at_end([5, 6, 1, 9], (1, 9)) == ([5, 6, 1], True)
    assert cut_at_end([5, 6], (1, 9)) == ([5, 6], False)


def test_a_policy_stops_at_the_first_of_several_end_tokens(tiny_sft):
    plain = HFPolicy.load(tiny_sft, device="cpu")
    plain.submit(Request("q", Module.PLANNER, tuple(FLIP)))
    (whole,) = plain.collect()
    assert len(whole.ids) > 2
    early = HFPolicy(plain._models, plain.tokenizer, "early", ends=(whole.ids[1],))
    early.submit(Request("q", Module.PLANNER, tuple(FLIP)))
    (completion,) = early.collect()
    assert completion.ids == (whole.ids[0], plain.tokenizer.eos_token_id)
    assert completion.finish_reason == "stop" and completion.text == plain.tokenizer.decode(whole.ids[:1])


def test_a_policy_knows_the_profile_that_its_checkpoint_was_trained_with(tiny_base, tmp_path):
    shutil.copytree(tiny_base, tmp_path / "sft" / "planner")
    assert saved_profile(tmp_path / "sft") is None
    COMPACT_PROFILE.save(tmp_path / "sft")
    assert saved_profile(tmp_path / "sft" / "planner") == saved_profile(tmp_path / "sft") == COMPACT_PROFILE
    assert HFPolicy.load(tmp_path / "sft", device="cpu").profile == COMPACT_PROFILE
    assert HFPolicy.load(tiny_base, device="cpu").profile is None
