import json
import logging
import os
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import FLIP, pair

from lumos_rl.core import Module, PreferencePair, StopReason, Trajectory, from_json, to_json
from lumos_rl.errors import ConfigError, DataError, MissingFileError
from lumos_rl.policies.layout import combine
from lumos_rl.policies.settings import OpenAISettings, VLLMSettings
from lumos_rl.rollout.plans import EpisodePlan, RolloutConfig, plan_episodes
from lumos_rl.rollout.ray_config import RayConfig
from lumos_rl.runs.config import Engine, EvaluateSettings, RunConfig
from lumos_rl.runs.faults import explained
from lumos_rl.runs.folder import PAIRS, TRAJECTORIES, RunFolder, require_checkpoint
from lumos_rl.runs.schedule import Kind, Planned
from lumos_rl.runs.stored import read_settings, revealed
from lumos_rl.runs.trackers import check_trackers
from lumos_rl.training.settings import SFTSettings

CONFIG = RunConfig()


def plan(number=0) -> EpisodePlan:
    from lumos_rl.core import Task

    return plan_episodes([Task(f"gsm8k/train/{number}", "gsm8k", "Wie groß — π?", "1")], RolloutConfig())[0]


def trajectory(number=0, **values) -> Trajectory:
    return plan(number).trajectory("sft", StopReason.ANSWERED, **values)


def test_what_is_added_is_read_back(tmp_path):
    run = RunFolder(tmp_path, CONFIG)
    for number in range(3):
        run.add(TRAJECTORIES, trajectory(number, answer="π\u2028\n☃"))
    assert list(run.read(Trajectory, TRAJECTORIES)) == [trajectory(number, answer="π\u2028\n☃") for number in range(3)]
    assert list(run.read(PreferencePair, PAIRS)) == []


@pytest.mark.parametrize("cut", [1, 20, None])
def test_a_line_that_was_cut_off_is_dropped_and_all_else_kept(tmp_path, caplog, cut):
    run = RunFolder(tmp_path, CONFIG)
    for number in range(3):
        run.add(TRAJECTORIES, trajectory(number))
    path = tmp_path / TRAJECTORIES
    whole = path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    path.write_bytes(whole[: len(whole) - len(last) + (cut or len(last) - 1)])  # None: all but the newline
    with caplog.at_level(logging.WARNING):
        again = RunFolder(tmp_path, CONFIG)
    assert "cut off" in caplog.text
    again.add(TRAJECTORIES, trajectory(7))
    assert [each.task_id[-1] for each in again.read(Trajectory, TRAJECTORIES)] == ["0", "1", "7"]


def test_a_spoiled_line_in_the_middle_is_named(tmp_path):
    run = RunFolder(tmp_path, CONFIG)
    run.add(TRAJECTORIES, trajectory())
    with (tmp_path / TRAJECTORIES).open("a") as file:
        file.write('{"id": 3}\n')
    with pytest.raises(DataError, match=r"trajectories\.jsonl:2.*remove that line"):
        list(run.read(Trajectory, TRAJECTORIES))
    with pytest.raises(DataError, match=r"trajectories\.jsonl:2.*remove that line"):
        list(run.read(Trajectory, TRAJECTORIES, "sft"))


@pytest.mark.parametrize("key", [None, "sft"])
def test_a_byte_that_is_no_text_is_named_with_its_line(tmp_path, key):
    run = RunFolder(tmp_path, CONFIG)
    for number in range(3):
        run.add(TRAJECTORIES, trajectory(number))
    path = tmp_path / TRAJECTORIES
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1].replace(b"gsm8k", b"gsm\xff8k", 1) + lines[2])
    with pytest.raises(DataError, match=r"byte 0xff \(.*trajectories\.jsonl:2\); remove that line"):
        list(run.read(Trajectory, TRAJECTORIES, key))


def test_the_episodes_of_a_policy_are_read_without_those_of_others(tmp_path, monkeypatch):
    """Ten stages of ten episodes: each line is parsed once where it is asked for, not once for every stage."""
    run, parsed = RunFolder(tmp_path, CONFIG), []

    def counting(kind, line, where):
        parsed.append(where)
        return from_json(kind, line, where)

    monkeypatch.setattr("lumos_rl.runs.lines.from_json", counting)
    for stage in range(10):
        for number in range(10):
            run.add(TRAJECTORIES, plan(number).trajectory(f"rs-{stage}", StopReason.ANSWERED))
        found = list(run.read(Trajectory, TRAJECTORIES, f"rs-{stage}"))
        assert [each.policy for each in found] == [f"rs-{stage}"] * 10
    assert len(parsed) == 100  # a tenth of what reading all of them ten times would take
    again = RunFolder(tmp_path, CONFIG)
    assert [each.id for each in again.read(Trajectory, TRAJECTORIES, "rs-3")] == [plan(n).id for n in range(10)]
    assert len(parsed) == 110
    assert list(again.read(Trajectory, TRAJECTORIES, "rs-11")) == []


