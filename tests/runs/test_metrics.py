"""Metrics of a run: each step of a stage stands once, although what a killed process had not saved is done again."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from small_run import CONFIG
from tiny_model import CHATS
from transformers import TrainerCallback, TrainerControl, TrainerState

from lumos_rl.prompts import COMPACT_PROFILE
from lumos_rl.runs.config import Modules
from lumos_rl.runs.folder import RunFolder
from lumos_rl.runs.learn import Learner
from lumos_rl.training.settings import SFTSettings
from lumos_rl.training.trainer import ShowProgress

SETTINGS = SFTSettings(max_steps=24, learning_rate=1e-2, batch_size=8, save_steps=16)  # 20 steps are logged, too


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def steps(folder: Path, stage: str = "sft") -> list[float]:
    return [line["step"] for line in lines(folder) if line["stage"] == stage]


def fine_tune(folder: Path, base: str) -> None:
    with RunFolder(folder, CONFIG) as run:
        Learner(run, Modules.SHARED, 0, COMPACT_PROFILE).sft("sft", Path(base), CHATS, SETTINGS)


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from test_metrics import fine_tune
from lumos_rl.training import trainer
progress = trainer.ShowProgress.on_step_end
def kill(self, args, state, control, **kwargs):
    progress(self, args, state, control, **kwargs)
    if state.global_step == 22:
        os.kill(os.getpid(), signal.SIGKILL)
trainer.ShowProgress.on_step_end = kill
fine_tune(Path(sys.argv[1]), sys.argv[2])
"""


@pytest.mark.slow
def test_steps_that_are_done_again_after_a_kill_stand_once(tiny_base: Path, tmp_path: Path) -> None:
    places = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(tiny_base), *places]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL
    assert steps(tmp_path) == [16, 20]
    before = lines(tmp_path)
    with (tmp_path / "metrics.jsonl").open("a") as file:  # another stage, and a line that was being written
        file.write('{"stage": "control", "step": 20, "loss": 1.0}\n{"stage": "sf')
    fine_tune(tmp_path, str(tiny_base))
    assert steps(tmp_path) == [16, 20, 24] and steps(tmp_path, "control") == [20]
    assert lines(tmp_path)[0] == before[0]  # of a step that the checkpoint has
    again = next(line for line in lines(tmp_path) if line["stage"] == "sft" and line["step"] == 20)
    assert again["loss"] == pytest.approx(before[1]["loss"], rel=1e-4)


def test_only_steps_of_the_stage_behind_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    with RunFolder(tmp_path, CONFIG) as run:
        for stage, step in (("sft", 20), ("sft/planner", 40), ("sft", 40), ("evaluate/sft", 0), ("sft", 60)):
            run.log(stage, step, {"loss": 0.5})
        before = (tmp_path / "metrics.jsonl").stat()
        run.rewind("sft", 60)
        run.rewind("rs-1", 0)
        assert (tmp_path / "metrics.jsonl").stat() == before  # not written where there is nothing to drop
        run.rewind("sft", 20)
        assert [(line["stage"], line["step"]) for line in lines(tmp_path)] == [
            ("sft", 20),
            ("sft/planner", 40),
            ("evaluate/sft", 0),
        ]
        run.rewind("evaluate/sft")
        run.log("evaluate/sft", 0, {"greedy": 0.75})
    assert lines(tmp_path)[2:] == [{"stage": "evaluate/sft", "step": 0, "greedy": 0.75}]


def test_a_line_that_is_none_of_ours_stays(tmp_path: Path) -> None:
    with RunFolder(tmp_path, CONFIG) as run:
        odd = 'a note\n[1]\n{"step": 3}\n{"stage": "sft", "step": "x"}\n'
        (tmp_path / "metrics.jsonl").write_text(odd + '{"stage": "sft", "step": 3}\n')
        run.rewind("sft")
    assert (tmp_path / "metrics.jsonl").read_text() == odd


def test_training_tells_where_it_begins_and_logs_no_step_twice() -> None:
    told: list[tuple[object, ...]] = []
    progress: TrainerCallback = ShowProgress(
        lambda *line: told.append(line), "sft", lambda stage, step: told.append((stage, step))
    )
    state, control = TrainerState(global_step=16, max_steps=24), TrainerControl()
    progress.on_train_begin(None, state, control)
    progress.on_log(None, replace(state, global_step=24), control, logs={"loss": 0.25})
    progress.on_log(None, replace(state, global_step=24), control, logs={"train_runtime": 3.0, "train_loss": 0.08})
    assert told == [("sft", 16), ("sft", 24, {"loss": 0.25})]
