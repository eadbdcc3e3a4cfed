"""Settings as files: those of a run, and those that change some."""

import json
from dataclasses import replace

import pytest

from lumos_rl.errors import ConfigError, DataError, MissingFileError
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.runs.config import UNSTORED, Modules, RunConfig
from lumos_rl.runs.presets import PRESETS
from lumos_rl.runs.refine_settings import Refine
from lumos_rl.runs.stored import changed, read_settings, settings_of

TINY = PRESETS["tiny"].config


@pytest.mark.parametrize("name", PRESETS)
def test_settings_survive_their_file(name, tmp_path):
    config = PRESETS[name].config
    (tmp_path / "config.json").write_text(json.dumps(settings_of(config)))
    again = read_settings(tmp_path / "config.json")
    untouched = {field: getattr(RunConfig(), field) for field in UNSTORED}
    assert again == replace(config, **untouched)
    assert type(again.refine.steps[0]) is Refine and type(again.model.modules) is Modules
    assert changed(RunConfig(), tmp_path / "config.json") == again


def test_settings_fit_into_a_head():
    assert len(settings_of(RunConfig())) <= 100


def test_settings_that_a_file_lacks_keep_their_defaults(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"seed": 4, "rollout.samples": 9}))
    assert read_settings(tmp_path / "config.json") == replace(RunConfig(), seed=4, rollout=RolloutConfig(samples=9))


def test_settings_of_another_version_are_told_from_broken_ones(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"seed": 4, "sft.lora.rank": 0, "evaluate_base": True}))
    with pytest.raises(DataError, match=r"config\.json, .*evaluate_base, sft\.lora\.rank; begin a new run .*--config"):
        read_settings(path)
    for broken in ("{", "[]", "7"):
        path.write_text(broken)
        with pytest.raises(DataError, match=r"config\.json.*choose another --run-dir"):
            read_settings(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nested.yaml", "sft: {learning-rate: 1e-4}\nrefine: {steps: [dpo], rs: {min_reward: 0.5}}\n"),
        ("flat.yaml", "sft.learning_rate: 0.0001\nrefine.steps: dpo\nrefine.rs.min_reward: [0.5]\n"),
        ("some.json", '{"sft.learning_rate": 1e-4, "refine": {"steps": ["dpo"], "rs.min_reward": "0.5"}}'),
    ],
)
def test_changes_are_nested_or_flat(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    config = changed(TINY, tmp_path / name)
    rs = replace(TINY.refine.rs, min_reward=("0.5",))
    assert config.sft == replace(TINY.sft, learning_rate=1e-4)
    assert config.refine == replace(TINY.refine, steps=(Refine.DPO,), rs=rs)
    assert config.data == TINY.data


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("sft.learning_rat: 1", ConfigError, r"got 'sft\.learning_rat'; did you mean 'sft\.learning_rate'"),
        ("sft: {max_steps: many}", DataError, r"sft\.max_steps: expected int \| null, got 'many'"),
        ("sft: {lora_rank: -3}", DataError, r"--sft\.lora-rank to be at least 1, got -3"),
        ("- sft", DataError, "NAME: VALUE"),
        ("sft: [", DataError, "YAML"),
    ],
)
def test_changes_that_cannot_be_are_refused(tmp_path, text, error, says):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(error, match=says):
        changed(TINY, path)
    with pytest.raises(MissingFileError, match=r"other\.yaml"):
        changed(TINY, tmp_path / "other.yaml")
