"""Stored conversations that a run learns in addition to those of its tasks, and the run's prompt profile.

--data.chats planner=plan.jsonl grounder=ground.jsonl --model.profile chats    # released annotations and their profile
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from lumos_rl.data.chats import chats_profile, read_chats
from lumos_rl.data.rows import ChatRow
from lumos_rl.prompts import PromptProfile, get_profile
from lumos_rl.runs.config import OWN_PROFILE, DataConfig
from lumos_rl.runs.entries import chats_parts


def chat_rows(config: DataConfig) -> list[ChatRow]:
    """The conversations of all files that `data.chats` names, in order.

    Raises:
        MissingFileError: There is no such file.
        DataError: A record is not a conversation.
    """
    return list(_read(config.folder, config.chats))


@lru_cache(maxsize=2)
def _read(folder: str, entries: tuple[str, ...]) -> tuple[ChatRow, ...]:
    rows: list[ChatRow] = []
    for entry in entries:
        module, file = chats_parts(entry)
        rows += read_chats(Path(folder) / file, module)
    return tuple(rows)


def profile_of(name: str, rows: Sequence[ChatRow]) -> PromptProfile:
    """The prompt profile of this name; for `OWN_PROFILE`, the one that these conversations were written with.

    Raises:
        UnknownNameError: No such profile.
        ConfigError: It cannot be extracted from the conversations.
    """
    return chats_profile(rows, OWN_PROFILE) if name == OWN_PROFILE else get_profile(name)
