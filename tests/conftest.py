"""Fixtures that more than one test folder needs."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when the hub's client is imported: no test waits for the network
os.environ.setdefault("OMP_NUM_THREADS", "1")  # models here are so small that threads cost more than they give

STATUS = pytest.StashKey[int]()


def pytest_sessionfinish(session, exitstatus):
    session.config.stash[STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """Leaves a process that had a Ray cluster with its exit status, without unloading it.

    Threads of Ray's telemetry may outlive `ray.shutdown`, and now and then crash while the interpreter is taken down,
    when all is reported. Whether a program of ours ends well is tested on programs: they are run and must return 0.
    """
    if "ray" in sys.modules and STATUS in config.stash:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[STATUS])


def pytest_collection_modifyitems(items):
    """With several processes (`pytest -n 2 --dist loadgroup`), a file stays in one, and all of Ray in the same one."""
    for item in items:
        folder, file = item.path.parent.name, item.path.name
        on_ray = file.startswith("test_ray_") or folder in ("recipes", "runs") or item.get_closest_marker("slow")
        item.add_marker(pytest.mark.xdist_group("ray" if on_ray else f"{folder}/{file}"))


SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"  # beside the repository


@pytest.fixture
def benchmark_data() -> Callable[[str], Path]:
    """`benchmark_data("gsm8k/train.jsonl")` is the path of a real benchmark file or folder; the test skips without it.

    They are looked for in the folder that LUMOS_RL_DATA names, else in ../shared/data beside the repository.
    """
    folder = Path(os.environ.get("LUMOS_RL_DATA") or SHARED_DATA)

    def find(name: str) -> Path:
        path = folder / name
        if not path.exists():
            pytest.skip(f"no real benchmark data at {path}; set LUMOS_RL_DATA to a folder that has {name}")
        return path

    return find


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model of two small layers with its tokenizer: to be read, not written."""
    from tiny_model import create

    return create(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="session")
def tiny_sft(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model when it knows `tiny_model.CHATS` by heart: to be read, not written."""
    from tiny_model import CHATS

    from lumos_rl.training.settings import SFTSettings
    from lumos_rl.training.sft import train_sft

    out = tmp_path_factory.mktemp("tiny") / "sft"
    settings = SFTSettings(max_steps=80, learning_rate=1e-2, batch_size=16, save_steps=None)
    train_sft(tiny_base, CHATS, out, settings, seed=0)
    return out


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the run of `small_run.CONFIG` after the stages base and sft, to be copied."""
    from small_run import CONFIG, fine_tune

    from lumos_rl.runs.folder import RunFolder

    folder = tmp_path_factory.mktemp("trained")
    with RunFolder(folder, CONFIG) as run:
        fine_tune(run)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path):
    """That run with all test episodes of every version in place, so that nothing is left to be played there."""
    from small_run import CONFIG, always, play_gold

    from lumos_rl.runs.folder import EVALUATION, RunFolder
    from lumos_rl.runs.tasks import test_tasks

    shutil.copytree(trained, tmp_path / "run")
    with RunFolder(tmp_path / "run", CONFIG) as opened:
        for version in ("sft", "rs-1", "rs-2", "dpo-1", "dpo-2"):
            play_gold(opened, test_tasks(CONFIG.data), CONFIG.test_rollout, version, EVALUATION, always)
        yield opened


@pytest.fixture(scope="session")
def sql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a MariaDB server of the tests' own, as `backend` takes it; the test skips where there can be none."""
    from sql_server import private_server

    server = private_server(tmp_path_factory.mktemp("mariadb"))
    yield server.address
    server.stop()
