"""Equations, inequalities, definitions and lists: the algebra tools.

    R1 = SetEquation(2x + 3 = 11)              2x + 3 = 11
    R2 = SolveEquation(R1)                     4
    R3, R4 = SolveEquation(x^2 = 4)            -2 and 2: the real solutions in ascending order
    R5, R6 = SolveEquation(x + y = 3, x - y = 1)
                                               2 and 1: a system's unknowns in reading order
    R7 = Define(f(a, b) = a^2 + b)             also Define(x), Define(n - 2), Define(120)
    R8 = R7(R5, R6)                            5

An unknown is a letter or a word (`2x`, `3 * cost`); letters written together are one unknown. Linear systems and
equations of degree 2 are solved here with fractions. The rest is given to sympy in a child process that is stopped
after two seconds of computing (`process.ChildLimits`); sympy's own parser is never used. Unknowns may be named after
the equations (`SolveEquation(x + y = 3, y)`); otherwise all are solved for. If there are fewer equations than unknowns,
only the first unknowns in reading order are, and the solution is a formula in the others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise

from lumos_rl.errors import ToolError, ToolLimitError
from lumos_rl.tools.base import Value, arguments
from lumos_rl.tools.code.process import SYMPY_WALL_S, ChildLimits, InChild, ask_sympy
from lumos_rl.tools.expression import ADD, Chain, Node, parse_expression, tokenize
from lumos_rl.tools.math.arithmetic import Real
from lumos_rl.tools.math.evaluation import evaluate
from lumos_rl.tools.math.formula import (
    Formula,
    closed,
    formula_value,
    is_relation,
    relation,
    split,
    unknowns,
    value_from_sympy,
)
from lumos_rl.tools.math.polynomial import (
    BeyondPolynomialsError,
    Polynomial,
    Ratio,
    check_degree,
    degree,
    is_zero,
    ratio,
    roots,
    solve_linear,
    value_at,
)

MAX_EQUATIONS = 12  # in a system; also the limit of its unknowns
_TOO_MANY = f"expected at most {MAX_EQUATIONS} equations and unknowns"
_MOST_FACTORS = 100  # numbers of a geometric sequence, and digits of each
_AN_EQUATION = "an equation such as x + 3 = 5"
_NAMES = re.compile(r"\s*[^\W\d]\w*(?:\s*,\s*[^\W\d]\w*)*\s*")
_CALL = re.compile(r"\s*[^\W\d]\w*\s*\([^()]*\)\s*")
_PAIR = re.compile(r"\s*(R[0-9]+)\s*=\s*(R[0-9]+)\s*")
_ELLIPSIS = ("...", "…")
_DEFINITION = re.compile(r"\s*([^\W\d]\w*)\s*(?:\(([^()]*)\))?\s*(?:=(?!=)|:)(.*)", re.DOTALL)


class SetEquation:
    """Binds an equation, or several separated by commas, for `SolveEquation`."""

    usage = "SetEquation(equation): keeps an equation, e.g. SetEquation(2x + R1 = 11)"
    schema = arguments(equation="An equation, such as 2x + R1 = 11.")

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The equation as a formula; raises `ToolError` when it is not an equation."""
        text = closed(args, bindings)
        function = _function(text)
        if function is not None and set(function.parameters) & set(unknowns(function.text)):
            return Value(function, text)
        for part in split(text) or [text]:
            relation(part, _AN_EQUATION)
        return Value(Formula(text), text)


class Define:
    """Binds unknowns (`x`, `x, y`, `x: apples`), a function (`f(a, b) = a + b`) or a value (`x = 3 + R1`)."""

    usage = "Define(x): names an unknown; Define(f(a, b) = a + b): defines a function for R2(3, 4)"
    schema = arguments(definition="An unknown, such as x, or a function, such as f(a, b) = a + b.")

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value | tuple[Value, ...]:
        """The unknowns, function or value as formulas; raises `ToolError` when it is none of these."""
        if _NAMES.fullmatch(args):
            return tuple(formula_value(closed(name, bindings)) for name in args.split(","))
        definition = _DEFINITION.fullmatch(args)
        if definition is None:
            return _expression(args, bindings)
        name, parameters, right = definition.groups()
        if parameters is None and _is_description(right):
            return Value(Formula(name), name)
        text = closed(args, bindings)
        function = _function(text)
        if function is not None:
            return Value(function, text)
        if parameters is not None:
            raise ToolError(f"expected letters as parameters, as in f(a, b) = a + b, got {args[:60]!r}")
        return formula_value(closed(right, bindings))


