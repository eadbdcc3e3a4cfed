import errno
import json
import logging
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field, replace
from typing import Annotated

import pytest
import torch
import tyro
from safetensors import SafetensorError

from lumos_rl.errors import ConfigError, DataError, UnknownNameError
from lumos_rl.runs.config import Engine, Modules, RunConfig
from lumos_rl.runs.launch import launch, parse
from lumos_rl.runs.presets import PRESETS
from lumos_rl.runs.refine_settings import Refine
from lumos_rl.runs.stored import settings_of

TINY = PRESETS["tiny"].config


def read(*argv):
    return parse("About.", RunConfig, argv)


@pytest.fixture(autouse=True)
def bfloat16(monkeypatch):
    """`bfloat16(False)`: this machine has no instructions for it; without a call it has."""

    def native(whether):
        monkeypatch.setattr("lumos_rl.runs.launch.bfloat16_is_native", lambda: whether)

    native(True)
    return native


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
        *(
            "--refine.dpo.train.lora-rank",
            "8",
            "--rollout.temperatures",
            "0.5",
            "1",
            "--rollout.formulation",
            "onetime",
        ),
        *("--ray.workers", "1", "--track", "wandb", "--run-dir", "x"),
    )
    assert (config.data.folder, config.data.train) == ("folder", ("mawps=a", "gsm8k=b"))
    assert config.model.modules is Modules.SEPARATE
    assert config.refine.dpo.train.lora_rank == 8 and read("--suites", "math,qa").data.suites == ("math", "qa")
    assert config.rollout.temperatures == (0.5, 1.0) and config.rollout.formulation == "onetime"
    assert (config.ray.workers, config.track, config.run_dir) == (1, ("wandb",), "x")


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


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ("--sft.lora-rank -3", "expected --sft.lora-rank to be at least 1, got -3; give None to train all weights"),
        ("--sft.learning-rate 0", "--sft.learning-rate to be above 0, got 0.0"),
        ("--sft.learning-rate nan", "got nan"),
        ("--refine.rs.train.learning-rate -1", "--refine.rs.train.learning-rate to be above 0"),
        ("--refine.dpo.train.batch-size 0", "--refine.dpo.train.batch-size to be at least 1"),
        ("--rollout.temperatures 1 -1", "each at least 0"),
        ("--evaluate.temperatures", "one value or more"),
        ("--evaluate.temperatures -1", "--evaluate.temperatures to be one value or more, each at least 0, got (-1.0,)"),
        ("--rollout.top-p 2", "--rollout.top-p to be above 0 and at most 1"),
        ("--sft.dtype float31", "did you mean 'float32'"),
        ("--sft.scheduler linaer", "did you mean 'linear'"),
        ("--model.profile lumoz", "did you mean 'lumos'"),
        ("--data.annotated -1", "--data.annotated to be at least 0, got -1; give None for all"),
        ("--data.train gsm8k", "BENCHMARK=WHERE"),
        ("--suites maths", "did you mean 'math'"),
        ("--track wandbs", "wandb, tensorboard"),
        ("--ray.workers 0", "give None to start as many as fit"),
        ("--refine.steps", "one value or more"),
        ("--seed -1", "--seed"),
        ("--model.scratch.hidden 130", "a multiple of heads"),
    ],
)
def test_every_value_is_checked_before_anything_is_done(argv, says):
    with pytest.raises(ConfigError, match=re.escape(says)):
        read(*argv.split())


def shown(capsys, *argv):
    with pytest.raises(SystemExit) as end:
        read(*argv)
    assert end.value.code == 0
    return capsys.readouterr().out


