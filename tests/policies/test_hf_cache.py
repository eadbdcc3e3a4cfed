from dataclasses import replace

import pytest
import torch
from tiny_model import FLIP, PLAN, create, create_adapter, user
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPTNeoConfig,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
)

from lumos_rl.core import Module
from lumos_rl.policies import hf_writers
from lumos_rl.policies.base import Request, Sampling
from lumos_rl.policies.checkpoints import load_model
from lumos_rl.policies.hf import HFPolicy
from lumos_rl.policies.hf_cache import BLOCK, Prefixes, slots_of
from lumos_rl.policies.hf_writers import SlotWriter, StretchWriter

SAMPLINGS = (Sampling(), Sampling(1.5), Sampling(1.0, 0.5), Sampling(2.0, stop=("a",)), Sampling(logprobs=True))
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
ASKED = [
    Request(f"{kind}-{n}", module, (user("3 apples " * (3 * n)),), replace(sampling, max_new_tokens=2 + 3 * n), n)
    for kind, sampling in enumerate(SAMPLINGS)
    for n, module in enumerate((Module.PLANNER, Module.GROUNDER, Module.PLANNER), 1)
]


@pytest.fixture
def shared(tmp_path):
    """A model whose four query heads share two heads of keys and values, with more context than the tiny ones."""
    tokenizer = AutoTokenizer.from_pretrained(create(tmp_path))
    config = LlamaConfig(vocab_size=len(tokenizer), intermediate_size=64, max_position_embeddings=256, **SMALL)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    return tmp_path


def episodes(policy, turns=3):
    """The turns of several conversations, each of which goes on as soon as its last turn is finished."""
    done = {}
    for request in ASKED:
        policy.submit(request)
    while batch := policy.collect():
        for each in batch:
            name, _, turn = each.request_id.partition("/")
            done[name, int(turn or 0)] = each
            if int(turn or 0) + 1 < turns:
                asked = next(request for request in ASKED if request.id == name)
                context = (*each.prompt_ids, *each.ids)
                if turn:
                    context = (*done[name, 0].prompt_ids, *done[name, 0].ids, *context)
                chat = (*asked.messages, {"role": "assistant", "content": "?"}, user(f"and {turn}5?"))
                following = replace(asked, id=f"{name}/{int(turn or 0) + 1}", messages=chat, context=context)
                policy.submit(following)
    assert len(done) == turns * len(ASKED)
    return done


def told(turns):
    return {name: (each.ids, each.text, each.finish_reason, each.prompt_ids) for name, each in turns.items()}


def reads(policy, work):
    """How many token ids the models of a policy read, padding included, while it works."""
    counts = []
    models = {id(model): model for model in policy._models.values()}.values()
    hooks = [
        model.register_forward_pre_hook(
            lambda _, __, given: counts.append(given["input_ids"].numel()), with_kwargs=True
        )
        for model in models
    ]
    work()
    for hook in hooks:
        hook.remove()
    return sum(counts)


def write(policy, *requests):
    for request in requests:
        policy.submit(request)
    done = []
    while batch := policy.collect():
        done += batch
    return done


@pytest.mark.parametrize(("batch_size", "memory"), [(64, None), (4, None), (1, 0), (64, 40_000)])
def test_turns_are_those_of_a_policy_that_keeps_nothing(shared, monkeypatch, batch_size, memory):
    policy = HFPolicy({None: load_model(shared)}, AutoTokenizer.from_pretrained(shared), "v", batch_size, memory=memory)
    found = episodes(policy)
    assert isinstance(policy._writers[None], SlotWriter)
    monkeypatch.setattr(hf_writers, "slots_of", lambda model: None)
    plain = HFPolicy.load(shared, device="cpu")
    wanted = episodes(plain)
    assert isinstance(plain._writers[None], StretchWriter)
    assert told(found) == told(wanted)
    for name, turn in wanted.items():
        assert found[name].logprobs == (turn.logprobs and pytest.approx(turn.logprobs, abs=1e-4))
    assert len({turn.text for turn in wanted.values()}) >= 15


def test_adapters_keep_their_own(tiny_base, tmp_path, monkeypatch):
    for seed, name in enumerate(("planner", "grounder"), 1):
        create_adapter(tiny_base, tmp_path / name, seed)
    policy = HFPolicy.load(tmp_path, "v", device="cpu")
    requests = [Request(f"{module}", module, (user("3 apples " * 9),)) for module in (Module.PLANNER, Module.GROUNDER)]
    requests = [replace(each, sampling=Sampling(max_new_tokens=9)) for each in requests]
    twice = [write(policy, *requests), write(policy, *requests)]
    assert all(isinstance(writer, SlotWriter) for writer in policy._writers.values())
    monkeypatch.setattr(hf_writers, "slots_of", lambda model: None)
    for request in requests:
        (alone,) = write(HFPolicy.load(tmp_path / request.module, device="cpu"), request)
        assert [each.ids for done in twice for each in done if each.request_id == request.id] == [alone.ids] * 2


