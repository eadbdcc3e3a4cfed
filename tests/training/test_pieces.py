"""A batch that is computed in pieces teaches what the whole batch teaches."""

import pytest
import torch
from tiny_model import CHATS, FLIP, PLAN, TASK, assistant, pair, user
from transformers import TrainerCallback
from trl import DPOTrainer, SFTTrainer

from lumos_rl.policies.checkpoints import load_tokenizer
from lumos_rl.training import pieces
from lumos_rl.training.dpo import dpo_trainer
from lumos_rl.training.pieces import cut, equal_cut, padded
from lumos_rl.training.settings import DPOSettings, SFTSettings
from lumos_rl.training.sft import encode_rows, sft_trainer, train_sft
from lumos_rl.training.trainer import scoring_supervised_only

LONG = [user("9 " * 30), assistant("Add 9 and 9."), user("18"), assistant("Stop.")]
PAIRS = [
    pair(FLIP, "Heads.", "Edge."),
    pair([user(TASK)], "Add the apples.", "Stop."),
    pair(PLAN[:3], "Stop.", "Add the apples."),
    pair(LONG[:3], "Stop.", "R1 = Calculator(3 + 2)"),
]


def test_a_row_is_padded_to_a_multiple_of_32():
    assert [padded(length) for length in (1, 32, 33, 343)] == [32, 32, 64, 352]


def test_a_piece_has_a_power_of_two_of_rows_of_like_length_within_its_tokens():
    lengths = [343, 90, 120, 95, 340, 81]
    # 352 tokens each: two fit into 704; then 128 each: four of the five that would fit
    assert cut(lengths, tokens=704) == [[0, 4], [2, 3, 1, 5]]
    # 352 each: one fits into 512; then 128 each: four
    assert cut(lengths, tokens=512) == [[0], [4], [2, 3, 1, 5]]
    assert cut([96] * 7, tokens=10_000) == [[0, 1, 2, 3], [4, 5], [6]]


def test_a_row_longer_than_a_piece_is_a_piece():
    assert cut([2000, 10], tokens=512) == [[0], [1]]
    assert equal_cut([2000, 10], tokens=512) == [[0], [1]]


def test_equal_pieces_have_a_divisor_of_the_rows():
    # six rows of 64 tokens, four fit into 256: pieces of three, the longest first
    assert equal_cut([40, 50, 60, 33, 34, 35], tokens=256) == [[2, 1, 0], [5, 4, 3]]
    assert equal_cut([40] * 7, tokens=256) == [[row] for row in range(7)]
    assert equal_cut([40] * 4, tokens=256) == [[0, 1, 2, 3]]


def learned(trainer, step, inputs):
    """Loss, gradients and what is logged of one batch, computed by a class's `training_step`."""
    trainer.create_optimizer()
    trainer.current_gradient_accumulation_steps = 1  # which `train` sets
    trainer.model.zero_grad()
    with scoring_supervised_only():
        loss = step(trainer, trainer.model, {name: values.clone() for name, values in inputs.items()})
    gradients = {name: weight.grad.clone() for name, weight in trainer.model.named_parameters() if weight.requires_grad}
    logged = {name: sum(values) / len(values) for name, values in trainer._metrics["train"].items()}
    trainer._metrics["train"].clear()
    return loss.item(), gradients, logged


def same(one, other):
    (loss, gradients, _), (whole, wanted, _) = one, other
    assert loss == pytest.approx(whole, rel=1e-5)
    assert any(gradient.abs().max() > 1e-3 for gradient in wanted.values())
    for name, gradient in wanted.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-3, atol=1e-6)


@pytest.fixture
def counted(monkeypatch):
    """Shapes of the pieces, of at most 64 tokens."""
    shapes, rows = [], pieces._rows

    def count(*arguments):
        shapes.append(tuple((piece := rows(*arguments))["input_ids"].shape))
        return piece

    monkeypatch.setattr(pieces, "_rows", count)
    monkeypatch.setattr(pieces.sft_pieces, "__defaults__", (64,))
    monkeypatch.setattr(pieces.dpo_pieces, "__defaults__", (256,))
    return shapes


