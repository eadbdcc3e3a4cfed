import pytest

from lumos_rl.errors import ConfigError
from lumos_rl.rollout.ray_config import Cores, RayConfig, cores, count_engines, count_workers, settled

NODE = {"Alive": True, "Resources": {"CPU": 8.0, "GPU": 2.0}}


@pytest.mark.parametrize(
    "bad",
    [
        {"workers": 0},
        {"engines": -1},
        {"cpus_per_worker": 0},
        {"timeout_s": 0},
        {"gpus_per_worker": 1.5},
        {"cpus_per_engine": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(bad):
    with pytest.raises(ConfigError, match="expected"):
        RayConfig(**bad)


@pytest.mark.parametrize(
    ("config", "workers"),
    [
        (RayConfig(), 4),
        (RayConfig(cpus_per_worker=5), 2),
        (RayConfig(gpus_per_worker=1), 4),
        (RayConfig(gpus_per_worker=0.1), 16),
        (RayConfig(workers=3), 3),
        (RayConfig(workers=20), 20),  # one after another, with a GPU each
    ],
)
def test_workers_fill_the_living_nodes(config, workers):
    assert count_workers([NODE, NODE, {**NODE, "Alive": False}], config) == workers


def test_a_worker_that_fits_nowhere_is_refused():
    with pytest.raises(ConfigError, match="expected a node with"):
        count_workers([NODE], RayConfig(cpus_per_worker=9))


@pytest.mark.parametrize(
    ("config", "engines"),
    [
        (RayConfig(), 4),
        (RayConfig(gpus_per_engine=1), 4),
        (RayConfig(gpus_per_engine=2), 2),
        (RayConfig(gpus_per_engine=2, cpus_per_engine=8), 2),
        (RayConfig(engines=3), 3),
    ],
)
def test_engines_take_the_gpus_that_there_are(config, engines):
    assert count_engines([NODE, NODE, {**NODE, "Alive": False}], config) == engines


def test_engines_that_fit_nowhere_are_refused():
    with pytest.raises(ConfigError, match="expected room for 1 engines"):
        count_engines([NODE], RayConfig(gpus_per_engine=4, engines=1))


def test_workers_leave_room_for_the_engines_and_need_no_gpu_then():
    assert count_workers([NODE], RayConfig(gpus_per_worker=1), engines=0) == 2
    assert count_workers([NODE], RayConfig(gpus_per_worker=1, cpus_per_engine=2), engines=2) == 4
    assert count_workers([NODE], RayConfig(workers=20), engines=2) == 6
    with pytest.raises(ConfigError, match="with 8 engines"):
        count_workers([NODE], RayConfig(), engines=8)


CPUS = {"Alive": True, "Resources": {"CPU": 16.0}}


def test_a_model_takes_a_gpu_where_there_are_some_and_none_elsewhere():
    found = settled([NODE, CPUS], RayConfig())
    assert (found.gpus_per_worker, found.gpus_per_engine) == (1.0, 1)
    for config in (settled([CPUS], RayConfig()), settled([NODE], RayConfig(), weights=False)):
        assert (config.gpus_per_worker, config.gpus_per_engine) == (0.0, 0)
    assert settled([NODE], RayConfig(gpus_per_worker=0.5, gpus_per_engine=2)).gpus_per_worker == 0.5
    assert (count_workers([CPUS], RayConfig()), count_engines([CPUS], RayConfig())) == (16, 1)


def test_sixteen_copies_of_a_model_on_one_gpu_are_refused():
    one = {"Alive": True, "Resources": {"CPU": 16.0, "GPU": 1.0}}
    with pytest.raises(ConfigError, match=r"a share of a GPU for each of 16 workers.*--ray.gpus-per-worker 0"):
        count_workers([one], RayConfig(gpus_per_worker=0))
    assert count_workers([one], RayConfig()) == 1
    assert count_workers([one], RayConfig(gpus_per_worker=0, workers=1)) == 1
    assert count_workers([one], RayConfig(gpus_per_worker=0.25)) == 4
    assert count_workers([one], RayConfig(), weights=False) == 16  # functions and endpoints
    assert count_workers([one], RayConfig(gpus_per_worker=0), weights=False) == 16
    assert count_workers([one], RayConfig(gpus_per_worker=0), engines=1) == 15
    assert count_workers([CPUS], RayConfig(gpus_per_worker=0)) == 16


def test_an_engine_that_reserves_no_gpu_is_refused_where_there_are_some():
    with pytest.raises(ConfigError, match=r"GPUs for an engine, got --ray.gpus-per-engine 0 on a cluster with GPUs"):
        count_engines([CPUS, NODE], RayConfig(gpus_per_engine=0))
    assert count_engines([CPUS], RayConfig(gpus_per_engine=0)) == 1


TWO = {"Alive": True, "Resources": {"CPU": 2.0}}


def test_an_engine_has_all_cores_of_a_small_machine_and_its_worker_reserves_none():
    assert cores([TWO], RayConfig(), engines=1) == Cores(0.0, 1, 2)
    assert (count_engines([TWO], RayConfig()), count_workers([TWO], RayConfig(), engines=1)) == (1, 1)
    assert cores([TWO], RayConfig(engines=2), engines=2) == Cores(0.0, 1, 1)
    given = RayConfig(cpus_per_worker=1, cpus_per_engine=1)
    assert cores([TWO], given, engines=1) == Cores(1.0, 1, 1)
    assert count_workers([TWO], given, engines=1) == 1
    with pytest.raises(ConfigError, match="with 1 engines"):
        count_workers([TWO], RayConfig(cpus_per_worker=1), engines=1)  # the engine has both


def test_an_engine_on_a_larger_machine_leaves_a_quarter_to_the_workers():
    assert cores([CPUS], RayConfig(), engines=1) == Cores(1.0, 1, 12)
    assert count_workers([CPUS], RayConfig(), engines=1) == 4
    assert cores([NODE], RayConfig(), engines=2) == Cores(1.0, 1, 1)  # it computes on a GPU


def test_one_worker_has_all_cores_of_a_small_machine_for_a_large_model():
    assert cores([TWO], RayConfig(), large=True) == Cores(2.0, 2, 2)
    assert count_workers([TWO], RayConfig(), large=True) == 1
    assert count_workers([TWO], RayConfig()) == 2  # small models: two copies, with a thread each
    assert count_workers([TWO], RayConfig(), weights=False, large=True) == 2
    assert count_workers([CPUS], RayConfig(), large=True) == 16
