"""People can shop: pages over a real server, in a real browser where there is one."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import gymnasium as gym
import pytest
from browser import PROGRAM, Browser

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl.core import Trajectory, Turn, to_json
from lumos_rl.data import load_tasks
from lumos_rl.envs.webshop.html import SECURITY_POLICY, page_html
from lumos_rl.envs.webshop.site import MAX_BODY, Settings, _Handler, main, make_server
from lumos_rl.envs.webshop.tools.pages import index_page
from lumos_rl.errors import ConfigError, MissingFileError
from lumos_rl.language import format_actions

needs_browser = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on PATH; apt-get install chromium brings one")
PHONE = 390  # CSS pixels


@contextmanager
def serving(**settings: object) -> Iterator[str]:
    """Address of a running site."""
    server = make_server(Settings(port=0, **settings))  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fetch(address: str, **form: str) -> str:
    data = urlencode(form).encode() if form else None
    with urlopen(Request(address, data), timeout=30) as answer:
        assert answer.headers["Content-Security-Policy"] == SECURITY_POLICY
        return str(answer.read().decode())


def refused(address: str, **form: str) -> int:
    """Status of a request that fails."""
    with pytest.raises(HTTPError) as error:
        fetch(address, **form)
    error.value.close()
    return error.value.code


def begin(site: str, goal: int) -> str:
    """Address of a new visit."""
    with urlopen(f"{site}/play/{goal}", timeout=30) as answer:
        return str(answer.url)


def bought(task: int, actions: list[str]) -> float:
    """What the environment gives for the same actions."""
    env = gym.make("lumos_rl/WebShop-v0")
    env.reset(options={"task": task})
    return float([env.step(action) for action in actions][-1][1])


def plan_of(goal: int) -> tuple[str, str, list[str]]:
    """Search words, product and options of a goal of the built-in shop."""
    goal_record = load_tasks("webshop", limit=goal + 1)[goal].meta["goal"]
    query = " ".join((*goal_record["attributes"], goal_record["query"]))
    return query, goal_record["asin"].lower(), list(goal_record["goal_options"].values())


@needs_browser
@pytest.mark.parametrize("width", [PHONE, 1200])
def test_a_buyer_in_a_browser_sees_the_reward_that_step_gives(tmp_path: Path, width: int) -> None:
    query, asin, options = plan_of(1)
    actions = [f"search[{query}]", f"click[{asin}]", *(f"click[{value}]" for value in options), "click[buy now]"]
    with serving() as site, Browser(tmp_path, width) as browser:

        def fits() -> None:
            assert browser.run("document.documentElement.scrollWidth") <= width
            assert browser.run("document.scripts.length") == 0

        browser.open(f"{site}/play/1")
        fits()
        browser.run(f"document.querySelector('#query').value = '{query}'")
        browser.run("document.querySelector('button[value=search]').click()")
        browser.wait(f"document.querySelector('button[value={asin}]')")
        fits()
        browser.run(f"document.querySelector('button[value={asin}]').click()")
        for value in options:
            browser.wait(f"document.querySelector('button[value=\"{value}\"]')")
            browser.run(f"document.querySelector('button[value=\"{value}\"]').click()")
            browser.wait(f"document.querySelector('button.on[value=\"{value}\"]')")
        fits()
        browser.run("document.querySelector('button.buy').click()")
        browser.wait("document.querySelector('#reward')")
        fits()
        assert float(browser.run("document.querySelector('#reward').innerText")) == bought(1, actions) == 1.0
        assert {address.split("/")[2] for address in browser.requests if address.startswith("http")} == {site[7:]}


def stored(path: Path) -> Path:
    """A file with the episode of task 0's gold plan, planner turns included, and one of another benchmark."""
    [task] = load_tasks("webshop", limit=1)
    turns: list[Turn] = []
    for subgoal in task.subgoals:
        turns.append(Turn("planner", "", subgoal.text))
        text = format_actions(subgoal.actions)
        turns.append(Turn("grounder", "", text, action=text))
    common = {"formulation": "iterative", "policy": "sft", "sample": 0, "seed": 0, "temperature": 0.0}
    episode = {"reward": 1.0, "success": True, "answer": None, "stop_reason": "ended"}
    trajectory = Trajectory(
        f"{task.id}#0", task.id, "webshop", "test", task.instruction, turns=tuple(turns), **common, **episode
    )
    other = Trajectory("svamp/test/1#0", "svamp/test/1", "svamp", "test", "2 + 2?", turns=(), **common, **episode)
    path.write_text(f"{to_json(other)}\n{to_json(trajectory)}\n", encoding="utf-8")
    return path


@needs_browser
def test_a_stored_episode_is_watched_page_by_page(tmp_path: Path) -> None:
    [task] = load_tasks("webshop", limit=1)
    with serving(trajectories=stored(tmp_path / "episodes.jsonl")) as site, Browser(tmp_path, PHONE) as browser:
        browser.open(f"{site}/watch/0/0")
        for turn in range(2 * len(task.subgoals)):
            assert f"turn {turn} of 12" in browser.text()
            browser.run("document.querySelector('#next').click()")
            browser.wait(f"document.querySelector('h1')?.innerText.includes('turn {turn + 1} of')")
        assert browser.run("document.querySelector('#reward').innerText") == "1.0"
        assert not browser.run("!!document.querySelector('#next')")
        browser.run("document.querySelector('#previous').click()")
        browser.wait("document.querySelector('h1')?.innerText.includes('turn 11 of')")
        assert "Buy it." in browser.text()


