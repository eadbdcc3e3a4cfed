"""How the workers of a run come by its policies."""

import linecache
import os
import pickle
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import create_adapter

from lumos_rl.core import Module
from lumos_rl.errors import ConfigError
from lumos_rl.policies.base import Request
from lumos_rl.policies.hf import HFPolicy
from lumos_rl.policies.openai import OpenAIPolicy
from lumos_rl.policies.serving import Serving
from lumos_rl.policies.settings import OpenAISettings
from lumos_rl.runs.config import Engine, ModelConfig, RunConfig
from lumos_rl.runs.job import Job
from lumos_rl.runs.policies import policy_of, source_hash, weights_hash
from lumos_rl.training.settings import SFTSettings

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


def job(engine, **model):
    return Job(RunConfig(model=ModelConfig(engine=engine, **model), sft=SFTSettings(lora_rank=48)))


def test_without_a_choice_each_worker_has_transformers(tiny_base):
    policy = Job(RunConfig()).policy(tiny_base, "base")()
    assert isinstance(policy, HFPolicy) and policy.version == "base"


def test_vllm_is_served_for_the_greatest_rank_of_the_run(tiny_base):
    serving = job(Engine.VLLM).policy(tiny_base, "rs-1")
    assert isinstance(serving, Serving) and serving.version == "rs-1"
    *_, gpus, max_rank = serving.make.args
    assert (gpus, max_rank) == (0, 48)
    without = Job(RunConfig(model=ModelConfig(engine=Engine.VLLM))).policy(tiny_base, "rs-1")
    assert without.make.args[-1] is None
    assert pickle.loads(pickle.dumps(serving)).version == "rs-1"  # it travels to engines and workers


def test_an_endpoint_is_asked_for_the_model_that_is_named(tiny_base):
    endpoint = OpenAISettings("http://127.0.0.1:1/v1")
    named = job(Engine.OPENAI, openai=endpoint).policy(Path("my-model"), "my-model")()
    assert isinstance(named, OpenAIPolicy) and named._models == {"": "my-model"}
    both = replace(endpoint, models=("planner=p", "grounder=g"))
    assert job(Engine.OPENAI, openai=both).policy(Path("x"), "x")()._models == {"planner": "p", "grounder": "g"}
    with pytest.raises(ConfigError, match="which an endpoint does not load"):
        job(Engine.OPENAI).policy(tiny_base, "sft")


def test_a_function_is_a_policy_where_python_finds_it(monkeypatch, tmp_path):
    (tmp_path / "my_agent.py").write_text(AGENT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_agent", raising=False)

    def play(name):
        policy = pickle.loads(pickle.dumps(job(Engine.SCRIPT).policy(Path(name), "mine")))()
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
            job(Engine.SCRIPT).policy(Path(name), "mine")


def test_a_model_that_was_trained_again_is_another_one(tiny_base, tmp_path):
    base = shutil.copytree(tiny_base, tmp_path / "base")
    adapter = create_adapter(base, tmp_path / "adapter", seed=1)
    before = weights_hash(base), weights_hash(adapter)
    assert len({*before}) == 2 and (weights_hash(base), weights_hash(adapter)) == before
    os.utime(base / "model.safetensors", ns=(1, 1))
    assert not {weights_hash(base), weights_hash(adapter)} & {*before}  # an adapter is nothing without its model


def test_the_workers_of_an_endpoint_share_its_concurrency(monkeypatch):
    seen = []
    monkeypatch.setattr("lumos_rl.policies.openai.OpenAIPolicy", lambda settings, *rest: seen.append(settings))
    model = ModelConfig(engine=Engine.OPENAI, openai=OpenAISettings(concurrency=10))
    policy = policy_of(Path("gpt"), "gpt", model, None, 1)
    assert policy.limit == 10
    for worker in range(3):
        policy.make(policy.share(worker, 3))
    assert [settings.concurrency for settings in seen] == [4, 3, 3]
    assert {settings.models for settings in seen} == {("gpt",)}
