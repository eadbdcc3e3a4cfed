import pytest

from lumos_rl.errors import ConfigError, UnknownNameError
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.runs.config import DataConfig, EvaluateSettings, check_samples
from lumos_rl.runs.refine_settings import PreferenceConfig, RejectionConfig


@pytest.mark.parametrize("settings", [RejectionConfig, PreferenceConfig])
@pytest.mark.parametrize("bad", [{"tasks": -1}, {"samples": -2}])
def test_counts_are_not_negative(settings, bad):
    with pytest.raises(
        ConfigError, match=r"expected --refine\.(rs|dpo)\.(tasks|samples) to be at least 1, got -[12]; give None for"
    ):
        settings(**bad)


def test_dev_is_not_for_choosing_and_for_testing():
    with pytest.raises(ConfigError, match="test-split test"):
        DataConfig(test_split=("dev",), validation_tasks=10)


@pytest.mark.parametrize("splits", [("test", "dev"), ("unseen", "unseen")])
def test_splits_to_test_on_are_not_mixed(splits):
    with pytest.raises(ConfigError, match=r"one of test and dev as --data\.test-split, and unseen beside it"):
        DataConfig(test_split=splits)


def test_temperatures_without_a_sample_are_told(caplog):
    with caplog.at_level("INFO"):
        check_samples("evaluate", RolloutConfig(samples=2, temperatures=(0.0, 1.0)))
        assert not caplog.messages
        check_samples("evaluate", RolloutConfig(samples=1, temperatures=(0.0, 0.5, 1.0)))
    assert caplog.messages == ["evaluate plays 1 samples of each task, none at temperature 0.5, 1.0"]


def test_words_say_what_is_tested_beside_the_main_line():
    assert EvaluateSettings(also="base, swap").also == ("base", "swap") and EvaluateSettings(also=()).also == ()
    with pytest.raises(ConfigError, match=r"each one of base, control, swap, got .'swop'.*"):
        EvaluateSettings(also=("swop",))


@pytest.mark.parametrize(
    ("entry", "said"),
    [("gsm8k=much", "BENCHMARK=NUMBER"), ("gsm8k=-1", "NUMBER"), ("gsm8k=nan", "from 0 to"), ("maths=1", "maths")],
)
@pytest.mark.parametrize(
    ("settings", "name"),
    [(DataConfig, "weights"), (RejectionConfig, "min_reward"), (PreferenceConfig, "min_margin")],
)
def test_numbers_of_benchmarks_that_are_none_are_refused(settings, name, entry, said):
    with pytest.raises((ConfigError, UnknownNameError), match=said):
        settings(**{name: (entry,)})


def test_a_share_is_at_most_all():
    assert RejectionConfig(min_reward=("webshop=1",)) and PreferenceConfig(min_margin=("intercode_sql=1.5",))
    with pytest.raises(ConfigError, match="from 0 to 1, got 'webshop=75'"):
        RejectionConfig(min_reward=("webshop=75",))
    with pytest.raises(ConfigError, match="from 0 to 2, got 'webshop=20'"):
        PreferenceConfig(min_margin=("webshop=20",))
