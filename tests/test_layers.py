"""The shape of the package: imports point down, optional packages stay in their rooms, files and functions stay short.

A room is a module or folder of `lumos_rl`. It may import rooms of lower rows only: no rows above it, and no siblings in
its own row. Imports inside functions, and those for types alone, count like any other.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "lumos_rl"
ROWS = [
    ["errors"],
    ["core"],
    ["language", "metrics", "web_metrics", "meters", "prompts", "encoding"],
    ["tools", "policies"],
    ["data"],
    ["envs", "agent", "episodes"],
    ["rollout", "serving"],
    ["dispatch", "ray_config"],
    ["ray_engines"],
    ["ray_rollout", "training", "report"],
    ["recipes"],
]
LEVEL = {room: level for level, row in enumerate(ROWS) for room in row}

# Lower, but still out of reach: an environment never sees a model.
FORBIDDEN = {("envs", "policies")}

# Where an optional or heavy package may be imported, as path prefixes; packages that are not named are free.
HOMES = {
    "vllm": ["policies/vllm.py"],
    "ray": ["ray_rollout.py", "ray_engines.py"],
    "trl": ["training/"],
    "peft": ["training/", "policies/checkpoints.py"],  # trained adapters are loaded with it
    "accelerate": ["training/"],
    "torch": [
        "training/",
        "policies/checkpoints.py",
        "policies/hf.py",
        "policies/vllm.py",
        "ray_rollout.py",
        "recipes/",
    ],
    "transformers": ["training/", "policies/checkpoints.py", "policies/hf.py", "policies/vllm.py", "recipes/"],
    "datasets": ["data/", "training/"],
    "gymnasium": ["envs/", "rollout.py", "ray_rollout.py", "recipes/"],
    "sympy": ["tools/"],
    "bm25s": ["tools/"],
    "lxml": ["tools/"],
}
HEAVY = {
    "bm25s",
    "lxml",
    "pymysql",
    "sqlglot",
    "torch",
    "ray",
    "vllm",
    "trl",
    "peft",
    "transformers",
    "datasets",
    "sympy",
    "gymnasium",
    "accelerate",
    "wandb",
}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(module: str) -> str:
    """`lumos_rl.envs.math.gsm8k` → `data`; the package itself → ""."""
    return module.removeprefix("lumos_rl").removeprefix(".").partition(".")[0]


def imports(path: Path, at_import_only: bool = False) -> list[str]:
    """Full names of the modules that a file imports, e.g. `lumos_rl.core`, `torch`."""
    package = ["lumos_rl", *path.relative_to(PACKAGE).parent.parts]
    return list(imported(path.read_text(), package, at_import_only))


def imported(source: str, package: list[str], at_import_only: bool = False) -> Iterator[str]:
    """The same for a source text that lies in `package`."""
    tree = ast.parse(source)
    for node in _run_at_import(tree.body) if at_import_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "lumos_rl":  # `from lumos_rl import core` imports a room, `import Task` the package itself
                yield from (f"{module}.{alias.name}" for alias in node.names)
            else:
                yield module


def _run_at_import(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Every node that runs when the module is imported: no function bodies, no `if TYPE_CHECKING`."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _run_at_import(node.orelse)
            continue
        yield node
        for field in ("body", "orelse", "finalbody"):
            yield from _run_at_import(getattr(node, field, []))
        for handler in getattr(node, "handlers", []):
            yield from _run_at_import(handler.body)


def reached_at_import(path: Path) -> set[str]:
    """Outside packages loaded when this file is imported, through our own modules too."""
    seen: set[Path] = set()
    outside: set[str] = set()
    waiting = [path, PACKAGE / "__init__.py"]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        for module in imports(current, at_import_only=True):
            if module.startswith("lumos_rl"):
                waiting += files_of(module)
            else:
                outside.add(module.partition(".")[0])
    return outside


def files_of(module: str) -> list[Path]:
    """The files that importing a module of ours runs: the module and the packages around it."""
    found = []
    place = PACKAGE
    for part in module.split(".")[1:]:
        found.append(place / "__init__.py")
        place = place / part
    return [file for file in [*found, place.with_suffix(".py"), place / "__init__.py"] if file.is_file()]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_file_has_its_room(path: Path) -> None:
    room = name_of(path).removesuffix(".py").partition("/")[0]
    assert room == "__init__" or room in LEVEL, f"{name_of(path)}: no such room; rooms: {', '.join(LEVEL)}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    own = name_of(path).removesuffix(".py").partition("/")[0]
    for module in imports(path):
        if not module.startswith("lumos_rl") or own == "__init__":
            continue
        other = room_of(module)
        assert other in LEVEL, f"{name_of(path)} imports {module}; import from the room that defines it"
        if other == own:
            continue
        assert LEVEL[other] < LEVEL[own], f"{name_of(path)} imports {module}: {own} may not import {other}"
        assert (own, other) not in FORBIDDEN, f"{name_of(path)} imports {module}: {own} may not import {other}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_optional_packages_stay_in_their_rooms(path: Path) -> None:
    for module in imports(path):
        package = module.partition(".")[0]
        homes = HOMES.get(package)
        assert homes is None or name_of(path).startswith(tuple(homes)), (
            f"{name_of(path)} imports {package}, which belongs to {', '.join(homes or [])}"
        )


@pytest.mark.parametrize(
    ("module", "allowed"),
    [("lumos_rl", set()), ("lumos_rl.envs", {"gymnasium"}), ("lumos_rl.tools", set()), ("lumos_rl.data", set())],
)
def test_light_modules_reach_nothing_heavy_when_imported(module: str, allowed: set[str]) -> None:
    for file in files_of(module):
        assert reached_at_import(file) & HEAVY <= allowed


def test_making_an_environment_reaches_no_model_library() -> None:
    for file in [*(PACKAGE / "envs").glob("*.py"), *(PACKAGE / "tools").glob("*.py")]:
        assert not reached_at_import(file) & {"torch", "ray", "vllm", "trl", "peft", "transformers", "datasets"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= MAX_FILE_LINES, f"{name_of(path)} has {text.count(chr(10))} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False)
            length = (node.end_lineno or 0) - node.lineno + 1 - (docstring.count("\n") + 1 if docstring else 0)
            assert length <= MAX_FUNCTION_LINES, f"{name_of(path)}:{node.lineno} {node.name} has {length} lines"


def test_imports_load_nothing_heavy_in_a_fresh_process() -> None:
    code = "import sys, gymnasium, lumos_rl, lumos_rl.envs, lumos_rl.tools; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not set(loaded) & (HEAVY - {"gymnasium"})


def test_the_walk_sees_every_kind_of_import() -> None:
    source = """
import torch.nn, os
from lumos_rl import core
from . import base
from ..data.gsm8k import READER
if TYPE_CHECKING:
    from lumos_rl.agent import play
try:
    import ray
except ImportError:
    import vllm
class Late:
    import sympy
    def method(self):
        from lumos_rl.tools.base import Tool
"""
    package = ["lumos_rl", "envs"]
    early = {"torch.nn", "os", "lumos_rl.core", "lumos_rl.envs", "lumos_rl.envs.math.gsm8k", "ray", "vllm", "sympy"}
    assert set(imported(source, package, at_import_only=True)) == early
    assert set(imported(source, package)) == early | {"lumos_rl.agent", "lumos_rl.tools.base"}


def test_the_table_names_each_room_once() -> None:
    rooms = [room for row in ROWS for room in row]
    assert len(rooms) == len(set(rooms)) == len(LEVEL)
