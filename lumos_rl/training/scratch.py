"""A small untrained Llama and its tokenizer: the embedded default, which needs no pretrained weights.

    create_scratch_model(texts, Path("runs/demo/base"), ScratchSettings(), seed=0)

writes a model folder that Transformers, TRL and PEFT load like any other. The tokenizer is byte-level BPE, so it can
encode any text. Every digit is one token, so numbers are copied digit by digit.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from lumos_rl.prompts import LUMOS_CHAT_TEMPLATE
from lumos_rl.training.settings import FEEDFORWARD, ScratchSettings, Start
from lumos_rl.training.start import ROPE_THETA, start_mimetic, start_with_induction

PAD, END = "<|pad|>", "<|end|>"
MARKUP = ("<|user|>\n", "<|assistant|>\n")
INITIALIZER_RANGE = 0.08  # near the inverse square root of a width of 128; the usual 0.02 is meant for wider models


def create_scratch_model(texts: Iterable[str], folder: Path, config: ScratchSettings, seed: int) -> None:
    """Writes a tokenizer trained on `texts` and a randomly initialised model.

    Args:
        texts: Training texts of the tokenizer.
        folder: Folder to write to.
        config: Shape of the model.
        seed: Seed of the initial weights.
    """
    tokenizer = build_tokenizer(texts, config.vocabulary)
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden,
            intermediate_size=FEEDFORWARD * config.hidden,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.heads,
            max_position_embeddings=config.context,
            tie_word_embeddings=True,
            initializer_range=INITIALIZER_RANGE,
            rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA}
            if config.start == Start.INDUCTION
            else None,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    if config.start == Start.MIMETIC:
        start_mimetic(model)
    elif config.start == Start.INDUCTION:
        start_with_induction(model)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(str(folder))
    model.save_pretrained(str(folder))


def build_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE with single digits and Lumos chat markup."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    inner.decoder = decoders.ByteLevel()
    special = [AddedToken(text, special=True, normalized=False) for text in (PAD, END, *MARKUP)]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=PAD,
        eos_token=END,
        chat_template=LUMOS_CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