def test_episodes_that_another_process_added_are_found(tmp_path):
    run = RunFolder(tmp_path, CONFIG)
    run.add(TRAJECTORIES, trajectory(0))
    assert len(list(run.read(Trajectory, TRAJECTORIES, "sft"))) == 1
    with (tmp_path / TRAJECTORIES).open("a") as file:
        file.write(to_json(trajectory(1)) + "\n")
    run.add(TRAJECTORIES, trajectory(2))
    assert [each.id[-3:] for each in run.read(Trajectory, TRAJECTORIES, "sft")] == ["0#0", "1#0", "2#0"]


def test_other_settings_are_refused_and_named(tmp_path):
    RunFolder(tmp_path, CONFIG).stage("base", dict)
    other = replace(CONFIG, seed=4, sft=SFTSettings(max_steps=7))
    with pytest.raises(
        ConfigError, match=r"seed: 0 there, 4 now; sft\.max_steps: None there, 7 now.*another --run-dir"
    ):
        RunFolder(tmp_path, other)
    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 0


def begun(tmp_path, config):
    """A run with these settings in which something is finished."""
    with RunFolder(tmp_path, config) as run:
        run.stage("base", dict)


def test_a_run_continues_with_what_takes_less_memory_and_computes_the_same(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    base = replace(CONFIG, sft=SFTSettings(batch_size=8, gradient_accumulation=2))
    begun(tmp_path, base)
    dpo = replace(base.refine.dpo, train=replace(base.refine.dpo.train, batch_size=4))  # 16 x 2 = 4 x 8
    less = replace(
        base,
        sft=replace(base.sft, batch_size=2, gradient_accumulation=8, gradient_checkpointing=True, save_steps=50),
        refine=replace(base.refine, dpo=dpo),
        model=replace(base.model, generate_batch=8, vllm=VLLMSettings(gpu_memory=0.5, in_turn=True)),
        rollout=replace(base.rollout, concurrency=8, tool_threads=2),
        ray=RayConfig(workers=1, engines=1),
    )
    with RunFolder(tmp_path, less):
        stored = json.loads((tmp_path / "config.json").read_text())
    assert stored["sft.batch_size"] == 2 and stored["model.generate_batch"] == 8
    assert "continues with model.generate_batch 8 instead of 64" in caplog.text


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"batch_size": 4}, "sft.batch_size x sft.gradient_accumulation: 16 there, 4 now"),
        ({"batch_size": 8, "gradient_accumulation": 2}, "refine.dpo.train.batch_size x sft.gradient_accumulation"),
        ({"dtype": "bfloat16"}, "sft.dtype: float32 there, bfloat16 now"),
        ({"max_length": 7}, "sft.max_length: 1024 there, 7 now"),
    ],
)
def test_what_decides_what_is_computed_is_refused_and_what_may_change_is_told(tmp_path, values, says):
    begun(tmp_path, CONFIG)
    with pytest.raises(ConfigError) as caught:
        RunFolder(tmp_path, replace(CONFIG, sft=replace(CONFIG.sft, **values)))
    assert says in str(caught.value)
    assert "What may change: ray, " in str(caught.value) and "sft.gradient_checkpointing" in str(caught.value)
    assert "batch sizes with gradient_accumulation while their product stays" in str(caught.value)


def test_every_setting_that_differs_is_named(tmp_path):
    begun(tmp_path, CONFIG)
    sft = replace(CONFIG.sft, max_steps=7, learning_rate=1.0, weight_decay=1.0, scheduler="cosine", lora_rank=3)
    with pytest.raises(ConfigError) as caught:
        RunFolder(tmp_path, replace(CONFIG, sft=sft, seed=1))
    names = ("max_steps", "learning_rate", "weight_decay", "scheduler", "lora_rank")
    assert all(f"sft.{name}: " in str(caught.value) for name in names) and "seed: 0 there" in str(caught.value)


