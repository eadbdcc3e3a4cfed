"""The task type of WebShop."""

from lumos_rl.task_types import Metric, TaskType

WEBSHOP = TaskType(
    name="webshop",
    env_id="lumos_rl/WebShop-v0",
    env="lumos_rl.envs.webshop.env:WebShopEnv",
    group="webshop",
    tools="lumos_rl.envs.webshop.tools.actions:SPECS",
    metrics=(Metric("score", reported=True), Metric("success")),
    reader="lumos_rl.envs.webshop.reader:READER",
    annotator="lumos_rl.envs.webshop.annotate:annotated",
    suite="lumos_rl.envs.webshop.suite:suite_stream",
    unseen=True,
    renames=True,
    about="Buy the item of a shop that the instruction asks for. The purchase ends the task.",
    finishes=False,
    published="average reward 50.3 (7B: 39.8), a task type it had not learned",
)
