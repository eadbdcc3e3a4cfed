r"""Chat templates: those that this package ships, how one is chosen, and how one is rendered.

    use_template(tokenizer, ("chatml",))                    # instead of the tokenizer's own
    use_template(tokenizer, ("enable_thinking=false",))     # its own, with an argument
    render(tokenizer, [{"role": "user", "content": "5"}], add_generation_prompt=True)
    # '<|im_start|>user\n5<|im_end|>\n<|im_start|>assistant\n'

Arguments are written into the template's text, so they are saved with the tokenizer, and every program that loads the
checkpoint uses them. Templates that write today's date write a fixed one here (`DATE`): otherwise the prompts of two
days would differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from lumos_rl.core import Message
from lumos_rl.errors import ConfigError
from lumos_rl.policies.settings import template_parts
from lumos_rl.prompts import LUMOS_CHAT_TEMPLATE

DATE = datetime(2024, 7, 26)  # what Llama 3's templates write where they are told no date

CHATML = (  # of Qwen, SmolLM2 and others, without their default system message and think blocks
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

TEMPLATES: Mapping[str, str] = {"lumos": LUMOS_CHAT_TEMPLATE, "chatml": CHATML}

_ARGUMENTS = re.compile(r"\A\{# arguments: (?P<json>.*?) #\}.*\n")


def use_template(tokenizer: Any, entries: Sequence[str]) -> None:
    """Gives a tokenizer the chat template that the setting `model.chat_template` describes.

    Without a name or file it keeps its own, or gets Lumos's if it has none. Doing it twice changes nothing more.

    Args:
        tokenizer: A Transformers tokenizer.
        entries: A name of `TEMPLATES` or of one of the tokenizer's own, or a file; and arguments as KEY=VALUE.

    Raises:
        ConfigError: An entry of another form, or no such template.
    """
    name, arguments = template_parts(entries)
    if name is None:
        text = _own(tokenizer)
        before = _ARGUMENTS.match(text)
        if before:
            text, arguments = text[before.end() :], json.loads(before["json"]) | arguments
    else:
        text = _named(tokenizer, name)
    tokenizer.chat_template = _with_arguments(text, arguments)


def render(tokenizer: Any, messages: Sequence[Message], add_generation_prompt: bool) -> str:
    """A conversation as text, on any day the same.

    Raises:
        ConfigError: The template refuses the conversation.
    """
    from jinja2 import TemplateError

    options = {"tokenize": False, "add_generation_prompt": add_generation_prompt, "strftime_now": DATE.strftime}
    try:
        return str(tokenizer.apply_chat_template(list(messages), **options))
    except (TemplateError, TypeError, ValueError) as error:
        raise ConfigError(
            f"expected a chat template for conversations of user and assistant, got {type(error).__name__}: {error};"
            f" {remedy(tokenizer)}"
        ) from error


def remedy(tokenizer: Any) -> str:
    """What to do about a template that cannot be used."""
    name = "chatml" if "<|im_end|>" in tokenizer.get_vocab() else "lumos"
    return f"give --model.chat-template {name} to use another one"


def _own(tokenizer: Any) -> str:
    own = tokenizer.chat_template
    if own is None:
        return _with_first_token(tokenizer, LUMOS_CHAT_TEMPLATE)
    if isinstance(own, str):
        return own
    if "default" in own:
        return str(own["default"])
    raise ConfigError(f"expected a default chat template, got {', '.join(own)}; name one with --model.chat-template")


def _named(tokenizer: Any, name: str) -> str:
    own = tokenizer.chat_template
    if isinstance(own, Mapping) and name in own:
        return str(own[name])
    if name in TEMPLATES:
        return _with_first_token(tokenizer, TEMPLATES[name])
    if Path(name).is_file():
        return Path(name).read_text(encoding="utf-8")
    known = ", ".join([*TEMPLATES, *(own if isinstance(own, Mapping) else ())])
    raise ConfigError(f"expected --model.chat-template as one of {known}, or a file, got {name!r}")


def _with_first_token(tokenizer: Any, template: str) -> str:
    """The template, beginning with the token that the tokenizer puts before every text, if it does."""
    begins = tokenizer.bos_token_id is not None and tokenizer.encode("")[:1] == [tokenizer.bos_token_id]
    return ("{{ bos_token }}" if begins else "") + template


def _with_arguments(text: str, arguments: Mapping[str, Any]) -> str:
    if not arguments:
        return text
    said = json.dumps(arguments).replace("#", "\\u0023")  # so that no value ends the comment
    sets = "".join(f"{{% set {name} = {value!r} %}}" for name, value in arguments.items())
    return f"{{# arguments: {said} #}}{sets}\n{text}"
