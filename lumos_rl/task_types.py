"""Task types and their registry.

A task type is everything the framework knows about one benchmark: its environment and tools, how its files are read and
annotated, its built-in suite, its metrics. Each is one record, in the folder of its family:

    >>> get("gsm8k").env_id
    'lumos_rl/GSM8K-v0'
    >>> [tool.name for tool in get("intercode_sql").tool_specs()]
    ['ListTables', 'DescribeTable', 'Query']

Records are imported on first use. Another package registers its own with the entry-point group `lumos_rl.task_types`
(`reverse = "my_package:REVERSE"`); `--plugin my_module` loads those of a module that is not installed.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, cast

from lumos_rl.core import Task
from lumos_rl.errors import ConfigError, DataError, UnknownNameError
from lumos_rl.tools.base import ToolSpec

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

log = logging.getLogger(__name__)

ENTRY_POINTS = "lumos_rl.task_types"
BUILT_IN: Mapping[str, str] = {  # name → "module:name" of its record
    "gsm8k": "lumos_rl.envs.math.task_type:GSM8K",
    "hotpotqa": "lumos_rl.envs.qa.task_type:HOTPOTQA",
    "intercode_sql": "lumos_rl.envs.sql.task_type:INTERCODE_SQL",
    "mawps": "lumos_rl.envs.math.task_type:MAWPS",
    "mind2web": "lumos_rl.envs.mind2web.task_type:MIND2WEB",
    "strategyqa": "lumos_rl.envs.qa.task_type:STRATEGYQA",
    "svamp": "lumos_rl.envs.math.task_type:SVAMP",
    "webshop": "lumos_rl.envs.webshop.task_type:WEBSHOP",
}

Report = Callable[[str, DataError], None]  # id or place of a record, and what is wrong with it


@dataclass(frozen=True, slots=True)
class Reject:
    """A record without a verified plan: a short reason to count by, and details."""

    id: str
    reason: str
    detail: str = ""

    @property
    def text(self) -> str:
        """Reason and details in one line."""
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


class Reader(Protocol):
    """Reads the files of a benchmark; `lumos_rl.data.files.Reader` is one for files of records.

    Attributes:
        files: For each split, the file names to look for in a folder. The first key is the default split.
    """

    @property
    def files(self) -> Mapping[str, tuple[str, ...]]: ...

    def read(self, source: str, split: str, report: Report | None = None) -> Iterator[Task]:
        """The tasks of a file, a folder, or "hf:NAME"; an unreadable record goes to `report`, or raises without one."""
        ...


Annotator = Callable[[Task], Task | Reject]  # the task with a plan verified by execution, or why there is none
Suite = Callable[[str, str, int], Iterator[Task]]  # (task type, split, seed) → tasks with gold plans, without end
Resampler = Callable[[Task, int, int], Sequence[Task]]  # (annotated task, how many, seed) → tasks with other numbers


class Scale(StrEnum):
    """The unit of a metric."""

    SHARE = "share"  # 0 to 1, shown in percent
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of an episode.

    Attributes:
        name: Its key in `info["metrics"]`.
        scale: Its unit.
        reported: Whether papers report it, besides or instead of success; a run's summary then has a column for it.
    """

    name: str
    scale: Scale = Scale.SHARE
    reported: bool = False


@dataclass(frozen=True, slots=True)
class TaskType:
    """Everything the framework knows about one benchmark.

    Fields that would import more than the standard library may be given as "module:name", which is imported on first
    use.

    Attributes:
        name: Lower-case name: the `benchmark` of its tasks, and its name in every flag.
        env_id: Id of its environment in Gymnasium's registry.
        env: The environment's class, called with `benchmark=name`; None for a training set, see `graded_as`.
        tools: Name, usage and JSON Schema of each tool, in the order in which prompts list them, without Finish.
        metrics: All metrics that its environment reports.
        group: Word of `--suites` that also selects its built-in suite; None if only its name does.
        graded_as: For a training set, the task type whose environment grades its tasks; None for its own environment.
        reads_results: Whether the grounder reads the results of earlier subgoals (passages, columns of a table).
        tells_actions: Whether a result is a sentence about what was done, as in web navigation, instead of a value.
        play_options: Options of the environment when planner and grounder play.
        reader: Reads its files; None without files.
        annotator: Derives plans from the benchmark's own solutions by rule; None if no rule can.
        suite: Its built-in suite; None without one.
        unseen: Whether that suite also has the split "unseen", whose templates (`meta["template"]` of each of its
            tasks) occur in no other split.
        place: Key of `Task.meta` that says where a task takes place, such as a web site or a database: the same words
            elsewhere are another task. None if the words alone are the task.
        resampler: Copies an annotated task with new numbers and recomputed answers; None if that is not possible.
        renames: Whether names, ids and values that a conversation only copies may be replaced by others.
        published: What Agent Lumos reached, as text; "" if nothing was published.
        about: What its tasks are and what ends them, in a sentence or two for a model; "" says nothing.
        own_syntax: What its environment takes besides the action language, in a sentence for a model; "" for nothing.
        finishes: Whether `Finish` ends its episodes; if not, the last action of a plan does, such as a purchase.
    """

    name: str
    env_id: str
    tools: tuple[ToolSpec, ...] | str
    metrics: tuple[Metric, ...]
    env: Callable[..., Any] | str | None = None
    group: str | None = None
    graded_as: str | None = None
    reads_results: bool = False
    tells_actions: bool = False
    play_options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    reader: Reader | str | None = None
    annotator: Annotator | str | None = None
    suite: Suite | str | None = None
    unseen: bool = False
    place: str | None = None
    resampler: Resampler | str | None = None
    renames: bool = False
    published: str = ""
    about: str = ""
    own_syntax: str = ""
    finishes: bool = True

    @property
    def grader(self) -> str:
        """Name of the task type whose environment grades its tasks."""
        return self.graded_as or self.name

    def tool_specs(self) -> tuple[ToolSpec, ...]:
        """Name, usage and JSON Schema of each tool, without Finish."""
        return cast("tuple[ToolSpec, ...]", _resolved(self.tools))

    def tool_names(self) -> tuple[str, ...]:
        """Names of the tools, in the order in which prompts list them."""
        return tuple(tool.name for tool in self.tool_specs())

    def get_reader(self) -> Reader:
        """Its reader.

        Raises:
            UnknownNameError: It has no files; the task types with files are listed.
        """
        if self.reader is None:
            raise UnknownNameError("task type with files", self.name, _having("reader"))
        return cast(Reader, _resolved(self.reader))

    def get_annotator(self) -> Annotator:
        """Its annotator.

        Raises:
            UnknownNameError: It has none; the task types with one are listed.
        """
        if self.annotator is None:
            raise UnknownNameError("benchmark with annotations by rule", self.name, _having("annotator"))
        return cast(Annotator, _resolved(self.annotator))

    def get_suite(self) -> Suite:
        """Its built-in suite.

        Raises:
            UnknownNameError: It has none; the task types with one are listed.
        """
        if self.suite is None:
            raise UnknownNameError("built-in suite", self.name, _having("suite"))
        return cast(Suite, _resolved(self.suite))

    def get_resampler(self) -> Resampler | None:
        """Its resampler; None without one."""
        return None if self.resampler is None else _resolved(self.resampler)

    def metric(self, name: str) -> Metric:
        """The metric of this name; an undeclared one counts as a share."""
        return next((metric for metric in self.metrics if metric.name == name), Metric(name))