def test_the_next_turn_reads_only_what_is_new(shared):
    policy = HFPolicy.load(shared, device="cpu")
    (first,) = write(policy, Request("q", Module.PLANNER, (user("3 apples " * 20),), Sampling(max_new_tokens=9)))
    context = (*first.prompt_ids, *first.ids)
    second = Request("q", Module.PLANNER, (user(""), PLAN[1], user("5")), Sampling(max_new_tokens=9), context=context)
    done = []
    count = reads(policy, lambda: done.extend(write(policy, second)))
    new = done[0].prompt_tokens - len(context)
    assert len(context) > 60
    assert count < new + BLOCK + done[0].completion_tokens  # the rest of a block is read again


def test_what_prompts_begin_with_is_read_once(shared):
    policy = HFPolicy.load(shared, device="cpu")
    greedy = Sampling(max_new_tokens=1)
    requests = [Request(str(n), Module.PLANNER, (user("3 apples " * 20 + str(n)),), greedy) for n in range(8)]
    done = []
    count = reads(policy, lambda: done.extend(write(policy, *requests)))
    length = done[0].prompt_tokens
    assert length > 60
    assert count <= length + 7 * 2 * BLOCK  # not 8 times that


def test_a_stop_text_and_an_overflow_are_as_ever(shared):
    policy = HFPolicy.load(shared, device="cpu")
    long = Request("long", Module.PLANNER, (user("9" * 260),))
    assert write(policy, long)[0].finish_reason == "overflow"
    (whole,) = write(policy, Request("whole", Module.PLANNER, tuple(FLIP), Sampling(2.0, max_new_tokens=20), 3))
    stop = whole.text[3:5]
    (cut,) = write(policy, Request("cut", Module.PLANNER, tuple(FLIP), Sampling(2.0, 1.0, 20, (stop,)), 3))
    assert (cut.text, cut.finish_reason) == (whole.text[: whole.text.index(stop)], "stop")


def test_a_closed_policy_keeps_nothing(shared):
    policy = HFPolicy.load(shared, device="cpu")
    write(policy, Request("q", Module.PLANNER, (user("3 apples " * 20),), Sampling(max_new_tokens=9)))
    kept = policy._writers[None]._prefixes
    assert kept.size > 0
    policy.close()
    assert not policy._writers


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (MistralConfig(vocab_size=50, intermediate_size=64, sliding_window=8, **SMALL), "DynamicSlidingWindowLayer"),
        (MambaConfig(vocab_size=50, hidden_size=32, num_hidden_layers=2), "LinearAttentionLayer"),
        (
            GPTNeoConfig(vocab_size=50, hidden_size=32, num_layers=2, attention_types=[[["global"], 2]], num_heads=4),
            "Transformers' interface",
        ),
    ],
)
def test_models_with_other_states_read_prompts_again(caplog, config, reason):
    assert slots_of(AutoModelForCausalLM.from_config(config).eval()) is None
    assert "reads every prompt again" in caplog.text and reason in caplog.text


def test_a_model_with_a_sliding_window_writes_as_transformers_do(shared):
    tokenizer = AutoTokenizer.from_pretrained(shared)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(
        MistralConfig(vocab_size=len(tokenizer), intermediate_size=64, sliding_window=8, **SMALL)
    ).eval()
    policy = HFPolicy({None: model}, tokenizer, "v")
    prompts = [user("3 apples " * n) for n in (1, 5, 9)]
    done = write(
        policy,
        *(Request(str(n), Module.PLANNER, (each,), Sampling(max_new_tokens=9)) for n, each in enumerate(prompts)),
    )
    for turn in done:
        ids = torch.tensor([turn.prompt_ids])
        out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=9)
        assert list(turn.ids) == out[0, ids.shape[1] :].tolist()[: len(turn.ids)]
        assert len(turn.ids) > 3


def blocks(count):
    return torch.zeros(2, 1, BLOCK * count, 4)


def cut(start, end):
    return blocks(1)


def test_the_least_recently_used_is_dropped_from_its_end():
    size = blocks(1).nbytes
    kept = Prefixes(3 * size)
    first, second = [1] * (2 * BLOCK), [2] * (2 * BLOCK)
    kept.keep(first, cut)
    assert (len(kept.find([*first, 0])), kept.size) == (2, 2 * size)
    kept.keep(second, cut)
    assert (len(kept.find([*first, 0])), len(kept.find([*second, 0])), kept.size) == (1, 2, 3 * size)
    kept.find([*first, 0])
    kept.keep([3] * BLOCK, cut)
    assert (len(kept.find([*first, 0])), len(kept.find([*second, 0])), kept.size) == (1, 1, 3 * size)


def test_only_whole_blocks_after_the_same_ids_are_found():
    kept = Prefixes(1 << 20)
    ids = list(range(2 * BLOCK + 5))
    kept.keep(ids, cut)
    assert len(kept.find([*ids, 0])) == 2
    assert len(kept.find(ids[: 2 * BLOCK])) == 1  # the last token is read, whatever is known
    assert len(kept.find([9, *ids[1:]])) == 0
    other = [*ids[:BLOCK], 99, *ids[BLOCK + 1 :]]
    assert len(kept.find(other)) == 1
    assert kept.missing(kept.find(other), other) == kept.missing(kept.find(other), [*other, 7])
    assert kept.missing(kept.find(ids), ids) is None


def test_nothing_is_kept_without_memory():
    kept = Prefixes(0)
    kept.keep([1] * 40, cut)
    assert (kept.find([1] * 40), kept.size) == ([], 0)
