"""Opens the source of a `knowledge` setting.

>>> open_source("context") is None          # each task brings its own
True
>>> task_source({"facts": ["Bo is a cat."]}).name
'facts (oracle)'
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lumos_rl.envs.qa.tools.knowledge import Facts, Nothing, Paragraphs, Piece, Source
from lumos_rl.errors import ConfigError, MissingFileError

PER_TASK = ("context", "facts")


def open_source(knowledge: str | os.PathLike[str] | Source | None) -> Source | None:
    """The source that all tasks share; None if each task brings its own.

    Args:
        knowledge: None, "context", "facts", "wikipedia", "wikipedia:record:FOLDER", "wikipedia:replay:FOLDER",
            a file or folder of documents, or a source.

    Raises:
        ConfigError: It is none of these, e.g. an empty text.
        MissingFileError: The documents do not exist.
        DataError: A document cannot be read.
    """
    if knowledge is None or knowledge in PER_TASK:
        return None
    if isinstance(knowledge, str) and not knowledge.strip():
        raise ConfigError(f"expected knowledge as {', '.join(PER_TASK)}, wikipedia, or a path, got an empty text")
    if isinstance(knowledge, str) and knowledge.partition(":")[0] == "wikipedia":
        from lumos_rl.envs.qa.tools.wikipedia import open_wikipedia

        return open_wikipedia(knowledge)
    if isinstance(knowledge, str | os.PathLike):
        from lumos_rl.envs.qa.tools.corpus import open_corpus

        if not Path(knowledge).exists():
            raise MissingFileError(
                f"expected knowledge as {', '.join(PER_TASK)}, wikipedia, or a file or folder of documents, got"
                f" {str(knowledge)!r}, and there is nothing at {Path(knowledge).absolute()}"
            )
        return open_corpus(Path(knowledge))
    if isinstance(knowledge, Source):
        return knowledge
    raise ConfigError(f"expected knowledge as text, a path or a Source, got {type(knowledge).__name__}")


def task_source(meta: Mapping[str, Any], knowledge: str | None = None) -> Source:
    """The source that a task brings.

    Args:
        meta: The task's extras: `context`, a list of titles with their sentences, or `facts`, a list of sentences.
        knowledge: "context" or "facts"; None takes the context if there is one, otherwise the facts.
    """
    if meta.get("context") and knowledge != "facts":
        return Paragraphs(Piece(title, tuple(sentences)) for title, sentences in meta["context"])
    if meta.get("facts") and knowledge != "context":
        return Facts(meta["facts"])
    wanted = {"context": "paragraphs", "facts": "facts"}.get(knowledge or "", "paragraphs and facts")
    return Nothing(f"this task comes without {wanted}, so there is nothing to look in")