def test_help_has_what_matters_on_a_page(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    text = shown(capsys, "svamp", "--help")
    assert "About." in text and "Peak learning rate [0.0018]" in text and "[12000]" in text
    assert all(preset.about.split(";")[0] in " ".join(text.split()) for preset in PRESETS.values())
    assert len(text.splitlines()) < 80 and max(map(len, text.splitlines())) <= 100
    assert 25 <= len(re.findall(r"^  --", text, re.MULTILINE)) <= 42


def test_all_help_has_every_setting(capsys):
    text = shown(capsys, "--help-all")
    assert all("--" + name.replace("_", "-") in text for name in settings_of(RunConfig()) if "bool" not in name)


def test_a_reader_of_help_may_stop_early():
    command = f"{sys.executable} -m lumos_rl.recipes.sft --help | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: python -m lumos_rl.recipes.sft") and done.stderr == ""


def test_a_file_changes_the_preset_and_flags_change_the_file(tmp_path):
    changes = tmp_path / "mine.yaml"
    changes.write_text("sft: {learning_rate: 1e-4, max_steps: 7}\nrefine.steps: dpo\n")
    config = read("svamp", "--config", str(changes), "--sft.max-steps", "8")
    svamp = PRESETS["svamp"].config
    assert config.sft == replace(svamp.sft, learning_rate=1e-4, max_steps=8)
    assert config.refine.steps == (Refine.DPO,) and config.data == svamp.data


@dataclass(frozen=True)
class Narrow:
    run: Annotated[RunConfig, tyro.conf.arg(name="")] = field(default_factory=RunConfig)
    policy: str = "sft"


def test_a_recipe_with_settings_of_its_own_keeps_the_flags_of_the_run():
    config = parse("About.", Narrow, ["tiny", "--policy", "rs-1", "--seed", "2", "--sft.max-steps", "7"])
    assert (config.policy, config.run.seed, config.run.sft.max_steps) == ("rs-1", 2, 7)
    assert config.run.run_dir == "runs/tiny-2" and config.run.model == TINY.model


def test_a_run_folder_brings_its_settings_with_it(tmp_path):
    config = read("--seed", "5", "--sft.max-steps", "9", "--run-dir", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(settings_of(config)))
    for argv in (["--run-dir", str(tmp_path)], [f"--run-dir={tmp_path}"]):
        again = read(*argv)
        assert settings_of(again) == settings_of(config) and again.run_dir == str(tmp_path)
    assert read("--run-dir", str(tmp_path), "--sft.max-steps", "10").sft.max_steps == 10  # the folder will refuse it
    assert read("tiny", "--run-dir", str(tmp_path)).sft.max_steps == TINY.sft.max_steps


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


@pytest.mark.parametrize(
    ("number", "name", "status"), [(signal.SIGINT, "Ctrl-C", 130), (signal.SIGTERM, "SIGTERM", 143)]
)
def test_a_signal_ends_a_run_with_its_own_status_and_says_how_to_continue(
    program, capsys, tmp_path, heeds_ctrl_c, number, name, status
):
    words = ["--run-dir", str(tmp_path / "my run"), "--seed", "1"]
    with pytest.raises(SystemExit) as end:
        program(lambda job, run, config: os.kill(os.getpid(), number), *words)
    assert end.value.code == status
    assert capsys.readouterr().err == f"\nstopped by {name}; run the same command again to continue\n"
    program(lambda job, run, config: None, *words)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "runs/a"), "expected room for runs/a, got No space left"),
        (
            OSError(errno.EIO, "Input/output error", "runs/a"),
            "expected to read and write runs/a, got Input/output error",
        ),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "expected room for the files of "),
        (RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed"), "expected room for the"),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
            "a smaller --sft.batch-size with as many",
        ),
        (MemoryError(), "--sft.gradient-checkpointing"),
    ],
)
def test_a_full_disk_and_too_little_memory_are_one_line_with_a_cure(program, capsys, error, says):
    def broken(job, run, config):
        raise error

    with pytest.raises(SystemExit) as end:
        program(broken)
    said = capsys.readouterr().err
    assert end.value.code == 2 and said.startswith("error: expected ") and says in said
    assert said.count("\n") == 1 and "run the same command again: what was finished is kept" in said


