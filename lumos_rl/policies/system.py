r"""The system message of a conversation, for chat templates that have no place for one.

    seated(tokenizer, [{"role": "system", "content": "Act."}, {"role": "user", "content": "5"}])
    # as it is, or as the template of Lumos or Gemma needs it: [{"role": "user", "content": "Act.\n\n5"}]

Some templates refuse the role, some write it as a turn of the model or of the user, some put it before the last message
instead of the first, so that earlier turns change. For these, the text is the beginning of the first user message, in
training and in every episode alike.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from lumos_rl.core import Message
from lumos_rl.errors import ConfigError
from lumos_rl.policies.seam import open_turn
from lumos_rl.policies.templates import render

log = logging.getLogger(__name__)

_KNOWN: WeakKeyDictionary[Any, tuple[object, bool]] = WeakKeyDictionary()
_TOLD: WeakSet[Any] = WeakSet()  # tokenizers whose way with system messages is logged
_SYSTEM, _USER, _TURN = "0s0", "0u0", "0t0"


def seated(tokenizer: Any, messages: Sequence[Message], told: bool = True) -> Sequence[Message]:
    """The messages as the tokenizer's chat template can write them.

    Args:
        tokenizer: With a chat template.
        messages: A conversation.
        told: Whether the log says, once, that a system message is moved.
    """
    if not messages or messages[0]["role"] != "system" or _takes_system(tokenizer):
        return messages
    if told and tokenizer not in _TOLD:
        _TOLD.add(tokenizer)
        log.info("the chat template takes no system message, which begins the first message of the user instead")
    begin = "\n\n".join(message["content"] for message in messages[:2])
    return [{"role": "user", "content": begin}, *messages[2:]]


def _takes_system(tokenizer: Any) -> bool:
    """Whether the template has a place of its own for a system message; decided once for each template."""
    state = len(tokenizer), tokenizer.chat_template, tokenizer.eos_token
    before, takes = _KNOWN.get(tokenizer, (None, False))
    if before != state:
        takes = _found(tokenizer)
        _KNOWN[tokenizer] = state, takes
    return takes


def _found(tokenizer: Any) -> bool:
    system: Message = {"role": "system", "content": _SYSTEM}
    chat: list[Message] = [
        {"role": role, "content": text} for role, text in (("user", _USER), ("assistant", _TURN), ("user", _USER))
    ]
    try:
        opened, later = (open_turn(tokenizer, [system, *chat[:end]]) for end in (1, 3))
    except ConfigError:
        return False
    others = [_rendered(tokenizer, [{"role": role, "content": _SYSTEM}, chat[0]]) for role in ("user", "assistant")]
    apart = render(tokenizer, [system, chat[0]], False) not in others
    return apart and opened.count(_SYSTEM) == 1 and _SYSTEM in opened.partition(_USER)[0] and later.startswith(opened)


def _rendered(tokenizer: Any, messages: Sequence[Message]) -> str | None:
    """The text of a conversation; None if the template refuses it."""
    try:
        return render(tokenizer, messages, False)
    except ConfigError:
        return None
