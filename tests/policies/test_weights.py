import os
import shutil

import pytest
from tiny_model import create_adapter

from lumos_rl.errors import DataError
from lumos_rl.policies.checkpoints import load_model, load_tokenizer
from lumos_rl.policies.hf import HFPolicy
from lumos_rl.policies.weights import damage, folder_damage, model_damage


@pytest.fixture(scope="module")
def adapter(tiny_base, tmp_path_factory):
    return create_adapter(tiny_base, tmp_path_factory.mktemp("cut") / "adapter", seed=1)


@pytest.fixture(params=["full", "adapter"])
def whole(request, tiny_base, adapter, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(tiny_base if request.param == "full" else adapter, folder)
    return folder


def cut(file):
    os.truncate(file, file.stat().st_size // 2)


def test_a_whole_model_has_no_damage(whole):
    assert folder_damage(whole) == ""
    load_model(whole)


def test_a_model_with_weights_that_are_cut_off_is_named_with_the_cure(whole):
    (file,) = whole.glob("*.safetensors")
    size = file.stat().st_size
    cut(file)
    assert damage(file) == f"{file} ends after {size // 2} bytes of {size}"
    for load in (load_model, HFPolicy.load):
        with pytest.raises(DataError, match=rf"{file} ends after .* copy it again, or, if a run trained it, remove"):
            load(whole)
    file.write_bytes(b"")
    assert model_damage(whole) == f"{file} has no whole header in its 0 bytes"


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_a_tokenizer_that_is_cut_off_is_named(whole, name):
    cut(whole / name)
    for load in (load_tokenizer, HFPolicy.load):
        with pytest.raises(DataError, match=rf"{whole / name} is cut off"):
            load(whole)


def test_the_config_of_an_adapter_that_is_cut_off_is_named(adapter, tmp_path):
    shutil.copytree(adapter, tmp_path / "cut")
    cut(tmp_path / "cut" / "adapter_config.json")
    with pytest.raises(DataError, match=r"adapter_config\.json is cut off"):
        load_model(tmp_path / "cut")


def test_the_damage_of_an_adapters_base_is_named(tiny_base, tmp_path):
    shutil.copytree(tiny_base, tmp_path / "base")
    create_adapter(tmp_path / "base", tmp_path / "adapter", seed=1)
    cut(tmp_path / "base" / "model.safetensors")
    with pytest.raises(DataError, match=r"base/model\.safetensors ends after"):
        load_model(tmp_path / "adapter")
