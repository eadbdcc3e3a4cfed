"""Every error this package raises on purpose, in one tree.

    LumosError
    ├── ActionParseError (ValueError)      text that is no action; carries the position
    ├── ToolError (ValueError)             what an *action* did wrong; environments turn it into an observation
    │   └── ToolLimitError                 a tool refused or stopped work that was too large or too slow
    ├── ConfigError (ValueError)           a setting that cannot work; says what is accepted
    │   └── UnknownNameError (LookupError) a name that is not known; lists the known ones
    ├── UnknownNodeError (IndexError)      an element that is not on the page
    ├── DataError (ValueError)             a record that cannot be read: file, line, field, expected, got
    ├── MissingFileError (FileNotFoundError)  where it was looked for, where it comes from
    ├── MissingExtraError (ImportError)    an optional dependency is absent; names the extra to install
    ├── EpisodeError (RuntimeError)        `step` before `reset`, or after the episode ended
    ├── ActionTypeError (TypeError)        an action given to `step` that is no text
    └── InfrastructureError (RuntimeError) the machinery failed (worker, engine, network), not the model

Three parties can be at fault, and they are kept apart: the model (`ActionParseError` and `ToolError` become
observations and never leave an environment), the user or programmer (everything else above raises at once), the
infrastructure (`InfrastructureError` becomes `Trajectory.failure`, is counted, and is kept out of every score).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LumosError(Exception):
    """Root of the tree; catching it catches every error this package raises on purpose."""


class ActionParseError(LumosError, ValueError):
    """Text that is not in the action language.

    Attributes:
        position: Index of the offending character in `text`.
        text: The text that was parsed.
    """

    def __init__(self, message: str, text: str = "", position: int = 0) -> None:
        self.text, self.position = text, position
        excerpt = text[max(0, position - 15) : position + 25]
        where = f" (at character {position}, near {excerpt!r})" if text else ""
        super().__init__(message + where)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_parse_error, (str(self), self.text, self.position))


def _rebuild_parse_error(message: str, text: str, position: int) -> ActionParseError:
    error = ActionParseError(message)
    error.text, error.position = text, position
    return error


class ToolError(LumosError, ValueError):
    """What an action did wrong, in words the model can act on."""


class ToolLimitError(ToolError):
    """A tool refused, or stopped, work beyond its stated limits of size, power, time or memory."""


class ConfigError(LumosError, ValueError):
    """A setting that cannot work, with what is accepted instead."""


class UnknownNameError(ConfigError, LookupError):
    """A name nobody registered. The message lists the known names and the closest one."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        close = difflib.get_close_matches(name, self.known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        super().__init__(f"unknown {kind} {name!r}{hint} Known: {', '.join(self.known) or 'none'}")

    def __reduce__(self) -> tuple[object, ...]:
        return (UnknownNameError, (self.kind, self.name, self.known))


class UnknownNodeError(LumosError, IndexError):
    """An element that a page was asked for does not exist there."""


class DataError(LumosError, ValueError):
    """A record that cannot be read."""


class MissingFileError(LumosError, FileNotFoundError):
    """A file or folder that is not there: where it was looked for, and where it comes from."""


class MissingExtraError(LumosError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str, hint: str = "") -> None:
        self.package, self.extra, self.hint = package, extra, hint
        super().__init__(f"{package} is not installed; run in the clone of lumos_rl: pip install -e '.[{extra}]'{hint}")

    def __reduce__(self) -> tuple[object, ...]:
        return (MissingExtraError, (self.package, self.extra, self.hint))


class EpisodeError(LumosError, RuntimeError):
    """An environment was stepped before `reset`, or after its episode had ended."""


class ActionTypeError(LumosError, TypeError):
    """Something other than a `str` was given to an environment as an action."""


class InfrastructureError(LumosError, RuntimeError):
    """A worker, an engine or the network failed. Never the model's fault, so never a score."""
