"""GGUF files: what they say of their weights, and the weights as a plain folder that Transformers saves and trains.

    note = read_header(Path("SmolLM2-135M-Instruct.Q4_1.gguf"))
    note.text       # "weights were rounded to 4 bits (Q4_1) in SmolLM2-135M-Instruct.Q4_1.gguf"
    dequantise(Path("SmolLM2-135M-Instruct.Q4_1.gguf"), Path("smollm2"))

The weights are written in float32, which holds what a file's types stand for; bfloat16 and float16 would round them a
second time.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lumos_rl.errors import DataError, MissingExtraError

SUFFIX = ".gguf"
NOTE = "quantised.json"  # beside the weights, and beside those that are trained from them


@dataclass(frozen=True, slots=True)
class Quantised:
    """What was done to weights before they got here.

    Attributes:
        file: Name of the GGUF file.
        sha256: Hash of its content.
        types: Number of weights stored in each type, such as {"Q4_1": 106168320, "Q8_0": 28311552, "F32": 35136}.
    """

    file: str
    sha256: str
    types: dict[str, int]

    @property
    def text(self) -> str:
        """What to say beside every score; "" if nothing was rounded."""
        main = max(self.types, key=lambda name: self.types[name])
        bits = re.search(r"Q(\d+)|FP(\d+)", main)
        return f"weights were rounded to {bits[1] or bits[2]} bits ({main}) in {self.file}" if bits else ""


def note_in(folder: str | Path) -> Quantised | None:
    """The note in a folder of weights; None without one."""
    try:
        return Quantised(**json.loads((Path(folder) / NOTE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, OSError) as error:
        raise DataError(f"expected a note on quantised weights in {Path(folder) / NOTE}: {error}; remove it") from error


def save_note(note: Quantised, folder: Path) -> None:
    """Writes the note, as `note_in` reads it."""
    (folder / NOTE).write_text(json.dumps(asdict(note), indent=1) + "\n", encoding="utf-8")


def sha256(file: Path) -> str:
    """Hash of a file's content, computed once per process as long as the file stays as it is."""
    stats = file.stat()
    return _hash(file, stats.st_size, stats.st_mtime_ns)


@cache
def _hash(file: Path, size: int, time_ns: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def read_header(file: Path) -> Quantised:
    """What the file says of itself; errors as for `bases.located`."""
    with file.open("rb") as opened:
        magic = opened.read(4)
    if magic != b"GGUF":
        raise DataError(f"expected a GGUF file, which begins with 'GGUF', got {file}, which begins with {magic!r}")
    if find_spec("gguf") is None:
        raise MissingExtraError("gguf", "gguf")
    import gguf

    try:
        reader = gguf.GGUFReader(file)
        types = Counter[str]()
        for tensor in reader.tensors:
            types[tensor.tensor_type.name] += int(tensor.n_elements)
    except (ValueError, IndexError, KeyError, OverflowError, MemoryError) as error:
        raise DataError(f"{file} is cut off or damaged ({type(error).__name__}: {error}); copy it again") from error
    return Quantised(file.name, sha256(file), dict(types.most_common()))


def dequantise(file: Path, folder: Path) -> None:
    """Writes model and tokenizer as a plain folder in float32; errors as for `bases.located`."""
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    packed = getattr(transformers, "GgufConfig", None)  # of newer versions, which may leave weights in GGUF's blocks
    options = {"quantization_config": packed(dequantize=True)} if packed else {}
    where = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    try:
        tokenizer = AutoTokenizer.from_pretrained(**where)
        model, told = AutoModelForCausalLM.from_pretrained(
            **where, dtype=torch.float32, output_loading_info=True, **options
        )
    except (ValueError, KeyError, TypeError, NotImplementedError, RuntimeError) as error:
        if "memory" in str(error):
            raise
        raise DataError(
            f"expected a GGUF file that Transformers {transformers.__version__} reads, got {file}:"
            f" {str(error).strip().partition(chr(10))[0]}; give the folder or hub name of the model it was made from"
        ) from error
    if missing := sorted(told["missing_keys"]):
        raise DataError(f"expected all weights of the model in {file}, got none for {', '.join(missing[:3])}")
    _plain(model).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))


def _plain(model: Any) -> Any:
    """The same weights in a model that does not call itself quantised, so that it can be saved and trained."""
    import torch
    from transformers import AutoModelForCausalLM

    config = copy.deepcopy(model.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):
        plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(model.state_dict(), assign=True)
    plain.tie_weights()
    plain.generation_config = model.generation_config
    return plain
