r"""A ranker that reads query and candidate together: a cross-encoder in Transformers.

    ranker = CrossEncoder("MindAct_CandidateGeneration_deberta-v3-base")    # a downloaded folder
    ranker("task is: Find pickup …", "ancestors: /html/div\ntarget: (button id=0 Search)")    # 0.97
    gym.make("lumos_rl/Mind2Web-v0", ranker=ranker)

The released model is huggingface.co/osunlp/MindAct_CandidateGeneration_deberta-v3-base (DeBERTa-v3-base, one output).
Any sequence classifier with one output works.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from lumos_rl.errors import ConfigError, MissingExtraError, MissingFileError

MAX_TOKENS = 512  # of query and candidate together; Deng et al. 2023
BATCH = 64


class CrossEncoder:
    """A ranker with scores between 0 and 1.

    Attributes:
        name: Name of the model's folder.
    """

    def __init__(self, model: str | Path, device: str | None = None, batch: int = BATCH) -> None:
        """Loads a local model; nothing is downloaded.

        Args:
            model: Its folder, or its name on the Hugging Face hub if it is in the cache.
            device: Where it runs; None takes a GPU if there is one.
            batch: Number of pairs scored together.

        Raises:
            MissingExtraError: Transformers is not installed.
            MissingFileError: There is no such model.
            ConfigError: The model has more than one output.
        """
        try:
            self._torch: Any = import_module("torch")
            transformers: Any = import_module("transformers")
        except ImportError as error:
            raise MissingExtraError("transformers", "train") from error
        self.name, self._batch = Path(model).name, batch
        self._made_from = model, device, batch
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(model, local_files_only=True)
            classifier = transformers.AutoModelForSequenceClassification
            self._model = classifier.from_pretrained(model, local_files_only=True).eval()
        except (OSError, ValueError) as error:
            raise MissingFileError(
                f"expected a sequence classifier with its tokenizer at {model}, got {error}; it can be downloaded from"
                " huggingface.co/osunlp/MindAct_CandidateGeneration_deberta-v3-base"
            ) from error
        outputs = self._model.config.num_labels
        if outputs != 1:
            raise ConfigError(f"expected a model with one output, got {outputs} (model {model})")
        self._device = device or ("cuda" if self._torch.cuda.is_available() else "cpu")
        self._model.to(self._device)

    def __call__(self, query: str, text: str) -> float:
        """The score of one candidate."""
        return self.score_all(query, [text])[0]

    def score_all(self, query: str, texts: Sequence[str]) -> list[float]:
        """The score of each candidate; texts of similar length are batched, so that there is little padding."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        found = [0.0] * len(texts)
        for start in range(0, len(order), self._batch):
            part = order[start : start + self._batch]
            for index, score in zip(part, self._scores(query, [texts[index] for index in part]), strict=True):
                found[index] = score
        return found

    def _scores(self, query: str, texts: list[str]) -> list[float]:
        encoded = self._tokenizer(
            [query] * len(texts),
            texts,
            padding=True,
            truncation="longest_first",
            max_length=MAX_TOKENS,
            return_tensors="pt",
        ).to(self._device)
        with self._torch.inference_mode():
            logits = self._model(**encoded).logits  # (texts, 1)
        return [float(score) for score in self._torch.sigmoid(logits.float()).flatten().tolist()]

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy in another process, which loads the model again."""
        return CrossEncoder, self._made_from

    def __deepcopy__(self, memo: object) -> CrossEncoder:
        """The ranker itself, so that copies of an environment share the model."""
        return self
