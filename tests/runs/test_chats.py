import json
from dataclasses import replace
from pathlib import Path

import pytest

from lumos_rl.data.conversations import conversations
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.errors import ConfigError, DataError, MissingFileError
from lumos_rl.prompts import LUMOS_PROFILE
from lumos_rl.runs.chats import chat_rows
from lumos_rl.runs.config import DataConfig, ModelConfig, RunConfig
from lumos_rl.runs.job import Job

PROFILE = replace(LUMOS_PROFILE, planner_before="Plan this.\nTask: ", grounder_before="Ground this.\n\nTask: ")


@pytest.fixture
def config(tmp_path):
    for module in ("planner", "grounder"):
        lines = []
        for task in synthetic_tasks("gsm8k", "train", 2):
            messages = conversations(task, profile=PROFILE)
            record = {"dataset": "gsm8k", "id": task.id, "messages": {**messages}[module]}
            lines.append(json.dumps(record) + "\n")
        (tmp_path / f"{module}.jsonl").write_text("".join(lines))
    chats = ("planner=planner.jsonl", "grounder=grounder.jsonl")
    data = DataConfig(folder=str(tmp_path), chats=chats, annotated=1, explore=1)
    return RunConfig(data=data, model=ModelConfig(profile="chats"))


def test_conversations_of_files_are_learned_beside_the_tasks_own_in_their_words(config):
    assert Job(config).profile == replace(PROFILE, name="chats")
    rows = Job(config).taught_rows
    assert [row.module for row in rows] == ["planner", "grounder", "planner", "planner", "grounder", "grounder"]
    assert all(row.messages[0]["content"].startswith(("Plan this.", "Ground this.")) for row in rows)
    assert rows[2:] == chat_rows(config.data)


def test_weights_are_of_these_conversations_too_and_names_of_unknown_ones_stay(config):
    twice = replace(config, data=replace(config.data, weights=("gsm8k=2",), rename=3, annotated=0))
    assert Job(twice).taught_rows == [row for row in chat_rows(config.data) for _ in range(2)]
    folder = Path(config.data.folder)
    for module in ("planner", "grounder"):
        text = (folder / f"{module}.jsonl").read_text()
        (folder / f"prm-{module}.jsonl").write_text(text.replace('"dataset": "gsm8k"', '"dataset": "prm800k"'))
    chats = ("planner=prm-planner.jsonl", "grounder=prm-grounder.jsonl")
    other = replace(twice, data=replace(twice.data, chats=chats))
    assert Job(other).taught_rows == chat_rows(other.data)  # their numbers are calculated with, as far as is known


def test_what_names_no_conversations_is_told(config):
    with pytest.raises(ConfigError, match="'solver2=planner"):
        chat_rows(replace(config.data, chats=("solver2=planner.jsonl",)))
    with pytest.raises(MissingFileError, match=r"there\.jsonl"):
        chat_rows(replace(config.data, chats=("there.jsonl",)))
    with pytest.raises(DataError, match="'module'"):
        chat_rows(replace(config.data, chats=("planner.jsonl",)))
    with pytest.raises(ConfigError, match="none of planner"):
        _ = Job(replace(config, data=replace(config.data, chats=()))).profile
