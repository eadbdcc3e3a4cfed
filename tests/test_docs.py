"""What the pages show: Python blocks run, commands are read by the programs they name, links lead somewhere."""

import builtins
import functools
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest
import tiny_shop

from lumos_rl import task_types
from lumos_rl.core import Task
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.prompts import get_profile
from lumos_rl.runs.config import RunConfig
from lumos_rl.runs.launch import parse

ROOT = Path(__file__).parents[1]
PAGES = [
    page
    for pattern in ("*.md", "docs/*.md", "envs/*/*.md", "data/*.md", "recipes/*.md")
    for page in sorted(ROOT.glob(pattern))
]
HOTPOT = {"_id": "a", "question": "Is A a B?", "answer": "yes", "type": "bridge", "level": "easy"}
FILES = {  # what a reader has whose folder a page speaks of
    "grade_school_math/data/test.jsonl": json.dumps({"question": "What is 1 + 1?", "answer": "1+1=<<1+1=2>>2\n#### 2"}),
    "SVAMP.json": json.dumps(
        [
            {
                "ID": "1",
                "Body": "A has 1.",
                "Question": "How many?",
                "Equation": "( 1.0 + 1.0 )",
                "Answer": 2.0,
                "Type": "Addition",
            }
        ]
    ),
    "hotpot_dev_distractor_v1.json": json.dumps(
        [HOTPOT | {"context": [["A", ["A is a B."]]], "supporting_facts": [["A", 0]]}]
    ),
    "strategyqa/data/strategyqa/dev.json": json.dumps(
        [
            {
                "qid": "a",
                "question": "Is A a B?",
                "answer": True,
                "facts": ["A is a B."],
                "decomposition": ["What is A?", "Is #1 a B?"],
            }
        ]
    ),
}
MATH_FILES = {
    "train.jsonl": FILES["grade_school_math/data/test.jsonl"],
    "svamp/SVAMP.json": FILES["SVAMP.json"],
    "mawps_asdiv/train.csv": "Question,Numbers,Equation,Answer,Ques\n"
    + "".join(
        f"Sara has number0 {fruit} and gets number1 . How many {fruit} has Sara ?,45.0 11.0,+ number0 number1,56.0,\n"
        for fruit in ("pears", "plums", "nuts")
    ),
}
REPLIES = {  # what ends an episode, by environment
    "lumos_rl/WebShop-v0": ["search[tea]", "Finish()"],
    "lumos_rl/InterCodeSQL-v0": ["SHOW TABLES", "submit"],
}


def blocks(language):
    return list(_blocks(language))


def _blocks(language):
    for page in PAGES:
        for number, text in enumerate(re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL), 1):
            yield pytest.param(text, id=f"{page.relative_to(ROOT)}-{number}")


