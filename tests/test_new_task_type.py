"""docs/new_task_type.md as it stands: its module plays, and its commands take it from files to a refined model."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest

from lumos_rl import task_types
from lumos_rl.data import load_tasks
from lumos_rl.data.convert import main as convert
from lumos_rl.envs import registration

PAGE = (Path(__file__).parents[1] / "docs" / "new_task_type.md").read_text()
RECORDS = {
    "train": [{"text": "abc", "answer": "cba"}, {"text": "aab", "answer": "baa"}, {"text": "ab", "answer": "wrong"}],
    "test": [{"text": text, "answer": text[::-1]} for text in ("abcabca", "aabbcca", "cbabcab")],  # longer than learned
}


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder outside the repository that holds the page's module and some records."""
    (tmp_path / "reverse_tasks.py").write_text(block("python"))
    for name, records in RECORDS.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def plugin(folder, monkeypatch):
    """The same, with its task type known to this process, as long as the test lasts."""
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(task_types, "_added", {})
    monkeypatch.delitem(sys.modules, "reverse_tasks", raising=False)
    task_types.load_plugins(["reverse_tasks"])
    registration.register_all()
    yield folder
    gym.registry.pop("reverse/Reverse-v0", None)
    sys.modules.pop("reverse_tasks", None)


def test_its_environment_plays(plugin):
    env = gym.make("reverse/Reverse-v0")
    task = env.unwrapped.tasks[0]
    observation, info = env.reset(options={"task": task})
    assert observation == f"Turn {task.meta['text']} around."
    assert info["tools"]["Reverse"] == "Reverse(text): the text, back to front"
    told = info["system_prompt"]
    assert told.startswith("Turn a text around. The answer is the text, back to front.\n") and "\nResult: R1 = " in told
    assert env.step(f"R1 = Reverse({task.meta['text']})")[0] == f"R1 = {task.answer}"
    assert env.step("Finish()")[1] == 1.0


def test_its_files_are_read_and_annotated(plugin):
    assert [task.id for task in load_tasks("reverse", "test.jsonl")] == [f"reverse/test/{index}" for index in range(3)]
    assert (
        convert(["--plugin", "reverse_tasks", "--benchmark", "reverse", "--source", "train.jsonl", "--out", "o"]) == 0
    )
    kept = json.loads(Path("o/yield.json").read_text())
    assert (kept["read"], kept["kept"]) == (3, 2)
    assert kept["rejected"] == {"the result is not the gold answer": 1}


def run(words: list[str], **environment: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | environment)
    assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-4000:])
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_its_commands_take_it_through_every_recipe(folder):
    told = {}
    for line in block("bash").replace("\\\n", " ").splitlines():
        words = shlex.split(line)
        told[words[2]] = run([sys.executable, *words[1:]])
    summary = json.loads(Path("runs/reverse/summary.json").read_text())
    assert list(summary["benchmarks"]) == ["reverse"]
    assert summary["stages"]["rs-1"]["steps"] == 20
    played = Path("runs/reverse/trajectories.jsonl").read_text().splitlines()
    assert {json.loads(line)["benchmark"] for line in played} == {"reverse"}
    assert "reverse=test.jsonl" in told["lumos_rl.recipes.evaluate"]
    assert "0 differences" in told["lumos_rl.recipes.replay"]
    assert "pairs" in told["lumos_rl.recipes.dpo"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_installed_package_needs_no_flag(folder):
    (folder / "pyproject.toml").write_text(block("toml"))
    target = folder / "installed"
    run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), "."])
    (folder / "reverse_tasks.py").unlink()  # only the installed one is left
    path = {"PYTHONPATH": str(target)}
    words = [sys.executable, "-m", "lumos_rl.data.convert", "--benchmark", "reverse", "--source", "train.jsonl"]
    assert "kept" in run([*words, "--out", "o"], **path)
    code = "import gymnasium as gym, lumos_rl.envs; print(gym.make('reverse/Reverse-v0').reset(seed=0)[0])"
    assert run([sys.executable, "-c", code], **path).startswith("Turn ")
