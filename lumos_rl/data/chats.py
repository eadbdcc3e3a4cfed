"""Reads stored conversations as training rows: the released Lumos annotations, or the unified set.

    {"dataset": "gsm8k", "id": "gsm8k_12", "messages": [{"role": "user", "content": "…Task: …"}, …]}

A released file holds one module, whose name the caller gives; records of `lumos_rl.data.unified` name theirs.
`chats_profile` extracts the fixed sentences that a released model was trained with.

    rows = read_chats(Path("lumos_maths_plan_iterative/train.jsonl"), "planner")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lumos_rl.core import Message, Module
from lumos_rl.data.files import bad_field, list_field, read_rows, text_field
from lumos_rl.data.raw import Row
from lumos_rl.data.rows import ChatRow
from lumos_rl.errors import ConfigError
from lumos_rl.prompts import PromptProfile, profile_from_records

ROLES = ("user", "assistant")


def read_chats(path: Path, module: str = "") -> list[ChatRow]:
    """The conversations of a JSON or JSON-lines file, in order.

    Args:
        path: The file.
        module: Who writes the assistant turns; "" takes the "module" of each record.

    Raises:
        MissingFileError: There is no such file.
        DataError: A record is not a conversation: file, line, field, expected, got.
    """
    return [_row(row, module) for row in read_rows(path)]


def chats_profile(rows: Sequence[ChatRow], name: str) -> PromptProfile:
    """The prompt profile that these conversations were written with.

    Args:
        rows: Iterative conversations of planner and grounder, of one data set.
        name: Name of the profile.

    Raises:
        ConfigError: A module is missing, or its conversations do not all start with the same text.
    """
    parts = {module: [row.messages for row in rows if row.module == module] for module in ("planner", "grounder")}
    missing = [module for module, found in parts.items() if not found]
    if missing:
        raise ConfigError(f"expected conversations of planner and grounder for {name}, got none of {missing[0]}")
    return profile_from_records(parts["planner"], parts["grounder"], name)


def _row(row: Row, module: str) -> ChatRow:
    who = module or text_field(row, "module")
    if who not in tuple(Module):
        raise bad_field(row, "module", f"one of {', '.join(Module)}", who)
    messages = tuple(_message(row, item) for item in list_field(row, "messages"))
    roles = [message["role"] for message in messages]
    turns = roles[1:] if roles[:1] == ["system"] else roles
    if not turns or turns != [ROLES[turn % 2] for turn in range(len(turns))]:
        wanted = "alternating turns of user and assistant, the user first, behind one of the system or none"
        raise bad_field(row, "messages", wanted, roles)
    identifier = row.value.get("id", row.index)
    return ChatRow(str(identifier), text_field(row, "dataset"), who, messages)


def _message(row: Row, item: object) -> Message:
    if isinstance(item, Mapping) and isinstance(item.get("content"), str) and isinstance(item.get("role"), str):
        return {"role": item["role"], "content": item["content"]}
    raise bad_field(row, "messages", 'objects with texts under "role" and "content"', item)
