import pytest

from lumos_rl.errors import ConfigError
from lumos_rl.ray_config import RayConfig, count_workers

NODE = {"Alive": True, "Resources": {"CPU": 8.0, "GPU": 2.0}}


@pytest.mark.parametrize(
    "bad", [{"workers": -1}, {"cpus_per_worker": 0}, {"silence_timeout_s": 0}, {"gpus_per_worker": 1.5}]
)
def test_settings_that_cannot_work_are_refused(bad):
    with pytest.raises(ConfigError, match="expected"):
        RayConfig(**bad)


@pytest.mark.parametrize(
    ("config", "workers"),
    [
        (RayConfig(), 16),
        (RayConfig(cpus_per_worker=5), 2),
        (RayConfig(gpus_per_worker=1), 4),
        (RayConfig(gpus_per_worker=0.1), 16),
        (RayConfig(workers=3), 3),
    ],
)
def test_workers_fill_the_living_nodes(config, workers):
    assert count_workers([NODE, NODE, {**NODE, "Alive": False}], config) == workers


def test_a_worker_that_fits_nowhere_is_refused():
    with pytest.raises(ConfigError, match="expected a node with"):
        count_workers([NODE], RayConfig(cpus_per_worker=9))
