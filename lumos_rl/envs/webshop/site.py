"""The shop as a web site for people: play an episode, or watch a stored one page by page.

    python -m lumos_rl.envs.webshop.site                                            # the built-in shop
    python -m lumos_rl.envs.webshop.site --source webshop/data --goals human --port 3000
    python -m lumos_rl.envs.webshop.site --trajectories runs/tiny-0/evaluation.jsonl

It runs the environment itself, so rewards are those of `step`. It listens on this machine only, unless `--host` is
given. Its pages run no scripts and load nothing from elsewhere.
"""

from __future__ import annotations

import secrets
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from socket import gethostname
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import tyro

from lumos_rl.console import failed, until_pipe_closes
from lumos_rl.core import Trajectory, from_json
from lumos_rl.envs.webshop import html
from lumos_rl.envs.webshop.env import BUILT_IN, WebShopEnv
from lumos_rl.envs.webshop.suite import SPLIT_SHARES, suite_tasks
from lumos_rl.errors import ConfigError, EpisodeError, LumosError, MissingFileError

MAX_VISITS = 1000  # open visits; beyond that the oldest are dropped
MAX_BODY = 65_536  # bytes of a form
IDLE_S = 10.0  # after which an idle connection is closed
_DIGITS = 9  # of a Content-Length; more cannot be within MAX_BODY
_LISTED = 200  # goals and trajectories on the front page


@dataclass(frozen=True, slots=True)
class Settings:
    """A web site of the shop, to play episodes and to watch stored ones.

    Attributes:
        source: synthetic (the built-in shop), a folder with WebShop's files, or an items file.
        goals: synthetic or human.
        num_products: Only so many records of the catalogue.
        trajectories: File with one stored trajectory per line.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
    """

    source: str = BUILT_IN
    goals: Literal["synthetic", "human"] = "synthetic"
    num_products: int | None = None
    trajectories: Path | None = None
    host: str = "127.0.0.1"
    port: int = 3000


@dataclass(slots=True)
class Visit:
    """One person's episode: the environment, and what the last action did wrong."""

    env: WebShopEnv
    note: str = ""


@dataclass(slots=True)
class Site:
    """Settings, trajectories and open visits, from which the pages are made.

    Attributes:
        settings: As given on the command line.
        trajectories: The stored episodes to watch.
    """

    settings: Settings
    trajectories: Sequence[Trajectory] = ()
    _visits: OrderedDict[str, Visit] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def new_env(self) -> WebShopEnv:
        """An environment of the configured shop, without a limit of turns."""
        chosen = self.settings
        return WebShopEnv(
            source=chosen.source, goals=chosen.goals, num_products=chosen.num_products, max_turns=sys.maxsize
        )

    def front(self) -> str:
        """The page with goals to play and trajectories to watch."""
        env = self.new_env()
        plays = "".join(
            f'<div class="card">{html.link_html(f"/play/{index}", "Play")} {escape(task.instruction)}</div>'
            for index, task in enumerate(env.tasks[:_LISTED])
        )
        watches = "".join(
            f'<div class="card">{html.link_html(f"/watch/{index}/0", "Watch")} {escape(each.id)}: reward'
            f" {each.reward:.2f}. {escape(each.instruction)}</div>"
            for index, each in enumerate(self.trajectories[:_LISTED])
        )
        parts = ["<h1>WebShop</h1>", html.link_html("/play", "Play a goal drawn at random", "play")]
        parts += ["<h2>Stored episodes</h2>", watches] if watches else []
        return html.document("WebShop", *parts, f"<h2>{env.num_tasks:,} goals</h2>", plays)

    def play(self, goal: int | None) -> str:
        """Starts an episode; returns the address of its page."""
        env = self.new_env()
        env.reset(seed=secrets.randbits(31), options={} if goal is None else {"task": goal})
        key = secrets.token_urlsafe(9)
        with self._lock:
            self._visits[key] = Visit(env)
            while len(self._visits) > MAX_VISITS:
                self._visits.popitem(last=False)
        return f"/visit/{key}"

    def show(self, key: str) -> str:
        """The current page of a visit.

        Raises:
            KeyError: There is no such visit.
        """
        visit = self._visits[key]
        session = visit.env.session
        parts = [html.note_html(visit.note)] if visit.note else []
        parts.append(html.page_html(session.page, session.instruction, session.options, f"/visit/{key}"))
        if session.reward is not None:
            parts += [html.reward_html(session.reward, session.details), html.link_html("/", "Play another", "again")]
        return html.document("WebShop", *parts)

    def act(self, key: str, action: str) -> None:
        """Takes one step of a visit.

        Raises:
            KeyError: There is no such visit.
        """
        visit = self._visits[key]
        with self._lock:
            try:
                visit.note = visit.env.step(action)[4]["error"] or ""
            except EpisodeError:
                visit.note = "The item is bought already."

    def watch(self, index: int, step: int) -> str:
        """A stored episode after its first `step` turns.

        Raises:
            LookupError: There is no such trajectory or turn.
            ConfigError: Its task does not belong to this shop.
        """
        if index < 0 or step < 0:
            raise LookupError(index, step)
        trajectory = self.trajectories[index]
        env = self.new_env()
        env.reset(options={"task": _task_of(trajectory, env)})
        turns = trajectory.turns[:step]
        if len(turns) < step:
            raise LookupError(step)
        error = None
        for turn in turns:
            if turn.action:
                _, _, ended, _, info = env.step(turn.action)
                error = info["error"]
                if ended:
                    break
        session = env.session
        steps = [html.link_html(f"/watch/{index}/{step - 1}", "Previous", "previous")] if step else []
        if step < len(trajectory.turns):
            steps.append(html.link_html(f"/watch/{index}/{step + 1}", "Next", "next"))
        told = f"{escape(trajectory.id)}, turn {step} of {len(trajectory.turns)}"
        parts = [f"<h1>{told}</h1>", f'<div class="bar">{"".join(steps)}{html.link_html("/", "All")}</div>']
        parts += [f"<h2>{escape(turn.module)}</h2><pre>{escape(turn.completion)}</pre>" for turn in turns[-1:]]
        parts += [html.note_html(error)] if error else []
        parts.append(html.page_html(session.page, session.instruction, session.options, None))
        if session.reward is not None:
            parts.append(html.reward_html(session.reward, session.details))
        return html.document("WebShop", *parts)


