import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

import numpy as np
import pytest

from lumos_rl.core import PreferencePair, Subgoal, Task, Trajectory, Turn
from lumos_rl.errors import ConfigError, DataError
from lumos_rl.records import from_builtins, from_json, to_builtins, to_json, well_formed


class Engine(StrEnum):
    HF = "hf"
    VLLM = "vllm"


@dataclass(frozen=True, slots=True)
class Lora:
    rank: int = 0
    alpha: float = 32.0


@dataclass(frozen=True, slots=True)
class Sft:
    learning_rate: float = 2e-5
    warmup: float | None = None
    max_steps: int | None = None
    scheduler: str | None = "linear"
    supervised_only: bool = True
    lora: Lora = field(default_factory=Lora)

    def __post_init__(self) -> None:
        if self.learning_rate < 0:
            raise ConfigError(f"expected a learning rate >= 0, got {self.learning_rate}")


@dataclass(frozen=True, slots=True)
class Settings:
    seed: Annotated[int, "a flag's other names stand here"] = 0
    engine: Engine = Engine.HF
    train: tuple[str, ...] = ("gsm8k=synthetic",)
    steps: tuple[Engine, ...] = (Engine.HF, Engine.VLLM)
    temperatures: tuple[float, ...] = (0.0, 1.0)
    runs: tuple[Sft, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)
    sft: Sft = field(default_factory=Sft)


SETTINGS = Settings(7, Engine.VLLM, ("a", "ß"), (Engine.VLLM,), (0.5,), (Sft(1e-6),), {"qa": 0.5}, Sft(max_steps=9))


def test_settings_become_plain_values_and_the_same_settings_again():
    plain = to_builtins(SETTINGS)
    assert plain == json.loads(json.dumps(plain))
    assert plain["steps"] == ["vllm"] and plain["sft"]["max_steps"] == 9 and plain["sft"]["lora"]["alpha"] == 32.0
    again = from_builtins(Settings, plain)
    assert again == SETTINGS
    assert type(again.engine) is Engine and type(again.steps[0]) is Engine and type(again.runs) is tuple


def test_settings_that_are_missing_keep_their_defaults():
    assert from_builtins(Settings, {"sft": {"lora": {"rank": 8}}}) == Settings(sft=Sft(lora=Lora(rank=8)))


def test_a_whole_number_counts_as_a_float():
    rate = from_builtins(Settings, {"sft": {"learning_rate": 1}}).sft.learning_rate
    assert rate == 1.0 and type(rate) is float


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"sft": {"learning_rate": "x"}}, "sft.learning_rate: expected float, got 'x' (config.json)"),
        ({"sft": {"lora": {"rank": 1.5}}}, "sft.lora.rank: expected int, got 1.5 (config.json)"),
        ({"seed": True}, "seed: expected int, got True (config.json)"),
        ({"sft": {"supervised_only": 1}}, "sft.supervised_only: expected bool, got 1 (config.json)"),
        ({"sft": {"scheduler": 3}}, "sft.scheduler: expected str | null, got 3 (config.json)"),
        ({"engine": "sglang"}, "engine: invalid enum value 'sglang' (config.json)"),
        ({"steps": ["hf", "x"]}, "steps[1]: invalid enum value 'x' (config.json)"),
        ({"train": "gsm8k"}, "train: expected array, got 'gsm8k' (config.json)"),
        ({"temperatures": [0.5, None]}, "temperatures[1]: expected float, got None (config.json)"),
        ({"shares": {"a.b": "half"}}, "shares[...]: expected float, got {'a.b': 'half'} (config.json)"),
        ({"runs": [{}, {"lora": 3}]}, "runs[1].lora: expected object, got 3 (config.json)"),
        ([], "Settings: expected object, got [] (config.json)"),
        ({"sft": {"learning_rate": -1}}, "sft: expected a learning rate >= 0, got -1.0 (config.json)"),
        ({"sead": 1, "seed": 2}, "expected the fields of Settings, got also sead (config.json)"),
        (
            {"sft": {"lora": {"r": 8}}, "runs": [{}, {"rate": 1, "lr": 2}]},
            "expected the fields of Settings, got also sft.lora.r, runs[1].rate, runs[1].lr (config.json)",
        ),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(value, says):
    with pytest.raises(DataError) as error:
        from_builtins(Settings, value, "config.json")
    assert str(error.value) == says


PAIR = PreferencePair("p", "t", "gsm8k", "planner", 0, ({"role": "user", "content": "Hi"},), "a", "b", 1.0, 0.0)


