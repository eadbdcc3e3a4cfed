"""The command `lumos-rl`: the recipes by their names.

lumos-rl                                  # lists them
lumos-rl evaluate runs/tiny-0             # the same as python -m lumos_rl.recipes.evaluate runs/tiny-0
"""

from __future__ import annotations

import ast
import runpy
import sys
from importlib.metadata import version
from pathlib import Path

from lumos_rl.console import failed, until_pipe_closes
from lumos_rl.errors import UnknownNameError

FOLDER = Path(__file__).with_name("recipes")


def main() -> None:
    """Runs the recipe that the first word names, or lists all."""
    words = sys.argv[1:]
    if words in (["--version"], ["-V"]):
        print(f"lumos_rl {version('lumos_rl')}")
    elif not words or words[0] in ("-h", "--help"):
        with until_pipe_closes():
            print(listing())
    elif words[0] not in (known := recipes()):
        sys.exit(failed(str(UnknownNameError("recipe", words[0], known))))
    else:
        sys.argv = sys.argv[1:]
        runpy.run_module(f"lumos_rl.recipes.{words[0]}", run_name="__main__", alter_sys=True)


def recipes() -> dict[str, str]:
    """Name → what it does, read without an import."""
    found = {}
    for path in sorted(FOLDER.glob("[!_]*.py")):
        about = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        found[path.stem] = about.split("\n")[0].partition(": `")[0].rstrip(".:")
    return found


def listing() -> str:
    """What there is, a line each."""
    lines = ["usage: lumos-rl RECIPE [PRESET] [--FLAG VALUE …]     lumos-rl RECIPE --help", ""]
    return "\n".join([*lines, *(f"  {name:14}{about}" for name, about in recipes().items())])


if __name__ == "__main__":
    main()
