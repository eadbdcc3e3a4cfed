"""Wikipedia as a source of knowledge, over the MediaWiki API; replies are recorded and can be replayed offline.

    source = Wikipedia(Path("recorded"))                          # asks the network, keeps every reply in the folder
    source.lookup("Mercury").choices                              # ('Mercury (planet)', 'Mercury (element)', …)
    source.lookup("Ed Wood").pieces[0].line                       # "[Ed Wood] Edward Davis Wood Jr. was an American …"
    Wikipedia(Path("recorded"), Mode.REPLAY)                      # the same replies, never the network

One file of the folder holds one reply:

    {"request": {"action": "query", "titles": "Ed Wood", …}, "reply": {"query": {"pages": [{"title": "Ed Wood", …}]}}}

A recorded request is never sent again; if processes send the same request at once, all use the first reply. So a replay
reproduces every episode byte by byte. A request without a recorded reply, and a network that does not answer after some
tries, are failures of the infrastructure, not of the model.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from lumos_rl.envs.qa.tools.knowledge import MAX_CHOICES, Found, Piece, split_document
from lumos_rl.envs.qa.tools.ranking import rank
from lumos_rl.envs.qa.tools.titles import key_of
from lumos_rl.errors import ConfigError, InfrastructureError, MissingFileError

_MOST_PIECES = 200  # paragraphs of one article
_ARTICLES = 3  # articles that a search reads
_LONGEST_SEARCH = 300  # characters, the API's limit
_LONGEST_TITLE = 255  # bytes, the API's limit
_NO_ARTICLE = ("missing", "invalid", "special")  # keys of a page that is not an article
_BUSY = ("maxlag", "ratelimited", "readonly")  # error codes after which a retry may succeed
_LONGEST_WAIT_S = 60.0


class Mode(StrEnum):
    """Whether the network may be used."""

    RECORD = "record"  # send requests that the folder does not hold, and record their replies there
    REPLAY = "replay"  # only use recorded replies


@dataclass(frozen=True, slots=True)
class WikipediaSettings:
    """Settings of API requests.

    Attributes:
        url: Address of the API; differs by language and wiki.
        timeout_s: Seconds until a request counts as failed.
        tries: Maximum number of tries of one request.
        pause_s: Minimum seconds between two requests of a process.
        backoff_s: Seconds before the second try; doubled before each further one. The server's Retry-After takes
            precedence, up to a minute.
        user_agent: Identifies the client, as the operators require.
    """

    url: str = "https://en.wikipedia.org/w/api.php"
    timeout_s: float = 10.0
    tries: int = 5
    pause_s: float = 0.1
    backoff_s: float = 1.0
    user_agent: str = "lumos_rl (Python urllib; research on question answering)"


class _TransientError(Exception):
    """A request failed, but a retry may succeed; `wait_s` is the wait that the server asked for."""

    def __init__(self, why: str, wait_s: float | None = None) -> None:
        self.wait_s = wait_s
        super().__init__(why)


class Wikipedia:
    """A `Source` over the MediaWiki API. Its name is the same in both modes, so that episodes are, too.

    Args:
        folder: Folder of recorded replies.
        mode: Whether the network may be used.
        settings: Settings of requests.

    Raises:
        MissingFileError: There is nothing to replay.
    """

    name = "wikipedia"

    def __init__(
        self, folder: Path, mode: Mode = Mode.RECORD, settings: WikipediaSettings = WikipediaSettings()
    ) -> None:
        self.folder, self.mode, self.settings = folder.absolute(), Mode(mode), settings
        if self.mode == Mode.REPLAY and not self.folder.is_dir():
            raise MissingFileError(f"expected recorded replies in {self.folder}; record them first with mode 'record'")
        self._lock = threading.Lock()
        self._next_s = 0.0  # monotonic time from which the next request may be sent

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy in another process, with its own lock and pace."""
        return Wikipedia, (self.folder, self.mode, self.settings)

    def lookup(self, query: str) -> Found:
        """The article with that title, after redirects; for a disambiguation page, the titles to choose from."""
        title = query.replace("|", " ").strip()
        if not title or len(title.encode("utf-8", "replace")) > _LONGEST_TITLE:
            return Found()
        page = self._page(title)
        if page is None:
            return Found()
        if "disambiguation" in page.get("pageprops", {}):
            return Found(choices=self._choices(str(page["title"]), query))
        return Found(tuple(_pieces(page)))

    def search(self, query: str, count: int) -> list[Piece]:
        """The best paragraphs of the articles that Wikipedia's own search finds."""
        asked = {"list": "search", "srsearch": query[:_LONGEST_SEARCH], "srlimit": str(_ARTICLES), "srprop": ""}
        hits = self._query(asked).get("search", [])
        pages = [self._page(str(hit["title"])) for hit in hits]
        found = [
            piece
            for page in pages
            if page and "disambiguation" not in page.get("pageprops", {})
            for piece in _pieces(page)
        ]
        order = rank(query, [(piece.title, piece.text) for piece in found])
        order += sorted(set(range(len(found))) - set(order))
        return [found[index] for index in order[:count]]

    def _page(self, title: str) -> Mapping[str, Any] | None:
        asked = {
            "prop": "extracts|pageprops",
            "ppprop": "disambiguation",
            "explaintext": "1",
            "exsectionformat": "wiki",
            "redirects": "1",
            "titles": title,
        }
        pages = self._query(asked).get("pages", [])
        if not pages or any(pages[0].get(mark) for mark in _NO_ARTICLE):
            return None
        page: Mapping[str, Any] = pages[0]
        return page

    def _choices(self, title: str, query: str) -> tuple[str, ...]:
        """Titles that a disambiguation page links to; those that start with the query come first."""
        asked = {"prop": "links", "plnamespace": "0", "pllimit": "100", "redirects": "1", "titles": title}
        pages = self._query(asked).get("pages", [{}])
        titles = [str(link["title"]) for link in pages[0].get("links", [])]
        titles.sort(key=lambda each: not key_of(each).startswith(key_of(query)))
        return tuple(titles[:MAX_CHOICES])

    def _query(self, asked: Mapping[str, str]) -> Mapping[str, Any]:
        """The `query` part of the reply to a request, from the folder or otherwise from the network."""
        asked = {name: value.encode("utf-8", "replace").decode() for name, value in asked.items()}
        request = dict(sorted({"action": "query", "format": "json", "formatversion": "2", **asked}.items()))
        key = hashlib.sha256(json.dumps([self.settings.url, request]).encode()).hexdigest()
        path = self.folder / key[:2] / f"{key}.json"
        if not path.exists():
            if self.mode == Mode.REPLAY:
                raise InfrastructureError(
                    f"expected a recorded reply to {request.get('titles') or request.get('srsearch')!r} in"
                    f" {self.folder}, got none; record it with mode 'record'"
                )
            _keep(path, {"request": request, "reply": self._ask(request)})
        try:
            reply: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))["reply"]
        except (OSError, ValueError, KeyError) as error:
            raise InfrastructureError(
                f"expected a recorded reply in {path}, got {error!r}; delete that file"
            ) from error
        query: Mapping[str, Any] = reply.get("query", {})
        return query

    def _ask(self, request: Mapping[str, str]) -> Mapping[str, Any]:
        """The network's reply; failures that may be transient are retried."""
        wait_s = self.settings.backoff_s
        for left in reversed(range(self.settings.tries)):
            try:
                self._wait_for_turn()
                return self._fetch(request)
            except _TransientError as error:
                if not left:
                    raise InfrastructureError(
                        f"{self.settings.url} failed {self.settings.tries} times, at last with: {error}"
                    ) from error
                time.sleep(min(_LONGEST_WAIT_S, wait_s if error.wait_s is None else error.wait_s))
                wait_s *= 2
        raise ConfigError(f"expected tries >= 1, got {self.settings.tries}")

    def _wait_for_turn(self) -> None:
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next_s)
            self._next_s = start + self.settings.pause_s
        time.sleep(start - now)

    def _fetch(self, request: Mapping[str, str]) -> Mapping[str, Any]:
        url = f"{self.settings.url}?{urllib.parse.urlencode(request)}"
        agent = {"User-Agent": self.settings.user_agent, "Accept": "application/json"}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, headers=agent),
                timeout=self.settings.timeout_s,
            ) as response:
                body = response.read()
        except urllib.error.HTTPError as error:
            if error.code == 429 or error.code >= 500:
                raise _TransientError(f"HTTP {error.code}", _seconds(error.headers.get("Retry-After"))) from error
            raise InfrastructureError(f"{self.settings.url} answered HTTP {error.code}: {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:  # a timeout, no connection, a truncated reply
            raise _TransientError(f"{type(error).__name__}: {error}") from error
        try:
            reply = json.loads(body)
        except ValueError as error:
            raise _TransientError(f"expected JSON, got {body[:60]!r}") from error
        if not isinstance(reply, dict) or not isinstance(reply.get("query", {}), dict):
            raise _TransientError(f"expected a JSON object with an object 'query', got {body[:60]!r}")
        if problem := reply.get("error"):
            if not isinstance(problem, dict):  # from a proxy, not from the API
                raise _TransientError(f"{problem!r:.60}")
            if problem.get("code") in _BUSY:
                raise _TransientError(f"{problem.get('code')}: {problem.get('info')}")
            raise InfrastructureError(f"{self.settings.url} refused {dict(request)}: {problem}")
        return reply


def _seconds(text: str | None) -> float | None:
    """The seconds of a Retry-After header; None if it is missing or a date."""
    return float(text) if text is not None and text.strip().isdigit() else None


def _keep(path: Path, record: Mapping[str, Any]) -> None:
    """Writes a record unless another process has written it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="utf-8", suffix=".partial") as file:
            json.dump(record, file, ensure_ascii=False, sort_keys=True, indent=1)
            file.flush()
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    except OSError as error:
        raise InfrastructureError(f"expected to keep a reply at {path}, got {error}") from error


def _pieces(page: Mapping[str, Any]) -> list[Piece]:
    """The paragraphs of an article, without headings."""
    lines = [line for line in str(page.get("extract", "")).splitlines() if not line.startswith("==")]
    return split_document(str(page["title"]), "\n".join(lines))[:_MOST_PIECES]


def open_wikipedia(setting: str) -> Wikipedia:
    """The source for "wikipedia", "wikipedia:record:FOLDER" or "wikipedia:replay:FOLDER".

    Without a folder, replies are recorded in the user's cache folder.

    Raises:
        ConfigError: It is none of these.
    """
    _, _, rest = setting.partition(":")
    mode, _, folder = rest.partition(":")
    if rest and (mode not in list(Mode) or not folder):
        raise ConfigError(f"expected wikipedia, wikipedia:record:FOLDER or wikipedia:replay:FOLDER, got {setting!r}")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lumos_rl" / "wikipedia"
    return Wikipedia(Path(folder) if folder else cache, Mode(mode or "record"))
