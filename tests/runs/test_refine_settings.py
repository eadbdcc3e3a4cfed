"""What the training of self-improvement takes from SFT."""

from dataclasses import replace

from lumos_rl.runs.presets import PRESETS
from lumos_rl.runs.refine_settings import PreferenceTraining, RejectionConfig, RejectionTraining
from lumos_rl.training.settings import DPOSettings, SFTSettings

SFT = SFTSettings(epochs=3.0, max_steps=70, learning_rate=0.5, weight_decay=0.1, max_length=99, save_steps=7)


def test_what_is_not_named_is_as_in_sft():
    assert RejectionTraining().settings(SFT) == SFT
    assert RejectionTraining(learning_rate=0.1).settings(SFT) == replace(SFT, learning_rate=0.1)


def test_own_epochs_do_not_mix_with_the_steps_of_sft():
    assert RejectionTraining(epochs=1.0).settings(SFT) == replace(SFT, epochs=1.0, max_steps=None)
    assert RejectionTraining(max_steps=5).settings(SFT).max_steps == 5
    assert RejectionTraining(epochs=1.0, max_steps=5).settings(SFT).max_steps == 5


def test_dpo_has_its_own_optimizer_and_the_lengths_of_sft():
    settings = PreferenceTraining(beta=0.2, epochs=1.0).settings(SFT)
    assert settings == DPOSettings(beta=0.2, max_length=99, save_steps=7)
    assert (settings.weight_decay, settings.warmup_ratio, settings.max_steps) == (0.0, 0.1, None)


def test_a_preset_trains_with_what_it_has_always_trained():
    tiny = PRESETS["tiny"].config
    rs, dpo = tiny.rs_training, tiny.dpo_training
    assert (rs.max_steps, rs.learning_rate, rs.batch_size, rs.max_length) == (800, 1e-3, 8, 256)
    assert (rs.weight_decay, rs.adam_beta2) == (0.1, 0.95)
    assert (dpo.epochs, dpo.max_steps, dpo.learning_rate, dpo.batch_size) == (2.0, None, 5e-4, 16)
    assert (dpo.max_length, dpo.lora_rank, dpo.adam_beta2) == (256, 16, 0.999)


def test_a_share_for_all_stands_beside_those_of_single_benchmarks():
    assert RejectionConfig(min_reward=("0.5", "webshop=0.75")).least() == (0.5, {"webshop": 0.75})
    assert RejectionConfig(min_reward=("webshop=0.75",)).least() == (1.0, {"webshop": 0.75})
