"""Running actions: tools, the values they return, and the executor that binds values to names.

    >>> executor = Executor(math_tools())
    >>> executor.run(parse_actions("R1 = Calculator(48 / 2); R2 = Calculator(R1 / 0)"))
    Execution(results={'R1': '24'}, error='Calculator(R1 / 0): division by zero; …')
    >>> executor.bindings["R1"]
    Value(exact=Fraction(24, 1), text='24')

A value keeps the exact object beside the text that the model sees, so a tool never parses a number back from its text.
Names are looked up, not substituted in texts, so `R1` is never replaced inside `R10`.
"""

from __future__ import annotations

import difflib
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Any, Protocol, runtime_checkable

from lumos_rl.core import Action
from lumos_rl.errors import ConfigError, ToolError, UnknownToolError
from lumos_rl.records import well_formed

MAX_DECIMAL_PLACES = 20  # an exact number with more places is easier to read as a fraction
MAX_ERROR = 400  # characters of an error as the model sees it
_SHOWN = Context(prec=15, rounding=ROUND_HALF_EVEN)  # significant digits shown of an inexact number


@dataclass(frozen=True, slots=True)
class Value:
    """What a name is bound to.

    Attributes:
        exact: The object itself. Numbers are `Fraction` when exact and `Decimal` when not (e.g. sqrt(2)); a list is a
            tuple of values; otherwise a bool, a str, or an object of the tool that made it.
        text: What the model sees; well-formed Unicode, as `exact` is where it is a text.
    """

    exact: object
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", well_formed(self.text))
        if isinstance(self.exact, str):
            object.__setattr__(self, "exact", well_formed(self.exact))

    @classmethod
    def of(cls, exact: object) -> Value:
        """The value of a number, bool, str or sequence of values, with its usual text."""
        if isinstance(exact, int) and not isinstance(exact, bool):
            exact = Fraction(exact)
        if isinstance(exact, Fraction | Decimal):
            return cls(exact, number_text(exact))
        if isinstance(exact, tuple):
            return cls(exact, f"[{', '.join(value.text for value in exact)}]")
        return cls(exact, str(exact))


