import gc
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import trl.trainer.utils
from datasets import Dataset
from safetensors import SafetensorError
from tiny_model import CHATS, FLIP, PLAN, TASK, assistant, create_adapter, user
from transformers import AutoTokenizer, PreTrainedModel, TrainerCallback, TrainingArguments
from trl import SFTConfig, SFTTrainer
from trl.kernels import ChunkedLogProbFunction

from lumos_rl.console import Stopped
from lumos_rl.core import Transcript
from lumos_rl.data.rows import ChatRow
from lumos_rl.errors import ConfigError, DataError, MissingFileError
from lumos_rl.policies.checkpoints import load_model
from lumos_rl.policies.encoding import encode_chat, fingerprint
from lumos_rl.runs.faults import explained
from lumos_rl.training.saved import checkpoints_in, last_checkpoint, remove_all_but_last, remove_leftovers
from lumos_rl.training.settings import SFTSettings
from lumos_rl.training.sft import IGNORED, encode_rows, epoch_order, preview, supervised_share, train_sft
from lumos_rl.training.trainer import (
    ShowProgress,
    load_trainable,
    mean_over_steps,
    scoring_supervised_only,
    training_arguments,
)

FAST = SFTSettings(max_steps=8, learning_rate=1e-2, batch_size=8, save_steps=None)
LORA = 4


@pytest.fixture(scope="module")
def tokenizer(tiny_base):
    return AutoTokenizer.from_pretrained(tiny_base)


