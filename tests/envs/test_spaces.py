"""`UnicodeText` holds any text, and Gymnasium's vector environments carry it unchanged, in one process or several."""

import pickle
from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from gymnasium.vector.utils import batch_space, create_shared_memory, read_from_shared_memory, write_to_shared_memory
from hypothesis import given
from hypothesis import strategies as st

from lumos_rl.envs.spaces import SharedTexts, UnicodeText
from lumos_rl.errors import ConfigError

AWKWARD = ["", "\0", "a\0b\0", "naïve €5 — 数学", "𝟙🧮", "\ud800 lone \udfff", "\ud83d\ude00", "x" * 100]


class Echo(gym.Env[str, str]):
    """Observes its own last action, twice."""

    def __init__(self) -> None:
        self.observation_space = UnicodeText(200)
        self.action_space = UnicodeText(100)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        return f"ready {seed}", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return action * 2, 0.0, False, False, {"said": action}


@pytest.mark.parametrize("text", AWKWARD)
def test_any_text_up_to_the_length_is_a_member(text: str) -> None:
    assert text in UnicodeText(100)


@pytest.mark.parametrize("value", ["x" * 101, b"x", None, 3, ["x"]])
def test_longer_text_and_other_types_are_no_members(value: object) -> None:
    assert value not in UnicodeText(100)


def test_samples_are_members_and_repeat_with_the_seed() -> None:
    first, second = UnicodeText(10, seed=7), UnicodeText(10, seed=7)
    drawn = [first.sample() for _ in range(200)]
    assert drawn == [second.sample() for _ in range(200)]
    assert all(text in first for text in drawn)
    assert {len(text) for text in drawn} == set(range(11))
    "".join(drawn).encode("utf-8")  # no lone surrogate is drawn


def test_a_mask_is_refused() -> None:
    with pytest.raises(ConfigError, match="no mask"):
        UnicodeText(10).sample(mask=(3, None))


def test_an_empty_space_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_length >= 1"):
        UnicodeText(0)


def test_spaces_are_equal_by_length_and_survive_copying() -> None:
    space = UnicodeText(10)
    assert space == deepcopy(space) == pickle.loads(pickle.dumps(space)) != UnicodeText(11)
    assert repr(space) == "UnicodeText(max_length=10)"


@given(st.lists(st.text(alphabet=st.characters(), max_size=20), min_size=1, max_size=4))
def test_shared_memory_gives_back_exactly_what_was_written(texts: list[str]) -> None:
    space = UnicodeText(20)
    memory = create_shared_memory(space, n=len(texts))
    view = read_from_shared_memory(space, memory, n=len(texts))
    for _ in range(2):  # the second round writes over what the first one left
        texts.reverse()
        for index, text in enumerate(texts):
            write_to_shared_memory(space, index, text, memory)
        assert deepcopy(view) == tuple(texts)


def test_a_copy_of_the_shared_view_stays_as_it_was() -> None:
    space = UnicodeText(5)
    memory = create_shared_memory(space, n=2)
    view: Any = read_from_shared_memory(space, memory, n=2)
    write_to_shared_memory(space, 1, "new", memory)
    kept = deepcopy(view)
    write_to_shared_memory(space, 1, "newer", memory)
    assert (kept, view[1], view[:], len(view), repr(view)) == (
        ("", "new"), "newer", ("", "newer"), 2, "('', 'newer')",
    )  # fmt: skip
    assert isinstance(view, SharedTexts)


def test_text_too_long_for_its_slot_is_refused() -> None:
    space = UnicodeText(5)
    with pytest.raises(ConfigError, match="at most 5 characters"):
        write_to_shared_memory(space, 0, "longer", create_shared_memory(space, n=1))


def test_the_default_slot_is_below_one_megabyte() -> None:
    assert np.frombuffer(create_shared_memory(UnicodeText(), n=1).get_obj(), np.uint8).nbytes < 2**20


def test_a_batch_holds_one_text_for_each_environment() -> None:
    batch = batch_space(UnicodeText(5, seed=0), n=3)
    texts = batch.sample()
    assert texts in batch
    assert len(set(texts)) == 3


@pytest.mark.parametrize("kind", ["sync", "async", "async without shared memory", "async without copies"])
def test_vector_environments_carry_awkward_text(kind: str) -> None:
    makers = [Echo] * len(AWKWARD)
    if kind == "sync":
        envs: SyncVectorEnv[Any, Any] | AsyncVectorEnv[Any, Any] = SyncVectorEnv(makers)
    else:
        shared, copied = kind != "async without shared memory", kind != "async without copies"
        envs = AsyncVectorEnv(makers, shared_memory=shared, copy=copied)
    try:
        assert tuple(envs.reset(seed=5)[0]) == tuple(f"ready {5 + index}" for index in range(len(AWKWARD)))
        for actions in (AWKWARD, AWKWARD[::-1]):
            observations, _, _, _, info = envs.step(actions)
            assert tuple(observations) == tuple(text * 2 for text in actions)
            assert list(info["said"]) == actions
    finally:
        envs.close()