def number_text(number: Fraction | Decimal) -> str:
    """The number as the model sees it; exact numbers are not rounded.

    An exact number is written as an integer `72`, a terminating decimal `0.75`, or a fraction `1/3`. An inexact one is
    a decimal with 15 significant digits.
    """
    if isinstance(number, Decimal):
        shown = _SHOWN.plus(number)
        if shown == 0:
            return "0"
        plain = -15 <= shown.adjusted() < 21
        text = f"{shown:f}" if plain else f"{shown:e}"
        mantissa, mark, exponent = text.partition("e")
        return (mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa) + mark + exponent
    if number.denominator == 1:
        return str(number.numerator)
    places = _decimal_places(number.denominator)
    if places is None:
        return f"{number.numerator}/{number.denominator}"
    digits = str(abs(number.numerator) * 10**places // number.denominator).rjust(places + 1, "0")
    return f"{'-' * (number < 0)}{digits[:-places]}.{digits[-places:]}"


def _decimal_places(denominator: int) -> int | None:
    """Decimal places of n/denominator in lowest terms; None when infinite or more than the maximum."""
    for places in range(MAX_DECIMAL_PLACES + 1):
        if 10**places % denominator == 0:
            return places
    return None


@runtime_checkable
class Tool(Protocol):
    """Something an action can call.

    Attributes:
        usage: One line for the model, e.g. "Calculator(expression): exact arithmetic".
    """

    usage: str

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value | tuple[Value, ...]:
        """Run on the text between the brackets.

        Args:
            args: The text as written.
            bindings: The values of the names bound so far.

        Returns:
            One value, or several in order (e.g. the solutions of an equation).

        Raises:
            ToolError: The action cannot be run; the message tells the model why.
        """
        ...


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """The description of a tool, known before an episode creates it.

    Attributes:
        name: Its name in the action language.
        usage: One line for the model.
        schema: JSON Schema of its arguments by name, for models that call tools with JSON.
    """

    name: str
    usage: str
    schema: Mapping[str, Any]

    @classmethod
    def of(cls, tool: Any, name: str = "") -> ToolSpec:
        """The description of a tool or tool class; the default name is the name of the class."""
        return cls(name or tool.__name__, tool.usage, tool.schema)


def arguments(**described: str | tuple[str, str]) -> dict[str, Any]:
    """JSON Schema of arguments, all of them required.

    >>> arguments(results=("array", "Earlier results, such as R1."))["properties"]["results"]["items"]
    {'type': 'string'}

    Args:
        **described: The description of each argument: a text, or ("array", text) for a list of texts.
    """
    properties: dict[str, Any] = {}
    for name, words in described.items():
        kind, description = ("string", words) if isinstance(words, str) else words
        properties[name] = {"type": kind, "description": description}
        if kind == "array":
            properties[name]["items"] = {"type": "string"}
    return {"type": "object", "properties": properties, "required": list(described), "additionalProperties": False}


@runtime_checkable
class Applicable(Protocol):
    """An exact object that `R4(R5, R6)` can be applied to, e.g. a formula."""

    def apply(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The value for these arguments; raises `ToolError` when they do not fit."""
        ...


@runtime_checkable
class Timed(Protocol):
    """A tool that may wait long, and can be told to stop earlier; e.g. one that runs code."""

    def within(self, seconds: float) -> Tool:
        """The same tool with at most this much time for a call."""
        ...


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds that tools may take, in real time; None is no limit.

    A tool with a true attribute `untimed` waits for a server or a model that the action does not choose, so its time is
    not counted; it bounds its waiting by itself, and reports a failure of the infrastructure.

    Attributes:
        step_s: For all actions of a step together.
        episode_s: For all steps of an episode together.
    """

    step_s: float | None = None
    episode_s: float | None = None

    def __post_init__(self) -> None:
        for name, seconds in (("step_budget_s", self.step_s), ("episode_budget_s", self.episode_s)):
            if seconds is not None and not seconds > 0:
                raise ConfigError(f"expected {name} as a number of seconds > 0 or None, got {seconds!r}")

    def left(self, step_s: float, episode_s: float) -> tuple[float, str]:
        """The seconds that are left after these were used, and in words what ends first."""
        left, words = math.inf, "the budget"
        for given, used, whose in ((self.step_s, step_s, "step"), (self.episode_s, episode_s, "episode")):
            if given is not None and given - used < left:
                left, words = given - used, f"the {given:g} seconds that the actions of one {whose} may take"
        return left, words


@dataclass(frozen=True, slots=True)
class Execution:
    """The outcome of running some actions.

    Attributes:
        results: Output name → text, in the order bound.
        error: What the first failing action did wrong; None when all ran.
        malformed: Whether that is no action at all: it could not be read, or names an unknown tool.
    """

    results: dict[str, str]
    error: str | None = None
    malformed: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "error", well_formed(self.error))


class Executor:
    """Runs actions in order and remembers what their outputs are bound to.

    Attributes:
        bindings: Name → value, over all runs since the last `reset`.
        last: The value bound last; None before the first.
        used_s: Seconds that tools took since the last `reset`.
        used_up: In words, the budget that ended the last run; empty if none did.
    """

    def __init__(self, tools: Mapping[str, Tool], budget: Budget | None = None) -> None:
        self.tools = dict(tools)
        self.budget = budget or Budget()
        self.bindings: dict[str, Value] = {}
        self.last: Value | None = None
        self.used_s, self.used_up = 0.0, ""

    def reset(self) -> None:
        """Forget every result, and begin a new budget."""
        self.bindings.clear()
        self.last, self.used_s, self.used_up = None, 0.0, ""

    def run(self, actions: Sequence[Action]) -> Execution:
        """Run the actions of a step until one fails or the budget is used up; earlier bindings are kept.

        A result that the model wrote in an action (`… = 24`) is ignored. A call without an output name is bound to the
        next free `R`, so that its result can be seen and used.
        """
        results: dict[str, str] = {}
        before, self.used_up = self.used_s, ""
        for action in actions:
            left, whose = self.budget.left(self.used_s - before, self.used_s)
            if left <= 0:
                self.used_up = f"{whose} are used up"
                return Execution(results, f"{_head(action)}: not run, as {self.used_up}")
            try:
                bound = self._timed(action, left)
            except ToolError as error:
                left, whose = self.budget.left(self.used_s - before, self.used_s)
                self.used_up = f"{whose} are used up" if left <= 0 else ""
                late = f"; {self.used_up}" if self.used_up else ""
                said = f"{_head(action)}: {shorten(str(error), MAX_ERROR)}{late}"
                return Execution(results, said, isinstance(error, UnknownToolError))
            for name, value in bound.items():
                results.pop(name, None)  # bound again: it moves to the end
                results[name] = value.text
                self.bindings[name] = self.last = value
        return Execution(results)

    def _timed(self, action: Action, left: float) -> dict[str, Value]:
        began = time.monotonic()
        try:
            return self._bind(action, left)
        finally:
            if not getattr(self.tools.get(action.tool), "untimed", False):
                self.used_s += time.monotonic() - began

    def _bind(self, action: Action, left: float) -> dict[str, Value]:
        value = self._call(action, left)
        outputs = action.outputs or (self._free_name(),)
        if len(outputs) == 1:
            return {outputs[0]: _as_one(value)}
        values = _as_several(value)
        if len(values) != len(outputs):
            shown = ", ".join(item.text for item in values)
            raise ToolError(f"expected {len(outputs)} results for {', '.join(outputs)}, got {len(values)}: {shown}")
        return dict(zip(outputs, values, strict=True))

    def _call(self, action: Action, left: float) -> Value | tuple[Value, ...]:
        if not action.tool:
            return lookup(action.args, self.bindings)
        if action.tool in self.tools:
            tool = self.tools[action.tool]
            if isinstance(tool, Timed) and left < math.inf:
                tool = tool.within(left)
            return tool(action.args, self.bindings)
        if action.tool not in self.bindings:
            if _is_result_name(action.tool):
                raise unknown_result(action.tool, self.bindings)
            raise UnknownToolError(
                f"unknown tool {action.tool!r}{_hint(action.tool, self.tools)}; known: {_known(self.tools)}"
            )
        value = self.bindings[action.tool]
        if not isinstance(value.exact, Applicable):
            raise ToolError(f"{action.tool} is {shorten(value.text)}, expected a formula that takes arguments")
        return value.exact.apply(action.args, self.bindings)

    def _free_name(self) -> str:
        numbers = [int(name[1:]) for name in self.bindings if _is_result_name(name)]
        return f"R{max(numbers, default=0) + 1}"


def lookup(name: str, bindings: Mapping[str, Value]) -> Value:
    """What `name` is bound to.

    Raises:
        ToolError: It is not bound; the message lists the known names.
    """
    if name not in bindings:
        raise unknown_result(name, bindings)
    return bindings[name]


def unknown_result(name: str, bindings: Mapping[str, Value]) -> ToolError:
    """The error for a name that is bound to nothing."""
    return ToolError(f"unknown result {shorten(name)!r}; known: {_known(bindings)}")


def _as_one(value: Value | tuple[Value, ...]) -> Value:
    if isinstance(value, Value):
        return value
    return value[0] if len(value) == 1 else Value.of(value)


def _as_several(value: Value | tuple[Value, ...]) -> tuple[Value, ...]:
    if isinstance(value, tuple):
        return value
    items = value.exact if isinstance(value.exact, tuple) else (value,)  # its items may be a tool's own objects
    return items if all(isinstance(item, Value) for item in items) else (value,)


def _is_result_name(name: str) -> bool:
    return name[:1] == "R" and name[1:].isascii() and name[1:].isdigit() and len(name) < 10


def _head(action: Action) -> str:
    return shorten(f"{action.tool}({action.args})" if action.tool else f"{', '.join(action.outputs)} = {action.args}")


def shorten(text: str, limit: int = 60) -> str:
    """The text, cut to `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _known(names: Iterable[str]) -> str:
    return ", ".join(names) or "none yet"


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
