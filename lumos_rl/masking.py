"""Passwords and keys in texts: they are masked wherever something is written, and taken from the environment again.

    masked("mysql://root:hunter2@127.0.0.1:3307")       # "mysql://root:***@127.0.0.1:3307"
    masked("https://host/v1?api-key=sk-1")              # "https://host/v1?api-key=***"
    revealed("mysql://root:***@db", "intercode_sql.backend", os.environ)     # what LUMOS_RL_INTERCODE_SQL_BACKEND holds

What is masked: the password of an address, the user of a web address (often a token), and what stands behind a name
such as `api_key=` in an address or an option.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lumos_rl.errors import ConfigError

MASK = "***"
PREFIX = "LUMOS_RL_"  # of environment variables that hold whole values
_NAME = r"(?:[\w\-]*[_\-])?(?:api[_\-]?key|key|token|secret|password|passwd|pwd|sig|signature|credential)"
_PATTERNS = (
    (re.compile(r"(\bmysql://[^\s/:@'\"]*:)[^\s'\"]+(?=@)", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"(\b[a-z][a-z0-9+.\-]*://[^\s/?#:@'\"]*:)[^\s/?#'\"]+(?=@)", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"(\bhttps?://)[^\s/?#:@'\"]+(?=@)", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(rf"([?&.]{_NAME}=)[^\s&#'\"]+", re.IGNORECASE), rf"\1{MASK}"),
)


def masked(text: str) -> str:
    """The text without passwords and keys."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def variable(setting: str) -> str:
    """The environment variable that holds the whole value of a setting."""
    return PREFIX + re.sub(r"\W", "_", setting).upper()


def revealed(value: str, setting: str, environment: Mapping[str, str]) -> str:
    """A value with its password, which an environment variable holds where the value itself is masked.

    Args:
        value: As it is given or stored.
        setting: Its name.
        environment: Environment variables.

    Raises:
        ConfigError: The variable is not set, or holds a value of another kind.
    """
    if MASK not in value:
        return value
    name = variable(setting)
    found = environment.get(name, "")
    if masked(found) != masked(value):
        got = f"{masked(found)!r} there" if found else "no such variable"
        raise ConfigError(
            f"expected the whole value of {setting} = {value}, whose password is not stored, in the environment"
            f" variable {name}, got {got}; set it, or give the setting again"
        )
    return found
