"""Flags without an effect are refused."""

import pytest

from lumos_rl.errors import ConfigError
from lumos_rl.runs.config import RunConfig
from lumos_rl.runs.exclusive import given
from lumos_rl.runs.launch import parse


def read(*argv):
    return parse("About.", RunConfig, argv)


def test_flags_are_read_in_every_spelling():
    words = ["tiny", "--sft.max-steps", "-3", "--sft.epochs=2", "--suites", "math", "--data.test_tasks", "4"]
    assert given(words) == {"sft.max_steps", "sft.epochs", "data.suites", "data.test_tasks"}


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (
            "--sft.epochs 3",
            r"--sft\.epochs with an effect, got it with --sft\.max-steps 4000, .*; give --sft\.max-steps None",
        ),
        ("--sft.epochs 3 --sft.max-steps 7", r"got it with --sft\.max-steps 7"),
        ("--refine.dpo.train.epochs 3 --refine.dpo.train.max-steps 5", r"--refine\.dpo\.train\.max-steps 5"),
        ("unified --data.test gsm8k=synthetic", r"--data\.test with an effect, got it with --data\.suites math qa"),
        ("--suites math --data.train gsm8k=synthetic", r"--data\.train .* got it with --data\.suites math"),
        ("--model.base org/model --model.scratch.layers 3", r"--model\.scratch\.layers .* --model\.base org/model"),
        ("--model.vllm.context 99", r"--model\.vllm\.context .* got it with --model\.engine hf"),
        ("--model.openai.url http://127.0.0.1:1", r"--model\.openai\.url .* got it with --model\.engine hf"),
    ],
)
def test_a_flag_that_another_setting_excludes_is_refused(argv, said):
    with pytest.raises(ConfigError, match=said):
        read(*argv.split())


def test_flags_that_go_together_are_taken():
    assert read("--sft.epochs", "3", "--sft.max-steps", "None").sft.epochs == 3
    assert read("unified", "--suites", "--data.train", "gsm8k=synthetic").data.suites == ()
    assert read("svamp", "--suites", "math").data.suites == ("math",)  # in place of the preset's own sources


def test_a_file_of_settings_is_read_alike(tmp_path):
    (tmp_path / "mine.json").write_text('{"sft": {"epochs": 3}}')
    with pytest.raises(ConfigError, match=r"--sft\.epochs with an effect"):
        read("--config", str(tmp_path / "mine.json"))
