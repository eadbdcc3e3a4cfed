"""An environment pickled at any time continues as the one that it was made from, on both back ends."""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl.core import Task
from lumos_rl.envs.sql.env import SqlEnv

META = {"db": "studio", "dump": "synthetic"}
TASK = Task("intercode_sql/test/0", "intercode_sql", "How many?", "SELECT COUNT(*) FROM song", meta=META)
REST = [
    "SELECT COUNT(*) FROM song",
    "SHOW TABLES",
    "SELECT * FROM mine",
    "DESCRIBE song",
    "DELETE FROM song WHERE song_id > 3",
    "SELECT title FROM song ORDER BY song_id",
    "SELECT title FROM song GROUP BY mood",
    "submit",
]


@pytest.fixture(params=["sqlite", "server"])
def backend(request: pytest.FixtureRequest) -> str:
    return "sqlite" if request.param == "sqlite" else str(request.getfixturevalue("sql_server"))


@pytest.fixture
def env(backend: str) -> Iterator[SqlEnv]:
    made = gym.make("lumos_rl/InterCodeSQL-v0", tasks=[TASK], backend=backend, max_turns=30).unwrapped
    assert isinstance(made, SqlEnv)
    yield made
    made.close()


def outcomes(env: SqlEnv, steps: list[str]) -> list[Any]:
    return [env.step(text) for text in steps]


@pytest.mark.parametrize(
    "steps",
    [
        [],
        ["SELECT title FROM song LIMIT 2"],
        ["CREATE TABLE mine (a INT, b TEXT)", "INSERT INTO mine VALUES (1, 'é'), (NULL, NULL)", "DELETE FROM song"],
        ["USE library", "SET sql_mode = ''"],
        ["R1 = Query(SELECT COUNT(*) FROM song)"],
    ],
)
def test_a_pickled_environment_continues_equally(env: SqlEnv, steps: list[str]) -> None:
    env.reset(options={"task": 0})
    outcomes(env, steps)
    other = pickle.loads(pickle.dumps(env))
    try:
        assert outcomes(other, REST) == outcomes(env, REST)
        assert other.reset() == env.reset()
        assert outcomes(other, REST[:2]) == outcomes(env, REST[:2])
    finally:
        other.close()


def test_two_copies_write_apart(env: SqlEnv) -> None:
    env.reset(options={"task": 0})
    env.step("DELETE FROM song WHERE song_id > 9")
    other = pickle.loads(pickle.dumps(env))
    try:
        other.step("DELETE FROM song")
        assert env.step("SELECT COUNT(*) FROM song")[0] == "[(9,)]"
        assert other.step("SELECT COUNT(*) FROM song")[0] == "[(0,)]"
    finally:
        other.close()


def test_a_pickled_environment_needs_no_more_than_one_image_in_a_process() -> None:
    env = gym.make("lumos_rl/InterCodeSQL-v0", tasks=[TASK]).unwrapped
    assert isinstance(env, SqlEnv)
    env.reset()
    other = pickle.loads(pickle.dumps(env))
    assert other._databases["synthetic"].image is env._databases["synthetic"].image


def test_another_process_continues_equally(env: SqlEnv, tmp_path: Path) -> None:
    env.reset(options={"task": 0})
    env.step("DELETE FROM song WHERE song_id > 9")
    (tmp_path / "env.pickle").write_bytes(pickle.dumps(env))
    code = (
        "import pickle, sys\n"
        "with open(sys.argv[1], 'rb') as file: env = pickle.load(file)\n"
        "print(env.step('SELECT COUNT(*) FROM song')[0], env.step('submit')[1]); env.close()"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "env.pickle")],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert run.stdout.split() == ["[(9,)]", "0.0"]


def test_gold_results_are_kept_within_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [
        Task(f"intercode_sql/test/{i}", "intercode_sql", "?", f"SELECT title, {i} FROM song", meta=META)
        for i in range(30)
    ]
    monkeypatch.setattr("lumos_rl.envs.sql.env.MAX_GOLDS", 20_000)
    env = gym.make("lumos_rl/InterCodeSQL-v0", tasks=tasks).unwrapped
    assert isinstance(env, SqlEnv)
    for index, task in enumerate(tasks):
        env.reset(options={"task": index})
        env.step(str(task.answer))
        assert env.step("submit")[1] == 1.0
    assert 0 < env._golds.cache_bytes() <= 20_000
