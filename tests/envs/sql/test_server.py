"""The contract of every environment once more, on a real server; many environments at once; a server that restarts."""

import threading
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import test_contract as contract
from sql_server import private_server

from lumos_rl.core import Task
from lumos_rl.envs.sql.env import SqlEnv
from lumos_rl.envs.sql.tools.accounts import admin, settings
from lumos_rl.errors import InfrastructureError
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes

[CASE] = [case for case in contract.CASES if case.id == "lumos_rl/InterCodeSQL-v0"]


@pytest.fixture
def case(sql_server: str) -> contract.Case:
    return contract.replace(CASE, settings={"backend": sql_server})


# Each runs here with the fixture above; those that start the environment by its id alone have nothing new to say.
for _name, _test in vars(contract).copy().items():
    if _name.startswith("test_") and "same_seed" not in _name and "every_registered_id" not in _name:
        globals()[_name] = _test

META = {"db": "studio", "dump": "synthetic"}
TASK = Task("intercode_sql/test/0", "intercode_sql", "How many?", "SELECT COUNT(*) FROM band", meta=META)


def make(address: str) -> gym.Env[str, str]:
    return gym.make("lumos_rl/InterCodeSQL-v0", tasks=[TASK], backend=address)


def test_a_server_with_anonymous_accounts_takes_ours(sql_server: str) -> None:
    at = settings(sql_server)
    with admin(at) as cursor:
        cursor.execute("SELECT USER()")
        anonymous = f"''@'{str(cursor.fetchone()[0]).rpartition('@')[2]}'"  # taken before a named account of any host
        cursor.execute(f"CREATE USER {anonymous} IDENTIFIED BY 'other'")
        try:
            env = make(sql_server)
            env.reset(options={"task": 0})
            assert env.step("SELECT COUNT(*) FROM band")[0] == "[(12,)]"
            assert env.step("DELETE FROM band WHERE band_id = 1")[0] == "None"
            assert env.step("SELECT COUNT(*) FROM band")[0] == "[(11,)]"
            own = f"{env.unwrapped._databases['synthetic']._name}%"  # type: ignore[attr-defined]
            env.close()
            cursor.execute("SELECT COUNT(*) FROM mysql.user WHERE user LIKE %s", (own,))
            assert cursor.fetchone() == (0,)
        finally:
            cursor.execute(f"DROP USER {anonymous}")


@pytest.mark.slow
def test_64_environments_share_a_server(sql_server: str) -> None:
    outcomes: list[tuple[float, str]] = []

    def play(number: int) -> None:
        env = make(sql_server)
        for episode in range(3):
            env.reset(options={"task": 0})
            if (number + episode) % 4 == 0:
                env.step(f"DELETE FROM song WHERE song_id > {number}")
                env.step("DROP TABLE song")
            count = env.step("SELECT COUNT(*) FROM band")[0]
            outcomes.append((float(env.step("submit")[1]), count))
        env.close()

    threads = [threading.Thread(target=play, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [(1.0, "[(12,)]")] * (64 * 3)


@pytest.mark.slow
def test_an_episode_goes_on_when_the_server_restarts(tmp_path: Path) -> None:
    server = private_server(tmp_path)
    reading, writing = make(server.address), make(server.address)
    try:
        for env in (reading, writing):
            env.reset(options={"task": 0})
        assert reading.step("SELECT COUNT(*) FROM song")[0] == "[(43,)]"
        assert writing.step("DELETE FROM song WHERE song_id > 3")[0] == "None"
        server.stop()
        threading.Timer(1.0, server.start).start()
        assert reading.step("SELECT COUNT(*) FROM band")[0] == "[(12,)]"
        assert reading.step("submit")[1] == 1.0
        assert writing.step("SELECT COUNT(*) FROM song")[0] == "[(3,)]"
    finally:
        for env in (reading, writing):
            env.close()
        server.stop()


@pytest.mark.slow
def test_an_episode_fails_typed_when_the_server_stays_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = private_server(tmp_path)
    env = make(server.address)
    env.reset(options={"task": 0})
    assert env.step("SELECT COUNT(*) FROM band")[0] == "[(12,)]"
    server.stop()
    monkeypatch.setattr("lumos_rl.envs.sql.tools.accounts._RECONNECT_S", 1.0)
    with pytest.raises(InfrastructureError, match=r"cannot reach the database server|went away"):
        env.step("submit")
    with pytest.raises(InfrastructureError):
        make(server.address).reset()


@pytest.mark.slow
def test_a_rollout_counts_no_episode_of_a_server_that_is_gone(tmp_path: Path, monkeypatch: Any) -> None:
    server = private_server(tmp_path)
    server.stop()
    monkeypatch.setattr("lumos_rl.envs.sql.tools.accounts._RECONNECT_S", 1.0)
    policy = ScriptedPolicy(lambda request: "Stop.")
    plans = plan_episodes([TASK], RolloutConfig())
    [trajectory] = run_episodes(lambda benchmark: make(server.address), plans, policy)
    assert trajectory.stop_reason == "failed"
    assert "InfrastructureError" in str(trajectory.failure)
    assert not trajectory.success


def test_what_killed_processes_left_is_dropped_after_a_day(sql_server: str) -> None:
    from lumos_rl.envs.sql.tools import accounts

    with accounts.admin(accounts.settings(sql_server)) as cursor:
        cursor.execute("CREATE USER 'lumos_rl_1_abc'@'%'")
        cursor.execute("CREATE DATABASE lumos_rl_1_abc_studio")
    env = make(sql_server)
    env.reset()
    assert isinstance(env.unwrapped, SqlEnv)
    env.close()
    with accounts.admin(accounts.settings(sql_server)) as cursor:
        cursor.execute("SHOW DATABASES LIKE 'lumos%'")
        assert "lumos_rl_1_abc_studio" not in [name for (name,) in cursor.fetchall()]
        cursor.execute("SELECT COUNT(*) FROM mysql.user WHERE user = 'lumos_rl_1_abc'")
        assert cursor.fetchone() == (0,)
