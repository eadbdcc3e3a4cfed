"""The task types of math: GSM8K, SVAMP, and MAWPS + ASDiv-A as training data for SVAMP."""

from lumos_rl.task_types import Metric, TaskType

ABOUT = "Solve a word problem. The answer is one number."

GSM8K = TaskType(
    name="gsm8k",
    env_id="lumos_rl/GSM8K-v0",
    env="lumos_rl.envs.math.env:MathEnv",
    group="math",
    tools="lumos_rl.tools.math:SPECS",
    metrics=(Metric("accuracy"),),
    reader="lumos_rl.envs.math.gsm8k:READER",
    annotator="lumos_rl.envs.math.annotate_gsm8k:annotated",
    suite="lumos_rl.envs.math.suite:math_stream",
    unseen=True,
    resampler="lumos_rl.envs.math.resample:resample",
    published="accuracy 55.4 (7B: 50.5)",
    about=ABOUT,
)
SVAMP = TaskType(
    name="svamp",
    env_id="lumos_rl/SVAMP-v0",
    env="lumos_rl.envs.math.env:MathEnv",
    tools="lumos_rl.tools.math:SPECS",
    metrics=(Metric("accuracy"),),
    reader="lumos_rl.envs.math.svamp:READER",
    annotator="lumos_rl.envs.math.annotate_equation:annotated",
    suite="lumos_rl.envs.math.suite:math_stream",
    unseen=True,
    resampler="lumos_rl.envs.math.resample:resample",
    published="accuracy 69.3 (7B: 65.5)",
    about=ABOUT,
)
MAWPS = TaskType(
    name="mawps",
    env_id=SVAMP.env_id,
    graded_as="svamp",
    tools="lumos_rl.tools.math:SPECS",
    metrics=SVAMP.metrics,
    reader="lumos_rl.envs.math.mawps:READER",
    annotator="lumos_rl.envs.math.annotate_equation:annotated",
    resampler="lumos_rl.envs.math.resample:resample",
)
