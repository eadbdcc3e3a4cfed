"""Shows one step of Mind2Web: the recorded page with the right, the best and the predicted elements outlined.

    python -m lumos_rl.envs.mind2web.page 0 2                                     # built-in task 0, third step
    python -m lumos_rl.envs.mind2web.page 0 2 --query "search button" --op CLICK  # and the element a query chooses
    python -m lumos_rl.envs.mind2web.page 6c7a… 0 --source data --split test_domain --element 1523 --out step.html

writes one file. Scripts of the recorded page do not run, and nothing is loaded: the page is rewritten with plain
elements only, under a policy that forbids both.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Annotated, Literal

import tyro

from lumos_rl.console import failed, until_pipe_closes
from lumos_rl.core import Task
from lumos_rl.data import load_tasks
from lumos_rl.envs.mind2web.reader import BENCHMARK, load_action, load_page
from lumos_rl.envs.mind2web.tools.page import StepPage
from lumos_rl.envs.mind2web.tools.ranking import LexicalRanker
from lumos_rl.envs.mind2web.tools.sentences import grounded_query, ranking_query
from lumos_rl.envs.mind2web.tools.show import still_html
from lumos_rl.errors import ConfigError, LumosError

POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
STYLE = """
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; overflow-wrap: anywhere }
#about { padding: 1rem; background: #f3f4f6; border-bottom: 2px solid #c8ccd2 }
#about h1 { font-size: 1.2rem; margin: 0 } #about table { border-collapse: collapse; font-size: 0.85rem; width: 100% }
#about td { border-top: 1px solid #d5d9de; padding: 0.2rem 0.4rem; vertical-align: top }
#page { padding: 1rem }
.mark { outline: 2px dashed #8a94a3; outline-offset: 2px }
.gold { outline: 3px solid #157f3b } .predicted { outline: 3px solid #b3261e }
.gold.predicted { outline: 6px double #157f3b }
.key { display: inline-block; padding: 0 0.4rem; margin: 0.4rem 0.6rem }
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """Writes one step of Mind2Web as an HTML page.

    Attributes:
        task: Number of a task, its id, or its annotation id.
        step: Number of the step, from 0.
        source: synthetic, a folder as distributed, or a file of it.
        split: Split of the source; by default test of the built-in websites, test_task of a folder.
        element: Id on the page of a predicted element.
        query: Query of a grounder, for which the lexical ranker chooses the predicted element.
        op: Operation of the query.
        text: Text that the operation types or selects.
        top_k: How many candidates are outlined.
        out: File to write.
    """

    task: Annotated[str, tyro.conf.Positional]
    step: Annotated[int, tyro.conf.Positional]
    source: str = "synthetic"
    split: str | None = None
    element: str | None = None
    query: str | None = None
    op: Literal["CLICK", "TYPE", "SELECT"] = "CLICK"
    text: str = ""
    top_k: int = 10
    out: Path = Path("mind2web_step.html")


def find_task(settings: Settings) -> Task:
    """The task that the settings name.

    Raises:
        ConfigError: There is no such task.
        LumosError: As `load_tasks`.
    """
    split = settings.split or ("test" if settings.source == "synthetic" else "test_task")
    tasks = load_tasks(BENCHMARK, settings.source, split)
    if settings.task.isdecimal() and int(settings.task) < len(tasks):
        return tasks[int(settings.task)]
    for task in tasks:
        if settings.task in (task.id, task.id.rpartition("/")[2]):
            return task
    raise ConfigError(
        f"expected a task from 0 to {len(tasks) - 1} or an id such as {tasks[0].id}, got {settings.task!r}"
    )


def step_html(task: Task, step: int, settings: Settings) -> str:
    """The HTML page of a step.

    Raises:
        DataError: The task has no such step, or it cannot be read.
        ConfigError: The predicted element is not on the page.
    """
    raw = str(load_action(task, step).get("raw_html") or "")
    page = load_page(task, step)
    ranked = page.ranked(LexicalRanker(), ranking_query(task.instruction, task.meta["reprs"][:step]))
    predicted = _predicted(page, task.meta["reprs"][:step], settings)
    marks: dict[str, str] = dict.fromkeys(ranked[: settings.top_k], "candidate")
    marks |= dict.fromkeys(page.positives, "gold")
    if predicted is not None:
        marks[predicted] = f"{marks.get(predicted, '')} predicted".strip()
    return _document(task, page, ranked, marks, still_html(raw or page.step.html, marks))


def _predicted(page: StepPage, previous: Sequence[str], settings: Settings) -> str | None:
    if settings.query is not None:
        asked = ranking_query(grounded_query(settings.op, settings.query, settings.text), previous)
        return next(iter(page.ranked(LexicalRanker(), asked)), None)
    if settings.element is not None and settings.element not in page.candidates:
        raise ConfigError(f"expected --element as the id of a candidate of this page, got {settings.element!r}")
    return settings.element


def _document(task: Task, page: StepPage, ranked: Sequence[str], marks: dict[str, str], body: str) -> str:
    rows = "".join(
        f"<tr><td>{place}</td><td>{marks[key]}</td>"
        f'<td><a href="#e-{escape(key)}">{escape(key)}</a></td><td>{escape(page.text(key))}</td></tr>'
        for place, key in enumerate(ranked, 1)
        if key in marks
    )
    lost = "" if page.positives else "<p><strong>The target of this step was lost in cleaning.</strong></p>"
    keys = "".join(f'<span class="key mark {name}">{name}</span>' for name in ("gold", "predicted", "candidate"))
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(task.id)}</title>
<style>{STYLE}</style></head><body>
<div id="about"><h1>{escape(task.instruction)}</h1><p>{escape(task.id)}, {escape(page.step.text)}</p>{lost}
<p>{keys} {len(ranked)} candidates, ranked by the lexical ranker</p>
<details><summary>The elements that are outlined</summary><table>{rows}</table></details></div>
<div id="page">{body}</div></body></html>
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns 2 if a setting is invalid."""
    settings = tyro.cli(Settings, args=arguments, prog="python -m lumos_rl.envs.mind2web.page")
    try:
        text = step_html(find_task(settings), settings.step, settings)
        settings.out.write_text(text, encoding="utf-8")
    except (LumosError, OSError) as error:
        return failed(str(error))
    print(settings.out)
    return 0


if __name__ == "__main__":
    with until_pipe_closes():
        sys.exit(main())