class SolveEquation(InChild):
    """Solves an equation or a system for real numbers."""

    usage = "SolveEquation(equation or R1): its solution; R2, R3 = SolveEquation(...) where there are two"
    schema = arguments(equation="An equation, or the name of one that was kept, such as R1.")

    def __init__(self, limits: ChildLimits | None = None) -> None:
        super().__init__(limits or ChildLimits(wall_s=SYMPY_WALL_S))

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value | tuple[Value, ...]:
        """The solutions.

        Returns:
            The solutions of one unknown in ascending order; for a system, one value per unknown.

        Raises:
            ToolError: There is no equation, no unknown or no real solution, or every number is a solution.
            ToolLimitError: There are too many equations, or they take too long.
        """
        pair = _PAIR.fullmatch(args)
        if pair and all(is_relation(bindings[name].text) for name in pair.groups() if name in bindings):
            args = ", ".join(pair.groups())  # two equations are a system
        parts = split(closed(args, bindings))
        targets = [part for part in parts if not is_relation(part) and unknowns(part) == (part,)]
        equations = [part if is_relation(part) else f"{part} = 0" for part in parts if part not in targets]
        if not equations:
            raise ToolError(f"expected {_AN_EQUATION}, got {args[:60]!r}")
        names = list(unknowns(", ".join(equations)))
        if max(len(names), len(equations)) > MAX_EQUATIONS:
            raise ToolLimitError(_TOO_MANY)
        differences = [difference for text in equations for difference in _differences(text)]
        if len(differences) > MAX_EQUATIONS:
            raise ToolLimitError(_TOO_MANY)
        if not names:
            raise ToolError(
                "expected an unknown such as x in the equation, got numbers only; use Calculator to compare"
            )
        missing = [target for target in targets if target not in names]
        if missing:
            raise ToolError(f"expected to solve for one of {', '.join(names)}, got {missing[0]}")
        try:
            return _solved(differences, names, targets)
        except BeyondPolynomialsError:
            for difference in differences:
                check_degree(difference)
            return self._by_sympy(equations, targets or names[: len(equations)])

    def _by_sympy(self, equations: list[str], targets: list[str]) -> Value | tuple[Value, ...]:
        rows = ask_sympy("solve", [equations, targets], self.limits)["rows"]
        points = [tuple(value_from_sympy(*item) for item in row) for row in rows]
        if len(targets) == 1:
            return tuple(point[0] for point in points)
        values = tuple(_system_value(targets, point) for point in points)
        return values[0] if len(values) == 1 else Value(values, " or ".join(value.text for value in values))


