import json
import logging
import os
import re
import shlex
import signal
from dataclasses import dataclass, field, replace
from typing import Annotated

import pytest
import tyro

from lumos_rl.errors import DataError, UnknownNameError
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.runs.config import UNSTORED, Modules, Refine, RunConfig
from lumos_rl.runs.folder import settings_of
from lumos_rl.runs.launch import config_from_json, launch, parse
from lumos_rl.runs.presets import PRESETS

TINY = PRESETS["tiny"].config


def read(*argv):
    return parse("About.", RunConfig, argv)


@pytest.fixture
def program(monkeypatch, tmp_path):
    """`program(main, "--seed", "1")` starts a recipe with this command line, in an empty folder."""
    before = signal.getsignal(signal.SIGTERM)
    level = logging.getLogger("lumos_rl").level
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")

    def start(main, *argv):
        monkeypatch.setattr("sys.argv", ["recipe", *argv])
        launch("About.", RunConfig, main)

    yield start
    signal.signal(signal.SIGTERM, before)
    logging.getLogger("lumos_rl").setLevel(level)


def test_without_words_the_preset_tiny_is_taken():
    assert read() == replace(TINY, run_dir="runs/tiny-0")


@pytest.mark.parametrize("name", PRESETS)
def test_the_first_word_names_a_preset_and_flags_change_it(name):
    config = read(name, "--seed", "3", "--sft.learning-rate", "0.5", "--refine.steps", "dpo")
    preset = PRESETS[name].config
    assert config.run_dir == f"runs/{name}-3"
    assert config.refine.steps == (Refine.DPO,)
    assert config.sft == replace(preset.sft, learning_rate=0.5)
    assert config.data == preset.data


def test_flags_reach_every_depth():
    config = read(
        *("--data", "folder", "--data.train", "mawps=a", "gsm8k=b", "--model.modules", "separate"),
        *("--refine.rs.train.lora.rank", "8", "--rollout.temperatures", "0.5", "1", "--rollout.formulation", "onetime"),
        *("--ray.workers", "1", "--track.wandb", "--run-dir", "x"),
    )
    assert (config.data.folder, config.data.train) == ("folder", ("mawps=a", "gsm8k=b"))
    assert config.model.modules is Modules.SEPARATE
    assert config.refine.rs.train.lora.rank == 8
    assert config.rollout.temperatures == (0.5, 1.0) and config.rollout.formulation == "onetime"
    assert (config.ray.workers, config.track.wandb, config.run_dir) == (1, True, "x")


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match=r"unknown preset 'tini'; did you mean 'tiny'\? Known: .*tiny"):
        read("tini")


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("--sft.learning-rat", "1"), "--sft.learning-rate"),
        (("--seed", "one"), "one"),
        (("--model.modules", "both"), "shared"),
    ],
)
def test_a_wrong_flag_ends_the_program_and_says_why(capsys, argv, says):
    with pytest.raises(SystemExit) as end:
        read(*argv)
    assert end.value.code == 2
    assert says in capsys.readouterr().err


def test_help_explains_flags_and_lists_presets(capsys):
    with pytest.raises(SystemExit) as end:
        read("--help")
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert "About." in text and "--sft.learning-rate" in text and "Peak learning rate" in text
    assert all(preset.about.split(";")[0] in " ".join(text.split()) for preset in PRESETS.values())


@dataclass(frozen=True)
class Narrow:
    run: Annotated[RunConfig, tyro.conf.arg(name="")] = field(default_factory=RunConfig)
    policy: str = "sft"


def test_a_recipe_with_settings_of_its_own_keeps_the_flags_of_the_run():
    config = parse("About.", Narrow, ["tiny", "--policy", "rs-1", "--seed", "2", "--sft.max-steps", "7"])
    assert (config.policy, config.run.seed, config.run.sft.max_steps) == ("rs-1", 2, 7)
    assert config.run.run_dir == "runs/tiny-2" and config.run.model == TINY.model


@pytest.mark.parametrize("name", PRESETS)
def test_settings_survive_their_file(name):
    config = PRESETS[name].config
    flat = json.loads(json.dumps(settings_of(config)))
    untouched = {field: getattr(RunConfig(), field) for field in UNSTORED}
    again = config_from_json(RunConfig, flat)
    assert replace(again, **untouched) == replace(config, **untouched)
    assert settings_of(again) == settings_of(config)
    assert type(again.refine.steps[0]) is Refine and type(again.model.modules) is Modules
    assert again.rollout.temperatures == config.rollout.temperatures


def test_settings_that_a_file_lacks_keep_their_defaults():
    again = config_from_json(RunConfig, {"seed": 4, "rollout.samples": 9})
    assert again == replace(RunConfig(), seed=4, rollout=RolloutConfig(samples=9))


