"""A recorded step can be looked at: in a real browser where there is one, with nothing of the page running."""

from dataclasses import replace
from pathlib import Path

import pytest
from browser import PROGRAM, Browser

from lumos_rl.core import Task
from lumos_rl.data import load_tasks
from lumos_rl.envs.mind2web.page import Settings, main, step_html
from lumos_rl.envs.mind2web.reader import load_page
from lumos_rl.envs.mind2web.tools.show import still_html
from lumos_rl.errors import ConfigError, DataError

needs_browser = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on PATH; apt-get install chromium brings one")

HOSTILE = (
    '<html backend_node_id="1"><head><title>x</title><script>document.title = "ran"</script></head>'
    '<body backend_node_id="2" onload="document.title = \'ran\'"><base href="http://example.invalid/"/>'
    '<img backend_node_id="3" src="http://example.invalid/a.png" onerror="document.title = \'ran\'" alt="A photo"/>'
    '<a backend_node_id="4" href="javascript:document.title = \'ran\'"><text>Go</text></a>'
    '<iframe src="http://example.invalid/"/><svg backend_node_id="5"><script>document.title = "ran"</script></svg>'
    '<button backend_node_id="6" style="background: url(http://example.invalid/b.png)"><text>&lt;Buy&gt;</text></button>'
    '<custom_tag backend_node_id="7"><text>kept</text></custom_tag><link rel="stylesheet" href="http://example.invalid/c"/>'
    '<form action="http://example.invalid/"><input backend_node_id="8" type="image" src="http://example.invalid/d"/></form>'
    "</body></html>"
)


def hostile_task(**changes: object) -> Task:
    action = {
        "action_uid": "u",
        "operation": {"op": "CLICK", "value": ""},
        "raw_html": HOSTILE,
        "cleaned_html": HOSTILE,
        "pos_candidates": [{"backend_node_id": "6"}],
        "neg_candidates": [{"backend_node_id": key} for key in ("3", "4")],
        **changes,
    }
    meta = {"actions": [action], "reprs": ["[button]  <Buy> -> CLICK"]}
    return Task("mind2web/test/hostile", "mind2web", "Buy it & <go>", meta=meta)


def page(task: Task, **settings: object) -> str:
    return step_html(task, 0, replace(Settings("0", 0), **settings))  # type: ignore[arg-type]


@needs_browser
def test_a_browser_shows_the_outlined_elements_and_runs_and_loads_nothing(tmp_path: Path) -> None:
    file = tmp_path / "step.html"
    file.write_text(page(hostile_task(), element="4"))
    with Browser(tmp_path, width=390) as browser:
        browser.open(file.as_uri())
        assert browser.run("document.title") == "mind2web/test/hostile"
        assert browser.run("document.scripts.length") == 0
        assert "<Buy>" in browser.text() and "Buy it & <go>" in browser.text() and "kept" in browser.text()
        marked = browser.run("[...document.querySelectorAll('#page .mark')].map(e => e.id + ' ' + e.className).join()")
        assert marked == "e-3 mark candidate,e-4 mark candidate predicted,e-6 mark gold"
        assert browser.run("getComputedStyle(document.querySelector('#e-6')).outlineStyle") == "solid"
        browser.run("document.querySelector('#e-4').click()")
        browser.run("document.querySelector('#e-6').click()")
        assert browser.run("document.title") == "mind2web/test/hostile"
        assert browser.run("document.documentElement.scrollWidth") <= 390
        assert {address.partition(":")[0] for address in browser.requests} == {"file"}


@needs_browser
def test_the_command_line_writes_a_page_of_the_built_in_suite(tmp_path: Path) -> None:
    out = tmp_path / "step.html"
    [task] = load_tasks("mind2web", limit=1)
    last = len(task.meta["reprs"]) - 1
    assert main([task.id, str(last), "--query", "search now button", "--out", str(out)]) == 0
    gold = load_page(task, last).positives[0]
    with Browser(tmp_path) as browser:
        browser.open(out.as_uri())
        assert browser.run(f"document.querySelector('#e-{gold}').className") == "mark gold predicted"
        assert browser.run(f"document.querySelector('#e-{gold}').innerText") == "Search now"
        assert browser.run("document.querySelectorAll('#page .candidate').length") == 10


def test_a_page_without_scripts_keeps_its_text_and_its_tails() -> None:
    shown = still_html("<html><body><p>a<b>c</b>d</p><script>no</script>e<br/>f<object>x</object>g</body></html>", {})
    assert shown == "<div><div><p>a<b>c</b>d</p>e<br>fg</div></div>"


@pytest.mark.parametrize("word", ["script", "onload", "javascript", "example.invalid", "iframe", "style="])
def test_nothing_that_runs_or_loads_is_written(word: str) -> None:
    assert word not in still_html(HOSTILE, {})


def test_a_lost_target_is_said() -> None:
    assert "lost in cleaning" in page(hostile_task(pos_candidates=[]))
    assert "lost in cleaning" not in page(hostile_task())


def test_the_clean_page_stands_in_for_a_raw_one_that_is_not_there() -> None:
    assert 'id="e-6"' in page(hostile_task(raw_html=None))


def test_what_cannot_be_shown_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="--element"):
        page(hostile_task(), element="99")
    with pytest.raises(DataError, match="step from 0 to 0"):
        step_html(hostile_task(), 1, Settings("0", 1))
    assert main(["99999", "0", "--out", str(tmp_path / "x.html")]) == 2
    assert "expected a task from 0 to 299" in capsys.readouterr().err
    assert main(["0", "0", "--out", str(tmp_path / "no" / "x.html")]) == 2
