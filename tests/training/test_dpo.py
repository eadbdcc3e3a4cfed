import gc
import math
import os
import signal
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from tiny_model import FLIP, PLAN, TASK, assistant, create_adapter, pair, user
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, TrainerCallback

from lumos_rl.console import Stopped
from lumos_rl.core import PairIds
from lumos_rl.errors import DataError
from lumos_rl.policies.checkpoints import load_model
from lumos_rl.policies.encoding import encode_chat, fingerprint
from lumos_rl.training.dpo import dpo_trainer, encode_pairs, train_dpo
from lumos_rl.training.settings import DPOSettings
from lumos_rl.training.trainer import drop_frozen_adapters

PAIRS = [
    pair(FLIP, "Heads.", "Edge."),
    pair([user(TASK)], "Add the apples.", "Stop."),
    pair(PLAN[:3], "Stop.", "Add the apples."),  # a history of two turns and one observation
    pair(PLAN[:3], "Stop.", "R1 = Calculator(3 + 2)", module="grounder"),
]
FAST = DPOSettings(max_steps=1, batch_size=4, learning_rate=1e-3, sft_weight=0.0, save_steps=None)
LORA = 4


@pytest.fixture(params=["new adapter", "own adapter", "full"])
def start(request, tiny_sft, tmp_path):
    """Where training starts, and its settings, for the three ways to train."""
    if request.param == "own adapter":
        return create_adapter(tiny_sft, tmp_path / "adapter", seed=1), FAST
    return tiny_sft, replace(FAST, lora_rank=LORA) if request.param == "new adapter" else FAST


@pytest.fixture(scope="module")
def tokenizer(tiny_base):
    return AutoTokenizer.from_pretrained(tiny_base)


def logprob(folder, tokenizer, prompt, turn):
    """Log-probability of a turn after its prompt, worked out with Transformers alone."""
    model = load_model(folder).eval()
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    before = tokenizer.encode(text, add_special_tokens=False)
    written = tokenizer.encode(turn + "<|end|>", add_special_tokens=False)
    with torch.no_grad():
        logits = model(torch.tensor([before + written])).logits[0].log_softmax(-1)
    return sum(logits[len(before) + at - 1, token].item() for at, token in enumerate(written))


def expected(folder, tokenizer, side):
    return [logprob(folder, tokenizer, list(each.prompt), getattr(each, side)) for each in PAIRS]


def first_batch(trainer):
    """All pairs, in their own order."""
    return trainer.data_collator([trainer.train_dataset[index] for index in range(len(trainer.train_dataset))])


def test_the_reference_is_the_model_that_training_starts_from(start, tokenizer, tmp_path):
    folder, settings = start
    trainer = dpo_trainer(folder, PAIRS, tmp_path / "out", settings, seed=0)
    chosen, rejected = trainer.compute_ref_log_probs(trainer.ref_model or trainer.model, first_batch(trainer))
    assert chosen.tolist() == pytest.approx(expected(folder, tokenizer, "chosen"), abs=1e-4)
    assert rejected.tolist() == pytest.approx(expected(folder, tokenizer, "rejected"), abs=1e-4)


def test_the_report_of_a_run_that_was_stopped_is_of_all_its_steps(start, tmp_path):
    folder, settings = start
    settings = replace(settings, max_steps=4, learning_rate=1e-2)
    straight = train_dpo(folder, PAIRS, tmp_path / "straight", settings, seed=0)
    with pytest.raises(Stopped):
        train_dpo(folder, PAIRS, tmp_path / "out", settings, 0, [Stop(3)])
    again = train_dpo(folder, PAIRS, tmp_path / "out", settings, 0)
    assert again.margin == pytest.approx(straight.margin, rel=1e-3) and again.margin > 0
    assert again.accuracy == pytest.approx(straight.accuracy)
    assert again.loss == pytest.approx(straight.loss, rel=1e-3)


