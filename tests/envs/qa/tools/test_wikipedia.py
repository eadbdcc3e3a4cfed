import copy
import json
import pickle
import socket
import threading
import time

import gymnasium as gym
import pytest
from mediawiki import serving

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl.core import Task
from lumos_rl.envs.qa.tools.knowledge import KnowledgeQuery
from lumos_rl.envs.qa.tools.wikipedia import Mode, Wikipedia, WikipediaSettings, open_wikipedia
from lumos_rl.errors import ConfigError, InfrastructureError, MissingFileError

QUICK = {"timeout_s": 0.3, "pause_s": 0.0, "backoff_s": 0.01}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def source(url, folder, mode=Mode.RECORD, **settings):
    return Wikipedia(folder, mode, WikipediaSettings(url=url, **QUICK | settings))


def test_an_article_is_found_by_its_title_without_headings(tmp_path):
    with serving() as (url, script):
        found = source(url, tmp_path).lookup("Ed Wood")
    assert [piece.sentences for piece in found.pieces] == [
        ("Ed Wood was an American filmmaker.", "He directed Glen or Glenda."),
        ("He was born in Poughkeepsie.",),
    ]
    assert script.agents == [WikipediaSettings().user_agent]


def test_redirects_are_followed(tmp_path):
    with serving() as (url, _):
        assert source(url, tmp_path).lookup("Edward D. Wood").pieces[0].title == "Ed Wood"


def test_a_disambiguation_lists_five_titles_those_with_the_name_first(tmp_path):
    with serving() as (url, _):
        wikipedia = source(url, tmp_path)
        titles = ("Mercury (element)", "Mercury (film)", "Mercury (planet)", "Mercury (god)", "Freddie Mercury")
        assert wikipedia.lookup("Mercury").choices == titles
        shown = KnowledgeQuery(wikipedia)("Mercury", {}).text
        assert shown == f"'Mercury' may mean: {'; '.join(titles)}. Query one of these titles."


def test_what_is_no_title_is_searched(tmp_path):
    with serving() as (url, _):
        wikipedia = source(url, tmp_path)
        assert wikipedia.lookup("film directed by Ed").pieces == ()
        assert KnowledgeQuery(wikipedia)("film directed by Ed", {}).text.startswith("[Glen or Glenda]")
        assert wikipedia.search("xylophone", 5) == []


@pytest.mark.parametrize("query", ["a<b>", "x" * 300, "|", "ä" * 200, "Special:Random"])
def test_what_cannot_be_a_title_leads_to_nothing(tmp_path, query):
    with serving() as (url, _):
        assert source(url, tmp_path).lookup(query).pieces == ()


@pytest.mark.parametrize("fault", ["429", "500", "503", "hang", "broken", "error:ratelimited", "error", "query"])
def test_a_fault_that_may_pass_is_tried_again(tmp_path, fault):
    with serving(fault, fault) as (url, script):
        assert source(url, tmp_path).lookup("Ed Wood").pieces[0].title == "Ed Wood"
    assert len(script.asked) == 3


@pytest.mark.parametrize(
    ("fault", "said"),
    [("429", "HTTP 429"), ("500", "HTTP 500"), ("hang", "failed 3 times"), ("broken", "expected JSON")],
)
def test_a_fault_that_stays_is_a_failure_of_the_infrastructure(tmp_path, fault, said):
    with serving(*[fault] * 3) as (url, script):
        with pytest.raises(InfrastructureError, match=said):
            source(url, tmp_path, tries=3).lookup("Ed Wood")
        assert len(script.asked) == 3
        assert source(url, tmp_path).lookup("Ed Wood").pieces  # nothing broken was kept


@pytest.mark.parametrize(("fault", "said"), [("404", "HTTP 404"), ("error:badvalue", "badvalue")])
def test_a_refusal_is_not_tried_again(tmp_path, fault, said):
    with serving(fault) as (url, script):
        with pytest.raises(InfrastructureError, match=said):
            source(url, tmp_path).lookup("Ed Wood")
        assert len(script.asked) == 1


