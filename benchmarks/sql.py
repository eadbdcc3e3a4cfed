"""Figures of InterCode SQL: agreement with the published episodes, agreement of the back ends, speed.

    python benchmarks/sql.py FOLDER                                       # SQLite alone
    python benchmarks/sql.py FOLDER --server mysql://root@127.0.0.1:3307  # and a MySQL or MariaDB server

Beside it, the baseline: the same recorded queries through sqlglot's transpiler from MySQL to SQLite alone. FOLDER holds
the tasks, the dump and `gpt4_trajectories_*.json`. A server of one's own: `envs/sql/mariadb.sh start DIR`.
"""

import argparse
import itertools
import json
import re
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import sqlglot

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl.core import Task
from lumos_rl.data import load_tasks
from lumos_rl.data.annotate import annotate
from lumos_rl.envs.sql.tools import sqlite
from lumos_rl.envs.sql.tools.dump import read_dump
from lumos_rl.language import format_actions

Plays = list[tuple[int, list[tuple[str, str, float]]]]  # task, and action, observation and reward of each turn


def make(folder: Path, backend: str, **settings: Any) -> gym.Env[str, str]:
    return gym.make("lumos_rl/InterCodeSQL-v0", source=folder, backend=backend, max_turns=10**6, **settings)


def recorded(folder: Path) -> Plays:
    """The recorded episodes, without turns that the environment of the time did not run."""
    plays = []
    for path in sorted(folder.glob("gpt4_trajectories*.json")):
        for key, episode in json.loads(path.read_text()).items():
            history = episode["turn_history"]
            turns = zip(history["actions"], history["observations"], history["rewards"], strict=True)
            plays.append((int(key), [turn for turn in turns if not turn[1].startswith("Format your SQL")]))
    return plays


def replay(folder: Path, backend: str, plays: Plays, sound: set[int]) -> dict[str, str]:
    env, counts = make(folder, backend, reward="iou", protocol="try_again"), Counter[str]()
    for task, turns in plays:
        env.reset(options={"task": task})
        for action, shown, reward in turns:
            if env.unwrapped._episode.ended:  # type: ignore[attr-defined]
                env.reset(options={"task": task})
            _, got, _, _, info = env.step(action)
            was_error = not shown.startswith(("[", "None"))
            counts["turns"] += 1
            counts["same verdict"] += was_error == (info["error"] is not None)
            if task in sound:
                counts["graded"] += 1
                counts["same reward"] += abs(got - reward) < 1e-9
            if shown.startswith("[") and info["rows"] is not None:
                counts["results"] += 1
                counts["same rows"] += "".join(sorted(str(list(info["rows"])))) == "".join(sorted(shown))
    env.close()
    return {
        "recorded turns: same verdict (error or not)": share(counts["same verdict"], counts["turns"]),
        "recorded turns of sound tasks: same reward": share(counts["same reward"], counts["graded"]),
        "recorded results: same rows": share(counts["same rows"], counts["results"]),
    }


def queries(folder: Path, backend: str, plays: Plays, tasks: list[Task]) -> dict[str, str]:
    """The recorded queries, each on the original tables: by the back end, or by the transpiler if that is its name.

    Episodes that wrote or used another database are left out.
    """
    run = transpiled(folder) if backend == "transpiler" else environment(folder, backend)
    counts = Counter[str]()
    for task, turns in plays:
        words = [action.split(None, 1)[0].lower() for action, _, _ in turns if action.strip()]
        if not {"use", "update", "alter", "insert", "delete", "create", "drop"}.isdisjoint(words):
            continue
        for action, shown, _ in turns:
            if not action.lstrip("( \n").lower().startswith(("select", "with")):
                continue
            rows = run(str(tasks[task].meta["db"]), action, task)
            counts["queries"] += 1
            counts["same verdict"] += shown.startswith(("[", "None")) == (rows is not None)
            if shown.startswith("["):
                counts["results"] += 1
                counts["same rows"] += rows is not None and "".join(sorted(str(rows))) == "".join(sorted(shown))
                counts["same values"] += rows is not None and sorted(values(str(rows))) == sorted(values(shown))
                counts["same text"] += rows is not None and str(rows) == shown
    return {
        "recorded queries: same verdict": share(counts["same verdict"], counts["queries"]),
        "recorded queries with rows: same rows": share(counts["same rows"], counts["results"]),
        "… or the same but for the type of a number or a date": share(counts["same values"], counts["results"]),
        "… in the same order": share(counts["same text"], counts["results"]),
    }


def values(text: str) -> list[str]:
    """What a text of rows says, whatever the types: numbers to six digits, and dates as texts."""
    text = re.sub(r"Decimal\('([^']*)'\)", r"\1", text)
    text = re.sub(r"datetime\.\w+\(([^)]*)\)", lambda found: moment(*map(int, found[1].split(", "))), text)
    return re.findall(r"\w+|[^\w\s]", re.sub(r"-?\d+\.\d+(?:e[-+]?\d+)?|\d+", lambda n: f"{float(n[0]):.6g}", text))


