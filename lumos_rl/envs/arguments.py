"""Names the argument that an environment does not know, with those that it knows.

>>> check_arguments(QAEnv, {"sorce": "dev.json"})                                               # doctest: +SKIP
UnknownNameError: unknown argument of QAEnv 'sorce'; did you mean 'source'? Known: judge, knowledge, limit, …
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from functools import lru_cache

from lumos_rl.errors import UnknownNameError

_FIXED = frozenset({"self", "benchmark"})  # the environment's id sets the benchmark


@lru_cache(maxsize=256)
def known_arguments(environment: type) -> tuple[frozenset[str], bool]:
    """The names that the constructors of an environment's classes take, and whether the first takes any other name."""
    names: set[str] = set()
    any_other: list[bool] = []
    for owner in environment.__mro__:
        if (made := vars(owner).get("__init__")) is None:
            continue
        parameters = inspect.signature(made).parameters.values()
        names |= {each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)}
        any_other.append(any(each.kind is each.VAR_KEYWORD for each in parameters))
        if not any_other[-1]:
            break
    return frozenset(names - _FIXED), any_other[0]


def check_arguments(environment: type, given: Iterable[str]) -> None:
    """Checks the names of arguments that the first constructor would refuse.

    Raises:
        UnknownNameError: One is unknown; the known ones are listed.
    """
    if not known_arguments(environment)[1]:
        refuse_unknown(environment, given)


def refuse_unknown(environment: type, given: Iterable[str]) -> None:
    """Raises `UnknownNameError` for the first name that no constructor takes."""
    known = known_arguments(environment)[0]
    for name in given:
        if name not in known and name not in _FIXED:
            raise UnknownNameError(f"argument of {environment.__name__}", name, known)
