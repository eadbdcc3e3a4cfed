"""The shape of the package: imports point down, optional packages stay in their rooms, files and functions stay short.

A room is a module or folder of `lumos_rl`, or of `lumos_rl.envs`. It may import rooms of lower rows only: no row above
it, and no sibling in its own row. Modules of one room may import each other, without a circle. Imports inside functions
and those for types alone count like any other.
"""

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "lumos_rl"
FAMILIES = sorted(f"envs/{path.parent.name}" for path in PACKAGE.glob("envs/*/task_type.py"))  # of task types
ROWS = [
    ["errors"],
    ["masking"],
    ["records", "checks", "console"],
    ["core"],
    ["language", "metrics", "prompts"],
    ["agent", "tools", "policies"],
    ["task_types"],
    ["data"],
    ["envs/arguments", "envs/registration", "envs/spaces", "envs/tasks"],
    ["envs/episode"],
    ["envs/base"],
    FAMILIES,
    ["rollout", "training"],
    ["runs"],
    ["recipes"],
    ["cli"],
]
LEVEL = {room: level for level, row in enumerate(ROWS) for room in row}

# Lower, but still out of reach: an environment never sees a model.
FORBIDDEN = {("envs", "policies")}

# Where an optional or heavy package may be imported, as path prefixes; packages that are not named are free.
HOMES = {
    "vllm": ["policies/vllm"],
    "ray": ["rollout/ray_", "training/job.py"],
    "trl": ["training/"],
    "peft": ["training/", "policies/checkpoints.py"],  # trained adapters are loaded with it
    "accelerate": ["training/"],
    "torch": [
        "training/",
        "policies/checkpoints.py",
        "policies/gguf_files.py",
        "policies/hf",
        "policies/vllm",
        "rollout/ray_workers.py",
        "runs/",
    ],
    "transformers": [
        "training/",
        "policies/checkpoints.py",
        "policies/gguf_files.py",
        "policies/hf",
        "policies/vllm",
    ],
    "datasets": ["data/", "training/"],
    "gymnasium": ["envs/", "rollout/loop.py", "rollout/ray_workers.py", "runs/environments.py"],
    "gguf": ["policies/gguf_files.py"],
    "sympy": ["tools/"],
    "bm25s": ["envs/qa/tools/", "envs/webshop/tools/"],
    "lxml": ["envs/mind2web/tools/"],
    "sqlglot": ["envs/sql/tools/"],
    "pymysql": ["envs/sql/tools/"],
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


def room_of(path: str) -> str:
    """`data/files` → `data`, `envs/math/gsm8k` → `envs/math`; of the packages `lumos_rl` and `lumos_rl.envs` → ""."""
    parts = path.removesuffix(".py").removesuffix("__init__").strip("/").split("/")
    if parts[0] == "envs":
        return "/".join(parts[:2]) if len(parts) > 1 else ""
    return parts[0]


def path_of(module: str) -> str:
    """`lumos_rl.data.files` → `data/files`."""
    return module.removeprefix("lumos_rl").removeprefix(".").replace(".", "/")


@functools.cache
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
            if module in ("lumos_rl", "lumos_rl.envs"):  # `from lumos_rl import core` imports a room
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
    room = room_of(name_of(path))
    assert not room or room in LEVEL, f"{name_of(path)}: no such room; rooms: {', '.join(LEVEL)}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    own = room_of(name_of(path))
    for module in imports(path):
        if not module.startswith("lumos_rl") or not own:
            continue
        other = room_of(path_of(module))
        assert other in LEVEL, f"{name_of(path)} imports {module}; import from the room that defines it"
        if other == own:
            continue
        assert LEVEL[other] < LEVEL[own], f"{name_of(path)} imports {module}: {own} may not import {other}"
        pair = own.partition("/")[0], other
        assert pair not in FORBIDDEN, f"{name_of(path)} imports {module}: {own} may not import {other}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = {".".join(("lumos_rl", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in FILES}
    known = {name.removesuffix(".__init__"): path for name, path in known.items()}
    waiting = {name: set(run_by_importing(name, path, known)) for name, path in known.items()}
    while free := {name for name, needed in waiting.items() if not needed}:
        waiting = {name: needed - free for name, needed in waiting.items() if name not in free}
    circles = {name: sorted(needed) for name, needed in waiting.items()}
    assert not circles, f"each of these waits for another one of them: {circles}"


def run_by_importing(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Modules of ours that a file names, and the packages around them, which run first; not those around itself."""
    for module in modules_imported(path, known):
        parts = module.split(".")
        around = (".".join(parts[:length]) for length in range(2, len(parts) + 1))
        yield from (each for each in around if each != name and not name.startswith(f"{each}."))


def modules_imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Modules of ours that a file names: `from lumos_rl.envs.sql.tools import clock` names `….tools.clock`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else node.module


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
    for file in [*(PACKAGE / "envs").rglob("*.py"), *(PACKAGE / "tools").rglob("*.py")]:
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
    early = {"torch.nn", "os", "lumos_rl.core", "lumos_rl.envs.base", "lumos_rl.data.gsm8k", "ray", "vllm", "sympy"}
    assert set(imported(source, package, at_import_only=True)) == early
    assert set(imported(source, package)) == early | {"lumos_rl.agent", "lumos_rl.tools.base"}


def test_the_table_names_each_room_once() -> None:
    rooms = [room for row in ROWS for room in row]
    assert len(rooms) == len(set(rooms)) == len(LEVEL)
