"""Loads models and tokenizers of checkpoints with Transformers and PEFT, for generation or training.

load_model("runs/demo/checkpoints/dpo-1")      # a full model, or an adapter on its base
load_tokenizer("runs/demo/checkpoints/dpo-1")  # has a chat template, and its eos_token ends a turn
load_tokenizer("Qwen/Qwen3-0.6B", ("chatml",))  # with another template than its own
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from lumos_rl.errors import DataError, MissingExtraError, MissingFileError
from lumos_rl.policies.bases import located
from lumos_rl.policies.encoding import check_template, end_of_turn
from lumos_rl.policies.layout import Layout
from lumos_rl.policies.templates import use_template
from lumos_rl.policies.weights import folder_damage

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_tokenizer(path: str | Path, chat_template: Sequence[str] = ()) -> Any:
    """A tokenizer with a chat template and a padding token (its own or eos).

    Its `eos_token` is set to the token that ends a turn in that template.

    Args:
        path: Model or adapter folder, a hub name, or a word or GGUF file as for `bases.located`.
        chat_template: As the setting `model.chat_template`. With (), the tokenizer keeps its own template, or gets that
            of Lumos if it has none.

    Raises:
        MissingFileError: No tokenizer there.
        DataError: A file is cut off.
        ConfigError: No such template; or it does not end turns with a single token, or rewrites earlier turns.
    """
    path = located(path)
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError) as error:
        _raise_if_damaged(path, error)
        raise _missing(path, error) from error
    use_template(tokenizer, chat_template)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.eos_token = end_of_turn(tokenizer)
    check_template(tokenizer)  # so that a bad template fails here, not after training
    return tokenizer


def has_template(path: str | Path) -> bool:
    """Whether the tokenizer there has a chat template of its own."""
    return bool(AutoTokenizer.from_pretrained(located(path)).chat_template)


def end_ids(layout: Layout, tokenizer: Any) -> tuple[int, ...]:
    """Ids of the tokens that end a turn.

    Args:
        layout: The checkpoint. A folder with nothing but a tokenizer has no more than the template's own token.
        tokenizer: By `load_tokenizer`.

    Returns:
        The template's own first; then those with which the models end texts, by their generation configs.
    """
    told = [tokenizer.eos_token_id]
    for base in layout.models:
        found = _generation_config(base).eos_token_id
        told += found if isinstance(found, list) else [found]
    return tuple(dict.fromkeys(index for index in told if index is not None))


def _generation_config(base: str) -> GenerationConfig:
    """What generation_config.json says, else config.json; an empty one without both."""
    try:
        return GenerationConfig.from_pretrained(base)
    except OSError:
        try:
            return GenerationConfig.from_model_config(AutoConfig.from_pretrained(base))
        except (OSError, ValueError):
            return GenerationConfig()


def cut_at_end(ids: Sequence[int], ends: Sequence[int]) -> tuple[list[int], bool]:
    """The ids up to the first that ends a turn, and whether there is one.

    The last id is then the template's own, `ends[0]`, whichever of them the model wrote: prompts go on from it, and
    training rows end with it.
    """
    found = next((at for at, token in enumerate(ids) if token in ends), None)
    return (list(ids), False) if found is None else ([*ids[:found], ends[0]], True)


def load_model(path: str | Path, dtype: torch.dtype = torch.float32, trainable: bool = False) -> Any:
    """A causal language model, or a PEFT model if the folder holds an adapter.

    Args:
        path: Model folder, adapter folder or hub name.
        dtype: Type of the weights.
        trainable: Whether an adapter's weights get gradients.

    Raises:
        MissingFileError: No model there.
        DataError: A file is cut off.
    """
    path = located(path)
    try:
        if (Path(path) / "adapter_config.json").is_file():
            return _with_adapter(Layout.of(path).bases[None], path, dtype, is_trainable=trainable)
        return AutoModelForCausalLM.from_pretrained(path, dtype=dtype)
    except (OSError, ValueError, SafetensorError) as error:
        _raise_if_damaged(path, error)
        if not isinstance(error, OSError):
            raise
        raise _missing(path, error) from error


def _raise_if_damaged(path: str | Path, error: Exception) -> None:
    """Raises DataError if loading failed because a file in the folder, or in that of an adapter's base, is cut off."""
    damage = folder_damage(Path(path))
    if not damage and (Path(path) / "adapter_config.json").is_file():
        damage = folder_damage(Path(Layout.of(path).bases[None]))
    if damage:
        raise DataError(
            f"expected a whole model in {path}, got a damaged one: {damage}; copy it again, or, if a run trained it,"
            " remove that folder and the stage's file in stages/, and run the same command again"
        ) from error


def free_memory() -> None:
    """Frees the memory of unused models, and GPU memory for other processes."""
    gc.collect()  # a model that TRL has trained is part of a cycle
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def load_config(path: str | Path) -> Any:
    """The config of a full model; for a model that also reads images, that of its text part.

    Raises:
        MissingFileError: No model there.
    """
    path = located(path)
    try:
        return AutoConfig.from_pretrained(path).get_text_config()
    except (OSError, ValueError) as error:
        raise _missing(path, error) from error


def _missing(path: str | Path, error: Exception) -> MissingFileError:
    kind = "model or adapter folder (config.json or adapter_config.json), or a model of the Hugging Face hub"
    cause = str(error).strip().partition("\n")[0]
    return MissingFileError(f"expected a {kind}, got {str(path)!r}: {cause}")


def load_models(layout: Layout, dtype: torch.dtype, device: str) -> tuple[dict[str | None, Any], dict[str | None, str]]:
    """The model of each part of a checkpoint, and the part's adapter name if its model has several adapters.

    Adapters of one base share that base in memory.

    Args:
        layout: The parts.
        dtype: Type of the weights.
        device: Where to put them.

    Raises:
        MissingFileError: A model is missing.
    """
    models: dict[str | None, Any] = {}
    names: dict[str | None, str] = {}
    for key, base in layout.bases.items():
        folders = layout.adapters_of(base)
        if key not in folders or len(folders) == 1:
            models[key] = load_model(folders.get(key, base), dtype).to(device)
        elif key not in models:
            (first, folder), *rest = folders.items()
            model = _with_adapter(base, folder, dtype, adapter_name=str(first))
            for name, folder in rest:
                model.load_adapter(folder, adapter_name=str(name))
            models |= dict.fromkeys(folders, model.to(device))
            names |= {name: str(name) for name in folders}
    return models, names


def _with_adapter(base: str, adapter: str, dtype: torch.dtype, **options: Any) -> Any:
    """A full model with an adapter; its embeddings grow if the adapter's tokenizer has more tokens."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype)
    if (Path(adapter) / "tokenizer_config.json").is_file():
        tokens = len(AutoTokenizer.from_pretrained(adapter))
        if tokens > model.get_input_embeddings().weight.shape[0]:
            model.resize_token_embeddings(tokens)
    return _peft().PeftModel.from_pretrained(model, adapter, **options)


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise MissingExtraError("peft", "train") from error
    return peft
