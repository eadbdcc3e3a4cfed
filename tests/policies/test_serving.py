import threading
import time

import pytest
from tiny_env import solve

from lumos_rl.core import Module
from lumos_rl.errors import ConfigError, InfrastructureError
from lumos_rl.policies.base import Request, ScriptedPolicy
from lumos_rl.policies.serving import EngineHost, Serving, Weightless
from lumos_rl.prompts import COMPACT_PROFILE

ASK = ({"role": "user", "content": "Add 1 and 3."},)


class Noting(ScriptedPolicy):
    """Keeps the ids that it was asked, and dies of a request with "die" in its id."""

    made = 0

    def __init__(self, version="sft"):
        super().__init__(solve, version)
        self.seen, self.closed = [], False
        type(self).made += 1

    def submit(self, request):
        if "stranger" in request.id:
            raise ConfigError("expected a model for 'solver', got models for ['grounder', 'planner']")
        if "odd" in request.id:
            raise ValueError("a prompt that no engine takes")
        self.seen.append(request.id)
        super().submit(request)

    def collect(self, timeout_s=None):
        if any("die" in request.id for request, _ in self._queue):
            raise InfrastructureError("the engine is gone")
        return super().collect(timeout_s)

    def close(self):
        self.closed = True


def ask(*ids):
    return [Request(name, Module.GROUNDER, ASK) for name in ids]


def serving(version="sft", made=None, update=None):
    def make():
        policy = Noting(version)
        if made is not None:
            made.append(policy)
        return policy

    return Serving(version, make, update)


@pytest.fixture
def host():
    opened = EngineHost("engine-0")
    yield opened
    opened.close()


def hear(host, client, count):
    done = []
    for _ in range(50):
        done += host.exchange(client, [], 1.0)
        if len(done) >= count:
            return sorted(each.request_id for each in done)
    raise AssertionError(f"{len(done)} of {count} completions")


def test_every_client_gets_its_own_completions_under_its_own_ids(host):
    host.load(serving())
    host.submit("a", ask("x", "y"))
    done = host.exchange("b", ask("x"), 5.0)
    assert [each.request_id for each in done] == ["x"] and done[0].text == "Add 1 3"
    assert hear(host, "a", 2) == ["x", "y"] and host.exchange("a", [], 0.05) == []


def test_a_request_that_is_under_way_is_not_begun_twice(host):
    made = []
    host.load(serving(made=made))
    with host._changed:  # the policy's thread has to wait
        host._inbox += [("a", each) for each in ask("x", "x")]
        host._changed.notify_all()
    assert hear(host, "a", 1) == ["x"] and made[0].seen == ["a/x"]


def test_loading_what_is_served_changes_nothing(host):
    made = []
    first = host.load(serving(made=made))
    assert host.load(serving(made=made)) == first and len(made) == 1
    assert (first.version, first.tokenizer_hash, first.process_ids, first.profile) == ("sft", "", (), None)


def test_the_profile_of_a_checkpoint_is_told(host):
    def make():
        policy = Noting("sft")
        policy.profile = COMPACT_PROFILE
        return policy

    assert host.load(Serving("sft", make)).profile == COMPACT_PROFILE


def test_a_running_policy_goes_on_with_other_weights(host):
    made = []
    host.load(serving(made=made))
    hear_one = host.exchange("a", ask("x"), 5.0)
    assert len(hear_one) == 1
    host.load(serving("rs-1", made, lambda policy: setattr(policy, "version", "rs-1")))
    assert len(host.exchange("a", ask("x"), 5.0)) == 1 and len(made) == 1
    host.load(serving("rs-2", made))  # it cannot be updated
    assert [policy.closed for policy in made] == [True, False] and made[1].version == "rs-2"


def test_an_update_that_does_not_arrive_is_found_out(host):
    host.load(serving())
    with pytest.raises(InfrastructureError, match="expected engine-0 to serve 'rs-1'"):
        host.load(serving("rs-1", update=lambda policy: None))


def test_a_policy_that_breaks_is_told_to_all_and_made_anew(host):
    made, errors = [], []
    host.load(serving(made=made))

    def wait():
        try:
            host.exchange("b", [], 30.0)
        except InfrastructureError as error:
            errors.append(str(error))

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.1)
    host.submit("a", ask("die"))
    waiting.join(5)
    assert "the engine is gone" in errors[0]
    with pytest.raises(InfrastructureError, match="the engine is gone"):
        host.exchange("a", ask("x"), 1.0)
    host.load(serving(made=made))
    assert len(made) == 2 and len(host.exchange("a", ask("x"), 5.0)) == 1


def test_what_the_user_has_to_mend_is_raised_as_it_is(host):
    host.load(serving())
    with pytest.raises(ConfigError, match="expected a model for 'solver'"):
        host.exchange("a", ask("stranger"), 5.0)


def test_without_a_policy_nothing_is_taken(host):
    with pytest.raises(InfrastructureError, match="expected engine-0 to have a running policy"):
        host.exchange("a", ask("x"), 1.0)


def test_workers_share_what_an_endpoint_takes():
    limited = Weightless(lambda share: ScriptedPolicy(solve), limit=64)
    assert [limited.share(worker, 5) for worker in range(5)] == [13, 13, 13, 13, 12]
    assert Weightless(limited.make).share(0, 5) is None


def test_a_request_that_the_policy_does_not_take_fails_alone(host):
    host.load(serving())
    done = []
    while len(done) < 3:
        done += host.exchange("worker", ask("a", "odd", "b") if not done else [], 5)
    texts = {each.request_id: each for each in done}
    assert texts["odd"].finish_reason == "failed" and "a prompt that no engine takes" in texts["odd"].failure
    assert texts["a"].failure is texts["b"].failure is None
