import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import FLIP, pair

from lumos_rl.core import Module, PreferencePair, StopReason, Trajectory
from lumos_rl.errors import ConfigError, DataError, MissingFileError
from lumos_rl.policies.layout import combine
from lumos_rl.rollout.plans import EpisodePlan, RolloutConfig, plan_episodes
from lumos_rl.rollout.ray_config import RayConfig
from lumos_rl.runs.config import EvaluateSettings, RunConfig
from lumos_rl.runs.folder import PAIRS, TRAJECTORIES, RunFolder, require_checkpoint
from lumos_rl.training.settings import SFTSettings

CONFIG = RunConfig()


def plan(number=0) -> EpisodePlan:
    from lumos_rl.core import Task

    return plan_episodes([Task(f"gsm8k/train/{number}", "gsm8k", "Wie groß — π?", "1")], RolloutConfig())[0]


def trajectory(number=0, **values) -> Trajectory:
    return plan(number).trajectory("sft", StopReason.ANSWERED, **values)


def test_what_is_added_is_read_back(tmp_path):
    run = RunFolder(tmp_path, CONFIG)
    for number in range(3):
        run.add(TRAJECTORIES, trajectory(number, answer="π\u2028\n☃"))
    assert list(run.read(Trajectory, TRAJECTORIES)) == [trajectory(number, answer="π\u2028\n☃") for number in range(3)]
    assert list(run.read(PreferencePair, PAIRS)) == []


@pytest.mark.parametrize("cut", [1, 20, None])
def test_a_line_that_was_cut_off_is_dropped_and_all_else_kept(tmp_path, caplog, cut):
    run = RunFolder(tmp_path, CONFIG)
    for number in range(3):
        run.add(TRAJECTORIES, trajectory(number))
    path = tmp_path / TRAJECTORIES
    whole = path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    path.write_bytes(whole[: len(whole) - len(last) + (cut or len(last) - 1)])  # None: all but the newline
    with caplog.at_level(logging.WARNING):
        again = RunFolder(tmp_path, CONFIG)
    assert "cut off" in caplog.text
    again.add(TRAJECTORIES, trajectory(7))
    assert [each.task_id[-1] for each in again.read(Trajectory, TRAJECTORIES)] == ["0", "1", "7"]


def test_a_spoiled_line_in_the_middle_is_named(tmp_path):
    run = RunFolder(tmp_path, CONFIG)
    run.add(TRAJECTORIES, trajectory())
    with (tmp_path / TRAJECTORIES).open("a") as file:
        file.write('{"id": 3}\n')
    with pytest.raises(DataError, match=r"trajectories\.jsonl:2"):
        list(run.read(Trajectory, TRAJECTORIES))


def test_other_settings_are_refused_and_named(tmp_path):
    RunFolder(tmp_path, CONFIG).stage("base", dict)
    other = replace(CONFIG, seed=4, sft=SFTSettings(max_steps=7))
    with pytest.raises(
        ConfigError, match=r"seed: 0 there, 4 now; sft\.max_steps: None there, 7 now.*another --run-dir"
    ):
        RunFolder(tmp_path, other)
    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 0


def test_where_a_run_computes_and_reports_may_change(tmp_path):
    RunFolder(tmp_path, CONFIG)
    RunFolder(tmp_path, replace(CONFIG, ray=RayConfig(workers=7), run_dir="elsewhere", resume=True, preview=3))
    assert json.loads((tmp_path / "config.json").read_text())["ray.workers"] == 7


def test_a_control_and_other_tests_beside_the_main_line_may_be_added_to_a_run(tmp_path):
    without = replace(
        CONFIG, refine=replace(CONFIG.refine, control=False, swap=False), evaluate=EvaluateSettings(base=False)
    )
    with RunFolder(tmp_path, without) as run:
        run.stage("sft", dict)
    more = replace(without, refine=replace(CONFIG.refine, control=True, swap=True), evaluate=EvaluateSettings())
    with RunFolder(tmp_path, more):
        stored = json.loads((tmp_path / "config.json").read_text())
    assert [stored[name] for name in ("refine.control", "refine.swap", "evaluate.base")] == [True, True, True]
    with pytest.raises(ConfigError, match=r"refine\.iterations: 1 there, 2 now"):
        RunFolder(tmp_path, replace(more, refine=replace(more.refine, iterations=2)))


def test_nothing_to_go_on_with_is_an_error(tmp_path):
    with pytest.raises(MissingFileError, match=r"config\.json\): not there; drop --resume"):
        RunFolder(tmp_path / "new", replace(CONFIG, resume=True))
    assert not (tmp_path / "new").exists()


def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"expected a folder that can be written.*another --run-dir"):
        RunFolder(tmp_path / "file" / "run", CONFIG)
    if os.geteuid():  # the superuser may write anywhere
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(ConfigError, match="expected a folder that can be written"):
            RunFolder(tmp_path / "locked" / "run", CONFIG)


def test_a_full_disk_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("lumos_rl.runs.folder.MIN_FREE_BYTES", 1 << 60)
    with pytest.raises(ConfigError, match=r"MB free at .*free some, or choose another --run-dir"):
        RunFolder(tmp_path, CONFIG)


