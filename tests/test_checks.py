from dataclasses import dataclass

import pytest

from lumos_rl.checks import above, at_least, between, check, each, one_of
from lumos_rl.errors import ConfigError


@dataclass
class Settings:
    some_value: object


@pytest.mark.parametrize(
    ("limit", "good", "bad", "says"),
    [
        (at_least(1), 1, 0, "at least 1, got 0"),
        (at_least(1, none="None for all"), None, -2, "at least 1, got -2; give None for all"),
        (above(0), 1e-9, 0.0, "above 0, got 0.0"),
        (above(0), 1, float("nan"), "above 0, got nan"),
        (at_least(0), 3.0, float("inf"), "got inf"),
        (at_least(0), 3, "3", "got '3'"),
        (between(0, 1), 0, 1.5, "at least 0 and at most 1, got 1.5"),
        (between(0, 1, without=(0,)), 1, 0, "above 0 and at most 1, got 0"),
        (one_of(("linear", "cosine")), "cosine", "cosin", "one of linear, cosine, got 'cosin'; did you mean 'cosine'?"),
        (each(at_least(0)), (0, 1), (), "one value or more, each at least 0, got ()"),
        (each(at_least(0)), (0,), (1, -1), "each at least 0, got (1, -1)"),
        (each(one_of("ab"), empty=True), (), ("c",), "each one of a, b, got ('c',)"),
    ],
)
def test_a_value_beyond_its_limit_is_told_with_its_flag(limit, good, bad, says):
    check(Settings(good), "part", some_value=limit)
    with pytest.raises(ConfigError) as error:
        check(Settings(bad), "part", some_value=limit)
    assert str(error.value).startswith("expected --part.some-value to be ") and str(error.value).endswith(says)