@pytest.mark.parametrize(
    ("kind", "line", "says"),
    [
        (Task, "{", "expected one JSON object, got '{' (f:3): Expecting property name"),
        (Task, '{"id": "a", "benchmark": "b"}', "Task: expected a field instruction, got id, benchmark (f:3)"),
        (Task, "{}", "Task: expected a field id, got none (f:3)"),
        (Task, '{"id": 5, "benchmark": "b", "instruction": "c"}', "id: expected str, got 5 (f:3)"),
        (Subgoal, '{"text": "a", "actions": [{"outputs": ["R1"], "args": "", "tool": null}]}', "actions[0].tool: "),
        (PreferencePair, to_json(PAIR).replace('"user"', "1"), "prompt[0].role: expected str, got 1 (f:3)"),
        (PreferencePair, to_json(PAIR).replace('"Hi"', '"Hi", "name": ""'), "got also prompt[0].name (f:3)"),
    ],
)
def test_a_broken_line_is_refused_with_its_place(kind, line, says):
    with pytest.raises(DataError) as error:
        from_json(kind, line, "f:3")
    assert says in str(error.value)


def test_a_long_value_is_shown_in_part():
    with pytest.raises(DataError, match=r"^text: expected str, got \['x*$"):
        from_json(Subgoal, json.dumps({"text": ["x" * 1_000]}))


TURN = Turn("planner", "p", "c")


def test_numbers_keep_their_values():
    numbers = (math.inf, -math.inf, 5e-324, 0.1, -0.0)
    turn = replace(TURN, logprobs=numbers, completion_ids=(2**70,))
    again = from_json(Turn, to_json(turn))
    assert again == turn and math.copysign(1, again.logprobs[-1]) == -1
    assert math.isnan(from_json(Turn, to_json(replace(TURN, reward=math.nan))).reward)
    with pytest.raises(DataError, match="reward"):
        from_json(Turn, to_json(TURN).replace('"reward": 0.0', f'"reward": {10**400}'))


def test_lines_are_written_as_the_standard_library_does():
    task = Task("a", "b", "Wie groß — “π”\n?", meta=MappingProxyType({"x": (1, None), "y": np.float64(0.1)}))
    assert to_json(task) == (
        '{"id": "a", "benchmark": "b", "instruction": "Wie groß — “π”\\n?", "answer": null, "split": "test",'
        ' "subgoals": [], "meta": {"x": [1, null], "y": 0.1}}'
    )


def test_what_could_not_be_read_back_is_not_written():
    played = Trajectory("a#0", "a", "b", "s", "i", "direct", "p", 0, 0, 0.0, (TURN,), 1.0, True, None, "answered")
    with pytest.raises(DataError, match=r"metrics\[\.\.\.\]: expected float, .* \(Trajectory to be written\)"):
        to_json(replace(played, metrics={"solved": "yes"}))


def test_lines_of_older_versions_lack_newer_fields():
    line = json.loads(to_json(TURN))
    assert from_json(Turn, json.dumps({name: line[name] for name in ("module", "prompt", "completion")})) == TURN


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5 €", "5 €"),
        ("a\ud800", "a\ufffd"),
        ("\ud800\udfffé", "𐏿é"),  # a pair, U+D800 U+DFFF, is U+103FF
        ("\udfff\ud800", "\ufffd\ufffd"),
        (["\udc00", 7, None], ["\ufffd", 7, None]),
        ({"\ud800": ("x", {"y": "\ud800"})}, {"\ufffd": ("x", {"y": "\ufffd"})}),
        (Subgoal("\ud800"), Subgoal("\ufffd")),
    ],
)
def test_a_lone_surrogate_is_replaced_at_any_depth(value, expected):
    assert well_formed(value) == expected


def test_well_formed_records_are_kept_as_they_are():
    meta = {"rows": [["é", 1]]}
    assert well_formed(meta) is meta


def test_a_task_is_well_formed_however_it_was_made():
    expected = Task("t/\ufffd", "t", "Say \ufffd.", "\ufffd", subgoals=(Subgoal("\ufffd"),), meta={"page": ["\ufffd"]})
    given = Task("t/\ud800", "t", "Say \ud800.", "\ud800", subgoals=(Subgoal("\ud800"),), meta={"page": ["\ud800"]})
    assert given == expected
    line = r'{"id": "t/\ud800", "benchmark": "t", "instruction": "Say \ud800.", "meta": {"page": ["\ud800"]}}'
    assert from_json(Task, line).instruction == "Say \ufffd."
