import json
from pathlib import Path

import gymnasium as gym
import pytest

import lumos_rl.envs  # noqa: F401
from lumos_rl import task_types
from lumos_rl.data.chats import read_chats
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.data.unified import BEGIN, END, Settings, built_in_suites, main, write

DATA = Path(__file__).parents[2] / "data"


def test_the_set_in_the_repository_is_what_the_command_writes(tmp_path):
    (tmp_path / "README.md").write_text(f"# A card\n{BEGIN}\nold\n{END}\nmore\n")
    table = write(Settings(tmp_path))
    for name in ("train.jsonl", "dev.jsonl"):
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), "run python -m lumos_rl.data.unified"
    assert (tmp_path / "README.md").read_text() == f"# A card\n{BEGIN}\n\n{table}\n\n{END}\nmore\n"
    assert table in (DATA / "README.md").read_text()


def test_every_record_has_what_the_card_says():
    tasks = {}
    for split in ("train", "dev"):
        lines = [json.loads(line) for line in (DATA / f"{split}.jsonl").read_text().splitlines()]
        assert {line["dataset"] for line in lines} == set(built_in_suites())
        assert all(line["split"] == split and line["license"] == "Apache-2.0" and line["source"] for line in lines)
        modules = {}
        for line in lines:
            modules.setdefault(line["id"], []).append(line["module"])
        assert set(map(tuple, modules.values())) == {("planner", "grounder")}
        tasks[split] = set(modules)
        assert len(read_chats(DATA / f"{split}.jsonl")) == len(lines)
    assert not tasks["train"] & tasks["dev"]


@pytest.mark.parametrize("suite", built_in_suites())
def test_every_plan_of_the_set_earns_the_full_reward(suite):
    grounders = {
        row.id: row
        for split in ("train", "dev")
        for row in read_chats(DATA / f"{split}.jsonl")
        if row.module == "grounder"
    }
    env = gym.make(task_types.get(suite).env_id, limit=1)
    for task in synthetic_tasks(suite, "train", 40) + synthetic_tasks(suite, "dev", 10):
        _, info = env.reset(options={"task": task})
        total, ended, best = 0.0, False, info.get("best_reward", 1.0)
        for message in grounders[task.id].messages[1::2]:
            _, reward, ended, _, info = env.step(message["content"])
            assert info["error"] is None, (task.id, message, info["error"])
            total += reward
        if not ended:
            total += env.step("Finish()")[1]
        assert total == pytest.approx(best), task.id
    env.close()


def test_datasets_loads_it():
    datasets = pytest.importorskip("datasets")
    found = datasets.load_dataset("json", data_files={"train": str(DATA / "train.jsonl")})["train"]
    assert found.num_rows == 2 * 40 * len(built_in_suites())
    assert found[0]["messages"][0]["role"] == "user"


def test_a_folder_that_cannot_be_written_is_told(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["--out", str(tmp_path / "file")]) == 2
    assert "error:" in capsys.readouterr().err
    assert main(["--out", str(tmp_path / "new"), "--profile", "loud"]) == 2
    assert "compact" in capsys.readouterr().err
