"""Whether the files of a model are whole; of weights, the header is enough to know. Loads no weights, and no torch.

damage(Path("runs/demo/checkpoints/sft/model.safetensors"))    # "" if it is whole
damage(Path("half.safetensors"))        # "half.safetensors ends after 4096 bytes of 88214"
model_damage(Path("runs/demo/checkpoints/sft"))                # of all files of weights in a folder
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

HEADER_BYTES = 8  # length of the header, little-endian (https://github.com/huggingface/safetensors#format)


def damage(file: Path) -> str:
    """What is wrong with a `.safetensors` file, or one that `torch.save` wrote; "" if it is whole.

    Raises:
        OSError: It cannot be read.
    """
    return _safetensors_damage(file) if file.suffix == ".safetensors" else _archive_damage(file)


def model_damage(folder: Path) -> str:
    """What is wrong with the weights in the folder of a model or adapter; "" if they are whole, or in another format.

    Raises:
        OSError: A file cannot be read.
    """
    for index in sorted(folder.glob("*.safetensors.index.json")):
        try:
            parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError):
            return f"{index} is no index of weights"
        if missing := sorted(part for part in parts if not (folder / part).is_file()):
            return f"{folder} lacks {', '.join(missing)}"
    return next((found for file in sorted(folder.glob("*.safetensors")) if (found := damage(file))), "")


def folder_damage(folder: Path) -> str:
    """What is wrong with the JSON files and the weights of a model or adapter; "" if nothing is, or there is no folder.

    Raises:
        OSError: A file cannot be read.
    """
    for file in sorted(folder.glob("*.json")):
        try:
            json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            return f"{file} is cut off or no JSON: {error}"
    return model_damage(folder)


def _safetensors_damage(file: Path) -> str:
    size = file.stat().st_size
    with file.open("rb") as data:
        length = int.from_bytes(data.read(HEADER_BYTES), "little")
        header = data.read(length) if length <= size else b""
    try:
        tensors = json.loads(header)
        ends = [tensor["data_offsets"][1] for name, tensor in tensors.items() if name != "__metadata__"]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return f"{file} has no whole header in its {size} bytes"
    wanted = HEADER_BYTES + length + max(ends, default=0)
    return "" if size == wanted else f"{file} ends after {size} bytes of {wanted}"


def _archive_damage(file: Path) -> str:
    """Of a zip archive, whose table of contents is written last."""
    return "" if zipfile.is_zipfile(file) else f"{file} is cut off after {file.stat().st_size} bytes"
