"""The recipe `compare`, as a program."""

import subprocess
import sys
from pathlib import Path

import pytest

from lumos_rl.core import StopReason, Task, to_json
from lumos_rl.errors import ConfigError, MissingFileError
from lumos_rl.recipes.compare import CompareConfig, main
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes


def run(folder, **solved):
    folder.mkdir()
    tasks = [Task(f"gsm8k/test/{number}", "gsm8k", f"Problem {number}", "1") for number in range(4)]
    lines = [
        to_json(plan.trajectory(policy, StopReason.ANSWERED, success=number < count)) + "\n"
        for policy, count in solved.items()
        for number, plan in enumerate(plan_episodes(tasks, RolloutConfig()))
    ]
    (folder / "evaluation.jsonl").write_text("".join(lines))


def test_two_policies_or_all_of_them(tmp_path):
    run(tmp_path / "a", sft=1, control=2)
    one = f"{tmp_path}/a:control"
    assert "| gsm8k | 50.0 | 25.0 | 25.0 [0.0, 75.0], not significant | 4 |" in main(
        CompareConfig((one, f"{tmp_path}/a:sft"))
    )
    assert "| sft | -25.0 [-75.0, 0.0], not significant | 25.0 |" in main(CompareConfig((f"{tmp_path}/a",)))
    with pytest.raises(MissingFileError, match="runs there are"):
        main(CompareConfig((f"{tmp_path}/b",)))
    for wrong in ((), (one,), (one, f"{tmp_path}/a"), (one, one, one)):
        with pytest.raises(ConfigError, match="expected two of RUN:POLICY, or runs alone"):
            main(CompareConfig(wrong))


def test_its_help_and_errors_are_those_of_a_program(tmp_path):
    def said(*words):
        command = [sys.executable, "-m", "lumos_rl.recipes.compare", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])

    helped = said("--help")
    assert helped.returncode == 0 and "RUN:POLICY" in helped.stdout and "--kind" in helped.stdout
    wrong = said(f"{tmp_path}/none:sft", f"{tmp_path}/none:control")
    assert wrong.returncode == 2 and "expected a run with test episodes" in wrong.stderr
    assert "Traceback" not in wrong.stderr