def test_the_front_page_lists_goals_and_stored_episodes_of_the_shop_alone(tmp_path: Path) -> None:
    with serving(trajectories=stored(tmp_path / "episodes.jsonl")) as site:
        front = fetch(site)
        assert "330 goals" in front
        assert front.count("/watch/") == 1
        assert "svamp" not in front


def test_what_cannot_be_done_is_said_on_the_page_that_stays() -> None:
    with serving() as site:
        visit = begin(site, 0)
        assert "is not on this page" in fetch(visit, act="click", target="<b>nothing</b>")
        assert "<b>" not in fetch(visit)
        assert "Total results" in fetch(visit, act="search", query="dog bed")
        assert 'id="note"' not in fetch(visit)


def test_after_the_purchase_the_reward_stays() -> None:
    _, asin, _ = plan_of(0)
    with serving() as site:
        visit = begin(site, 0)
        fetch(visit, act="search", query=plan_of(0)[0])
        fetch(visit, act="click", target=asin)
        assert 'id="reward">0.6<' in fetch(visit, act="click", target="buy now")
        assert "bought already" in fetch(visit, act="search", query="dog bed")


@pytest.mark.parametrize("path", ["/nothing", "/visit/unknown", "/watch/0/0", "/play/999999", "/play/x", "/play/-1"])
def test_an_unknown_page_is_not_found(path: str) -> None:
    with serving() as site:
        assert refused(f"{site}{path}") == 404


@pytest.mark.parametrize("place", ["0/-1", "-1/0", "0/13", "1/0", "0/x"])
def test_a_stored_episode_has_only_its_own_turns(tmp_path: Path, place: str) -> None:
    with serving(trajectories=stored(tmp_path / "episodes.jsonl")) as site:
        assert "turn 12 of 12" in fetch(f"{site}/watch/0/12")
        assert refused(f"{site}/watch/{place}") == 404


def test_every_text_of_a_stored_episode_is_escaped(tmp_path: Path) -> None:
    path = stored(tmp_path / "episodes.jsonl")
    path.write_text(path.read_text(encoding="utf-8").replace('"planner"', '"<b>planner"'), encoding="utf-8")
    with serving(trajectories=path) as site:
        assert "&lt;b&gt;planner" in fetch(f"{site}/watch/0/1")


@pytest.mark.parametrize("length", ["-1", "many"])
def test_a_form_of_no_length_is_refused(length: str) -> None:
    with serving() as site:
        request = Request(f"{site}/visit/unknown", b"x", {"Content-Length": length})
        with pytest.raises(HTTPError) as error:
            urlopen(request, timeout=5)
        error.value.close()
        assert error.value.code == 400


def raw(site: str, *lines: str) -> bytes:
    """What the server answers to a request that no library would send."""
    host, _, port = site.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return b"".join(iter(lambda: connection.recv(4096), b""))


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        (400, ("GET http://[::1/ HTTP/1.0",)),
        (400, ("POST http://[::1/ HTTP/1.0", "Content-Length: 3")),
        (400, ("POST /visit/x HTTP/1.0", "Content-Length: " + "9" * 5000)),
        (400, ("GET / HTTP/1.0", "Host: [::1")),
        (421, ("GET / HTTP/1.0", "Host: shop.example.org")),
        (421, ("POST /visit/x HTTP/1.0", "Host: shop.example.org:3000", "Content-Length: 0")),
        (200, ("GET / HTTP/1.0",)),
        (200, ("GET / HTTP/1.0", "Host: localhost:3000")),
        (200, ("GET / HTTP/1.0", "Host: 192.168.0.7")),
        (200, ("GET / HTTP/1.0", "Host: [::1]:3000")),
    ],
)
def test_addresses_and_names_that_are_not_its_own_are_refused(status: int, lines: tuple[str, ...]) -> None:
    with serving() as site:
        assert raw(site, *lines).startswith(f"HTTP/1.0 {status}".encode())


def test_idle_connections_end_and_many_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _Handler.timeout == 10
    monkeypatch.setattr(_Handler, "timeout", 0.2)
    with serving() as site:
        idle = [socket.create_connection(("127.0.0.1", int(site.rpartition(":")[2])), timeout=30) for _ in range(100)]
        assert "goals" in fetch(site)
        assert [connection.recv(1) for connection in idle] == [b""] * 100
        for connection in idle:
            connection.close()


def test_a_form_to_nowhere_or_too_large_is_refused() -> None:
    with serving() as site:
        assert refused(f"{site}/visit/unknown", act="search", query="x") == 404
        assert refused(begin(site, 0), act="search", query="x" * MAX_BODY) == 413


def test_texts_are_escaped_and_pages_without_an_address_cannot_be_used() -> None:
    page = page_html(index_page("<script>alert(1)</script>"), "<script>alert(1)</script>", {}, None)
    assert "<script" not in page
    assert page.count(" disabled") == 2


def test_a_taken_port_and_a_missing_file_are_said_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as site:
        port = int(site.rpartition(":")[2])
        with pytest.raises(ConfigError, match="try --port 0"):
            make_server(Settings(port=port))
    with pytest.raises(ConfigError, match="0-65535"):
        make_server(Settings(port=65_536))
    with pytest.raises(MissingFileError, match="trajectories"):
        make_server(Settings(port=0, trajectories=tmp_path / "none.jsonl"))
    assert main(["--source", str(tmp_path)]) == 2
    assert "items_shuffle.json" in capsys.readouterr().err
