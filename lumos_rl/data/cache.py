"""The folder for indexes of benchmark files: `LUMOS_RL_CACHE`, else ~/.cache/lumos_rl.

    cache_folder()    # PosixPath('/home/ada/.cache/lumos_rl')

Its files may be deleted at any time; they are rebuilt when needed.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

CACHE_VARIABLE = "LUMOS_RL_CACHE"


def cache_folder() -> Path:
    """The folder that `CACHE_VARIABLE` names, else the user's cache, else a temporary folder."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError:  # the user has no writable home
        home = Path(tempfile.gettempdir())
    return (home if os.access(home, os.W_OK) else Path(tempfile.gettempdir())) / "lumos_rl"
