"""The task type of InterCode SQL."""

from lumos_rl.task_types import Metric, TaskType

INTERCODE_SQL = TaskType(
    name="intercode_sql",
    env_id="lumos_rl/InterCodeSQL-v0",
    env="lumos_rl.envs.sql.env:SqlEnv",
    group="sql",
    tools="lumos_rl.envs.sql.tools:SPECS",
    reads_results=True,
    metrics=(Metric("reward", reported=True), Metric("success"), Metric("success_sound")),
    reader="lumos_rl.envs.sql.reader:READER",
    annotator="lumos_rl.envs.sql.annotate:annotated",
    suite="lumos_rl.envs.sql.suite:sql_stream",
    unseen=True,
    place="db",
    renames=True,
    about="Answer a question about a database of MySQL. The rows of the last query are the answer.",
    own_syntax="A statement alone, such as SELECT 1, works too; submit ends the task with its rows.",
    published="success rate 7.3 (13B, a task type it had not learned)",
)