@pytest.mark.parametrize("code", blocks("python"))
def test_python_blocks_run(code, tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    if 'source="folder"' in code:
        pytest.skip("shows a path to a dump of 20 databases; tests/data/test_real_data.py reads the real one")
    known = next((name for name in REPLIES if name in code), "")
    replies = iter(REPLIES.get(known, ["Finish(1)"]) + ["CLICK [0]"] * 20)
    monkeypatch.setattr(builtins, "input", lambda prompt="": next(replies))
    names = {"__name__": "block", "policy": ScriptedPolicy(lambda request: "yes")}
    if "plan_file" in code:
        chats = [json.loads(line) for line in (ROOT / "data" / "train.jsonl").read_text().splitlines()]
        for name, module in (("plan_file", "planner"), ("ground_file", "grounder")):
            names[name] = tmp_path / f"{name}.jsonl"
            found = [record for record in chats if record["module"] == module and record["dataset"] == "gsm8k"]
            names[name].write_text("".join(json.dumps(record) + "\n" for record in found))
    if "gym.make" in code and "import gymnasium" not in code:
        code = f"import gymnasium as gym\nimport lumos_rl.envs\n{code}"
    exec(compile(code, "block", "exec"), names)  # noqa: S102 (our own pages)


def test_the_program_in_readme_prints_what_it_says(tmp_path, monkeypatch, capsys):
    (code,) = [code for (code,) in (param.values for param in blocks("python")) if "preference_pairs(" in code]
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102 (our own page)
    assert f"# {capsys.readouterr().out.strip()}" == code.strip().splitlines()[-1]


def test_the_episode_in_readme_plays_as_it_is_told():
    table = (ROOT / "README.md").read_text().partition("## One episode")[2].partition("##")[0]
    told = re.findall(r"^\| (task|planner|grounder|execution|environment) \| `?(.*?)`? \|$", table, re.MULTILINE)
    said = {who: [what for by, what in told if by == who] for who, _ in told}
    answer, reward = re.fullmatch(r"answer (.*), reward (.*)", said["environment"][0]).groups()
    task = Task("gsm8k/test/readme", "gsm8k", said["task"][0], answer)
    env = gym.make("lumos_rl/GSM8K-v0", tasks=[task])
    assert env.reset()[0] == said["task"][0]
    assert [env.step(text)[0] for text in said["grounder"]] == said["execution"]
    assert env.step("Finish()")[1] == float(reward)
    assert get_profile("lumos").parse_subgoal(said["planner"][-1], 3) is None  # it stops


def commands():
    return list(_commands())


def _commands():
    for block in blocks("bash"):
        (text,) = block.values
        for line in text.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield pytest.param(words, id=f"{block.id}-{' '.join(words)[:60]}")


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """The module that a page names as --plugin, as long as the test lasts."""
    (module,) = [code for (code,) in (param.values for param in blocks("python")) if "= TaskType(" in code]
    (tmp_path / "reverse_tasks.py").write_text(module)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(task_types, "_added", {})


@pytest.mark.parametrize("words", commands())
def test_commands_are_read_by_the_programs_they_name(words, plugins):
    program, *rest = words
    if program == "python":
        _python(rest)
    elif program == "make":
        assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif "/" in program:
        subprocess.run(["bash", "-n", str(ROOT / program)], check=True)
    else:
        assert program in ("pip", "git", "hf", "ray", "vllm", "cd", "export")  # other people's programs, the shell


REAL = "real_table.sh"  # its first argument is a benchmark, that of the others a run's folder
SCRIPTS = [
    (path.name, word)
    for path in sorted(ROOT.glob("recipes/*.sh"))
    for word in (
        ("svamp", "gsm8k", "strategyqa", "hotpotqa", "intercode_sql", "all") if path.name == REAL else ("runs/given",)
    )
]


@pytest.mark.parametrize(("script", "word"), SCRIPTS)
def test_scripts_call_programs_as_they_are_to_be_called(script, word, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("python").write_text('#!/bin/sh\necho "$*" >> calls\n')
    Path("python").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    for name in ("hotpotqa/a_distractor.json", "intercode_spider/ic_spider_dev.json"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("[]")
    found = os.environ | {"PATH": path, "DATA": str(tmp_path)}
    subprocess.run(["bash", str(ROOT / "recipes" / script), word], check=True, env=found)
    calls = [line.split() for line in Path("calls").read_text().splitlines()]
    assert calls
    for words in calls:
        for run in re.findall(r"runs/\S+", " ".join(words)):
            Path(run, "stages").mkdir(parents=True, exist_ok=True)  # as an earlier call would have made it
        _python(words)


SMALL = """
    --data.annotated 4 --data.resample 0 --data.explore 2 --data.test-tasks 2 --data.validation-tasks 1
    --sft.max-steps 2
    --refine.rs.train.max-steps 2 --rollout.samples 1 --evaluate.samples 1 --evaluate.temperatures 0 --ray.workers 1
    --rollout.max-new-tokens 8 --model.scratch.hidden 16
    --model.scratch.layers 2 --model.scratch.heads 2
""".split()
DEMO = ("python", "-m", "lumos_rl.recipes.sft_then_dpo")  # what `make demo` runs when all is installed
ELSEWHERE = (  # a hub, a cluster, an endpoint, large files; tests/test_new_task_type.py runs those with a plugin
    "qwen3-4b",
    "smollm2",
    "--ray.address",
    "openai",
    "Qwen/Qwen3-0.6B",
    "TASK",
    "folder",
    "--plugin",
    "runs/reverse",
)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_commands_run(tmp_path):
    """One reader types the commands of all pages one after the other, with runs of a few steps in place of minutes."""
    for name, text in (FILES | MATH_FILES).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "webshop" / "data").mkdir(parents=True)
    tiny_shop.write_files(tmp_path / "webshop" / "data", small=True)
    (agent,) = [code for (code,) in (param.values for param in blocks("python")) if code.startswith("def reply(")]
    (tmp_path / "my_agent.py").write_text(agent)
    typed = dict.fromkeys(tuple(words) for (words,) in (param.values for param in commands()))
    elsewhere = {*ELSEWHERE, *(() if importlib.util.find_spec("vllm") else ("vllm",))}
    programs = [DEMO if words == ("make", "demo") else words for words in typed]
    ran = [words for words in programs if words[0] == "python" and not elsewhere & set(words)]
    for words in ran:
        argv = [{"FOLDER": ".", "rs-2": "sft"}.get(word, word) for word in words[1:]]
        if argv[1] == "lumos_rl.recipes.compare":  # so short a run has nothing to refine
            argv = [word.replace(":rs-2", ":sft").replace(":control", ":base") for word in argv] + ["--to", "sft"]
        if argv[1] == "lumos_rl.recipes.sft_then_dpo":
            argv += SMALL + (["--dry-run"] if "vllm" in argv else [])
        done = subprocess.run([sys.executable, *argv], capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-4000:])
    assert len(ran) >= 12
    assert "success" in (tmp_path / "runs/unified-0/SUMMARY.md").read_text().lower()


def _python(words):
    assert words[0] == "-m"
    module = importlib.import_module(words[1])
    if words[1].startswith("lumos_rl.recipes.") and hasattr(module, "launch"):
        _recipe(module, words[2:])
        return
    said = _help(words[1])
    flags = {word.partition("=")[0] for word in words[2:] if word.startswith("--")}
    assert all(flag in said for flag in flags), (flags, said)


@functools.cache
def _help(module):
    command = [sys.executable, "-m", module, "--help"]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout


def _recipe(module, argv):
    """Reads a command line as the recipe would; its own settings have a field `run`."""
    argv = [word for word in argv if word != "--help"]
    kinds = [found for name, found in vars(module).items() if name.endswith("Config") and hasattr(found, "run")]
    parse("", kinds[0] if kinds else RunConfig, getattr(module, "with_target", list)(argv))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target
