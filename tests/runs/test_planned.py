from dataclasses import replace

from small_run import CONFIG

from lumos_rl.runs.config import EvaluateSettings
from lumos_rl.runs.job import Job
from lumos_rl.runs.planned import planned


def sizes(config):
    return {each.name: each.size for each in planned(Job(config))}


def test_the_stages_of_the_main_job_have_the_sizes_of_their_settings():
    found = sizes(CONFIG)
    assert list(found) == [
        *("base", "sft", "evaluate-base", "evaluate-sft"),
        *("collect-for-rs-1", "rs-1", "evaluate-rs-1", "collect-for-dpo-2", "dpo-2", "evaluate-dpo-2"),
        *("control", "evaluate-control"),
    ]
    assert found["sft"] == 2 * 4  # two steps of four rows
    assert found["evaluate-sft"] == 3 * 2  # three tasks, played twice
    assert found["collect-for-rs-1"] == 3 * 4
    assert found["dpo-2"] == 8 / 3 * 2 * 4
    assert found["control"] == 8 + 8 / 3 * 8


def test_tests_on_the_side_and_validation_are_planned_where_they_are_asked_for():
    data = replace(CONFIG.data, validation_tasks=5)
    found = sizes(replace(CONFIG, data=data, evaluate=EvaluateSettings(also=("swap",))))
    names = [*("validate-sft", "validate-rs-1", "validate-dpo-2", "best"), "evaluate-sft+dpo-2", "evaluate-dpo-2+sft"]
    assert list(found)[-6:] == names
    assert found["validate-sft"] == 5
    assert "evaluate-base" not in found and "control" not in found


def test_epochs_take_as_many_rows_as_there_are():
    found = sizes(replace(CONFIG, sft=replace(CONFIG.sft, max_steps=None, epochs=3.0)))
    assert found["sft"] == 3 * len(Job(CONFIG).taught_rows)