def test_a_stage_runs_once(tmp_path):
    run, calls = RunFolder(tmp_path, CONFIG), []

    def work():
        calls.append(1)
        return {"loss": 0.5}

    assert run.stage("sft", work) == {"loss": 0.5}
    assert RunFolder(tmp_path, CONFIG).stage("sft", work) == {"loss": 0.5}
    assert calls == [1]


def test_a_stage_that_broke_runs_again(tmp_path):
    run = RunFolder(tmp_path, CONFIG)
    with pytest.raises(ZeroDivisionError):
        run.stage("sft", lambda: {"loss": 1 / 0})
    assert run.stage("sft", lambda: {"loss": 2}) == {"loss": 2}


def test_the_pairs_of_a_stage_replace_its_older_ones_only(tmp_path):
    run = RunFolder(tmp_path, CONFIG)
    a, b, c = (
        replace(pair(FLIP, "Heads.", side), id=name) for side, name in (("x", "a:1"), ("y", "b:1"), ("z", "a:2"))
    )
    run.replace_pairs("a", [a])
    run.replace_pairs("b", [b])
    run.replace_pairs("a", [c])
    assert [each.id for each in run.read(PreferencePair, PAIRS)] == ["b:1", "a:2"]


def test_metrics_are_lines_with_stage_and_step(tmp_path):
    run = RunFolder(tmp_path, CONFIG)
    run.log("sft", 20, {"loss": 1.5})
    run.log("evaluate/sft", 0, {"greedy": 0.25})
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines == [{"stage": "sft", "step": 20, "loss": 1.5}, {"stage": "evaluate/sft", "step": 0, "greedy": 0.25}]


def test_a_checkpoint_is_required_where_one_is_used(tmp_path):
    (tmp_path / "sft").mkdir()
    with pytest.raises(MissingFileError, match="run the stage that trains it first"):
        require_checkpoint(tmp_path / "sft")
    (tmp_path / "sft" / "model.safetensors").write_text("")
    assert require_checkpoint(tmp_path / "sft") == tmp_path / "sft"
    mixed = tmp_path / "sft+rs-1"
    combine(mixed, {Module.PLANNER: tmp_path / "sft", Module.GROUNDER: tmp_path / "sft"})
    assert require_checkpoint(mixed) == mixed


def test_metrics_reach_tensorboard(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with RunFolder(tmp_path, replace(CONFIG, track=("tensorboard",))) as run:
        run.log("sft", 20, {"loss": 1.5})
        run.log("sft", 40, {"loss": 0.5})
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(each.step, each.value) for each in events.Scalars("sft/loss")] == [(20, 1.5), (40, 0.5)]


def test_metrics_reach_weights_and_biases_on_disk(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with RunFolder(tmp_path, replace(CONFIG, track=("wandb",))) as run:
        run.log("sft", 20, {"loss": 1.5})
        assert wandb.run.summary["sft/loss"] == 1.5
        assert wandb.run.config["sft.max_steps"] is None
    wandb.finish()
    (kept,) = Path(tmp_path).glob("wandb/offline-run-*/run-*.wandb")
    assert kept.stat().st_size > 0
    assert kept.stem == f"run-{(tmp_path / 'wandb-id').read_text()}"


def test_a_folder_is_refused_while_another_process_is_at_work_in_it(tmp_path):
    work = "import sys; from pathlib import Path; from lumos_rl.runs.config import RunConfig;"
    work += "from lumos_rl.runs.folder import RunFolder; run = RunFolder(Path(sys.argv[1]), RunConfig());"
    work += "print('open', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", work, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(ConfigError, match="another one is at work"):
            RunFolder(tmp_path, CONFIG)
    finally:
        other.kill()
        other.communicate()
    with RunFolder(tmp_path, CONFIG) as run:
        run.add(TRAJECTORIES, trajectory())


def test_a_run_that_was_begun_before_there_was_a_setting_is_gone_on_with(tmp_path):
    with RunFolder(tmp_path / "run", RunConfig()) as run:
        run.stage("base", dict)
    path = tmp_path / "run" / "config.json"
    stored = json.loads(path.read_text())
    del stored["data.env"]
    path.write_text(json.dumps(stored))
    with RunFolder(tmp_path / "run", RunConfig()):
        assert json.loads(path.read_text())["data.env"] == []
    with pytest.raises(ConfigError, match="seed: 0 there, 1 now"):
        RunFolder(tmp_path / "run", RunConfig(seed=1))


def test_settings_that_nothing_was_made_with_can_be_mended(tmp_path):
    for seed in (0, 1):
        with RunFolder(tmp_path / "run", RunConfig(seed=seed)) as run:
            assert json.loads((tmp_path / "run" / "config.json").read_text())["seed"] == seed
    run.log("sft", 1, {"loss": 1.0})  # training has begun
    with pytest.raises(ConfigError, match="seed: 1 there, 0 now"):
        RunFolder(tmp_path / "run", RunConfig(seed=0))
