"""A server on this machine that speaks as much of the MediaWiki API as the Wikipedia source asks for."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

ARTICLES = {
    "Ed Wood": "Ed Wood was an American filmmaker. He directed Glen or Glenda.\n\n== Life ==\n"
    "He was born in Poughkeepsie.",
    "Glen or Glenda": "Glen or Glenda is a 1953 film directed by Ed Wood.",
    "Mercury (planet)": "Mercury is the smallest planet.",
    "Zoë Kruså": "Zoë Kruså was a Danish painter – “𝟐”.",
}
DISAMBIGUATIONS = {
    "Mercury": [
        "Freddie Mercury",
        "Mercury (element)",
        "Mercury (film)",
        "Mercury (planet)",
        "Mercury (god)",
        "Quicksilver",
    ]
}
REDIRECTS = {"Edward D. Wood": "Ed Wood"}


@dataclass
class Script:
    """What the server shall do instead of answering, once for each item, and what it was asked."""

    faults: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


def reply_to(asked: dict[str, str]) -> dict[str, object]:
    if asked.get("list") == "search":
        words = set(asked["srsearch"].lower().split())
        hits = [title for title, text in ARTICLES.items() if words & set(f"{title} {text}".lower().split())]
        return {"query": {"search": [{"ns": 0, "title": title} for title in hits[: int(asked["srlimit"])]]}}
    title = REDIRECTS.get(asked["titles"], asked["titles"])
    if "<" in title:
        return {"query": {"pages": [{"title": title, "invalid": True}]}}
    if title.startswith("Special:"):
        return {"query": {"pages": [{"title": title, "special": True}]}}
    if asked["prop"] == "links":
        return {
            "query": {"pages": [{"title": title, "links": [{"ns": 0, "title": x} for x in DISAMBIGUATIONS[title]]}]}
        }
    if title in DISAMBIGUATIONS:
        return {"query": {"pages": [{"title": title, "extract": "It may mean:", "pageprops": {"disambiguation": ""}}]}}
    if title not in ARTICLES:
        return {"query": {"pages": [{"title": title, "missing": True}]}}
    return {"query": {"pages": [{"title": title, "extract": ARTICLES[title]}]}}


@contextmanager
def serving(*faults: str, **headers: str) -> Iterator[tuple[str, Script]]:
    """The address of a server that first commits the faults ("429", "500", "404", "hang", "broken", "error",
    "query", "error:CODE")."""
    script = Script(list(faults), headers={name.replace("_", "-"): value for name, value in headers.items()})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            script.asked.append(asked)
            script.agents.append(self.headers["User-Agent"])
            fault = script.faults.pop(0) if script.faults else ""
            if fault == "hang":
                time.sleep(1.0)
                return
            body = json.dumps(reply_to(asked), ensure_ascii=False).encode()
            if fault == "broken":
                body = body[: len(body) // 2]
            if fault in ("error", "query"):
                body = json.dumps({fault: ["unexpected"]}).encode()
            if fault.startswith("error:"):
                body = json.dumps({"error": {"code": fault[6:], "info": "sorry"}}).encode()
            self.send_response(int(fault) if fault.isdigit() else 200)
            for name, value in script.headers.items() if fault else ():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/w/api.php", script
    finally:
        server.shutdown()
        server.server_close()
