import shlex
import subprocess
import sys

import pytest

import lumos_rl
from lumos_rl import cli


def run(*words):
    return subprocess.run([sys.executable, "-m", "lumos_rl.cli", *words], capture_output=True, text=True, check=False)


def test_without_a_word_the_recipes_are_listed(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["lumos-rl"])
    cli.main()
    said = capsys.readouterr().out
    listed = [line.split()[0] for line in said.splitlines() if line.startswith("  ")]
    assert listed == ["collect", "compare", "dpo", "evaluate", "replay", "sft", "sft_then_dpo"]
    assert "Tests a policy by its benchmark's own metric" in said


def test_an_unknown_recipe_lists_the_known_ones(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["lumos-rl", "evaluat"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert "unknown recipe 'evaluat'; did you mean 'evaluate'? Known: collect, compare, dpo" in capsys.readouterr().err


def test_a_recipe_is_the_module_of_its_name():
    done = run("sft", "--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: python -m lumos_rl.recipes.sft [PRESET]")
    assert run("sft", "tini").returncode == 2


def test_the_version_is_that_of_the_package():
    assert lumos_rl.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="no attribute 'version'"):
        _ = lumos_rl.version


@pytest.mark.parametrize("module", ["lumos_rl.data.convert", "lumos_rl.recipes.replay", "lumos_rl.recipes.sft"])
def test_a_command_ends_quietly_when_nobody_reads_on(module):
    pipe = f"{shlex.quote(sys.executable)} -m {module} --help | head -n 1"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: ")
    assert done.stderr == ""


@pytest.mark.parametrize(
    "words",
    ["lumos_rl.cli", "lumos_rl.cli --help", "lumos_rl.recipes.replay --help", "lumos_rl.recipes.sft --help-all"],
)
def test_help_ends_quietly_when_its_reader_has_read_enough(words):
    program = subprocess.Popen(
        [sys.executable, "-m", *words.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    program.stdout.close()  # as `head` does
    assert program.stderr.read() == ""
    assert program.wait() == 0