_added: dict[str, TaskType] = {}  # by `register`


def register(task_type: TaskType) -> None:
    """Adds a task type to the registry of this process.

    Raises:
        ConfigError: Its name belongs to another one.
    """
    known = find(task_type.name)
    if known is not None and known != task_type:
        raise ConfigError(f"expected a new name for a task type, got {task_type.name!r}, which another one has")
    _added[task_type.name] = task_type


def load_plugins(modules: Iterable[str]) -> None:
    """Imports modules and registers every `TaskType` in them.

    Raises:
        ConfigError: A module cannot be imported, or defines none.
    """
    for name in modules:
        try:
            module = import_module(name)
        except ImportError as error:
            raise ConfigError(
                f"expected a module that can be imported as --plugin, got {name!r}: {error}; run from its folder, or"
                " add that to PYTHONPATH"
            ) from error
        found = [value for value in vars(module).values() if isinstance(value, TaskType)]
        if not found:
            raise ConfigError(f"expected a TaskType in the module {name!r} of --plugin, got none")
        for task_type in found:
            register(task_type)


def get(name: str) -> TaskType:
    """The task type of this name.

    Raises:
        UnknownNameError: There is none; the known ones are listed.
    """
    found = find(name)
    if found is None:
        raise UnknownNameError("benchmark", name, names())
    return found


def find(name: str) -> TaskType | None:
    """The same; None where there is none."""
    if name in _added:
        return _added[name]
    if name in BUILT_IN:
        return cast(TaskType, _imported(BUILT_IN[name]))
    installed = _installed().get(name)
    return None if installed is None else _loaded(installed)


def names() -> list[str]:
    """Names of all known task types, sorted."""
    return sorted({*BUILT_IN, *_installed(), *_added})


def every() -> list[TaskType]:
    """All known task types, sorted by name; a broken installed package is skipped with a warning."""
    found = []
    for name in names():
        try:
            found.append(get(name))
        except ConfigError as error:  # one broken package must not disable the others
            _warn(name, str(error))
    return found


@functools.cache
def _warn(name: str, why: str) -> None:
    """Warns once."""
    log.warning("task type %s is left out: %s", name, why)


def environments() -> dict[str, str]:
    """Name → environment id, for the task types with an environment of their own."""
    return {each.name: each.env_id for each in every() if each.env is not None}


def suites(word: str) -> list[str]:
    """Names of the task types whose built-in suites a word of `--suites` selects: a group, or one name.

    Raises:
        UnknownNameError: It selects none.
    """
    having = [each for each in every() if each.suite is not None]
    found = [each.name for each in having if each.group == word] or [each.name for each in having if each.name == word]
    if not found:
        raise UnknownNameError("task type", word, {each.group or each.name for each in having})
    return found


def _having(part: str) -> list[str]:
    return [each.name for each in every() if getattr(each, part) is not None]


def _resolved(given: Any) -> Any:
    return _imported(given) if isinstance(given, str) else given


@functools.cache
def _imported(place: str) -> Any:
    """The object that "module:name" refers to."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


@functools.cache
def _installed() -> Mapping[str, EntryPoint]:
    from importlib.metadata import entry_points  # imported late: it takes as long as everything else together

    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


@functools.cache
def _loaded(point: EntryPoint) -> TaskType:
    try:
        found = point.load()
    except Exception as error:  # whatever somebody else's module raises when it is imported
        raise ConfigError(f"expected a TaskType at {point.value} ({ENTRY_POINTS}), got {error!r}") from error
    if not isinstance(found, TaskType) or found.name != point.name:
        raise ConfigError(f"expected a TaskType named {point.name!r} at {point.value} ({ENTRY_POINTS}), got {found!r}")
    return found
