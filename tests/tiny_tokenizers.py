"""Small real tokenizers of the kinds that models have, and chat templates in the forms that models have.

A tokenizer is trained on `TEXTS` in a fraction of a second; what is added beside differs by template.
"""

import functools
import json

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from lumos_rl.policies.templates import CHATML
from lumos_rl.prompts import LUMOS_CHAT_TEMPLATE

TEXTS = [
    "Task: Tom has 3 apples and gets 2. How many?",
    "Subgoal 1: Add the apples. Stop.\n\nSubgoal 2: Stop.",
    "R1 = Calculator(3 + 2); R2 = Calculator(R1 * 2)",
    "[INST] user assistant model system [/INST] think <b> end",
    "<|user|>\n<|assistant|>\n",
] * 4
SPECIAL = ["<unk>", "<s>", "</s>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _plain(inner, replace):
    """The tokenizer, in which bytes are no added tokens, with other parts."""
    state = json.loads(inner.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] in SPECIAL]
    return Tokenizer.from_str(json.dumps(state | replace))


def _sentencepiece(replace):
    inner = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=[*SPECIAL, *BYTES], show_progress=False)
    inner.train_from_iterator((line for text in TEXTS for line in text.split("\n")), trainer)
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return _plain(inner, replace)


def llama_2():
    """As Transformers wrote it for Llama 2 and Mistral 0.1: a space before everything that follows an added token."""
    spaces = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    state = json.loads(_carrier(normalizer=spaces))
    return _sentencepiece({"normalizer": state["normalizer"], "pre_tokenizer": None})


def metaspace(scheme):
    """The same as a pre-tokenizer: a space before the first piece, or before each one."""
    state = json.loads(_carrier(pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)))
    return _sentencepiece({"pre_tokenizer": state["pre_tokenizer"]})


def _carrier(**parts):
    inner = Tokenizer(models.BPE())
    for name, part in parts.items():
        setattr(inner, name, part)
    return inner.to_str()


def unigram(scheme):
    inner = Tokenizer(models.Unigram())
    inner.normalizer = normalizers.NFKC()
    inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    inner.decoder = decoders.Metaspace(prepend_scheme=scheme)
    letters = [chr(code) for code in range(33, 127)] + ["\n"]
    trainer = trainers.UnigramTrainer(
        vocab_size=300, special_tokens=SPECIAL, unk_token="<unk>", initial_alphabet=letters, show_progress=False
    )
    inner.train_from_iterator(TEXTS, trainer)
    return inner


def byte_level(pattern=None, prefix=False):
    inner = Tokenizer(models.BPE())
    if pattern is None:
        inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    else:
        parts = [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
        inner.pre_tokenizer = pre_tokenizers.Sequence(parts)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    inner.train_from_iterator(TEXTS, trainer)
    return inner


TOKENIZERS = {
    "llama-2": llama_2,
    "metaspace-always": functools.partial(metaspace, "always"),
    "metaspace-first": functools.partial(metaspace, "first"),
    "unigram-always": functools.partial(unigram, "always"),
    "unigram-first": functools.partial(unigram, "first"),
    "gpt-2": byte_level,
    "gpt-2-space": functools.partial(byte_level, prefix=True),
    "llama-3": functools.partial(byte_level, LLAMA_3),
}

INST = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + m['content'].strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + '[/INST]' }}"
    "{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}"
)
LLAMA_3_2 = (
    "{{ bos_token }}{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    "{{ '<|start_header_id|>system<|end_header_id|>\n\nToday Date: ' + date_string + '\n\n<|eot_id|>' }}"
    "{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim }}"
    "{{ '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for m in messages %}{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else 'user') }}"
    "{{ '\n' + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
PHI_3 = (  # with one more token after the last turn
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ '<|endoftext|>' }}{% endif %}"
)
ZEPHYR = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + eos_token + '\n' }}"
    "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}{% endfor %}"
)
VICUNA = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ 'USER: ' + m['content'] + '\n' }}"
    "{% else %}{{ 'ASSISTANT: ' + m['content'] + eos_token + '\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
SPACE = (  # the prompt ends with a space, which tokenizers join with the word after it
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + ('\n' if m['role'] == 'user' else eos_token) }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
QWEN_3 = (  # a think block before the last turn alone
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
    "{% if m['role'] == 'assistant' and loop.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}"
)

IM = [AddedToken("<|im_start|>", special=True), AddedToken("<|im_end|>", special=True)]
HEADERS = [AddedToken(f"<|{name}|>", special=True) for name in ("start_header_id", "end_header_id", "eot_id")]
INSTRUCTION = [AddedToken(text, special=True) for text in ("[INST]", "[/INST]")]
TURNS = [AddedToken(text, special=True) for text in ("<start_of_turn>", "<end_of_turn>")]
PHI = [AddedToken(f"<|{name}|>", special=True, rstrip=True) for name in ("user", "assistant", "end", "endoftext")]
THINK = [AddedToken(text, special=False) for text in ("<think>", "</think>")]

TEMPLATES = {  # the template, and what its tokenizers have as added tokens
    "lumos": (LUMOS_CHAT_TEMPLATE, []),
    "lumos-first-token": ("{{ bos_token }}" + LUMOS_CHAT_TEMPLATE, []),
    "inst": (INST, []),
    "mistral": (MISTRAL, INSTRUCTION),
    "chatml": (CHATML, IM),
    "llama-3.2": (LLAMA_3_2, HEADERS),
    "gemma": (GEMMA, TURNS),
    "phi-3": (PHI_3, PHI),
    "zephyr": (ZEPHYR, []),
    "vicuna": (VICUNA, []),
    "space": (SPACE, []),
}


@functools.cache
def _trained(kind):
    return TOKENIZERS[kind]().to_str()


def make(kind, template, added=()):
    """A tokenizer of a kind with a template of `TEMPLATES`, or with any other and its added tokens."""
    text, tokens = TEMPLATES.get(template, (template, added))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_trained(kind)),
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        chat_template=text,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.add_tokens([*tokens])
    return tokenizer
