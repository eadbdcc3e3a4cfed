"""The task types of question answering: HotpotQA and StrategyQA."""

from lumos_rl.task_types import Metric, TaskType

HOTPOTQA = TaskType(
    name="hotpotqa",
    env_id="lumos_rl/HotpotQA-v0",
    env="lumos_rl.envs.qa.env:QAEnv",
    group="qa",
    tools="lumos_rl.envs.qa.tools.question:SPECS",
    reads_results=True,
    metrics=(
        Metric("em", reported=True),
        Metric("f1", reported=True),
        Metric("supporting_recall"),
        Metric("judge"),  # if the environment was given one
    ),
    reader="lumos_rl.envs.qa.hotpotqa:READER",
    annotator="lumos_rl.envs.qa.annotate_hotpotqa:annotated",
    suite="lumos_rl.envs.qa.suite:question_stream",
    unseen=True,
    renames=True,
    published="exact match 36.3 (7B: 29.4 to 36.0)",
    about="Answer a question from documents that you look up. The answer is a few words.",
)
STRATEGYQA = TaskType(
    name="strategyqa",
    env_id="lumos_rl/StrategyQA-v0",
    env="lumos_rl.envs.qa.env:QAEnv",
    group="qa",
    tools="lumos_rl.envs.qa.tools.question:SPECS",
    reads_results=True,
    metrics=(Metric("accuracy"), Metric("supporting_recall"), Metric("oracle_accuracy")),
    reader="lumos_rl.envs.qa.strategyqa:READER",
    annotator="lumos_rl.envs.qa.annotate_strategyqa:annotated",
    suite="lumos_rl.envs.qa.suite:question_stream",
    unseen=True,
    renames=True,
    published="accuracy 76.7 (7B: 65.7 to 72.4)",
    about="Answer a question from documents that you look up. The answer is yes or no.",
)
