"""Code: what its result is, what is tolerated, and which limits really hold."""

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction

import pytest

from lumos_rl.errors import ToolError, ToolLimitError
from lumos_rl.tools.base import Value
from lumos_rl.tools.code.code import Code, value_of_text
from lumos_rl.tools.code.process import ChildLimits

R = {
    "R1": Value.of(24),
    "R2": Value.of(Fraction(1, 3)),
    "R3": Value.of((Value.of(-2), Value.of(2))),
    "R4": Value.of("Paris"),
    "R5": Value.of(True),
}


FORGED = ["b'{}'", "b'[]'", "b'7'", """b'{"text": 1}'""", """b'{"rows": []}'""", """b'{"error": []}'""", "b'[' * 60000"]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        # what the result is
        ("print(1)\nprint(6 * 7)\nprint()", "42"),
        ("a = 2; a * 3", "6"),
        ("answer = 5\nfor i in range(3): pass", "5"),
        ("total = 0\nfor i in range(4):\n    total += i\ntotal = total * 2", "12"),
        ("def f(n):\n    return n * 2\nf(R1)", "48"),
        ("import sys; print(5); sys.exit(1)", "5"),
        ("2 > 1", "True"),
        ("[1, 2.5, R2]", "[1, 2.5, 1/3]"),
        ("print('The answer is', 5)", "The answer is 5"),
        # numbers
        ("print(8.0)", "8"),
        ("0.1 + 0.2", "0.3"),
        ("R1 / 7", "3.42857142857143"),
        ("R2 * 3", "1"),
        ("Fraction(1, 3) + R2", "2/3"),
        ("10**30", "1" + "0" * 30),
        # results are variables
        ("sum(R3) + R1", "24"),
        ("R4 + '!' if R5 else ''", "Paris!"),
        # pseudo-code
        ("x ← 2^10; x - R1", "1000"),
        ("print('2^10', '×')", "2^10 ×"),
        ("3 × 4 ÷ 2", "6"),
        ("return 5", "5"),
        ("If 8 > 0, 8, -8", "8"),
        ("if -8 > 0, -8, 8", "8"),
        ("If(8 > 0, 8, -8)", "8"),
        ("x = If R1 = 24, 1 / 4, 1 / 0", "0.25"),
        ("n = 3; If n > 5, n, If(n > 2, 10, 20)", "10"),
        ("If R1 > R2 then R1 else R2", "24"),
        ("print(If(2 > 3, 'yes', 'no'))", "no"),
        ("If max(a=1, b=2) if False else R5, [1, 2], 3", "[1, 2]"),
        ("def If(a, b, c): return 'mine'\nIf(1, 2, 3)", "mine"),
        ("s = '; if 1, 2, 3'; s", "; if 1, 2, 3"),
        ("```python\nprint(3)\n```", "3"),
        (r"x = 1\nfor i in range(4):\n    x *= 2\nprint(x)", "16"),
        (r"print('a\nb')", "b"),
    ],
)
def test_result(code: str, text: str) -> None:
    assert Code()(code, R).text == text


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("x = 1\n1 / 0", "ZeroDivisionError: division by zero (line 2)"),
        ("print(", "SyntaxError: '(' was never closed (line 1)"),
        ("y", "NameError: name 'y' is not defined (line 1)"),
        ("import sympy", "ModuleNotFoundError: No module named 'sympy'"),
        ("def f(n): return f(n)\nf(1)", "RecursionError"),
        ("input()", "EOFError"),
        ("pass", "gave no result"),
        (" ", "expected code"),
        ("10**5000", "more than 1000 digits"),
        ("import os; os._exit(3)", "ended without a result"),
        *((f"import os; os.write(3, {reply}); os._exit(0)", "ended without a result (status 0)") for reply in FORGED),
        ("raise SystemError('x' * 10000)", "SystemError"),
    ],
)
def test_errors_are_the_last_line_of_the_traceback(code: str, words: str) -> None:
    with pytest.raises(ToolError) as caught:
        Code()(code, R)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("while True: pass", "stopped after 1 seconds of computing"),
        ("9**9**9**9", "stopped after 1 seconds of computing"),
        ("x = 'a' * 10**10", "too much memory"),
        ("x = []\nwhile True: x.append('a' * 10**6)", "too much memory"),
        ("import os\nfor fd in range(3, 10):\n    while True: os.write(fd, b'x' * 65536)", "bytes of output"),
        ("x = 1 # " + "a" * 20_000, "at most 10000 characters"),
    ],
)
def test_limits(code: str, words: str) -> None:
    start = time.perf_counter()
    with pytest.raises(ToolLimitError, match=words):
        Code(ChildLimits(cpu_s=1, memory_mb=150))(code, {})
    assert time.perf_counter() - start < 5


def test_waiting_is_stopped_by_the_wall_clock() -> None:
    start = time.perf_counter()
    with pytest.raises(ToolLimitError, match=r"stopped after 0\.5 seconds"):
        Code(ChildLimits(wall_s=0.5))("import time; time.sleep(60)", {})
    assert time.perf_counter() - start < 3


def test_a_forged_result_is_no_longer_than_any_other() -> None:
    code = """import os; os.write(3, b'{"text": "' + b"x" * 30000 + b'"}'); os._exit(0)"""
    assert Code()(code, {}).text == "x" * 2000


def test_long_output_keeps_only_its_end() -> None:
    assert Code()("for i in range(100000): print(i)", {}).text == "99999"


def test_the_child_sees_no_environment_and_its_folder_is_empty() -> None:
    code = "import os; sorted(set(os.environ) - {'PYTHONHASHSEED', 'LC_CTYPE'}) + os.listdir('.')"
    assert Code()(code, {}).text == "[]"


def test_nothing_can_be_written_to_a_file() -> None:
    with pytest.raises(ToolError, match=r"PermissionError|OSError.*File too large"):
        Code()("with open('f', 'w') as f: f.write('x')\nprint('written')", {})


def test_the_same_code_gives_the_same_result() -> None:
    code = "import random; str(random.random()) + ''.join({'a', 'b', 'c', 'd', 'e'})"
    assert Code()(code, {}) == Code()(code, {})


def test_code_runs_in_threads() -> None:
    with ThreadPoolExecutor(4) as threads:
        values = list(threads.map(lambda n: Code()(f"{n} * {n}", {}).text, range(8)))
    assert values == [str(n * n) for n in range(8)]


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("42", Fraction(42)),
        ("-0.5", Fraction(-1, 2)),
        ("1/3", Fraction(1, 3)),
        ("$1,250", Fraction(1250)),
        ("0.30000000000000004", Decimal("0.30000000000000004")),
        ("33.333333333333336", Decimal("33.333333333333336")),
        ("True", True),
        ("[1, 2]", (Value.of(1), Value.of(2))),
        ("[]", ()),
        ("[a, b]", "[a, b]"),
        ("[[1], [2]]", "[[1], [2]]"),
        ("[" * 600 + "]" * 600, "[" * 600 + "]" * 600),
        ("Paris", "Paris"),
    ],
)
def test_what_a_text_means(text: str, exact: object) -> None:
    assert value_of_text(text).exact == exact
