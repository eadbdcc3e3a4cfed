import pytest

from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.errors import ConfigError, UnknownNameError
from lumos_rl.runs.entries import env_options
from lumos_rl.runs.environments import make_env


def test_options_of_environments_are_given_by_name():
    options = env_options(("svamp.max_steps=2", "intercode_sql.backend=sqlite", "svamp.render_mode=ansi"))
    assert options == {"svamp": {"max_steps": 2, "render_mode": "ansi"}, "intercode_sql": {"backend": "sqlite"}}
    env = make_env("svamp", options)
    env.reset(options={"task": synthetic_tasks("svamp", "test", 1)[0]})
    assert [env.step("R1 = Calculator(1)")[3] for _ in range(2)] == [False, True]
    with pytest.raises(ConfigError, match=r"unknown argument of MathEnv 'colour'.*max_steps"):
        make_env("svamp", {"svamp": {"colour": "red"}})


@pytest.mark.parametrize(
    ("entry", "said"), [("svamp=2", "OPTION=VALUE"), ("svamp.a b=2", "OPTION"), ("maths.a=1", "maths")]
)
def test_options_that_are_none_are_refused(entry, said):
    with pytest.raises((ConfigError, UnknownNameError), match=said):
        env_options((entry,))