def test_no_server_is_a_failure_of_the_infrastructure(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(InfrastructureError, match="failed 2 times"):
            source(f"http://127.0.0.1:{free.getsockname()[1]}/", tmp_path, tries=2).lookup("Ed Wood")


def test_the_server_says_how_long_to_wait(tmp_path):
    with serving("429", Retry_After="1") as (url, _):
        start = time.monotonic()
        source(url, tmp_path).lookup("Ed Wood")
        assert time.monotonic() - start >= 1.0


def test_requests_keep_their_distance(tmp_path):
    with serving() as (url, _):
        wikipedia = source(url, tmp_path, pause_s=0.2)
        start = time.monotonic()
        threads = [threading.Thread(target=wikipedia.lookup, args=(title,)) for title in ("A", "B", "C")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - start >= 0.4


def test_a_reply_is_asked_for_once(tmp_path):
    with serving() as (url, script):
        for _ in range(2):
            source(url, tmp_path).lookup("Ed Wood")
        assert len(script.asked) == 1
    [kept] = tmp_path.rglob("*.json")
    assert json.loads(kept.read_text(encoding="utf-8"))["request"]["titles"] == "Ed Wood"
    assert not list(tmp_path.rglob("*.partial"))


TASK = Task("hotpotqa/test/0", "hotpotqa", "Where was the director of Glen or Glenda born?", "Poughkeepsie")
ACTIONS = [
    "R1 = KnowledgeQuery(Glen or Glenda); R2 = QA([R1], Question: Who directed Glen or Glenda?)",
    "R3 = KnowledgeQuery(R2); R4 = ParagraphRetrieve(R3, Query: Where was R2 born?)",
    "R5 = KnowledgeQuery(Mercury); R6 = KnowledgeQuery(Zoë Kruså); R7 = KnowledgeQuery(xylophone)",
    "R8 = QA([R4], Question: Where was R2 born?); Finish(R8)",
]


def episode(knowledge):
    env = gym.make("lumos_rl/HotpotQA-v0", tasks=(TASK,), knowledge=knowledge)
    seen = [env.reset(options={"task": 0})[0], *(env.step(text) for text in ACTIONS)]
    return json.dumps(seen, ensure_ascii=False).encode()


def test_a_replay_gives_every_episode_byte_by_byte_without_network(tmp_path, monkeypatch):
    with serving() as (url, _):
        settings = WikipediaSettings(url=url, **QUICK)
        recorded = episode(Wikipedia(tmp_path, Mode.RECORD, settings))
    assert b"Poughkeepsie" in recorded
    assert b"Zo\xc3\xab Krus" in recorded

    def no_network(*args, **kwargs):
        raise AssertionError("a replay opened a connection")

    monkeypatch.setattr(socket, "create_connection", no_network)
    assert episode(Wikipedia(tmp_path, Mode.REPLAY, settings)) == recorded
    assert episode(pickle.loads(pickle.dumps(Wikipedia(tmp_path, Mode.REPLAY, settings)))) == recorded


def test_what_was_not_recorded_is_a_failure_of_the_infrastructure(tmp_path):
    env = gym.make("lumos_rl/HotpotQA-v0", tasks=(TASK,), knowledge=f"wikipedia:replay:{tmp_path}")
    env.reset()
    with pytest.raises(InfrastructureError, match="expected a recorded reply to 'Ed Wood'"):
        env.step("R1 = KnowledgeQuery(Ed Wood)")


def test_settings_as_text(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert open_wikipedia("wikipedia").folder == tmp_path / "lumos_rl" / "wikipedia"
    assert open_wikipedia(f"wikipedia:replay:{tmp_path}").mode == Mode.REPLAY
    with pytest.raises(MissingFileError, match="record them first"):
        open_wikipedia(f"wikipedia:replay:{tmp_path / 'nowhere'}")
    for wrong in ("wikipedia:record", "wikipedia:rewind:x", "wikipedia:replay:"):
        with pytest.raises(ConfigError, match="expected wikipedia, wikipedia:record:FOLDER"):
            open_wikipedia(wrong)


def test_a_copy_has_a_lock_of_its_own(tmp_path):
    wikipedia = Wikipedia(tmp_path)
    twin = copy.deepcopy(wikipedia)
    assert (twin.folder, twin.settings) == (wikipedia.folder, wikipedia.settings)
    assert twin._lock is not wikipedia._lock