def test_any_other_error_keeps_its_traceback_without_passwords(program, capsys, monkeypatch):
    monkeypatch.setattr("sys.excepthook", sys.excepthook)

    def broken(job, run, config):
        raise ZeroDivisionError("at mysql://root:hunter2@db")

    with pytest.raises(ZeroDivisionError) as caught:
        program(broken)
    sys.excepthook(caught.type, caught.value, caught.tb)
    said = capsys.readouterr().err
    assert "Traceback" in said and "at mysql://root:***@db" in said and "hunter2" not in said


def test_a_dry_run_shows_no_password(program, capsys):
    sizes = ["--data.annotated", "6", "--data.resample", "0", "--data.explore", "5", "--data.test-tasks", "4"]
    backend = "intercode_sql.backend=mysql://root:hunter2@127.0.0.1:1"
    program(lambda job, run, config: None, *sizes, "--data.env", backend, "--dry-run")
    printed = capsys.readouterr()
    assert printed.out.count("mysql://root:***@127.0.0.1:1") == 2  # a check, and a setting
    assert "hunter2" not in printed.out + printed.err


RATES = ("--sft.learning-rate", "--refine.rs.train.learning-rate", "--refine.dpo.train.learning-rate")


def test_settings_for_a_model_from_scratch_are_refused_with_a_pretrained_one(tiny_base, tmp_path):
    words = ("--model.base", str(tiny_base))
    with pytest.raises(ConfigError) as caught:
        read("tiny", *words)
    said = str(caught.value)
    assert "--sft.learning-rate 0.0018" in said and "all weights in float32" in said and "at most 256 tokens" in said
    assert f"pretrained --model.base {tiny_base}" in said
    with pytest.raises(ConfigError, match=r"scratch: --refine\.rs\.train\.learning-rate 0\.001, --refine\.dpo"):
        read("tiny", *words, "--sft.learning-rate", "2e-5")
    (tmp_path / "base.json").write_text(json.dumps({"model.base": str(tiny_base)}))
    with pytest.raises(ConfigError, match="for the pretrained model"):
        read("tiny", "--config", str(tmp_path / "base.json"))
    given = [word for flag in RATES for word in (flag, "2e-5")]
    assert read("tiny", *words, *given).sft.learning_rate == 2e-5
    assert read("defaults", *words).model.base == str(tiny_base)
    assert read("qwen3-4b", *words).model.base == str(tiny_base)
    assert read("svamp").model.base == "scratch"
    with pytest.raises(ConfigError, match=r"those of 'smollm2', got --model\.base scratch; begin with another preset"):
        read("pretrained", "--model.base", "scratch")


def test_a_pretrained_model_without_a_preset_gets_the_preset_pretrained(tiny_base, tmp_path):
    preset = PRESETS["pretrained"].config
    config = read("--model.base", str(tiny_base), "--seed", "2")
    model = replace(preset.model, base=str(tiny_base), engine=Engine.HF)  # vLLM has no attention for heads of 16
    assert config == replace(preset, seed=2, model=model, run_dir="runs/pretrained-2")
    assert config.sft.lora_rank == 64 and config.sft.dtype == config.model.dtype == "bfloat16"
    (tmp_path / "base.json").write_text(json.dumps({"model": {"base": "smollm2"}, "data": {"train": ["svamp=x"]}}))
    config = read("--config", str(tmp_path / "base.json"))
    assert (config.model.base, config.run_dir, config.sft) == ("smollm2", "runs/pretrained-0", preset.sft)
    assert config.data.annotated is None and config.data.train == ("svamp=x",)
    assert read("--model.base", "scratch").run_dir == "runs/tiny-0"
    with pytest.raises(ConfigError, match=r"scratch\.context with an effect, got it with --model\.base smollm2"):
        read("--model.base", "smollm2", "--model.scratch.context", "64")
    with pytest.raises(ConfigError, match=r"got 'smolm2'; did you mean 'smollm2'"):
        read("--model.base", "smolm2")