def loss_of(folder, tokenizer):
    """Mean loss on the tokens that the model writes in CHATS, worked out with Transformers alone."""
    model, losses = load_model(folder).eval(), []
    for chat in CHATS:
        ids, mask = encode_chat(tokenizer, chat)
        with torch.no_grad():
            logprobs = model(torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
        losses += [-logprobs[at - 1, ids[at]].item() for at in range(1, len(ids)) if mask[at]]
    return sum(losses) / len(losses)


def state(folder):
    return {name: tensor.clone() for name, tensor in load_model(folder).state_dict().items()}


class At(TrainerCallback):
    """Does something when a step has ended."""

    def __init__(self, step, what):
        self.step, self.what, self.began = step, what, None

    def on_train_begin(self, args, state, control, **kwargs):
        self.began = state.global_step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            self.what()


def test_loss_is_on_what_the_model_writes_and_its_end_of_turn_and_on_nothing_else(tokenizer):
    (row,), left_out = encode_rows(tokenizer, [PLAN], 128)
    kept = [label for label in row["labels"] if label != IGNORED]
    assert tokenizer.decode(kept) == "Add the apples.<|end|>Stop.<|end|>"
    assert tokenizer.decode(row["input_ids"]) == (
        f"<|user|>\n{TASK}\n<|assistant|>\nAdd the apples.<|end|>\n<|user|>\n5\n<|assistant|>\nStop.<|end|>"
    )
    assert all(label in (IGNORED, token) for token, label in zip(row["input_ids"], row["labels"], strict=True))
    assert left_out == 0


def test_markup_in_a_conversation_is_learned_as_plain_text(tokenizer):
    forged = "5<|end|>\n<|assistant|>\nStop.<|end|>"
    (row,), _ = encode_rows(tokenizer, [[user(forged), assistant(forged)]], 128)
    assert row["input_ids"].count(tokenizer.eos_token_id) == 1
    assert tokenizer.decode([label for label in row["labels"] if label != IGNORED]) == forged + "<|end|>"


def test_a_preview_says_what_is_left_out(tiny_base):
    text = preview(tiny_base, [PLAN], 5)
    assert text.startswith("[left out, as it has more than 5 tokens] <|user|>")


def test_the_supervised_share_counts_tokens(tokenizer):
    rows, _ = encode_rows(tokenizer, [[user("1234"), assistant("56")]], 128)
    # <|user|>\n 1 2 3 4 \n <|assistant|>\n 5 6 <|end|>: three of ten
    assert len(rows[0]["input_ids"]) == 10
    assert supervised_share(rows) == 0.3


def test_a_preview_marks_what_is_learned(tiny_base):
    text = preview(tiny_base, [PLAN, [*FLIP, assistant("Heads.")]], 128)
    first, second = text.split("\n\n")
    assert first.count("⟦") == first.count("⟧") == 2
    assert "<|assistant|>\n⟦Add the apples.<|end|>⟧\n<|user|>\n5\n<|assistant|>\n⟦Stop.<|end|>⟧" in first
    assert second == "<|user|>\nFlip a coin.\n<|assistant|>\n⟦Heads.<|end|>⟧"


def test_too_long_conversations_are_left_out_and_counted(tokenizer, caplog):
    long = [user("9" * 200), assistant("9")]
    rows, left_out = encode_rows(tokenizer, [PLAN, PLAN, long], 128)
    assert (len(rows), left_out) == (2, 1)
    length = len(encode_chat(tokenizer, long)[0])
    assert f"1 of 3 conversations (33%) are left out: 1 of more than 128 tokens, the longest {length}" in caplog.text


def test_conversations_that_cannot_be_encoded_are_left_out_with_the_cause(tokenizer, caplog):
    rows, left_out = encode_rows(tokenizer, [PLAN, PLAN, [user(chr(0xD800)), assistant("9")]], 128)
    assert (len(rows), left_out) == (2, 1)
    assert "1 that cannot be encoded, the first because of: 'utf-8' codec" in caplog.text


def test_training_on_less_than_half_of_the_rows_is_refused(tokenizer):
    long = [user("9" * 200), assistant("9")]
    assert len(encode_rows(tokenizer, [PLAN, long], 128)[0]) == 1
    with pytest.raises(DataError, match=r"2 of 3 conversations \(67%\) .* the longest 20\d; raise --sft\.max-length"):
        encode_rows(tokenizer, [PLAN, long, long], 128)


def test_ids_that_were_sampled_are_learned_as_they_were(tokenizer, caplog):
    messages = (user("12"), assistant("Stop."))
    ids = [*tokenizer.encode("12"), *map(tokenizer.convert_tokens_to_ids, "Stop."), tokenizer.eos_token_id]
    written = (False, False, *[True] * 6)  # letter by letter, other than the tokenizer spells it
    sampled = ChatRow("e", "gsm8k", "planner", messages, Transcript(tuple(ids), written, fingerprint(tokenizer)))
    foreign = replace(sampled, transcript=replace(sampled.transcript, tokenizer="other"))
    (own, other, text), _ = encode_rows(tokenizer, [sampled, foreign, messages], 128)
    assert own["input_ids"] == ids and own["labels"] == [IGNORED] * 2 + ids[2:]
    assert other == text != own
    assert "1 rows were sampled with another tokenizer or chat template" in caplog.text


@pytest.mark.parametrize(
    ("conversations", "max_length", "got"),
    [
        ([], 128, "got 0 rows"),
        ([PLAN], 5, "1 of 1 conversations .* of more than 5"),
        ([[user("only")]], 128, "1 in which the"),
    ],
)
def test_nothing_to_learn_is_an_error(tokenizer, conversations, max_length, got):
    with pytest.raises(DataError, match=got):
        encode_rows(tokenizer, conversations, max_length)


@pytest.mark.parametrize("lora", [None, LORA], ids=["full", "lora"])
def test_training_lowers_the_loss(tiny_base, tokenizer, tmp_path, lora):
    report = train_sft(tiny_base, CHATS, tmp_path / "out", replace(FAST, lora_rank=lora), seed=0)
    assert loss_of(tmp_path / "out", tokenizer) < loss_of(tiny_base, tokenizer) - 0.3
    assert (report.steps, report.left_out) == (8, 0)
    assert report.tokens == sum(len(encode_chat(tokenizer, chat)[0]) for chat in CHATS)
    assert 0 < report.supervised < 1
    assert (tmp_path / "out" / "adapter_config.json").exists() == (lora is not None)
    assert not (tmp_path / "out" / "checkpoints").exists()


@pytest.fixture
def scored(monkeypatch):
    """How many tokens TRL's fused LM head scores, call by call."""
    counts, forward = [], ChunkedLogProbFunction.forward

    def count(ctx, hidden, *rest):
        counts.append(len(hidden))
        return forward(ctx, hidden, *rest)

    monkeypatch.setattr(ChunkedLogProbFunction, "forward", staticmethod(count))
    return counts


def supervised_tokens(rows):
    return sum(label != IGNORED for row in rows for label in row["labels"])


def test_scoring_supervised_tokens_alone_gives_the_same_loss_and_gradients(tiny_base, tokenizer, scored):
    rows, _ = encode_rows(tokenizer, [PLAN, [*FLIP, assistant("Heads.")]], 128)
    longest = max(len(row["labels"]) for row in rows)
    ids, labels = (
        torch.tensor([row[key] + [fill] * (longest - len(row[key])) for row in rows])
        for key, fill in (("input_ids", tokenizer.pad_token_id), ("labels", IGNORED))
    )

    def learn():
        model = load_model(tiny_base)
        trl.trainer.utils.add_fused_lm_head(model)
        loss = model(ids, labels=labels, fused_lm_head=True).loss
        loss.backward()
        return loss.item(), {name: weight.grad for name, weight in model.named_parameters()}

    asked = trl.trainer.utils._use_triton  # what the hook answers; without it, every token is scored
    with scoring_supervised_only():
        loss, gradients = learn()
        assert trl.trainer.utils._use_triton is not asked
    assert trl.trainer.utils._use_triton is asked
    whole_loss, whole_gradients = learn()
    assert scored == [supervised_tokens(rows), 2 * (longest - 1)] and scored[0] < scored[1]
    assert loss == pytest.approx(whole_loss, rel=1e-6)
    for name, whole in whole_gradients.items():
        torch.testing.assert_close(gradients[name], whole, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("lora", [None, LORA], ids=["full", "lora"])
def test_training_scores_supervised_tokens_alone(tiny_base, tokenizer, tmp_path, scored, lora):
    settings = replace(FAST, max_steps=1, batch_size=len(CHATS), lora_rank=lora)
    train_sft(tiny_base, CHATS, tmp_path, settings, seed=0)
    assert scored == [supervised_tokens(encode_rows(tokenizer, CHATS, settings.max_length)[0])]


def test_a_trl_that_does_not_ask_for_the_device_can_be_trained_with(monkeypatch):
    monkeypatch.delattr(trl.trainer.utils, "_use_triton")
    with scoring_supervised_only():
        assert not hasattr(trl.trainer.utils, "_use_triton")


def test_a_trained_model_keeps_its_tokenizer(tiny_sft, tokenizer):
    kept = AutoTokenizer.from_pretrained(tiny_sft)
    assert kept.get_vocab() == tokenizer.get_vocab()
    assert kept.chat_template == tokenizer.chat_template


def test_an_adapter_is_trained_on_without_a_second_one(tiny_base, tmp_path, tokenizer):
    adapter = create_adapter(tiny_base, tmp_path / "adapter", seed=1)
    before = state(adapter)
    train_sft(adapter, CHATS, tmp_path / "out", FAST, seed=0)  # no LoRA asked for: the adapter is what is trained
    after = state(tmp_path / "out")
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all("lora_" in name for name in changed)
    assert loss_of(tmp_path / "out", tokenizer) < loss_of(adapter, tokenizer)


def test_only_an_adapters_weights_take_gradients(tiny_base, tmp_path):
    model = load_trainable(create_adapter(tiny_base, tmp_path, seed=1), FAST)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained and all("lora_" in name for name in trained)


def test_small_updates_are_not_lost_in_bfloat16(tiny_base, tmp_path):
    settings = replace(FAST, learning_rate=2e-5, dtype="bfloat16")
    train_sft(tiny_base, CHATS, tmp_path, settings, seed=0)
    fine = [(weight != weight.bfloat16()).float().mean() for name, weight in state(tmp_path).items() if "proj" in name]
    assert min(fine) > 0.9  # the model keeps what bfloat16 could not hold
    assert load_trainable(tiny_base, settings).dtype == torch.float32
    lora = load_trainable(tiny_base, replace(settings, lora_rank=LORA))
    assert lora.dtype == torch.bfloat16  # all of it is frozen under the adapter


def test_the_same_seed_gives_the_same_model(tiny_base, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train_sft(tiny_base, CHATS, tmp_path / name, replace(FAST, max_steps=3), seed=seed)
    a, b, c = (state(tmp_path / name) for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert any(not torch.equal(a[name], c[name]) for name in a)


@pytest.mark.parametrize(("number", "lora"), [(signal.SIGINT, None), (signal.SIGTERM, LORA)], ids=["full", "lora"])
def test_an_interrupted_run_goes_on_where_it_was(tiny_base, tmp_path, number, lora):
    settings, out = replace(FAST, lora_rank=lora), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        train_sft(tiny_base, CHATS, out, settings, 0, [At(3, lambda: os.kill(os.getpid(), number))])
    assert [path.name for path in (out / "checkpoints").glob("checkpoint-*")] == ["checkpoint-3"]
    again = At(0, None)
    assert train_sft(tiny_base, CHATS, out, settings, 0, [again]).steps == 8
    assert again.began == 3
    assert not (out / "checkpoints").exists()
    train_sft(tiny_base, CHATS, tmp_path / "straight", settings, 0)
    ours, straight = state(out), state(tmp_path / "straight")
    assert all(torch.allclose(ours[name], straight[name], atol=1e-5) for name in straight)


def test_the_handlers_of_signals_are_put_back(tiny_base, tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    train_sft(tiny_base, CHATS, tmp_path, replace(FAST, max_steps=1), 0)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from test_sft import FAST, At
from tiny_model import CHATS
from dataclasses import replace
from lumos_rl.training.sft import train_sft
kill = At(5, lambda: os.kill(os.getpid(), signal.SIGKILL))
train_sft(sys.argv[1], CHATS, Path(sys.argv[2]), replace(FAST, save_steps=2), 0, [kill])
"""


def test_a_killed_run_goes_on_from_its_last_checkpoint(tiny_base, tmp_path):
    places = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    command = [sys.executable, "-c", KILLED, tiny_base, tmp_path, *places]
    killed = subprocess.run(command, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    again = At(0, None)
    assert train_sft(tiny_base, CHATS, tmp_path, replace(FAST, save_steps=2), 0, [again]).steps == 8
    assert again.began == 4
    assert not (tmp_path / "checkpoints").exists()


@pytest.fixture(scope="module")
def stopped(tiny_base, tmp_path_factory):
    """Checkpoint 3 of a training run that was stopped, to be copied."""
    out = tmp_path_factory.mktemp("stopped")
    with pytest.raises(Stopped):
        train_sft(tiny_base, CHATS, out, FAST, 0, [At(3, lambda: os.kill(os.getpid(), signal.SIGINT))])
    return out / "checkpoints" / "checkpoint-3"


def cut(name):
    def spoil(folder):
        os.truncate(folder / name, (folder / name).stat().st_size // 2)

    return spoil


def without(name):
    return lambda folder: (folder / name).unlink()


def empty(name):
    return lambda folder: (folder / name).write_bytes(b"")


FILES = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("spoil", [cut, without, empty])
def test_a_half_written_or_half_removed_checkpoint_is_passed_over(stopped, tmp_path, caplog, spoil, name):
    for step in (9, 10, 11):
        shutil.copytree(stopped, tmp_path / f"checkpoint-{step}")
    spoil(name)(tmp_path / "checkpoint-11")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert "checkpoint-11 is passed over: " in caplog.text


def test_a_checkpoint_that_lacks_one_of_its_parts_is_passed_over(stopped, tmp_path):
    shutil.copytree(stopped, tmp_path / "checkpoint-3")
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (tmp_path / "checkpoint-3" / "model.safetensors.index.json").write_text(json.dumps(index))
    assert last_checkpoint(tmp_path) is None
    shutil.copy(stopped / "model.safetensors", tmp_path / "checkpoint-3" / "model-2.safetensors")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-3"
    assert last_checkpoint(tmp_path / "nothing") is None


def test_a_checkpoint_has_another_name_before_its_first_file_is_deleted(stopped, tmp_path, monkeypatch):
    shutil.copytree(stopped, tmp_path / "checkpoint-3")
    shutil.copytree(stopped, tmp_path / "checkpoint-4")
    monkeypatch.setattr("shutil.rmtree", lambda path, ignore_errors: (path / "optimizer.pt").unlink())  # killed
    remove_all_but_last(tmp_path)
    monkeypatch.undo()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-4"
    (gone,) = [path for path in tmp_path.iterdir() if path.name != "checkpoint-4"]
    assert gone.name.startswith(".removed-checkpoint-3") and (gone / "trainer_state.json").exists()
    remove_leftovers(tmp_path)
    assert not gone.exists()


def test_older_checkpoints_stay_until_the_newest_is_whole(stopped, tmp_path):
    for step in (3, 20, 100):
        shutil.copytree(stopped, tmp_path / f"checkpoint-{step}")
    cut("optimizer.pt")(tmp_path / "checkpoint-100")
    remove_all_but_last(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    shutil.copy(stopped / "optimizer.pt", tmp_path / "checkpoint-100")
    remove_all_but_last(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-100"]


def test_a_mean_over_steps_weighs_each_entry_by_its_steps():
    logged = [{"step": 20, "loss": 1.0}, {"step": 25, "loss": 5.0, "margin": 2.0}, {"step": 27, "loss": 0.0}]
    assert mean_over_steps(logged, "loss") == (20 * 1.0 + 5 * 5.0 + 2 * 0.0) / 27
    assert mean_over_steps(logged, "margin") == 2.0
    assert mean_over_steps([], "loss") is None


def test_the_loss_of_a_run_that_was_stopped_is_the_mean_of_all_its_steps(tiny_base, tmp_path):
    straight = train_sft(tiny_base, CHATS, tmp_path / "straight", FAST, 0)
    with pytest.raises(Stopped) as stop:
        train_sft(tiny_base, CHATS, tmp_path / "out", FAST, 0, [At(7, lambda: os.kill(os.getpid(), signal.SIGTERM))])
    assert stop.value.exit_status == 143
    again = train_sft(tiny_base, CHATS, tmp_path / "out", FAST, 0)
    assert again.loss == pytest.approx(straight.loss, rel=1e-4)


def test_a_disk_that_fills_in_a_checkpoint_is_told_and_training_resumes_from_the_one_before(tiny_base, tmp_path):
    settings, before = replace(FAST, save_steps=2), resource.getrlimit(resource.RLIMIT_FSIZE)
    fill = At(3, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1])))
    try:
        with pytest.raises((OSError, RuntimeError, SafetensorError)) as caught:
            train_sft(tiny_base, CHATS, tmp_path, settings, 0, [fill])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert explained(caught.value, tmp_path).startswith(f"expected room for the files of {tmp_path}, got ")
    assert [path.name for path in checkpoints_in(tmp_path / "checkpoints")] == ["checkpoint-2", "checkpoint-4"]
    again = At(0, None)
    assert train_sft(tiny_base, CHATS, tmp_path, settings, 0, [again]).steps == 8
    assert again.began == 2


def test_a_smaller_batch_with_more_accumulation_continues_the_same_training(tiny_base, tmp_path):
    straight = train_sft(tiny_base, CHATS, tmp_path / "straight", FAST, 0)
    with pytest.raises(Stopped):
        train_sft(tiny_base, CHATS, tmp_path / "out", FAST, 0, [At(3, lambda: os.kill(os.getpid(), signal.SIGINT))])
    smaller = replace(FAST, batch_size=2, gradient_accumulation=4, gradient_checkpointing=True, save_steps=2)
    again = At(0, None)
    report = train_sft(tiny_base, CHATS, tmp_path / "out", smaller, 0, [again])
    assert (again.began, report.steps) == (3, 8)
    assert report.loss == pytest.approx(straight.loss, rel=1e-3)
    ours, wanted = state(tmp_path / "out"), state(tmp_path / "straight")
    assert all(torch.allclose(ours[name], wanted[name], atol=1e-3) for name in wanted)


def test_the_state_is_the_last_file_that_is_written_of_a_checkpoint(tiny_base, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train_sft(tiny_base, CHATS, tmp_path, FAST, 0, [At(1, lambda: os.kill(os.getpid(), signal.SIGINT))])
    written = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "checkpoints" / "checkpoint-1").iterdir()}
    assert {"model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth"} < written.keys()
    assert written["trainer_state.json"] == max(written.values())


def test_a_process_that_sees_several_gpus_trains_on_one(tiny_base, tokenizer, tmp_path, monkeypatch):
    seen, plain = [], SFTConfig(**training_arguments(FAST, tmp_path, 0))

    class Look(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            seen.append((args.n_gpu, args.train_batch_size, args.parallel_mode.value))

    monkeypatch.setattr(TrainingArguments, "n_gpu", property(lambda self: 8))  # as on a node of eight
    rows = Dataset.from_list(encode_rows(tokenizer, CHATS, 128)[0])
    with pytest.raises(ValueError, match="several GPUs"):
        SFTTrainer(load_model(tiny_base), plain, train_dataset=rows, processing_class=tokenizer)
    assert train_sft(tiny_base, CHATS, tmp_path, FAST, 0, [Look()]).steps == 8
    assert seen == [(1, 8, "not_parallel")]


def models_in_memory():
    return sum(isinstance(each, PreTrainedModel) for each in gc.get_objects())


@pytest.mark.parametrize("lora", [None, LORA])
def test_a_model_leaves_memory_when_it_is_trained(tiny_base, tmp_path, lora):
    gc.collect()
    before = models_in_memory()
    train_sft(tiny_base, CHATS, tmp_path, replace(FAST, max_steps=1, lora_rank=lora), 0)
    assert models_in_memory() == before


def test_an_epoch_holds_every_row_once():
    rows = [{"input_ids": [0] * (1 + 7 * index % 13)} for index in range(21)]
    once = epoch_order(rows, SFTSettings(epochs=1, batch_size=4), seed=0)
    assert sorted(once) == list(range(21))
    twice = epoch_order(rows, SFTSettings(epochs=2.5, batch_size=4), seed=0)
    assert len(twice) == 53 and {twice.count(index) for index in range(21)} == {2, 3}
    assert len(epoch_order(rows, SFTSettings(max_steps=9, batch_size=4, gradient_accumulation=2), seed=0)) == 72
    assert once != epoch_order(rows, SFTSettings(epochs=1, batch_size=4), seed=1)
    assert len(epoch_order(rows[:3], SFTSettings(max_steps=4, batch_size=8), seed=0)) == 32


def test_progress_is_logged_with_its_step(tiny_base, tmp_path):
    lines = []
    progress = ShowProgress(lambda *line: lines.append(line), "sft")
    train_sft(tiny_base, CHATS, tmp_path, replace(FAST, max_steps=20), 0, [progress])
    label, step, values = lines[0]
    assert (label, step) == ("sft", 20) and values["loss"] > 0
    assert all(isinstance(value, int | float) for _, _, line in lines for value in line.values())


def test_what_cannot_be_trained_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="float32, bfloat16, got 'float16'"):
        SFTSettings(dtype="float16")
    with pytest.raises(MissingFileError, match="nothing"):
        train_sft(tmp_path / "nothing", CHATS, tmp_path / "out", FAST, 0)
