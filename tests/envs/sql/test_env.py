"""InterCode SQL: both protocols, both rewards, native statements and the action language, on both back ends."""

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import pytest

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl.core import Task
from lumos_rl.errors import ConfigError, DataError, MissingFileError, UnknownNameError

META = {"db": "studio", "dump": "synthetic"}
NAMES = "SELECT name FROM band ORDER BY band_id LIMIT 4"
TASK = Task("intercode_sql/test/0", "intercode_sql", "Which four bands come first?", NAMES, meta=META)
NOTHING = Task("intercode_sql/test/1", "intercode_sql", "Any?", "SELECT name FROM band WHERE 1 = 2", meta=META)
BROKEN = Task("intercode_sql/test/2", "intercode_sql", "Any?", "SELECT name, COUNT(*) FROM band", meta=META)

TOO_LONG = "SELECT".ljust(70_000, "x")


@pytest.fixture(scope="module", params=["sqlite", "server"])
def backend(request: pytest.FixtureRequest) -> str:
    return "sqlite" if request.param == "sqlite" else str(request.getfixturevalue("sql_server"))


@pytest.fixture
def make(backend: str) -> Iterator[Any]:
    made: list[gym.Env[str, str]] = []

    def make_env(**settings: Any) -> gym.Env[str, str]:
        env = gym.make("lumos_rl/InterCodeSQL-v0", tasks=[TASK, NOTHING, BROKEN], backend=backend, **settings)
        env.reset(options={"task": 0})
        made.append(env)
        return env

    yield make_env
    for env in made:
        env.close()


def test_a_statement_shows_what_intercode_shows(make: Any) -> None:
    env = make()
    assert env.step("SHOW TABLES;")[0] == "[('band',), ('song',)]"
    assert env.step("USE studio")[0] == "None"
    observation, reward, _, _, info = env.step("SELECT nme FROM band")
    assert observation == info["error"] == "Error executing query: Unknown column 'nme' in 'field list'"
    assert (reward, info["rows"]) == (0.0, None)


def test_submit_grades_the_last_observation(make: Any) -> None:
    env = make()
    assert env.step(NAMES)[1:4] == (0.0, False, False)
    _, reward, terminated, _, info = env.step("submit")
    assert (reward, terminated, info["success"]) == (1.0, True, True)
    assert info["metrics"] == {"reward": 1.0, "success": 1.0, "success_sound": 1.0}


@pytest.mark.parametrize("last", ["SELECT nme FROM band", "USE studio", "R1 = Teleport(2)", "((", "SELECT 1", TOO_LONG])
def test_submit_after_anything_else_earns_nothing(make: Any, last: str) -> None:
    env = make()
    env.step(NAMES)
    env.step(last)
    observation, reward, terminated, _, info = env.step("Submit it;")
    assert (reward, terminated) == (0.0, True)
    assert "The episode ended" in observation  # and no error of the step before stands in its place
    assert info["error"] is None or "no result yet" in info["error"]


def test_a_text_too_long_to_be_read_shows_its_own_error(make: Any) -> None:
    env = make()
    env.step("SELECT nme FROM band")
    observation, _, _, _, info = env.step(TOO_LONG)
    assert observation == f"Error: {info['error']}"
    assert (info["error"], info["rows"]) == ("expected at most 65536 characters, got 70000", None)


def test_submit_before_any_statement_and_skip_earn_nothing(make: Any) -> None:
    for text in ("submit", "skip", "Skip"):
        env = make()
        _, reward, terminated, _, info = env.step(text)
        assert (reward, terminated, info["success"]) == (0.0, True, False)


def test_the_action_language_finishes_with_any_result(make: Any) -> None:
    env = make()
    observation = env.step(f"R1 = ListTables(); R2 = Query({NAMES})")[0]
    assert observation.startswith("R1 = band, song\nR2 = [('")
    env.step("R3 = Query(SELECT 1)")
    assert env.step("Finish(R2)")[1:3] == (1.0, True)


def test_finish_takes_the_last_result_even_after_a_mistake(make: Any) -> None:
    env = make()
    env.step(f"Query({NAMES})")
    info = env.step("Query(SELECT nme FROM band)")[4]
    assert "Unknown column" in info["error"]
    assert env.step("Finish()")[1:3] == (1.0, True)