def test_a_preset_computes_in_bfloat16_only_where_the_machine_can(bfloat16):
    bfloat16(False)
    config = read("--model.base", "smollm2")
    assert config.sft.dtype == config.model.dtype == "float32" and config.sft.lora_rank == 64
    assert read("pretrained", "--sft.dtype", "bfloat16").sft.dtype == "bfloat16"  # as the user says
    assert read("tiny") == replace(TINY, run_dir="runs/tiny-0")


def test_a_pretrained_model_learns_all_of_a_users_file_and_some_of_a_suite_that_has_no_end(tmp_path):
    def sizes(*words):
        data = read("pretrained", *words).data
        return data.annotated, data.explore, data.test_tasks

    assert sizes() == sizes("--data.train", "svamp=synthetic") == (300, 600, 300)
    assert sizes("--data.train", "mawps=mawps", "--data.test", "svamp=svamp") == (None, None, None)
    assert sizes("--data.train", "mawps=mawps", "--data.annotated", "50") == (50, None, None)


def test_a_dry_run_says_what_would_be_done_and_does_nothing(program, capsys, tmp_path):
    sizes = ["--data.annotated", "6", "--data.resample", "2", "--data.explore", "5", "--data.test-tasks", "4"]
    program(lambda config, run: pytest.fail("it ran"), *sizes, "--dry-run")
    checks, _, rest = capsys.readouterr().out.partition("Stages\n")
    stages, _, settings = rest.partition("Settings other than the defaults\n")
    assert (
        "6 annotated (0 rejected), 5 to explore, none of them annotated; with copies, SFT learns about 32" in checks
    )  # one task has no copies
    assert "8 from gsm8k=synthetic" in checks and "torch 2." in checks
    names = [line.split(":")[0].strip() for line in stages.splitlines()]
    kinds = [f"{kind}-{number}" for number, kind in enumerate(TINY.refine.steps, 1)]
    steps = [name for kind in kinds for name in (f"collect-for-{kind}", kind)]
    assert names == ["base", "sft", *steps, "control", "tests"]
    assert re.search(r"sft: 4000 steps, modules shared; [\d.]+M tokens, 0\.03 GiB, about \d+ (s|min)", stages)
    assert "  data.annotated = 6" in settings and "data.lower_case" not in settings
    assert not list(tmp_path.iterdir())


def test_a_dry_run_names_every_check_that_failed(program, capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    bad = [
        "defaults",
        "--data.train",
        "gsm8k=no.jsonl",
        "--model.base",
        "empty",
        "--model.profile",
        "no/profile",
        "--dry-run",
    ]
    with pytest.raises(SystemExit) as end:
        program(lambda job, run, config: None, *bad)
    assert end.value.code == 2
    printed = capsys.readouterr()
    assert "3 checks failed: training tasks: " in printed.err and "no.jsonl" in printed.err
    assert (
        "prompts: unknown prompt profile 'no/profile'" in printed.err and "adapter_config.json in empty" in printed.err
    )
    assert printed.out.count("FAILED") == 3 and "ok      test tasks: 300" in printed.out


def test_a_dry_run_knows_whether_there_is_a_model(program, capsys, tiny_base):
    for base, code in ((str(tiny_base), None), ("nobody/nothing", 2)):
        argv = ["defaults", "--model.base", base, "--data.annotated", "1", "--data.explore", "1", "--dry-run"]
        argv += ["--model.profile", "compact", "--data.test-tasks", "1"]  # whose prompt fits
        if code is None:
            program(lambda job, run, config: None, *argv)
            continue
        with pytest.raises(SystemExit):
            program(lambda job, run, config: None, *argv)
        assert "base model: expected a model or adapter folder" in capsys.readouterr().err