def test_a_run_folder_brings_its_settings_with_it(tmp_path):
    config = read("--seed", "5", "--sft.max-steps", "9", "--run-dir", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(settings_of(config)))
    for argv in (["--run-dir", str(tmp_path)], [f"--run-dir={tmp_path}"]):
        again = read(*argv)
        assert settings_of(again) == settings_of(config) and again.run_dir == str(tmp_path)
    assert read("--run-dir", str(tmp_path), "--sft.max-steps", "10").sft.max_steps == 10  # the folder will refuse it
    assert read("tiny", "--run-dir", str(tmp_path)).sft.max_steps == TINY.sft.max_steps


def test_a_folder_with_broken_settings_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(DataError, match=r"config\.json.*choose another --run-dir"):
        read("--run-dir", str(tmp_path))


def test_a_recipe_gets_its_settings_and_its_folder(program, tmp_path):
    seen = []
    program(lambda job, run, config: seen.append((job, run, config)), "--seed", "1")
    ((job, run, config),) = seen
    assert config == replace(TINY, seed=1, run_dir="runs/tiny-1")
    assert run.path == tmp_path / "runs" / "tiny-1" and run.config == config and job.config == config
    assert json.loads((run.path / "config.json").read_text())["seed"] == 1


def test_an_error_of_ours_is_one_line_and_status_2(program, capsys):
    def broken(job, run, config):
        raise DataError("expected 1, got 2 (tasks.jsonl:3)")

    with pytest.raises(SystemExit) as end:
        program(broken)
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: expected 1, got 2 (tasks.jsonl:3)\n"
    with pytest.raises(SystemExit) as end:
        program(broken, "nothing")
    assert end.value.code == 2 and "unknown preset 'nothing'" in capsys.readouterr().err


@pytest.fixture
def heeds_ctrl_c():
    """A shell starts its background jobs deaf to Ctrl-C, and the tests may be one."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_with_the_command_to_go_on_with(program, capsys, tmp_path, heeds_ctrl_c, number):
    folder = tmp_path / "my run"
    with pytest.raises(SystemExit) as end:
        program(lambda job, run, config: os.kill(os.getpid(), number), "--run-dir", str(folder), "--seed", "1")
    assert end.value.code == 130
    said = capsys.readouterr().err
    assert "everything that was finished is kept" in said
    (command,) = re.findall(r"Go on with: python .*? (--.*)", said)
    assert shlex.split(command) == ["--run-dir", str(folder), "--seed", "1", "--resume"]
    program(lambda job, run, config: None, *shlex.split(command))


def test_a_dry_run_says_what_would_be_done_and_does_nothing(program, capsys, tmp_path):
    sizes = ["--data.annotated", "6", "--data.resample", "0", "--data.explore", "5", "--data.test-tasks", "4"]
    program(lambda job, run, config: pytest.fail("it ran"), *sizes, "--dry-run")
    said = capsys.readouterr().out
    assert "sft.max_steps = " in said and "6 annotated (0 rejected), 5 to explore" in said
    assert "4 from gsm8k=synthetic" in said and "torch 2." in said
    stages = [line.split(":")[0].strip() for line in said.partition("Stages\n")[2].splitlines()]
    kinds = [f"{kind}-{number}" for number, kind in enumerate(TINY.refine.steps, 1)]
    collected = [f"collect-for-{policy}" for policy in kinds]
    assert stages == ["base", "sft", *(each for pair in zip(collected, kinds, strict=True) for each in pair), "control"]
    assert not list(tmp_path.iterdir())


def test_a_dry_run_names_every_check_that_failed(program, capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    bad = ["--data.train", "gsm8k=no.jsonl", "--model.base", "empty", "--model.profile", "lumoz", "--dry-run"]
    with pytest.raises(SystemExit) as end:
        program(lambda job, run, config: None, *bad)
    assert end.value.code == 2
    printed = capsys.readouterr()
    assert "3 checks failed: training tasks: " in printed.err and "no.jsonl" in printed.err
    assert "prompts: unknown prompt profile 'lumoz'" in printed.err and "adapter_config.json in empty" in printed.err
    assert printed.out.count("FAILED") == 3 and "ok      test tasks: 300" in printed.out


def test_a_dry_run_knows_whether_there_is_a_model(program, capsys, tiny_base):
    for base, code in ((str(tiny_base), None), ("nobody/nothing", 2)):
        argv = ["--model.base", base, "--data.annotated", "1", "--data.explore", "1", "--dry-run"]
        if code is None:
            program(lambda job, run, config: None, *argv)
            continue
        with pytest.raises(SystemExit):
            program(lambda job, run, config: None, *argv)
        assert "base model: expected a model or adapter folder" in capsys.readouterr().err
