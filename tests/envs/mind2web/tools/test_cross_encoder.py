"""The cross-encoder as a ranker: a tiny one of the released model's class, with random weights."""

import pickle
import shutil
import socket
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl.envs.mind2web.tools.cross_encoder import CrossEncoder
from lumos_rl.envs.mind2web.tools.ranking import scores
from lumos_rl.errors import ConfigError, MissingFileError


def save_model(folder: Path, outputs: int) -> Path:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import DebertaV2Config, DebertaV2ForSequenceClassification, PreTrainedTokenizerFast

    torch.manual_seed(0)
    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *"task is previous actions search home button target id".split()]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]"
    ).save_pretrained(folder)
    config = DebertaV2Config(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=outputs,
        relative_attention=True,
        pos_att_type=["p2c", "c2p"],
    )
    DebertaV2ForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformers")
    return save_model(tmp_path_factory.mktemp("ranker") / "tiny", 1)


TEXTS = ["target: (button id=0 search)", "target: (a id=0 home)", "target: " + "home " * 2_000, "target: x"]


def test_batches_score_like_single_texts(model: Path) -> None:
    ranker = CrossEncoder(model, device="cpu", batch=3)
    together = ranker.score_all("task is: search", TEXTS)
    assert together == pytest.approx([ranker("task is: search", text) for text in TEXTS], abs=1e-5)
    assert all(0 < score < 1 for score in together)
    assert len(set(together)) > 1
    assert ranker.score_all("any", []) == []


def test_it_equals_the_model_itself(model: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer, plain = AutoTokenizer.from_pretrained(model), AutoModelForSequenceClassification.from_pretrained(model)
    encoded = tokenizer("task is: search", TEXTS[0], return_tensors="pt")
    with torch.no_grad():
        expected = float(torch.sigmoid(plain.eval()(**encoded).logits))
    assert CrossEncoder(model, device="cpu")("task is: search", TEXTS[0]) == pytest.approx(expected, abs=1e-6)


def test_equal_texts_are_scored_once(model: Path) -> None:
    ranker = CrossEncoder(model, device="cpu")
    seen: list[Any] = []
    score_all = ranker.score_all
    ranker.score_all = lambda query, texts: seen.append(texts) or score_all(query, texts)  # type: ignore[method-assign]
    found = scores(ranker, "q", [TEXTS[0], TEXTS[1], TEXTS[0]])
    assert seen == [[TEXTS[0], TEXTS[1]]] and found[0] == found[2]


def test_an_environment_ranks_with_it(model: Path) -> None:
    env = gym.make("lumos_rl/Mind2Web-v0", ranker=model, limit=1, top_k=5)
    _, info = env.reset(options={"task": 0})
    assert len(info["elements"]) == 5
    info = env.step("Finish()")[4]
    assert info["ranker"] == "tiny"
    other = pickle.loads(pickle.dumps(env.unwrapped))
    assert other.reset(options={"task": 0}) == env.reset(options={"task": 0})


def test_a_model_in_the_cache_of_the_hub_is_loaded_by_its_name(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    place = tmp_path / "models--nobody--tiny"
    shutil.copytree(model, place / "snapshots" / "0")
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("0")
    assert CrossEncoder("nobody/tiny", device="cpu")("q", TEXTS[0]) == CrossEncoder(model, device="cpu")("q", TEXTS[0])


def test_a_name_that_is_nowhere_here_is_not_looked_for_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytest.importorskip("huggingface_hub.constants"), "HF_HUB_OFFLINE", False)
    asked: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *_, **__: asked.append(host) or [])
    with pytest.raises(MissingFileError, match="nobody/nothing"):
        CrossEncoder("nobody/nothing")
    assert asked == []


def test_what_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(MissingFileError, match="MindAct_CandidateGeneration"):
        CrossEncoder(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="one output, got 2"):
        CrossEncoder(save_model(tmp_path / "two", 2))