def _task_of(trajectory: Trajectory, env: WebShopEnv) -> object:
    """The trajectory's task for `reset`: its id, or a task of another split of the built-in shop."""
    if env.source != BUILT_IN or trajectory.split not in SPLIT_SHARES:
        return trajectory.task_id
    found = (task for task in suite_tasks(trajectory.split) if task.id == trajectory.task_id)
    return next(found, trajectory.task_id)


class _Handler(BaseHTTPRequestHandler):
    """Routes requests to a site."""

    timeout = IDLE_S

    def __init__(self, site: Site, *args: object) -> None:
        self.site = site
        super().__init__(*args)  # type: ignore[arg-type]  # the server's arguments

    def do_GET(self) -> None:  # http.server calls this name
        """Shows a page."""
        parts = self._parts()
        if parts is None:
            return
        try:
            match parts:
                case []:
                    self._page(self.site.front())
                case ["play"]:
                    self._see(self.site.play(None))
                case ["play", goal]:
                    self._see(self.site.play(int(goal)))
                case ["visit", key]:
                    self._page(self.site.show(key))
                case ["watch", index, step]:
                    self._page(self.site.watch(int(index), int(step)))
                case _:
                    self._missing("There is no such page.")
        except (LookupError, ValueError) as error:
            self._missing(str(error) if isinstance(error, LumosError) else "There is no such page, or no longer.")

    def do_POST(self) -> None:
        """Takes a step of a visit."""
        parts = self._parts()
        if parts is None:
            return
        length = self.headers.get("Content-Length") or "0"
        if not (length.isascii() and length.isdigit() and len(length) <= _DIGITS):
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        size = int(length)
        if size > MAX_BODY:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        form = parse_qs(self.rfile.read(size).decode("utf-8", "replace"), keep_blank_values=True)
        searching = form.get("act") == ["search"]
        text = (form.get("query" if searching else "target") or [""])[0]
        try:
            self.site.act(parts[-1] if parts[:1] == ["visit"] else "", f"{'search' if searching else 'click'}[{text}]")
        except KeyError:
            self._missing("There is no such visit, or no longer.")
            return
        self._see(self.path)

    def _parts(self) -> list[str] | None:
        """The parts of the address; None if it is refused, with the answer sent.

        A page of a foreign site can have its name resolved to this machine, and then sends that name as Host.
        """
        try:
            parts = [part for part in urlsplit(self.path).path.split("/") if part]
            host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        except ValueError:  # such as an open bracket
            self.send_error(HTTPStatus.BAD_REQUEST)
            return None
        if host and host not in ("localhost", self.site.settings.host, gethostname().lower()) and not _is_address(host):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, f"This site is not {host[:60]!r}")
            return None
        return parts

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the terminal quiet."""

    def _page(self, text: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", html.SECURITY_POLICY)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def _missing(self, text: str) -> None:
        self._page(
            html.document("WebShop", html.note_html(text), html.link_html("/", "To the start")), HTTPStatus.NOT_FOUND
        )

    def _see(self, address: str) -> None:
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class _Server(ThreadingHTTPServer):
    """Takes many connections at once."""

    request_queue_size = 128


def read_trajectories(path: Path) -> list[Trajectory]:
    """The shop's trajectories in a file with one per line.

    Raises:
        MissingFileError: There is no such file.
        DataError: A line is not a trajectory.
    """
    if not path.is_file():
        raise MissingFileError(f"expected a file with trajectories at {path.absolute()}, found none")
    with path.open(encoding="utf-8") as lines:
        found = [from_json(Trajectory, line, f"{path}:{number}") for number, line in zip(count(1), lines)]
    return [trajectory for trajectory in found if trajectory.benchmark == "webshop"]


def make_server(settings: Settings) -> ThreadingHTTPServer:
    """A server ready to `serve_forever`, with the shop already open.

    Raises:
        LumosError: The shop or the trajectories cannot be opened, or the port is taken.
    """
    site = Site(settings, read_trajectories(settings.trajectories) if settings.trajectories else ())
    site.new_env()
    try:
        return _Server((settings.host, settings.port), partial(_Handler, site))
    except (OSError, OverflowError) as error:  # OverflowError for a port out of range
        raise ConfigError(
            f"expected to listen on {settings.host}:{settings.port}, got {error}; try --port 0"
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns 2 if a setting is invalid."""
    settings = tyro.cli(Settings, args=arguments, prog="python -m lumos_rl.envs.webshop.site")
    try:
        server = make_server(settings)
    except LumosError as error:
        return failed(str(error))
    with server:
        print(f"WebShop on http://{settings.host}:{server.server_address[1]}/ (Ctrl-C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    with until_pipe_closes():
        sys.exit(main())