@pytest.mark.parametrize(
    ("reward", "query", "expected"),
    [
        ("iou", "SELECT name FROM band ORDER BY band_id DESC LIMIT 4", 0.0),
        ("iou", "SELECT name FROM band WHERE band_id < 4", 3 / 4),
        ("iou", "SELECT name FROM band WHERE band_id < 5 ORDER BY name", 1.0),
        ("iou_kendall", "SELECT name FROM band WHERE band_id = 2", 0.25),  # one common row has no order
        ("iou", "SELECT name, 1 FROM band LIMIT 4", 0.0),
    ],
)
def test_rewards(make: Any, reward: str, query: str, expected: float) -> None:
    env = make(reward=reward)
    env.step(query)
    assert env.step("submit")[1] == expected


def test_try_again_grades_every_step_and_ends_with_the_first_full_reward(make: Any) -> None:
    env = make(protocol="try_again", reward="iou")
    assert env.step("SELECT name FROM band WHERE band_id < 3")[1:3] == (0.5, False)
    assert env.step("SELECT nme FROM band")[1:3] == (0.0, False)
    assert env.step("=")[1:3] == (0.0, False)
    assert env.step("SELECT name FROM band WHERE band_id < 3")[1:3] == (0.5, False)
    assert env.step(TOO_LONG)[1:3] == (0.0, False)
    _, reward, terminated, _, info = env.step(NAMES)
    assert (reward, terminated, info["success"], info["metrics"]["reward"]) == (1.0, True, True, 1.0)


def test_try_again_counts_the_best_step(make: Any) -> None:
    env = make(protocol="try_again", reward="iou", max_turns=2)
    env.step("SELECT name FROM band WHERE band_id < 3")
    _, reward, terminated, truncated, info = env.step("SELECT 1")
    assert (reward, terminated, truncated, info["success"]) == (0.0, False, True, False)
    assert info["metrics"] == {"reward": 0.5, "success": 0.0, "success_sound": 0.0}


def test_skip_earns_nothing_where_the_last_step_earned_something(make: Any) -> None:
    env = make(protocol="try_again", reward="iou")
    assert env.step("SELECT name FROM band WHERE band_id < 3")[1] == 0.5
    _, reward, terminated, _, info = env.step("skip")
    assert (reward, terminated, info["metrics"]["reward"]) == (0.0, True, 0.5)


def test_a_task_that_any_empty_result_solves_counts_apart(make: Any) -> None:
    for task in (NOTHING, BROKEN):
        env = make()
        env.reset(options={"task": task})
        env.step("SELECT name FROM band WHERE band_id = 999")
        _, reward, _, _, info = env.step("submit")
        assert (reward, info["metrics"]) == (1.0, {"reward": 1.0, "success": 1.0})


def test_emptying_the_tables_does_not_make_an_empty_result_right(make: Any) -> None:
    env = make()
    env.step("DELETE FROM song")
    env.step("DELETE FROM band")
    assert env.step(NAMES)[0] == "[]"
    assert env.step("submit")[1] == 0.0
    env.reset(options={"task": 0})
    assert env.step("SELECT COUNT(*) FROM band")[0] == "[(12,)]"


def test_a_table_of_the_agents_own_does_not_pass_for_the_answer(make: Any) -> None:
    env = make()
    env.step("UPDATE band SET name = 'x'")
    env.step(NAMES)
    assert env.step("submit")[1] == 0.0


def test_ten_turns_are_the_budget(make: Any) -> None:
    env = make()
    outcomes = [env.step("SELECT 1")[2:4] for _ in range(10)]
    assert outcomes == [(False, False)] * 9 + [(False, True)]


def test_rows_are_whole_where_the_text_is_cut(make: Any) -> None:
    env = make()
    observation, _, _, _, info = env.step("SELECT a.name FROM song, band a, band b")
    assert len(info["rows"]) == 43 * 12 * 12
    assert len(observation) < 2_100 and observation.endswith("characters in all)")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"backend": "postgres"}, ConfigError, "expected backend 'sqlite' or 'mysql://"),
        ({"backend": "mysql://localhost"}, ConfigError, "expected mysql://user:password@host:port"),
        ({"reward": "iuo"}, UnknownNameError, "did you mean 'iou'"),
        ({"protocol": "retry"}, UnknownNameError, "Known: submit, try_again"),
        ({"max_turns": 0}, ConfigError, "expected max_steps >= 1"),
        ({"source": "nowhere"}, MissingFileError, "intercode"),
    ],
)
def test_a_setting_that_cannot_work_is_said(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        gym.make("lumos_rl/InterCodeSQL-v0", **settings).reset()


def test_a_task_without_its_database_is_said() -> None:
    env = gym.make("lumos_rl/InterCodeSQL-v0")
    with pytest.raises(DataError, match="meta 'db' and 'dump'"):
        env.reset(options={"task": Task("x", "intercode_sql", "?", "SELECT 1")})
