"""The main job as a user runs it: real Ray workers, real TRL training, Ctrl-C in the middle, and on again."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

NAMES = ["Tom", "Ann", "Ben", "Mia", "Sam", "Eva", "Leo", "Zoe"]
TASKS = [
    {
        "question": f"{name} has {n + 3} pens and gets {n + 2}. How many pens has {name}?",
        "answer": f"{name} has {n + 3}+{n + 2}=<<{n + 3}+{n + 2}={2 * n + 5}>>{2 * n + 5} pens.\n#### {2 * n + 5}",
    }
    for n, name in enumerate(NAMES)
]
SCRATCH = "vocabulary 500 hidden 64 layers 2 heads 2 context 256"
TRAIN = "max-steps 4 learning-rate 1e-3"
SFT = "max-steps 150 batch-size 16 learning-rate 4e-3 max-length 256 save-steps 50"  # learns the eight tasks by heart
# Cold episodes are solved, hot ones are not: so there are successes and pairs.
PLAY = "samples 4 temperatures 0.2 3 max-subgoals 3 max-new-tokens 32"


def flags(prefix, words):
    """`--sft.max-steps 4 …` from the words of a setting."""
    return re.sub(r"(^| )([a-z-]*[a-z])(?= )", rf"\1--{prefix}.\2", words).split()


SETTINGS = [
    *("--data", "data", "--run-dir", "run", "--data.train", "gsm8k=train.jsonl", "--data.test", "gsm8k=train.jsonl"),
    *("--data.annotated", "None", "--data.explore", "8", "--data.test-tasks", "4", "--data.resample", "0"),
    "--data.allow-overlap",  # it is tested on what it learns by heart
    *("--model.profile", "compact", "--evaluate.samples", "2", "--evaluate.temperatures", "0", "1"),
    *flags("model.scratch", SCRATCH),
    *flags("sft", SFT),
    *flags("refine.rs.train", TRAIN),
    *flags("refine.dpo.train", TRAIN),
    *flags("rollout", PLAY),
    *("--refine.steps", "rs", "dpo", "--ray.workers", "1", "--ray.no-dashboard"),
]
STAGES = ["base", "sft", "collect-for-rs-1", "rs-1", "collect-for-dpo-2", "dpo-2", "control"]


def _heed_ctrl_c():
    """A shell starts its background jobs deaf to Ctrl-C, and the tests may be one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start(tmp_path):
    """`start(*words)` starts Python with these words, as the leader of a process group; it writes `out` and `err`."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").write_text("".join(json.dumps(task) + "\n" for task in TASKS))
    begun = []

    def begin(*words):
        environment = os.environ | {"RAY_ADDRESS": "local", "OMP_NUM_THREADS": "1"}
        with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
            command = [sys.executable, *words]
            process = subprocess.Popen(
                command,
                cwd=tmp_path,
                env=environment,
                stdout=out,
                stderr=err,
                start_new_session=True,
                preexec_fn=_heed_ctrl_c,  # noqa: PLW1509 (no thread is running in the tests)
            )
        begun.append(process)
        return process

    yield begin
    for process in begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def wait_until(condition, process):
    while not condition():
        assert process.poll() is None, "it ended before"
        time.sleep(0.1)


def finish(process, folder, code=0):
    """What a process that ends with this exit status has written to stdout and stderr."""
    assert process.wait() == code, (folder / "err").read_text()
    return (folder / "out").read_text(), (folder / "err").read_text()


def test_the_main_job_survives_ctrl_c_and_ends_with_a_summary(start, tmp_path):
    run = tmp_path / "run"
    process = start("-m", "lumos_rl.recipes.sft_then_dpo", *SETTINGS)
    wait_until(lambda: len(lines(run / "trajectories.jsonl")) >= 3, process)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does: every process of the group gets it
    _, said = finish(process, tmp_path, 130)
    assert "stopped by Ctrl-C; run the same command again to continue" in said
    finished = {path.name: path.stat().st_mtime_ns for path in (run / "stages").glob("*.json")}
    kept = lines(run / "trajectories.jsonl")
    assert "sft.json" in finished and "rs-1.json" not in finished

    out, _ = finish(start("-m", "lumos_rl.recipes.sft_then_dpo", *SETTINGS), tmp_path)
    assert {name: (run / "stages" / name).stat().st_mtime_ns for name in finished} == finished
    played = [json.loads(line) for line in lines(run / "trajectories.jsonl")]
    assert lines(run / "trajectories.jsonl")[: len(kept)] == kept
    assert set(Counter((each["policy"], each["id"]) for each in played).values()) == {1}
    assert Counter(each["policy"] for each in played) == {"sft": 32, "rs-1": 32}
    tested = Counter(json.loads(line)["policy"] for line in lines(run / "evaluation.jsonl"))
    assert tested == dict.fromkeys(["base", "sft", "rs-1", "dpo-2", "control"], 8)

    stages = {path.stem: json.loads(path.read_text()) for path in (run / "stages").glob("*.json")}
    assert set(STAGES) <= stages.keys()
    assert 0 < stages["collect-for-rs-1"]["success"] < 1 and stages["rs-1"]["successes"] > 0
    assert stages["dpo-2"]["pairs"] == len(lines(run / "pairs.jsonl")) > 0
    assert (stages["dpo-2"]["steps"], stages["control"]["steps"]) == (4, 8)  # the refinement took four and four
    assert stages["evaluate-sft"]["greedy"]["value"] > stages["evaluate-base"]["greedy"]["value"] == 0
    assert (run / "SUMMARY.md").read_text() in out and "**4 of these 4 test tasks were learned:" in out
    assert not list(run.rglob("checkpoint-*"))


def test_each_stage_can_be_run_alone_on_the_same_folder(start, tmp_path):
    def recipe(name, *words):
        return finish(start("-m", f"lumos_rl.recipes.{name}", "--run-dir", "run", *words), tmp_path)[0]

    finish(start("-m", "lumos_rl.recipes.sft", *SETTINGS), tmp_path)
    assert "success" in recipe("collect")  # everything else is read from the folder
    assert "pairs {" in recipe("dpo")
    said = recipe("evaluate", "--policy", "dpo-of-sft")
    assert re.search(r"gsm8k=train.jsonl  dpo-of-sft  greedy   \d+\.\d \[.*\] n=4", said)
    stages = {path.stem for path in (tmp_path / "run" / "stages").glob("*.json")}
    assert stages == {"overlap", "base", "sft", "dpo-of-sft", "evaluate-dpo-of-sft"}
    assert "gsm8k=train.jsonl: 4 of these 4 test tasks were learned" in said


def test_a_function_is_evaluated_like_a_model(start, tmp_path):
    (tmp_path / "my_agent.py").write_text(
        "def reply(request):\n    return 'Subgoal 1: Guess.' if request.module == 'planner' else 'Finish(4)'\n"
    )
    words = ["--benchmarks", "gsm8k=data/train.jsonl,svamp", "--data.test-tasks", "4", "--ray.workers", "1"]
    words += ["--evaluate.samples", "2", "--evaluate.temperatures", "0", "1"]
    out, _ = finish(start("-m", "lumos_rl.recipes.evaluate", "my_agent:reply", *words, "--ray.no-dashboard"), tmp_path)
    assert re.search(r"gsm8k=data/train.jsonl  my_agent-reply-[0-9a-f]{8}  greedy   \d+\.\d \[.*\] n=4", out)
    assert (
        re.search(r"svamp=synthetic  my_agent-reply-[0-9a-f]{8}  sampled  \d+\.\d \[.*\] n=4", out)
        and "Agent Lumos" in out
    )


def test_sigterm_while_episodes_are_played_ends_with_its_own_status_and_a_message(start, tmp_path):
    (tmp_path / "my_agent.py").write_text(
        "import time\n\n\ndef reply(request):\n    time.sleep(0.5)\n    return 'Yes, I will stop planning.'\n"
    )
    words = ["--benchmarks", "gsm8k", "--run-dir", "run", "--ray.workers", "1", "--ray.no-dashboard"]
    process = start("-m", "lumos_rl.recipes.evaluate", "my_agent:reply", *words)
    wait_until(lambda: lines(tmp_path / "run" / "benchmarks" / "gsm8k=synthetic" / "evaluation.jsonl"), process)
    process.send_signal(signal.SIGTERM)  # after Ray's start, which has a handler of its own
    _, said = finish(process, tmp_path, 143)
    assert said.endswith("\nstopped by SIGTERM; run the same command again to continue\n")
    assert "Traceback" not in said
