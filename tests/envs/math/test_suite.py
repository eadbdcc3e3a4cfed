"""The built-in math suites: what the templates say is right, and "unseen" shares nothing with the other splits."""

import re

import gymnasium as gym
import pytest

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.envs.math.suite import ITEMS, NAMES, TEMPLATES, UNSEEN_TEMPLATES, math_stream
from lumos_rl.envs.math.template import Template
from lumos_rl.language import format_actions

SUITES = ("gsm8k", "svamp")
SPLITS = ("train", "dev", "test")
_WORD = re.compile(rf"\b(?:{'|'.join((*NAMES, *ITEMS))})\b")


def skeleton(text: str) -> str:
    """A text with its numbers, names and things masked."""
    return re.sub(r"[\d,.]*\d", "#", _WORD.sub("_", text))


def operations(template: Template) -> tuple[str, ...]:
    return tuple("".join(re.findall(r"[-+*/]", expression)) for _, expression in template.steps)


@pytest.mark.parametrize(("suite", "known", "unseen"), [("gsm8k", 24, 10), ("svamp", 12, 5)])
def test_there_are_many_templates_with_names_of_their_own(suite, known, unseen):
    names = [template.name for template in (*TEMPLATES[suite], *UNSEEN_TEMPLATES[suite])]
    assert len(set(names)) == len(names)
    assert len(TEMPLATES[suite]) >= known and len(UNSEEN_TEMPLATES[suite]) >= unseen


@pytest.mark.parametrize("suite", SUITES)
def test_unseen_shares_no_template_and_no_sentence_with_the_other_splits(suite):
    seen = [task for split in SPLITS for task in synthetic_tasks(suite, split, 600)]
    unseen = synthetic_tasks(suite, "unseen", 300)
    for key in (lambda task: task.meta["template"], lambda task: skeleton(task.instruction)):
        assert not {key(task) for task in seen} & {key(task) for task in unseen}
    assert {task.meta["template"] for task in unseen} == {template.name for template in UNSEEN_TEMPLATES[suite]}
    assert {task.meta["template"] for task in seen} == {template.name for template in TEMPLATES[suite]}


def test_unseen_problems_have_other_orders_of_operations():
    known = {operations(template) for template in TEMPLATES["gsm8k"]}
    assert not known & {operations(template) for template in UNSEEN_TEMPLATES["gsm8k"]}


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("split", [*SPLITS, "unseen"])
def test_every_gold_plan_earns_the_reward_with_whole_numbers_of_the_text(suite, split):
    tasks = synthetic_tasks(suite, split, 150)
    env = gym.make(f"lumos_rl/{suite.upper()}-v0", tasks=tasks)
    for index, task in enumerate(tasks):
        env.reset(options={"task": index})
        text = "; ".join(format_actions(subgoal.actions) for subgoal in task.subgoals)
        assert env.step(f"{text}; Finish()")[1] == 1.0
        results = [float(action.result) for subgoal in task.subgoals for action in subgoal.actions]
        assert all(result > 0 for result in results) and float(task.answer) == int(float(task.answer))
        assert len(task.instruction) < 260


@pytest.mark.parametrize(
    "template", [each for suite in SUITES for each in (*TEMPLATES[suite], *UNSEEN_TEMPLATES[suite])]
)
def test_every_text_of_a_template_gives_every_number_of_its_plan(template):
    for text in template.texts:
        fields = set(re.findall(r"{(\w+)}", text))
        wanted = {field for _, expression in template.steps for field in re.findall(r"{(\w+)}", expression)}
        assert wanted <= fields


@pytest.mark.parametrize("suite", SUITES)
def test_the_same_seed_gives_the_same_problems_and_another_seed_others(suite):
    first, again, other = (math_stream(suite, "unseen", seed) for seed in (1, 1, 2))
    texts = [[next(stream).instruction for _ in range(50)] for stream in (first, again, other)]
    assert texts[0] == texts[1] != texts[2]