@pytest.mark.parametrize("text", ["", '{"loss": 0.', "[]", "7", b"\xff\xfe"])
def test_a_spoiled_result_of_a_stage_is_named_with_the_cure(tmp_path, text):
    run = RunFolder(tmp_path, CONFIG)
    run.stage("sft", lambda: {"loss": 0.5})
    path = tmp_path / "stages" / "sft.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=r"stages/sft\.json.*remove that file"):
        run.stage("sft", dict)
    with pytest.raises(DataError, match=r"stages/sft\.json.*remove that file"):
        run.results()
    path.unlink()
    assert run.stage("sft", lambda: {"loss": 2}) == {"loss": 2}


@pytest.mark.parametrize("text", ["", "[]", "null", '{"seed": ', b"\xff\xfe"])
def test_spoiled_settings_are_named_with_the_cure(tmp_path, text):
    begun(tmp_path, CONFIG)
    (tmp_path / "config.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    for work in (lambda: RunFolder(tmp_path, CONFIG), lambda: read_settings(tmp_path / "config.json")):
        with pytest.raises(DataError, match=r"config\.json.*another --run-dir, or remove that file"):
            work()


def test_times_that_cannot_be_read_cost_only_the_estimate(tmp_path, caplog):
    begun(tmp_path, CONFIG)
    (tmp_path / "times.json").write_text("[")
    RunFolder(tmp_path, CONFIG).stage("sft", dict)
    assert "times.json cannot be read" in caplog.text
    assert list(json.loads((tmp_path / "times.json").read_text())) == ["sft"]


@pytest.fixture
def small_disk():
    """No file may become larger than 20 kB: a write fails, as on a full disk, in its middle."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_is_named_with_the_file_and_what_was_finished_is_kept(tmp_path, small_disk):
    run = RunFolder(tmp_path, CONFIG)
    run.stage("base", dict)
    with pytest.raises(OSError) as caught:
        for number in range(1000):
            run.add(TRAJECTORIES, trajectory(number))
    said = explained(caught.value, tmp_path)
    assert said == (
        f"expected room for {tmp_path / TRAJECTORIES}, got File too large; free some, and run the same command again:"
        " what was finished is kept"
    )
    with pytest.raises(OSError) as caught:
        run.stage("sft", lambda: {"long": "x" * 30_000})
    assert f"expected room for {tmp_path / 'stages' / 'sft.json'}, got File too large" in explained(
        caught.value, tmp_path
    )
    with pytest.raises(OSError) as caught:
        for step in range(1000):
            run.log("sft", step, {"loss": 1.0})
    assert f"expected room for {tmp_path / 'metrics.jsonl'}, got" in explained(caught.value, tmp_path)
    again = RunFolder(tmp_path, CONFIG)
    played = list(again.read(Trajectory, TRAJECTORIES))
    assert played == [trajectory(number) for number in range(len(played))] and played
    assert again.results() == {"base": {}}


def test_where_metrics_go_is_refused_without_a_key_before_anything_is_made(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(ConfigError, match="a key of Weights & Biases, got none; set WANDB_API_KEY") as caught:
        RunFolder(tmp_path / "run", replace(CONFIG, track=("wandb",)))
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password k\n")
    (tmp_path / "netrc").chmod(0o600)
    check_trackers(("wandb",), os.environ)
    check_trackers(("wandb",), {"WANDB_MODE": "offline", "NETRC": "nowhere"})
    check_trackers(("tensorboard",), {"NETRC": "nowhere"})


def test_no_password_is_in_any_file_of_a_run(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    backend = "intercode_sql.backend=mysql://root:hunter2@db:3307"
    monkeypatch.setattr("sys.argv", ["sft", "--data.env", backend])
    config = replace(
        CONFIG,
        data=replace(CONFIG.data, env=(backend,)),
        model=replace(CONFIG.model, openai=OpenAISettings(url="https://me:hunter2@host/v1?api-key=hunter2")),
        track=("wandb",),
    )
    with RunFolder(tmp_path, config) as run:
        run.stage("base", dict)
        run.log("sft", 1, {"loss": 1.0})
        run.add(TRAJECTORIES, trajectory(failure="no answer from https://me:hunter2@host/v1"))
        assert sys.argv[-1] == backend
    sys.modules["wandb"].finish()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in files)
    assert [path for path in files if b"hunter2" in path.read_bytes()] == []
    stored = json.loads((tmp_path / "config.json").read_text())
    assert stored["data.env"] == ["intercode_sql.backend=mysql://root:***@db:3307"]
    assert stored["model.openai.url"] == "https://me:***@host/v1?api-key=***"


def test_a_run_with_a_password_continues_with_it_given_again_or_in_the_environment(tmp_path):
    backend = "mysql://root:hunter2@db:3307"
    config = replace(CONFIG, data=replace(CONFIG.data, env=(f"intercode_sql.backend={backend}",)))
    begun(tmp_path, config)
    begun(tmp_path, config)
    kept = replace(read_settings(tmp_path / "config.json"), run_dir=str(tmp_path))
    begun(tmp_path, kept)
    assert revealed(kept, {"LUMOS_RL_INTERCODE_SQL_BACKEND": backend}) == replace(config, run_dir=str(tmp_path))
    with pytest.raises(ConfigError, match="LUMOS_RL_INTERCODE_SQL_BACKEND, got no such variable"):
        revealed(kept, {})
    assert revealed(config, {}) == config


def test_a_masked_endpoint_matters_only_where_it_is_asked(tmp_path):
    url = "https://me:hunter2@host/v1"
    config = replace(CONFIG, model=replace(CONFIG.model, openai=OpenAISettings(url=url)))
    begun(tmp_path, config)
    kept = read_settings(tmp_path / "config.json")
    assert revealed(kept, {}) == kept
    asked = replace(kept, model=replace(kept.model, engine=Engine.OPENAI))
    with pytest.raises(ConfigError, match="LUMOS_RL_MODEL_OPENAI_URL"):
        revealed(asked, {})
    assert revealed(asked, {"LUMOS_RL_MODEL_OPENAI_URL": url}).model.openai.url == url


def test_the_log_says_how_far_the_run_is(tmp_path, caplog):
    caplog.set_level(logging.INFO, "lumos_rl.runs.folder")
    planned = [Planned("base", Kind.OTHER), Planned("sft", Kind.TRAIN, 100), Planned("evaluate-sft", Kind.PLAY, 10)]
    with RunFolder(tmp_path, CONFIG) as run:
        run.follow(planned)
        for each in planned[:2]:
            run.stage(each.name, dict)
    with RunFolder(tmp_path, CONFIG) as run:
        run.follow([*planned, Planned("rs-1", Kind.TRAIN, 200)])
        run.stage("sft", dict)
        run.stage("rs-1", dict)
    assert caplog.messages[:4] == [
        "stage 1 of 3: base begins",
        "stage 1 of 3: base took 1 s",
        "stage 2 of 3: sft begins",
        "stage 2 of 3: sft took 1 s",
    ]
    assert caplog.messages[4:6] == ["stage 2 of 4: sft: finished before", "stage 4 of 4: rs-1 begins, about 1 s left"]


def test_where_a_run_computes_and_reports_may_change(tmp_path):
    RunFolder(tmp_path, CONFIG)
    RunFolder(tmp_path, replace(CONFIG, ray=RayConfig(workers=7), run_dir="elsewhere", resume=True, preview=3))
    assert json.loads((tmp_path / "config.json").read_text())["ray.workers"] == 7


def test_a_control_and_other_tests_beside_the_main_line_may_be_added_to_a_run(tmp_path):
    without = replace(CONFIG, evaluate=EvaluateSettings(also=()))
    with RunFolder(tmp_path, without) as run:
        run.stage("sft", dict)
    more = replace(without, evaluate=EvaluateSettings(also=("control", "swap")))
    with RunFolder(tmp_path, more):
        stored = json.loads((tmp_path / "config.json").read_text())
    assert stored["evaluate.also"] == ["control", "swap"]
    with pytest.raises(ConfigError, match=r"refine\.iterations: 1 there, 2 now"):
        RunFolder(tmp_path, replace(more, refine=replace(more.refine, iterations=2)))


def test_nothing_to_go_on_with_is_an_error(tmp_path):
    with pytest.raises(MissingFileError, match=r"config\.json\): not there; drop --resume"):
        RunFolder(tmp_path / "new", replace(CONFIG, resume=True))
    assert not (tmp_path / "new").exists()


def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"expected a folder that can be written.*another --run-dir"):
        RunFolder(tmp_path / "file" / "run", CONFIG)
    if os.geteuid():  # the superuser may write anywhere
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(ConfigError, match="expected a folder that can be written"):
            RunFolder(tmp_path / "locked" / "run", CONFIG)


def test_a_full_disk_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("lumos_rl.runs.folder.MIN_FREE_BYTES", 1 << 60)
    with pytest.raises(ConfigError, match=r"MB free at .*free some, or choose another --run-dir"):
        RunFolder(tmp_path, CONFIG)


def test_a_stage_runs_once(tmp_path):
    run, calls = RunFolder(tmp_path, CONFIG), []

    def work():
        calls.append(1)
        return {"loss": 0.5}

    assert run.stage("sft", work) == {"loss": 0.5}
    assert RunFolder(tmp_path, CONFIG).stage("sft", work) == {"loss": 0.5}
    assert calls == [1]


def test_a_stage_that_broke_runs_again(tmp_path):
    run = RunFolder(tmp_path, CONFIG)
    with pytest.raises(ZeroDivisionError):
        run.stage("sft", lambda: {"loss": 1 / 0})
    assert run.stage("sft", lambda: {"loss": 2}) == {"loss": 2}


def test_the_pairs_of_a_stage_replace_its_older_ones_only(tmp_path):
    run = RunFolder(tmp_path, CONFIG)
    a, b, c = (
        replace(pair(FLIP, "Heads.", side), id=name) for side, name in (("x", "a:1"), ("y", "b:1"), ("z", "a:2"))
    )
    run.replace_pairs("a", [a])
    run.replace_pairs("b", [b])
    run.replace_pairs("a", [c])
    assert [each.id for each in run.read(PreferencePair, PAIRS)] == ["b:1", "a:2"]


def test_metrics_are_lines_with_stage_and_step(tmp_path):
    run = RunFolder(tmp_path, CONFIG)
    run.log("sft", 20, {"loss": 1.5})
    run.log("evaluate/sft", 0, {"greedy": 0.25})
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines == [{"stage": "sft", "step": 20, "loss": 1.5}, {"stage": "evaluate/sft", "step": 0, "greedy": 0.25}]


def test_a_checkpoint_is_required_where_one_is_used(tmp_path):
    (tmp_path / "sft").mkdir()
    with pytest.raises(MissingFileError, match="run the stage that trains it first"):
        require_checkpoint(tmp_path / "sft")
    (tmp_path / "sft" / "model.safetensors").write_text("")
    assert require_checkpoint(tmp_path / "sft") == tmp_path / "sft"
    mixed = tmp_path / "sft+rs-1"
    combine(mixed, {Module.PLANNER: tmp_path / "sft", Module.GROUNDER: tmp_path / "sft"})
    assert require_checkpoint(mixed) == mixed


def test_metrics_reach_tensorboard(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with RunFolder(tmp_path, replace(CONFIG, track=("tensorboard",))) as run:
        run.log("sft", 20, {"loss": 1.5})
        run.log("sft", 40, {"loss": 0.5})
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(each.step, each.value) for each in events.Scalars("sft/loss")] == [(20, 1.5), (40, 0.5)]


def test_metrics_reach_weights_and_biases_on_disk(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with RunFolder(tmp_path, replace(CONFIG, track=("wandb",))) as run:
        run.log("sft", 20, {"loss": 1.5})
        assert wandb.run.summary["sft/loss"] == 1.5
        assert wandb.run.config["sft.max_steps"] is None
    wandb.finish()
    (kept,) = Path(tmp_path).glob("wandb/offline-run-*/run-*.wandb")
    assert kept.stat().st_size > 0
    assert kept.stem == f"run-{(tmp_path / 'wandb-id').read_text()}"


def test_a_folder_is_refused_while_another_process_is_at_work_in_it(tmp_path):
    work = "import sys; from pathlib import Path; from lumos_rl.runs.config import RunConfig;"
    work += "from lumos_rl.runs.folder import RunFolder; run = RunFolder(Path(sys.argv[1]), RunConfig());"
    work += "print('open', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", work, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(ConfigError, match="another one is at work"):
            RunFolder(tmp_path, CONFIG)
    finally:
        other.kill()
        other.communicate()
    with RunFolder(tmp_path, CONFIG) as run:
        run.add(TRAJECTORIES, trajectory())


def test_a_run_that_was_begun_before_there_was_a_setting_is_gone_on_with(tmp_path):
    with RunFolder(tmp_path / "run", RunConfig()) as run:
        run.stage("base", dict)
    path = tmp_path / "run" / "config.json"
    stored = json.loads(path.read_text())
    del stored["data.env"]
    path.write_text(json.dumps(stored))
    with RunFolder(tmp_path / "run", RunConfig()):
        assert json.loads(path.read_text())["data.env"] == []
    with pytest.raises(ConfigError, match="seed: 0 there, 1 now"):
        RunFolder(tmp_path / "run", RunConfig(seed=1))


def test_settings_that_nothing_was_made_with_can_be_mended(tmp_path):
    for seed in (0, 1):
        with RunFolder(tmp_path / "run", RunConfig(seed=seed)) as run:
            assert json.loads((tmp_path / "run" / "config.json").read_text())["seed"] == seed
    run.log("sft", 1, {"loss": 1.0})  # training has begun
    with pytest.raises(ConfigError, match="seed: 1 there, 0 now"):
        RunFolder(tmp_path / "run", RunConfig(seed=0))