class Count:
    """Counts the items of a list, written out (`[a, b, c]`, `a, b, c`) or bound (`R1`)."""

    usage = "Count(list): how many items it has, e.g. Count([a, b, c]) or Count(R1)"
    schema = arguments(items="A list, such as [a, b, c], or the name of one, such as R1.")

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The number of items; 0 for `[]`. Raises `ToolError` when there is nothing to count."""
        text = args.strip()
        if text in bindings:
            bound = bindings[text]
            if isinstance(bound.exact, tuple):
                return Value.of(len(bound.exact))
            text = bound.text.strip()
        if not text:
            raise ToolError("expected a list such as [a, b, c], got nothing")
        if len(text) > 1 and text[0] + text[-1] in ("[]", "{}", "()"):
            text = text[1:-1].strip()
        if any(sign in text for sign in _ELLIPSIS):
            return Value.of(_count_progression([item.strip() for item in text.split(",")], bindings))
        return Value.of(_count_items(text))


def _count_items(text: str) -> int:
    """Number of items between commas outside brackets; "1,000" is one item if the list has blanks after its commas."""
    if re.search(r",\s", text):
        text = re.sub(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", "", text)
    depth, items, filled = 0, 0, False
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth <= 0:
            items, filled = items + filled, False
        elif not character.isspace():
            filled = True
    return items + filled


def _count_progression(items: list[str], bindings: Mapping[str, Value]) -> int:
    """How many numbers `2, 4, ..., 50` stands for: steps of one size, or one factor if three numbers say so."""
    wanted = "expected numbers in equal steps around '...', as in 2, 4, ..., 50"
    gap = next((index for index, item in enumerate(items) if item in _ELLIPSIS), 0)
    if not 0 < gap < len(items) - 1 or any(item in _ELLIPSIS for item in items[gap + 1 :]):
        raise ToolError(f"{wanted}, got {', '.join(items)[:60]}")
    numbers = [evaluate(parse_expression(item), bindings) for item in items[:gap] + items[gap + 1 :]]
    known = [number for number in numbers if isinstance(number, Fraction)]
    if len(known) == len(numbers):
        for count in (_steps(known, gap), _factors(known, gap)):
            if count:
                return count
    raise ToolError(f"{wanted}, got {', '.join(items)[:60]}")


def _steps(numbers: list[Fraction], gap: int) -> int:
    """Length of the arithmetic sequence of which these are the first `gap` and the last numbers; 0 if they are not."""
    size = numbers[1] - numbers[0] if gap > 1 else Fraction(1 if numbers[-1] > numbers[0] else -1)
    if not size:
        return 0
    places = [(number - numbers[0]) / size for number in numbers]
    count = places[-1] + 1
    expected = [*range(gap), *(count - left for left in range(len(numbers) - gap, 0, -1))]
    return int(count) if places == expected and count.denominator == 1 and count > gap else 0


def _factors(numbers: list[Fraction], gap: int) -> int:
    """Length of the geometric sequence of which these are the first `gap`, at least 3, and the last numbers; or 0."""
    if gap < 3 or not numbers[0] or abs(numbers[1] / numbers[0]) in (0, 1):
        return 0
    factor, found, number = numbers[1] / numbers[0], list[Fraction](), numbers[0]
    while abs(number - numbers[-1]) and len(found) < _MOST_FACTORS and abs(number.numerator) < 10**_MOST_FACTORS:
        found.append(number)
        number *= factor
    found.append(number)
    after = numbers[gap:]
    return len(found) if found[:gap] == numbers[:gap] and found[-len(after) :] == after else 0


def _expression(args: str, bindings: Mapping[str, Value]) -> Value:
    """What `Define(n - 2)` or `Define(120)` names; raises `ToolError` if it is no expression."""
    if _CALL.fullmatch(args) or _is_description(args) or is_relation(args):
        raise ToolError(f"expected a definition such as x, f(x) = x + 1 or 2x + 1, got {args[:60]!r}")
    text = closed(args, bindings)
    parse_expression(text, algebra=True)
    return formula_value(text)


def _function(text: str) -> Formula | None:
    """The function that a text such as `f(a, b) = a + b` defines; None if it defines none."""
    definition = _DEFINITION.fullmatch(text)
    if definition is None or definition[2] is None or not _NAMES.fullmatch(definition[2]):
        return None
    body = definition[3].strip()
    parse_expression(body, algebra=True)
    return Formula(body, tuple(name.strip() for name in definition[2].split(",")))


def _is_description(text: str) -> bool:
    """Whether the right side is words, as in `x = number of apples`, and not an expression."""
    try:
        tokens = tokenize(text, algebra=True)[1]
    except ToolLimitError:
        raise
    except ToolError:
        return True
    words = [token.kind == "name" or token.text in ("of", "and", "or", "for") for token in tokens]
    return any(first and second for first, second in pairwise(words))


def _differences(equation: str) -> list[Node]:
    """Left side minus right side of every `=` in `a = b = c`."""
    chain = relation(equation, _AN_EQUATION)
    sides = [chain.first, *(side for _, side in chain.rest)]
    if any(operator != "=" for operator, _ in chain.rest):
        raise ToolError(f"expected {_AN_EQUATION}, got {equation[:60]!r}; for inequalities use SolveInequality")
    return [Chain(ADD, left, (("-", right),)) for left, right in pairwise(sides)]


def _solved(differences: list[Node], names: list[str], targets: list[str]) -> Value | tuple[Value, ...]:
    """The solutions, if polynomials are enough; otherwise raises `BeyondPolynomialsError`."""
    ratios = [ratio(difference) for difference in differences]
    if len(names) == 1:
        return tuple(Value.of(root) for root in _common_roots(ratios, names[0]))
    if any(degree(quotient.top) > 1 for quotient in ratios):
        raise BeyondPolynomialsError
    point = solve_linear([quotient.top for quotient in ratios], names)
    if point is None:
        if not targets and len(differences) >= len(names):
            raise ToolError(f"many solutions: the equations do not say what {', '.join(names)} are")
        raise BeyondPolynomialsError
    found: dict[str, Real] = dict(zip(names, point, strict=True))
    if any(is_zero(value_at(quotient.bottom, found)) for quotient in ratios):
        raise ToolError("no solution: it would divide by zero")
    values = tuple(Value.of(found[name]) for name in targets or names)
    return values if len(values) == 1 else _system_value(targets or names, values)


def _common_roots(ratios: list[Ratio], name: str) -> list[Real]:
    tops = sorted((quotient.top for quotient in ratios if quotient.top), key=degree)
    if not tops:
        raise ToolError(f"every number is a solution: the equation holds whatever {name} is")
    solutions = [root for root in roots(tops[0]) if all(_vanishes(top, name, root) for top in tops)]
    solutions = [root for root in solutions if not any(_vanishes(each.bottom, name, root) for each in ratios)]
    if not solutions:
        raise ToolError("no real solution")
    return solutions


def _vanishes(polynomial: Polynomial, name: str, root: Real) -> bool:
    return is_zero(value_at(polynomial, {name: root}))


def _system_value(names: list[str], values: tuple[Value, ...]) -> Value:
    """One value per unknown, shown as `x = 2, y = 1`."""
    return Value(values, ", ".join(f"{name} = {value.text}" for name, value in zip(names, values, strict=True)))
