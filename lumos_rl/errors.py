"""Every error this package raises on purpose, in one tree.

    LumosError
    ├── ActionParseError (ValueError)      text that is not an action; carries the position
    ├── ToolError (ValueError)             what an *action* did wrong; environments turn it into an observation
    │   └── ToolLimitError                 a tool refused or stopped work that was too large or too slow
    ├── ConfigError (ValueError)           a setting that cannot work; says what is accepted
    │   └── UnknownNameError (LookupError) an unknown name; lists the known ones
    ├── UnknownNodeError (IndexError)      an element that is not on the page
    ├── DataError (ValueError)             a record that cannot be read: file, line, field, expected, got
    ├── MissingFileError (FileNotFoundError)  a missing file: where it was expected, where it comes from
    ├── MissingExtraError (ImportError)    an optional dependency is absent; names the extra to install
    ├── EpisodeError (RuntimeError)        `step` before `reset`, or after the episode ended
    ├── ActionTypeError (TypeError)        an action given to `step` that is not a `str`
    └── InfrastructureError (RuntimeError) a worker, an engine or the network failed, not the model

Errors are separated by who is at fault. The model: `ActionParseError` and `ToolError` become observations and never
leave an environment. The infrastructure: `InfrastructureError` becomes `Trajectory.failure`, is counted, and is kept
out of every score. The user or programmer: everything else is raised at once.
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


class UnknownToolError(ToolError):
    """An action calls a tool that there is not."""


class ToolLimitError(ToolError):
    """A tool refused or stopped work beyond its limits of size, power, time or memory."""


class ConfigError(LumosError, ValueError):
    """A setting that cannot work; the message says what is accepted."""


class UnknownNameError(ConfigError, LookupError):
    """An unknown name. The message lists the known names and suggests the closest one."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        close = difflib.get_close_matches(name, self.known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        super().__init__(f"unknown {kind} {name!r}{hint} Known: {', '.join(self.known) or 'none'}")

    def __reduce__(self) -> tuple[object, ...]:
        return (UnknownNameError, (self.kind, self.name, self.known))


class UnknownNodeError(LumosError, IndexError):
    """An element that does not exist on the page."""


class DataError(LumosError, ValueError):
    """A record that cannot be read."""


class MissingFileError(LumosError, FileNotFoundError):
    """A missing file or folder; the message says where it was expected and where it comes from."""


class MissingExtraError(LumosError, ImportError):
    """An optional dependency is not installed. Where no extra holds it (""), the hint is the command that does."""

    def __init__(self, package: str, extra: str, hint: str = "") -> None:
        self.package, self.extra, self.hint = package, extra, hint
        command = f"pip install -e '.[{extra}]'" if extra else ""
        super().__init__(f"{package} is not installed; run in the clone of lumos_rl: {command}{hint}")

    def __reduce__(self) -> tuple[object, ...]:
        return (MissingExtraError, (self.package, self.extra, self.hint))


class EpisodeError(LumosError, RuntimeError):
    """An environment was stepped before `reset`, or after its episode had ended."""


class ActionTypeError(LumosError, TypeError):
    """An environment was given an action that is not a `str`."""


class InfrastructureError(LumosError, RuntimeError):
    """A worker, an engine or the network failed. This is not the model's fault, so it never becomes a score."""
