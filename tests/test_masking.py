import pytest

from lumos_rl.errors import ConfigError
from lumos_rl.masking import masked, revealed, variable


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("mysql://root:hunter2@127.0.0.1:3307", "mysql://root:***@127.0.0.1:3307"),
        ("mysql://root:hun@ter/2@db:3307/x", "mysql://root:***@db:3307/x"),
        ("cannot reach 'mysql://root:hunter2@db' (2003)", "cannot reach 'mysql://root:***@db' (2003)"),
        ("https://me:hunter2@host/v1", "https://me:***@host/v1"),
        ("https://hunter2@host/v1", "https://***@host/v1"),
        ("http://host:8000/v1?api-key=hunter2&v=1", "http://host:8000/v1?api-key=***&v=1"),
        ("http://host/v1?v=1&access_token=hunter2", "http://host/v1?v=1&access_token=***"),
        ("mine.api_key=hunter2", "mine.api_key=***"),
        ("postgres://u:hunter2@h/x", "postgres://u:***@h/x"),
    ],
)
def test_passwords_and_keys_are_masked(text, wanted):
    assert masked(text) == wanted
    assert masked(wanted) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "mysql://root@127.0.0.1:3307",
        "http://localhost:8000/v1?user=a@b",
        "http://host:8000/a@b",
        "Ratio 3:4 @ noon",
        "R1 = Calculator(2); key = 3",
        "webshop.tokenizer=x",
    ],
)
def test_what_holds_no_password_stays_as_it_is(text):
    assert masked(text) == text


def test_a_masked_value_is_taken_from_its_variable_and_must_fit():
    name = variable("intercode_sql.backend")
    assert name == "LUMOS_RL_INTERCODE_SQL_BACKEND"
    value, whole = "mysql://root:***@db", "mysql://root:hunter2@db"
    assert revealed(value, "intercode_sql.backend", {name: whole}) == whole
    assert revealed(whole, "intercode_sql.backend", {}) == whole
    with pytest.raises(ConfigError, match=r"variable\s+LUMOS_RL_INTERCODE_SQL_BACKEND, got no such variable"):
        revealed(value, "intercode_sql.backend", {})
    with pytest.raises(ConfigError, match=r"got 'mysql://root:\*\*\*@other' there"):
        revealed(value, "intercode_sql.backend", {name: "mysql://root:hunter2@other"})
