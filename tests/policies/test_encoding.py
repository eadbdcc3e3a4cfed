from pathlib import Path

import pytest
from tiny_model import PLAN, user
from transformers import AutoTokenizer

from lumos_rl.errors import ConfigError
from lumos_rl.policies.encoding import continue_chat, encode_chat, encode_prompt, end_of_turn, fingerprint
from lumos_rl.prompts import LUMOS_CHAT_TEMPLATE


class Letters:
    """A tokenizer of single characters; the end of a turn is "$"."""

    eos_token, eos_token_id, added_tokens_decoder, chat_template = "$", ord("$"), {}, None

    def __init__(self, rewrite=False):
        self.rewrite = rewrite

    def __len__(self):
        return 128

    def get_vocab(self):
        return {chr(code): code for code in range(128)}

    def apply_chat_template(self, conversation, tokenize, add_generation_prompt, **others):
        lines = [("U:" if m["role"] == "user" else "A:") + m["content"] for m in conversation]
        text = "".join(line + ("$;" if line.startswith("A:") else ";") for line in lines)
        return (str(len(lines)) if self.rewrite else "") + text + ("A:" if add_generation_prompt else "")

    def encode(self, text, add_special_tokens):
        return [ord(letter) for letter in text]


CHAT = [{"role": role, "content": text} for role, text in (("user", "q"), ("assistant", "ab"), ("user", "r"))]


def spelled(ids):
    return "".join(map(chr, ids))


def test_the_mask_covers_model_text_and_end_of_turn_only():
    ids, mask = encode_chat(Letters(), [*CHAT, {"role": "assistant", "content": "c"}])
    assert spelled(ids) == "U:q;A:ab$;U:r;A:c$;"
    assert spelled(token for token, written in zip(ids, mask, strict=True) if written) == "ab$c$"


def test_ids_before_a_turn_are_the_same_in_training_and_at_inference():
    prompt, _ = encode_chat(Letters(), CHAT, add_generation_prompt=True)
    whole, _ = encode_chat(Letters(), [*CHAT, {"role": "assistant", "content": "c"}])
    assert whole[: len(prompt)] == prompt


@pytest.mark.parametrize("encode", [encode_chat, lambda *given: continue_chat(*given, [1])])
def test_a_template_that_rewrites_history_is_refused(encode):
    with pytest.raises(ConfigError, match="rewrites"):
        encode(Letters(rewrite=True), CHAT)


LLAMA_2 = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ '<s>[INST] ' + m['content'].strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)


def test_a_template_that_puts_spaces_around_a_turn_is_gone_on_with(tiny_base):
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    tokenizer.chat_template = LLAMA_2
    whole, mask = encode_chat(tokenizer, [*CHAT, {"role": "assistant", "content": "c"}])
    prompt = encode_prompt(tokenizer, CHAT[:1])
    assert whole[: len(prompt)] == prompt
    turn = whole[len(prompt) : mask.index(False, len(prompt))]
    assert tokenizer.decode(turn) == f" ab {tokenizer.eos_token}"
    then = encode_prompt(tokenizer, CHAT, [*prompt, *turn])
    assert then == whole[: len(then)] and tokenizer.decode(then).endswith(f"{tokenizer.eos_token}<s>[INST] r [/INST]")
    cut = encode_prompt(tokenizer, CHAT, [*prompt, *turn[:-1]])
    assert tokenizer.decode(cut[len(prompt) + len(turn) - 1 :]) == f" {tokenizer.eos_token}<s>[INST] r [/INST]"


def test_a_turn_that_was_ended_is_gone_on_from():
    context = [ord(letter) for letter in "U:q;A:"] + [7, ord("$")]  # the model spelled "ab" as one token
    assert spelled(continue_chat(Letters(), CHAT, context)) == ";U:r;A:"
    assert encode_prompt(Letters(), CHAT, context)[: len(context)] == context


def test_a_turn_that_was_cut_is_ended_first():
    assert spelled(continue_chat(Letters(), CHAT, [7])) == "$;U:r;A:"
    assert spelled(encode_prompt(Letters(), CHAT)) == "U:q;A:ab$;U:r;A:"


def test_going_on_from_canonical_ids_is_encoding_the_whole(tiny_base: Path):
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    asked = [*PLAN, user("7")]
    context = encode_chat(tokenizer, PLAN)[0]
    assert encode_prompt(tokenizer, asked, context) == encode_prompt(tokenizer, asked)


def test_a_fingerprint_tells_vocabulary_and_template(tiny_base: Path):
    first, second = (AutoTokenizer.from_pretrained(tiny_base) for _ in range(2))
    assert fingerprint(first) == fingerprint(second)
    second.chat_template = LUMOS_CHAT_TEMPLATE + " "
    assert fingerprint(first) != fingerprint(second)
    second.chat_template = first.chat_template
    second.add_tokens(["apples!"])
    assert fingerprint(first) != fingerprint(second)


IM_END = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"


def test_a_turn_ends_by_the_token_of_the_template_which_need_not_be_eos(tiny_base: Path):
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    assert end_of_turn(tokenizer) == tokenizer.eos_token
    tokenizer.add_tokens(["<|im", "<|im_end|>"], special_tokens=True)
    tokenizer.chat_template = IM_END
    assert end_of_turn(tokenizer) == "<|im_end|>"


def test_a_template_whose_turns_end_by_no_token_is_refused(tiny_base: Path):
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    tokenizer.chat_template = IM_END
    with pytest.raises(ConfigError, match=r"ends it with '<\|im_end\|>'.*--model.chat-template lumos"):
        end_of_turn(tokenizer)