def test_a_smaller_batch_with_more_accumulation_continues_the_same_training(tiny_sft, tmp_path):
    settings = replace(FAST, max_steps=4, learning_rate=1e-2)
    train_dpo(tiny_sft, PAIRS, tmp_path / "straight", settings, seed=0)
    with pytest.raises(Stopped):
        train_dpo(tiny_sft, PAIRS, tmp_path / "out", settings, 0, [Stop(2)])
    smaller = replace(settings, batch_size=2, gradient_accumulation=2)
    assert train_dpo(tiny_sft, PAIRS, tmp_path / "out", smaller, 0).steps == 4
    ours, straight = (load_model(tmp_path / name).state_dict() for name in ("out", "straight"))
    assert all(torch.allclose(ours[name], straight[name], atol=1e-3) for name in straight)


class Stop(TrainerCallback):
    """Stops training as Ctrl-C does, at the end of a step."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


def test_margins_are_zero_before_the_first_step(start, tmp_path):
    folder, settings = start
    report = train_dpo(folder, PAIRS, tmp_path / "out", settings, seed=0)  # the log of step 1 is made before its update
    assert report.margin == pytest.approx(0, abs=1e-5)
    assert report.loss == pytest.approx(math.log(2), abs=1e-5)  # -log sigmoid(0)
    assert (report.steps, report.pairs, report.left_out) == (1, 4, 0)


def test_the_reference_stays_while_the_model_moves(start, tokenizer, tmp_path):
    folder, settings = start
    trainer = dpo_trainer(folder, PAIRS, tmp_path / "out", replace(settings, max_steps=5, learning_rate=1e-2), seed=0)
    trainer.train()
    chosen, _ = trainer.compute_ref_log_probs(trainer.ref_model or trainer.model, first_batch(trainer))
    assert chosen.tolist() == pytest.approx(expected(folder, tokenizer, "chosen"), abs=1e-4)


def test_training_raises_the_margin_of_the_saved_model(start, tokenizer, tmp_path):
    folder, settings = start
    out = tmp_path / "out"
    train_dpo(folder, PAIRS, out, replace(settings, max_steps=15, learning_rate=1e-2), seed=0)
    # The implicit reward of a turn is how much more likely it became than it was for the model at the start.
    gain = [
        [after - before for before, after in zip(expected(folder, tokenizer, side), now, strict=True)]
        for side, now in ((side, expected(out, tokenizer, side)) for side in ("chosen", "rejected"))
    ]
    assert all(chosen > rejected + 1 for chosen, rejected in zip(*gain, strict=True))
    assert not [path for path in out.iterdir() if path.is_dir()]  # neither a reference nor checkpoints


def test_only_the_turn_counts(tokenizer, tiny_sft, tmp_path):
    trainer = dpo_trainer(tiny_sft, PAIRS, tmp_path, replace(FAST, lora_rank=LORA), seed=0)
    batch = first_batch(trainer)
    turns = [each.chosen for each in PAIRS] + [each.rejected for each in PAIRS]
    for row, turn in enumerate(turns):
        counted = batch["input_ids"][row][batch["completion_mask"][row].bool()]
        assert tokenizer.decode(counted) == turn + "<|end|>"


def test_the_ids_of_the_pairs_are_what_is_trained(tiny_sft, tokenizer, tmp_path):
    sampled = PairIds((2, 50, 3), (54, 1), (55, 56, 1), fingerprint(tokenizer))  # as no text is tokenized
    pairs, seen = [replace(PAIRS[0], ids=sampled), *PAIRS[1:]], set()

    def read(model, positional, named):
        for ids in named["input_ids"]:
            seen.add(tuple(ids[: ids.ne(tokenizer.pad_token_id).nonzero().max() + 1].tolist()))

    class Watch(TrainerCallback):
        def on_train_begin(self, args, state, control, model, **kwargs):
            model.register_forward_pre_hook(read, with_kwargs=True)

    train_dpo(tiny_sft, pairs, tmp_path, replace(FAST, lora_rank=LORA), 0, [Watch()])
    rows, _ = encode_pairs(tokenizer, pairs, 128)
    assert seen == {(*row["prompt_ids"], *row[side]) for row in rows for side in ("chosen_ids", "rejected_ids")}
    assert {(2, 50, 3, 54, 1), (2, 50, 3, 55, 56, 1)} < seen


def test_ids_are_those_of_sft_and_of_inference(tokenizer):
    rows, _ = encode_pairs(tokenizer, PAIRS, 128)
    for row, each in zip(rows, PAIRS, strict=True):
        asked, _ = encode_chat(tokenizer, each.prompt, add_generation_prompt=True)
        assert row["prompt_ids"] == asked
        for side in ("chosen", "rejected"):
            learned, _ = encode_chat(tokenizer, [*each.prompt, assistant(getattr(each, side))])
            assert row["prompt_ids"] + row[f"{side}_ids"] == learned
            whole = tokenizer.apply_chat_template([*each.prompt, assistant(getattr(each, side))], return_dict=False)
            assert learned == whole  # what TRL would make of it


def test_ids_that_were_sampled_are_taken_as_they_are(tokenizer, caplog):
    ids = PairIds((2, 50, 3), (54, 1), (55, 56, 1), fingerprint(tokenizer))
    sampled = replace(PAIRS[0], ids=ids)
    foreign = replace(PAIRS[0], ids=replace(ids, tokenizer="other"))
    (own, other, text), _ = encode_pairs(tokenizer, [sampled, foreign, PAIRS[0]], 128)
    assert own == {"prompt_ids": [2, 50, 3], "chosen_ids": [54, 1], "rejected_ids": [55, 56, 1]}
    assert other == text != own
    assert "1 pairs were sampled with another tokenizer or chat template" in caplog.text


def test_what_the_template_writes_behind_a_turn_does_not_count(tokenizer, tiny_base):
    other = AutoTokenizer.from_pretrained(tiny_base)
    other.chat_template = (  # ends each turn with the token and a newline, as ChatML does
        "{% for m in messages %}{{ '<|user|>\n' if m['role'] == 'user' else '<|assistant|>\n' }}"
        "{{ m['content'] + eos_token + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
    )
    ((row,), _) = encode_pairs(other, PAIRS[:1], 128)
    assert other.decode(row["prompt_ids"]) == "<|user|>\nFlip a coin.<|end|>\n<|assistant|>\n"
    assert other.decode(row["chosen_ids"]) == "Heads.<|end|>"


def test_a_tokenizer_that_joins_prompt_and_turn_is_encoded_as_it_was_asked(tiny_base):
    merging = AutoTokenizer.from_pretrained(tiny_base)
    merging.chat_template = (  # no markup of its own: the turn begins in the middle of a word, "ap" + "ples"
        "{% for m in messages %}{{ m['content'] + (eos_token if m['role'] == 'assistant' else '') }}{% endfor %}"
    )
    ((row,), _) = encode_pairs(merging, [pair([user("Add the ap")], "ples.", "e.")], 128)
    asked, _ = encode_chat(merging, [user("Add the ap")], add_generation_prompt=True)
    assert row["prompt_ids"] == asked
    assert row["prompt_ids"] + row["chosen_ids"] != merging.encode("Add the apples.<|end|>", add_special_tokens=False)
    assert merging.decode(row["chosen_ids"]) == "ples.<|end|>"


def test_the_sft_term_is_added_with_its_weight(tiny_sft, tokenizer, tmp_path):
    loss = train_dpo(tiny_sft, PAIRS, tmp_path, replace(FAST, sft_weight=0.5, lora_rank=LORA), seed=0).loss
    tokens = sum(len(row["chosen_ids"]) for row in encode_pairs(tokenizer, PAIRS, 128)[0])
    sft = -sum(expected(tiny_sft, tokenizer, "chosen")) / tokens  # mean over the tokens of the chosen turns
    assert sft > 0.01
    assert loss == pytest.approx(math.log(2) + 0.5 * sft, abs=1e-4)


def test_pairs_that_are_too_long_are_left_out_and_counted(tiny_sft, tmp_path, caplog):
    long = pair([user("9" * 120)], "Stop.", "Heads.")
    report = train_dpo(tiny_sft, [*PAIRS, long], tmp_path, replace(FAST, max_length=100, lora_rank=LORA), seed=0)
    assert (report.pairs, report.left_out) == (4, 1)
    assert "1 of 5 preference pairs (20%) are left out: 1 of more than 100 tokens, the longest 12" in caplog.text
    with pytest.raises(DataError, match=r"1 of 1 preference pairs \(100%\) are left out.*raise --sft\.max-length"):
        train_dpo(tiny_sft, [long], tmp_path, replace(FAST, max_length=100), seed=0)


def test_no_pairs_are_an_error_that_says_what_to_do(tiny_sft, tmp_path):
    with pytest.raises(DataError, match=r"got 0 pairs.*sample more episodes per task"):
        train_dpo(tiny_sft, [], tmp_path, FAST, seed=0)


class _Interrupt(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 3:
            os.kill(os.getpid(), signal.SIGINT)


def test_models_leave_memory_when_they_are_trained(start, tmp_path):
    gc.collect()
    before = sum(isinstance(each, PreTrainedModel) for each in gc.get_objects())
    train_dpo(start[0], PAIRS, tmp_path / "out", start[1], 0)
    assert sum(isinstance(each, PreTrainedModel) for each in gc.get_objects()) == before


def test_an_interrupted_run_goes_on_where_it_was(start, tmp_path):
    folder, settings = start
    settings = replace(settings, max_steps=6, learning_rate=1e-2, batch_size=2)
    with pytest.raises(KeyboardInterrupt):
        train_dpo(folder, PAIRS, tmp_path / "out", settings, 0, [_Interrupt()])
    assert train_dpo(folder, PAIRS, tmp_path / "out", settings, 0).steps == 6
    train_dpo(folder, PAIRS, tmp_path / "straight", settings, 0)
    ours, straight = (load_model(tmp_path / name).state_dict() for name in ("out", "straight"))
    assert all(torch.allclose(ours[name], straight[name], atol=1e-5) for name in straight)


def test_a_reference_that_was_saved_keeps_no_run_from_going_on(tiny_sft, tmp_path):
    adapter, out = create_adapter(tiny_sft, tmp_path / "adapter", seed=1), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        train_dpo(adapter, PAIRS, out, replace(FAST, max_steps=6), 0, [_Interrupt()])
    checkpoint = out / "checkpoints" / "checkpoint-3"
    (reference,) = checkpoint.glob("*/adapter_model.safetensors")  # where there is none, nothing need be removed
    trained = load_file(checkpoint / "adapter_model.safetensors")
    assert load_file(reference).keys() == trained.keys()
    trainer = dpo_trainer(adapter, PAIRS, out, replace(FAST, max_steps=3), seed=0)
    drop_frozen_adapters(trainer.model, checkpoint)
    assert not reference.parent.exists()
    trainer.train(resume_from_checkpoint=str(checkpoint))  # it has no step left to do
    trainer.save_model(str(tmp_path / "resumed"))
    resumed = load_file(tmp_path / "resumed" / "adapter_model.safetensors")
    assert all(torch.equal(resumed[name], trained[name]) for name in trained)


def test_a_new_adapter_names_the_model_it_belongs_to(tiny_sft, tmp_path):
    train_dpo(tiny_sft, PAIRS, tmp_path, replace(FAST, lora_rank=LORA), seed=0)
    adapted = load_model(tmp_path).merge_and_unload().state_dict()
    base = AutoModelForCausalLM.from_pretrained(tiny_sft).state_dict()
    assert torch.equal(adapted["model.embed_tokens.weight"], base["model.embed_tokens.weight"])
