"""A run whose base is a GGUF file: what it trains, and what it says beside every score."""

from dataclasses import replace

import pytest
from small_run import CONFIG, adds, evaluate, fine_tune, play

from lumos_rl.errors import MissingFileError
from lumos_rl.policies.bases import located
from lumos_rl.policies.gguf_files import note_in
from lumos_rl.policies.layout import Layout, rounding
from lumos_rl.recipes.evaluate import EvaluateConfig, main, with_target
from lumos_rl.runs.folder import RunFolder
from lumos_rl.runs.job import Job
from lumos_rl.runs.policies import weights_hash
from lumos_rl.runs.summary import write_summary
from lumos_rl.runs.tasks import test_tasks as tasks_to_test_on

SAID = "weights were rounded to 4 bits (Q4_1) in tiny.Q4_1.gguf"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    pytest.importorskip("gguf")
    import tiny_gguf

    return tiny_gguf.write(tmp_path_factory.mktemp("gguf") / "tiny.Q4_1.gguf")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("rank", [2, None])
def test_a_run_trains_it_and_says_that_it_was_rounded(file, cache, tmp_path, capsys, rank):
    config = replace(CONFIG, model=replace(CONFIG.model, base=str(file)), sft=replace(CONFIG.sft, lora_rank=rank))
    with RunFolder(tmp_path / "run", config) as run:
        fine_tune(run)
        trained = run.checkpoint("sft")
        assert note_in(trained) == note_in(located(file)) and rounding(trained) == SAID
        assert Layout.of(trained).models == [located(file) if rank else str(trained)]
        play(run, tasks_to_test_on(config.data), config.test_rollout, "sft", adds)
        evaluate(run, "sft", tmp_path)
        assert f"The base model's {SAID}." in write_summary(run, [], 1.0).splitlines()
        main(Job(config), run, EvaluateConfig(config))
    assert f"    The base model's {SAID}." in capsys.readouterr().out.splitlines()


def test_a_model_as_a_file_is_evaluated_under_its_name(file, cache, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert with_target([str(file)])[:3] == ["defaults", "--checkpoint", str(file)]
    assert with_target(["smollm2"])[:5] == ["defaults", "--checkpoint", "smollm2", "--run-dir", "runs/evaluate-smollm2"]
    with pytest.raises(MissingFileError, match=r"smollm2, FILE\.gguf, ORG/MODEL.*got .smolm2.; did you mean .smollm2"):
        with_target(["smolm2"])
    with RunFolder(tmp_path / "run", CONFIG) as run:
        name = f"{str(file).strip('/').replace('/', '-')}-{weights_hash(located(file))}"
        play(run, tasks_to_test_on(CONFIG.data), CONFIG.test_rollout, name, adds)
        main(Job(CONFIG), run, EvaluateConfig(CONFIG, checkpoint=str(file)))
    assert f"    The base model's {SAID}." in capsys.readouterr().out.splitlines()
