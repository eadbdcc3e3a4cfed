"""A model small enough to be trained within a test, and what it is taught.

Its tokenizer knows some words of `TEXTS`; everything else is spelled in bytes.
"""

import hashlib
import math
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from lumos_rl.core import PreferencePair
from lumos_rl.training.scratch import create_scratch_model
from lumos_rl.training.settings import ScratchSettings

TASK = "Tom has 3 apples and gets 2. How many?"
TEXTS = [TASK, "Add the apples.", "Flip a coin.", "Heads.", "Tails.", "Edge.", "R1 = Calculator(3 + 2)", "Stop."] * 3
SHAPE = ScratchSettings(vocabulary=400, hidden=32, layers=2, heads=2, context=128)


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


PLAN = [user(TASK), assistant("Add the apples."), user("5"), assistant("Stop.")]
FLIP = [user("Flip a coin.")]
CHATS = [PLAN] * 9 + [[*FLIP, assistant(side)] for side in ["Heads."] * 4 + ["Tails."] * 2 + ["Edge."]]


def create(folder: Path, seed: int = 0) -> Path:
    create_scratch_model(TEXTS, folder, SHAPE, seed)
    return folder


def create_adapter(base: Path, folder: Path, seed: int) -> Path:
    """A LoRA adapter of `base` that changes what it writes, as if it had been trained."""
    torch.manual_seed(seed)
    config = LoraConfig(r=4, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return folder


def pair(prompt, chosen, rejected, module="planner", name=""):
    name = name or hashlib.sha256(f"{prompt}{chosen}{rejected}".encode()).hexdigest()[:6]
    return PreferencePair(f"{name}:0>1@0", name, "gsm8k", module, 0, tuple(prompt), chosen, rejected, 1.0, 0.0)


def sampled_logprob(logits, token, sampling):
    """Log-probability of a token where it was drawn from logits (V,) at a temperature, out of the nucleus of top_p."""
    if not sampling.temperature:
        return logits.log_softmax(-1)[token].item()
    left, nucleus = 1.0, []
    shares = (logits / sampling.temperature).softmax(-1).tolist()
    for index in sorted(range(len(shares)), key=lambda index: -shares[index]):
        if left > 1 - sampling.top_p:
            nucleus.append(index)
        left -= shares[index]
    assert token in nucleus
    return math.log(shares[token] / sum(shares[index] for index in nucleus))