def moment(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> str:
    time = f" {hour:02}:{minute:02}:{second:02}" if hour or minute or second else ""
    return f"'{year:04}-{month:02}-{day:02}{time}'"


Run = Callable[[str, str, int], list[tuple[Any, ...]] | None]  # database, query, task → rows, None if it failed


def environment(folder: Path, backend: str) -> Run:
    env = make(folder, backend)

    def run(database: str, query: str, task: int) -> list[tuple[Any, ...]] | None:
        env.reset(options={"task": task})
        info = env.step(query)[4]
        return None if info["error"] is not None else list(info["rows"] or ())

    return run


def transpiled(folder: Path) -> Run:
    """The transpiler of sqlglot and SQLite, with nothing in between; the tables have their declared types and keys."""
    dump, connections = read_dump(next(folder.glob("*.sql")).read_text()), dict[str, sqlite3.Connection]()
    for database, tables in dump.catalog.databases.items():
        connections[database] = sqlite3.connect(":memory:")
        for table in tables.values():
            parts = [f'"{column.name}" {column.declared}' for column in table.columns]
            key = ", ".join(f'"{name}"' for name in table.primary_key)
            parts += [f"PRIMARY KEY ({key})"] if key else []
            connections[database].execute(f'CREATE TABLE "{table.name}" ({", ".join(parts)})')
            marks = ", ".join("?" * len(table.columns))
            connections[database].executemany(
                f'INSERT INTO "{table.name}" VALUES ({marks})', dump.rows[database, table.name]
            )

    def run(database: str, query: str, task: int) -> list[tuple[Any, ...]] | None:
        try:
            found = sqlglot.transpile(query, read="mysql", write="sqlite")
            return connections[database].execute(found[0]).fetchall()
        except (sqlglot.errors.SqlglotError, sqlite3.Error, sqlite3.Warning):
            return None

    return run


def share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} = {part / whole:.2%}"


def gold(folder: Path, backend: str, plans: list[Task]) -> dict[str, str]:
    env, full = make(folder, backend), 0
    for task in plans:
        env.reset(options={"task": task.id})
        for subgoal in task.subgoals:
            env.step(format_actions(subgoal.actions))
        full += env.step("Finish()")[1] == 1.0
    env.close()
    return {"gold plans that run: reward 1": share(full, len(plans))}


def rows_of(folder: Path, backend: str, tasks: list[Task]) -> list[Counter[str] | None]:
    env, found = make(folder, backend), []
    for index, task in enumerate(tasks):
        env.reset(options={"task": index})
        rows = env.step(str(task.answer))[4]["rows"]
        found.append(None if rows is None else Counter(map(str, rows)))
    env.close()
    return found


def speed(folder: Path, backend: str, plays: Plays, tasks: list[Task]) -> dict[str, str]:
    """Steps over the recorded statements, first when each is new, then when each was seen; and resets."""
    # A server works in another process, so only the time on the clock counts there.
    clock = time.process_time if backend == "sqlite" else time.perf_counter
    sqlite._translated.cache_clear()
    env, figures = make(folder, backend), {}
    env.reset(options={"task": 0})
    env.step("SHOW TABLES")
    for name in ("each statement new", "statements seen before"):
        steps, elapsed = 0, 0.0
        for task, turns in plays:
            env.reset(options={"task": task})
            start = clock()
            for action, _, _ in turns:
                env.step(action)
            elapsed += clock() - start
            steps += len(turns)
        figures[f"steps/s, one core, {name}"] = f"{steps / elapsed:,.0f}"
    for name, statement in (("reset after an episode that read, ms", "SELECT 1"), ("… that wrote, ms", None)):
        times = []
        for index in itertools.islice(itertools.cycle(range(len(tasks))), 60):
            env.reset(options={"task": index})
            if statement is None:
                table = env.step("SHOW TABLES")[4]["rows"][0][0]
                env.step(f"ALTER TABLE `{table}` ADD COLUMN extra INT")
            else:
                env.step(statement)
            start = clock()
            env.reset(options={"task": index})
            env.step("SELECT 1")  # opens what reset left for later
            times.append(clock() - start)
        figures[name] = f"{1000 * sorted(times)[len(times) // 2]:.2f}"
    env.close()
    return figures


def together(folder: Path, backend: str, plays: Plays, number: int = 64) -> dict[str, str]:
    """Many environments at once, in threads of this process."""
    sizes: list[int] = []

    def play(which: int) -> None:
        env = make(folder, backend)
        for task, turns in plays[which::number]:
            env.reset(options={"task": task})
            sizes.append(len([env.step(action) for action, _, _ in turns]))
        env.close()

    threads = [threading.Thread(target=play, args=(which,)) for which in range(number)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - start
    return {f"{number} environments at once: episodes, steps/s": f"{len(sizes)}, {sum(sizes) / elapsed:,.0f}"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Figures of InterCode SQL.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--server", help="mysql://user:password@host:port")
    arguments = parser.parse_args()
    folder, backends = arguments.folder, ["sqlite", *([arguments.server] if arguments.server else [])]
    tasks, plays = load_tasks("intercode_sql", folder), recorded(arguments.folder)
    plans = [task for task in map(annotate, tasks) if isinstance(task, Task)]
    sound = {index for index, task in enumerate(tasks) if task.id in {plan.id for plan in plans}}
    print(f"{len(tasks)} tasks, {len(plans)} gold queries that run, {len(plays)} recorded episodes")
    for backend in backends:
        print(f"\n{backend}")
        figures = gold(folder, backend, plans) | replay(folder, backend, plays, sound)
        figures |= queries(folder, backend, plays, tasks)
        figures |= speed(folder, backend, plays, tasks) | together(folder, backend, plays)
        for name, figure in figures.items():
            print(f"  {name:<60}{figure}")
    print("\nbaseline: sqlglot's transpiler alone, on SQLite")
    for name, figure in queries(folder, "transpiler", plays, tasks).items():
        print(f"  {name:<60}{figure}")
    if len(backends) == 2:
        pairs = list(zip(*(rows_of(folder, backend, tasks) for backend in backends), strict=True))
        print(f"\ngold queries with the same rows on both: {share(sum(a == b for a, b in pairs), len(pairs))}")


if __name__ == "__main__":
    main()
