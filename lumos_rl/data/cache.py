"""Where indexes of benchmark files are kept: under `LUMOS_RL_CACHE`, else ~/.cache/lumos_rl.

    cache_folder()    # PosixPath('/home/ada/.cache/lumos_rl')

Whatever lies there can be made again, and may be deleted at any time.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

CACHE_VARIABLE = "LUMOS_RL_CACHE"


def cache_folder() -> Path:
    """Where indexes are kept: the folder that `CACHE_VARIABLE` names, the user's cache, or else a temporary one."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError:  # a user without a home to write to
        home = Path(tempfile.gettempdir())
    return (home if os.access(home, os.W_OK) else Path(tempfile.gettempdir())) / "lumos_rl"
