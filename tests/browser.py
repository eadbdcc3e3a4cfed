"""A real headless Chromium for tests, driven through the pipe that it speaks its DevTools protocol on.

with Browser(tmp_path, width=390) as browser:
    browser.open("http://127.0.0.1:3000/")
    browser.run("document.querySelector('#play').click()")
    browser.wait("document.querySelector('#query')")
"""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Self

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TIMEOUT_S = 30.0


class MovedError(Exception):
    """The page was left while it was asked something."""


class Browser:
    """One browser with one page.

    Attributes:
        requests: Addresses of everything the page asked for.
    """

    def __init__(self, profile: Path, width: int = 1000, height: int = 800) -> None:
        assert PROGRAM is not None
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        command = [PROGRAM, *flags, "--remote-debugging-pipe", f"--user-data-dir={profile / 'browser'}", "about:blank"]
        # The protocol's pipes are descriptors 3 and 4 of the browser.
        shell = ["bash", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "bash", *command]
        self._process = subprocess.Popen(
            shell, pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.requests: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Network.enable")
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(TIMEOUT_S)
        os.close(self._out)
        os.close(self._in)

    def open(self, address: str) -> None:
        self._call("Page.navigate", url=address)
        self.wait("document.readyState == 'complete' && location.href != 'about:blank'")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Waits until a JavaScript expression is true."""
        end = time.monotonic() + TIMEOUT_S
        while not self._holds(condition):
            assert time.monotonic() < end, f"never true: {condition}; page: {self.text()[:500]}"
            time.sleep(0.05)

    def _holds(self, condition: str) -> bool:
        try:
            return bool(self.run(f"!!({condition})"))
        except MovedError:
            return False

    def text(self) -> str:
        return str(self.run("document.body ? document.body.innerText : ''"))

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            event = self._read()
            if event.get("method") == "Network.requestWillBeSent":
                self.requests.append(event["params"]["request"]["url"])
            if event.get("id") == self._number:
                if "navigated" in event.get("error", {}).get("message", ""):
                    raise MovedError(event)
                assert "error" not in event, event
                return dict(event["result"])

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            chunk = os.read(self._in, 1 << 16)
            assert chunk, "the browser ended"
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))
