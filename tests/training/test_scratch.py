import string
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import SHAPE, TASK, TEXTS, create
from transformers import AutoModelForCausalLM, AutoTokenizer

from lumos_rl.errors import ConfigError
from lumos_rl.training.scratch import END, MARKUP, PAD, build_tokenizer, create_scratch_model
from lumos_rl.training.settings import ScratchSettings, Start

TOKENIZER = build_tokenizer(TEXTS, 400)


@given(st.text(max_size=60))
def test_any_text_survives_the_tokenizer(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text, add_special_tokens=False)) == text


def test_every_digit_is_a_token_of_its_own():
    assert TOKENIZER.tokenize("1203 4.56") == ["1", "2", "0", "3", "Ġ", "4", ".", "5", "6"]


@pytest.mark.parametrize("text", [PAD, END, *MARKUP])
def test_markup_is_one_token(text):
    assert len(TOKENIZER.encode(text, add_special_tokens=False)) == 1


def test_frequent_words_are_one_token():
    assert len(TOKENIZER.encode(" apples", add_special_tokens=False)) == 1


def test_every_byte_has_a_token_even_without_texts():
    tokenizer = build_tokenizer([], 400)
    assert len(tokenizer) == 256 + 4
    assert len(tokenizer.encode(string.ascii_letters, add_special_tokens=False)) == 52


def test_a_seed_fixes_the_weights(tmp_path, tiny_base):
    def weights(folder):
        return AutoModelForCausalLM.from_pretrained(folder).state_dict()

    first = weights(tiny_base)
    same, other = weights(create(tmp_path / "same", 0)), weights(create(tmp_path / "other", 1))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["model.embed_tokens.weight"], other["model.embed_tokens.weight"])
    assert (tiny_base / "tokenizer.json").read_text() == (tmp_path / "same" / "tokenizer.json").read_text()


@pytest.mark.parametrize(("start", "least", "most"), [(Start.RANDOM, 0.45, 0.55), (Start.MIMETIC, 0.65, 1.0)])
def test_a_mimetic_model_prefers_what_it_has_read_before_it_learns(tmp_path, start, least, most):
    create_scratch_model(TEXTS, tmp_path, replace(SHAPE, start=start), seed=0)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    dice = torch.Generator().manual_seed(1)
    ids = torch.stack([torch.randperm(model.config.vocab_size, generator=dice)[:9] for _ in range(64)])
    logits = model(input_ids=ids).logits[:, -1]  # (64, V)
    read = logits.gather(1, ids[:, :-1])  # (64, 8)
    assert least < (read[:, :, None] > logits[:, None, :]).float().mean() < most  # how many tokens a read one is above


@pytest.mark.parametrize(("start", "least", "most"), [(Start.RANDOM, 0.0, 0.02), (Start.INDUCTION, 0.1, 1.0)])
def test_a_model_with_induction_heads_copies_any_tokens_before_it_learns(tmp_path, start, least, most):
    """Random tokens, each once, then some of them again from the third on: which of those it would write."""
    shape = ScratchSettings(vocabulary=400, hidden=128, layers=2, heads=4, context=256, start=start)
    create_scratch_model(TEXTS, tmp_path, shape, seed=0)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    dice = torch.Generator().manual_seed(1)
    ids = torch.stack([torch.randperm(model.config.vocab_size, generator=dice)[:150] for _ in range(16)])
    ids = torch.cat((ids, ids[:, 40:70]), dim=1)
    written = model(input_ids=ids).logits.argmax(-1)[:, 152:-1]
    assert least <= (written == ids[:, 153:]).float().mean() < most


@pytest.mark.parametrize("change", [{"layers": 1}, {"heads": 1}, {"hidden": 16, "heads": 8}])
def test_shapes_without_room_for_induction_heads_are_refused(tmp_path, change):
    shape = replace(SHAPE, start=Start.INDUCTION, **change)
    with pytest.raises(ConfigError, match=rf"got {shape.layers} layers and {shape.heads} heads of"):
        create_scratch_model(TEXTS, tmp_path, shape, seed=0)


def test_transformers_load_it_like_any_other_model(tiny_base):
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny_base), AutoTokenizer.from_pretrained(tiny_base)
    assert model.config.vocab_size == len(tokenizer) <= SHAPE.vocabulary
    assert (model.config.max_position_embeddings, model.config.eos_token_id) == (128, tokenizer.eos_token_id)
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": TASK}], tokenize=False, add_generation_prompt=True
    )
    assert chat == f"<|user|>\n{TASK}\n<|assistant|>\n"


def test_a_shape_that_cannot_be_built_is_refused():
    with pytest.raises(ConfigError, match="multiple of heads, got 100 and 6"):
        ScratchSettings(hidden=100, heads=6)
