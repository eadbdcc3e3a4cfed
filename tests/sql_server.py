"""A MariaDB server for the tests alone: on a free port, its data in a temporary folder, gone when the tests are."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "envs" / "sql" / "mariadb.sh"


class PrivateServer:
    """A server that can be stopped and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"mysql://root@127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [str(SCRIPT), "start", str(self.folder), str(self.port)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if run.returncode:
            pytest.skip(f"no MariaDB server can be started here: {run.stderr.strip()[-300:]}")
        assert run.stdout.strip() == self.address

    def stop(self) -> None:
        subprocess.run([str(SCRIPT), "stop", str(self.folder)], check=True, timeout=60)


def private_server(folder: Path) -> PrivateServer:
    """A running server; the test skips, with the reason, where there can be none."""
    if os.name != "posix":
        pytest.skip("MariaDB is started by a shell script")
    server = PrivateServer(folder)
    server.start()
    return server