@pytest.mark.parametrize("lora", [None, 4], ids=["full", "lora"])
def test_sft_in_pieces_gives_the_loss_and_gradients_of_the_whole_batch(tiny_base, tmp_path, counted, lora):
    tokenizer, chats = load_tokenizer(tiny_base), [*CHATS[:3], LONG]
    rows, _ = encode_rows(tokenizer, chats, 128)
    settings = SFTSettings(max_steps=1, batch_size=4, lora_rank=lora)
    trainer = sft_trainer(tiny_base, rows, tmp_path, settings, 0, tokenizer)
    inputs = trainer.data_collator(rows)
    whole = learned(trainer, SFTTrainer.training_step, inputs)
    assert not counted
    same(learned(trainer, type(trainer).training_step, inputs), whole)
    assert len(counted) > 1 and inputs["input_ids"].shape[1] > min(width for _, width in counted)


def test_padding_a_batch_to_a_multiple_changes_neither_loss_nor_gradients(tiny_base, tmp_path):
    tokenizer = load_tokenizer(tiny_base)
    rows, _ = encode_rows(tokenizer, CHATS[:3], 128)
    trainer = sft_trainer(tiny_base, rows, tmp_path, SFTSettings(max_steps=1, batch_size=3), 0, tokenizer)
    wide = trainer.data_collator(rows)
    assert wide["input_ids"].shape[1] % 32 == 0
    trainer.data_collator.pad_to_multiple_of = None
    narrow = trainer.data_collator(rows)
    assert narrow["input_ids"].shape[1] == max(len(row["input_ids"]) for row in rows) < wide["input_ids"].shape[1]
    step = SFTTrainer.training_step
    same(learned(trainer, step, wide), learned(trainer, step, narrow))


@pytest.mark.parametrize("sft_weight", [0.0, 0.7])
def test_dpo_in_pieces_gives_loss_gradients_and_margins_of_the_whole_batch(tiny_sft, tmp_path, counted, sft_weight):
    settings = DPOSettings(max_steps=1, batch_size=4, sft_weight=sft_weight, beta=1.0)
    trainer = dpo_trainer(tiny_sft, PAIRS, tmp_path, settings, 0)
    with torch.no_grad():  # away from the reference, so that margins are not 0
        for weight in trainer.model.parameters():
            weight.add_(torch.sin(torch.arange(weight.numel(), dtype=weight.dtype)).view_as(weight), alpha=0.02)
    inputs = trainer.data_collator(list(trainer.train_dataset))
    whole = learned(trainer, DPOTrainer.training_step, inputs)
    assert not counted
    cut_up = learned(trainer, type(trainer).training_step, inputs)
    same(cut_up, whole)
    assert len(counted) > 1
    for name in ("rewards/margins", "rewards/accuracies"):
        assert cut_up[2][name] == pytest.approx(whole[2][name], rel=1e-4)
    assert abs(whole[2]["rewards/margins"]) > 1e-3
    assert trainer.loss_weights == ([1.0, 0.7] if sft_weight else [1.0])


def test_training_computes_at_most_1024_tokens_at_once(tiny_base, tmp_path):
    seen = []

    class Watch(TrainerCallback):
        def on_train_begin(self, args, state, control, model, **kwargs):
            model.register_forward_pre_hook(
                lambda own, _, named: seen.append(named["input_ids"].shape), with_kwargs=True
            )

    chats = [[user("9" * 300), assistant("Stop.")]] * 8  # some 310 tokens, padded to 320: three would fit
    train_sft(tiny_base, chats, tmp_path, SFTSettings(max_steps=1, batch_size=8, save_steps=None), 0, [Watch()])
    assert seen == [(2, 320)] * 4


def test_a_gpu_computes_a_batch_at_once(tiny_base, tmp_path, counted):
    tokenizer = load_tokenizer(tiny_base)
    rows, _ = encode_rows(tokenizer, CHATS[:3], 128)
    trainer = sft_trainer(tiny_base, rows, tmp_path, SFTSettings(max_steps=1, batch_size=3), 0, tokenizer)
    trainer.args.use_cpu = False
    learned(trainer, type(trainer).training_step, trainer.data_collator(rows))
    assert not counted
