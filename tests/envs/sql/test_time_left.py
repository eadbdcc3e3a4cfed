"""A statement may only use the time that its step and its episode have left, on both back ends."""

import time
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import pytest

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl.core import Task
from lumos_rl.envs.sql.domains import suite_dump
from lumos_rl.envs.sql.tools.server import ServerDatabase

TASK = Task("intercode_sql/test/0", "intercode_sql", "?", "SELECT 1", meta={"db": "studio", "dump": "synthetic"})
ENDLESS = "SELECT COUNT(*) FROM " + ", ".join(f"song s{number}" for number in range(12))  # 43^12 rows
OF_STEP = "the 0.4 seconds that the actions of one step may take are used up"
OF_EPISODE = "the 0.4 seconds that the actions of one episode may take are used up"
CUT = "Query execution was interrupted; "
OWN_S = 60.0  # a statement's own limit, so long that the time tells what ended it


@pytest.fixture(params=["sqlite", "server"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("sqlite", "server"):
        monkeypatch.setattr(f"lumos_rl.envs.sql.tools.{name}.STATEMENT_S", OWN_S)
    return "sqlite" if request.param == "sqlite" else str(request.getfixturevalue("sql_server"))


@pytest.fixture
def make(backend: str) -> Iterator[Any]:
    made: list[gym.Env[str, str]] = []

    def make_env(**settings: Any) -> gym.Env[str, str]:
        env = gym.make("lumos_rl/InterCodeSQL-v0", tasks=[TASK], backend=backend, **settings)
        env.reset(options={"task": 0})
        env.step("SELECT 1")  # opens the database
        env.reset(options={"task": 0})
        made.append(env)
        return env

    yield make_env
    for env in made:
        env.close()


def test_a_statement_is_cut_to_what_its_step_has_left(make: Any) -> None:
    env = make(step_budget_s=0.4)
    began = time.monotonic()
    observation, _, terminated, _, info = env.step(ENDLESS)
    assert time.monotonic() - began < OWN_S / 2
    assert observation == info["error"] == f"Error executing query: {CUT}{OF_STEP}"
    assert not terminated
    assert env.step("SELECT COUNT(*) FROM band")[0] == "[(12,)]"  # the next step has its own time


def test_the_statements_of_a_step_share_its_time(make: Any) -> None:
    env = make(step_budget_s=0.4)
    observation, _, _, _, info = env.step(f"R1 = Query(SELECT 1); R2 = Query({ENDLESS}); R3 = ListTables()")
    assert info["results"] == {"R1": "[(1,)]"}
    assert info["error"].endswith(f": {CUT}{OF_STEP}")
    assert observation.endswith(f"{CUT}{OF_STEP}")


def test_a_statement_is_cut_to_what_its_episode_has_left(make: Any) -> None:
    env = make(episode_budget_s=0.4)
    assert env.step(ENDLESS)[0] == f"Error executing query: {CUT}{OF_EPISODE}"
    assert OF_EPISODE in env.step("SELECT 1")[0]
    assert env.step("submit")[2]


def test_a_statement_that_exceeds_its_own_limit_hears_of_that(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sqlite", "server"):
        monkeypatch.setattr(f"lumos_rl.envs.sql.tools.{name}.STATEMENT_S", 0.2)
    told = "Query execution was interrupted, maximum statement execution time of 0.2 s exceeded"
    assert make(step_budget_s=60).step(ENDLESS)[0] == f"Error executing query: {told}"


def test_a_write_that_its_step_has_no_time_for_changes_nothing(make: Any) -> None:
    env = make(step_budget_s=0.4)
    assert env.step(f"DELETE FROM band WHERE 1 < ({ENDLESS})")[0] == f"Error executing query: {CUT}{OF_STEP}"
    assert env.step("SELECT COUNT(*) FROM band")[0] == "[(12,)]"


def test_a_statement_during_which_the_server_looks_at_no_clock_is_killed(
    sql_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumos_rl.envs.sql.tools.server.STATEMENT_S", OWN_S)
    database = ServerDatabase(sql_server, suite_dump())
    try:
        database.begin("studio")
        began = time.monotonic()
        slow = "SELECT REPEAT('a', 60000) LIKE CONCAT('%', REPEAT('a', 20000), 'b')"  # many seconds
        assert database.execute(slow, 0.2).error == "Query execution was interrupted"
        assert time.monotonic() - began < OWN_S / 2
        assert database.execute("SELECT 1").rows == ((1,),)
    finally:
        database.close()


def test_the_server_keeps_no_cut_limit(sql_server: str) -> None:
    database = ServerDatabase(sql_server, suite_dump())
    try:
        database.begin("studio")
        database.execute("CREATE TEMPORARY TABLE kept (a INT)")
        assert database.execute(ENDLESS, 0.1).error == "Query execution was interrupted"
        assert database.execute("SELECT COUNT(*) FROM kept").rows == ((0,),)  # the same session
        assert database.execute("SELECT 1", 0.5).rows == ((1,),)
        with database._connected().cursor() as cursor:
            cursor.execute("SELECT @@SESSION.max_statement_time")
            assert cursor.fetchone() == (2.0,)
    finally:
        database.close()
