"""The task type of Mind2Web."""

from lumos_rl.task_types import Metric, TaskType

MIND2WEB = TaskType(
    name="mind2web",
    env_id="lumos_rl/Mind2Web-v0",
    env="lumos_rl.envs.mind2web.env:Mind2WebEnv",
    group="mind2web",
    tools="lumos_rl.envs.mind2web.tools.actions:SPECS",
    tells_actions=True,
    play_options={"observation": "feedback"},  # planner and grounder read results, not pages
    metrics=(
        Metric("element_acc", reported=True),
        Metric("action_f1", reported=True),
        Metric("step_acc", reported=True),
        Metric("task_success"),
        Metric("exact_step_acc"),
        Metric("lumos_step_sr"),
        *(Metric(f"recall@{k}") for k in (1, 5, 10, 50)),
    ),
    reader="lumos_rl.envs.mind2web.reader:READER",
    annotator="lumos_rl.envs.mind2web.annotate:annotated",
    suite="lumos_rl.envs.mind2web.suite:web_stream",
    unseen=True,
    place="website",
    renames=True,
    about="Do a task on a web site, one element of the page at a time. The last element ends it.",
    own_syntax="Where the page shows ids, they work too, one at a time: CLICK [12], TYPE [12] text, SELECT [12] text.",
    finishes=False,
    published="step success rate 31.3 (7B: 27.6), lumos_step_sr here",
)
