"""The budget of one statement: its computing time, the time that its step has left, and the bytes of its texts.

    budget = Budget()
    guarded = Guarded(connection, budget)         # functions, aggregates and collations are created through this
    guarded.create_function("my_repeat", 2, repeat, deterministic=True)
    with budget.running(2.0):
        connection.execute(…).fetchall()          # each call of `my_repeat` first asks the budget
    budget.check()                                # StopError if a comparison ran out of time, which it cannot say

SQLite looks at the time only between the steps of its virtual machine, and one step can call any number of functions.
So the budget is asked before each call of a function, an aggregate or a collation, and by long loops (`ask`).
"""

from __future__ import annotations

import contextlib
import math
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, cast

MAX_BYTES = 200_000_000  # of all texts that the functions of one statement make
_SMALL = 1_000  # characters; the bytes of shorter texts are not counted
_RUNNING = threading.local()


class StopError(Exception):
    """Ends a statement from within a function; SQLite discards its class and message."""


class Budget:
    """What one statement may still use.

    Attributes:
        reason: Why the running or last statement was stopped, in MySQL's words; None if it was not, or was too slow.
        is_late: Whether it was stopped because its time was over.
        is_cut: Whether that was the time of the step or episode, not its own.
        is_over: Whether it was stopped because it made too many texts.
        is_faulty: Whether a function ran out of memory.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.is_late = self.is_cut = self.is_over = self.is_faulty = False
        self._deadline, self._until, self._left = math.inf, math.inf, MAX_BYTES

    @contextlib.contextmanager
    def running(self, seconds: float, until: float = math.inf) -> Iterator[None]:
        """Runs one statement; `ask` then refers to this budget.

        Args:
            seconds: How long it may compute.
            until: When it must end, as a time of `time.monotonic`.
        """
        self.reason, self.is_late, self.is_cut, self.is_over, self.is_faulty = None, False, False, False, False
        self._deadline, self._until, self._left = time.thread_time() + seconds, until, MAX_BYTES
        before, _RUNNING.budget = getattr(_RUNNING, "budget", None), self
        try:
            yield
        finally:
            _RUNNING.budget = before
            self._deadline = self._until = math.inf

    def late(self) -> bool:
        """Whether the time is over."""
        if not self.is_late:
            self.is_cut = time.monotonic() > self._until
            self.is_late = self.is_cut or time.thread_time() > self._deadline
        return self.is_late

    def check(self) -> None:
        """Stops the statement if its time is over.

        Raises:
            StopError: It is over.
        """
        if self.late():
            raise StopError("the time is over")

    def left_s(self) -> float:
        """Seconds that are left."""
        return max(0.0, min(self._deadline - time.thread_time(), self._until - time.monotonic()))

    def stop(self, reason: str) -> NoReturn:
        """Stops the statement.

        Raises:
            StopError: Always.
        """
        self.reason = reason
        raise StopError(reason)

    def spend(self, value: Any) -> None:
        """Counts a text that a function made.

        Raises:
            StopError: All texts of this statement together are too long.
        """
        if isinstance(value, str) and len(value) > _SMALL:
            self._left -= len(value) * (1 if value.isascii() else 4)
            if self._left < 0:
                self.is_over = True
                self.stop(f"Results of functions were larger than max_allowed_packet ({MAX_BYTES}) in all")


def ask() -> None:
    """Stops the statement that runs in this thread, if its time is over; does nothing outside of statements.

    Raises:
        StopError: The time is over.
    """
    budget = getattr(_RUNNING, "budget", None)
    if budget is not None:
        budget.check()


def halt(reason: str) -> NoReturn:
    """Stops the statement that runs in this thread with an error of MySQL.

    Raises:
        StopError: Always.
    """
    budget = getattr(_RUNNING, "budget", None)
    if budget is not None:
        budget.stop(reason)
    raise StopError(reason)


def left_s(most: float) -> float:
    """Seconds that are left to the statement of this thread, and at most `most`."""
    budget = getattr(_RUNNING, "budget", None)
    return most if budget is None else min(most, cast(Budget, budget).left_s())


class Guarded:
    """A connection's `create_…` methods, for functions that must not outlast or outgrow the budget.

    Any exception of a function stops the statement with an error of MySQL, never with Python's or SQLite's words.
    """

    def __init__(self, connection: sqlite3.Connection, budget: Budget) -> None:
        self._connection, self._budget = connection, budget

    def create_function(
        self, name: str, narg: int, func: Callable[..., Any] | None, *, deterministic: bool = False
    ) -> None:
        """As `sqlite3.Connection.create_function`."""
        guarded = None if func is None else self._asking(name, func)
        self._connection.create_function(name, narg, guarded, deterministic=deterministic)

    def create_aggregate(self, name: str, n_arg: int, aggregate_class: Any) -> None:
        """As `sqlite3.Connection.create_aggregate`."""
        self._connection.create_aggregate(name, n_arg, self._watched(name, aggregate_class, ("step", "finalize")))

    def create_window_function(self, name: str, num_params: int, aggregate_class: Any) -> None:
        """As `sqlite3.Connection.create_window_function`."""
        methods = ("step", "inverse", "value", "finalize")
        self._connection.create_window_function(name, num_params, self._watched(name, aggregate_class, methods))

    def create_collation(self, name: str, compare: Callable[[str, str], int]) -> None:
        """As `sqlite3.Connection.create_collation`. SQLite ignores exceptions here; see `Budget.check`."""
        budget = self._budget

        def compared(left: str, right: str) -> int:
            return 0 if budget.late() else compare(left, right)

        self._connection.create_collation(name, compared)

    def _watched(self, name: str, aggregate: Any, methods: tuple[str, ...]) -> Any:
        wrapped = {method: self._asking(name, getattr(aggregate, method)) for method in methods}
        return type(aggregate.__name__, (aggregate,), wrapped)

    def _asking(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        budget, shown = self._budget, name.removeprefix("my_")

        def call(*arguments: Any) -> Any:
            budget.check()
            try:
                value = function(*arguments)
            except StopError:
                raise
            except MemoryError:
                budget.is_faulty = True
                raise
            except re.error:
                budget.stop("Illegal argument to a regular expression.")
            except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
                budget.stop(f"Incorrect arguments to {shown}")
            budget.spend(value)
            return value

        return call
