"""Arithmetic that a learner types, evaluated without ever evaluating Python.

    value(parse("exp(-lam) * (1 - x²)", {"lam", "x"}), {"lam": 0.5, "x": 2.0})

Only numbers, the four operations, powers, a few functions and the names that are given. Every
number is a float, so nothing grows without bound: 9**9**9 overflows at once.
"""

from __future__ import annotations

import ast
import math
import operator
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Mapping

LONGEST = 400
DEEPEST = 60
POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
SIGNS = str.maketrans({"−": "-", "–": "-", "·": "*", "×": "*", "⋅": "*", "∗": "*", "÷": "/"})

BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
FUNCTIONS: dict[str, tuple[Callable[..., float], int, int]] = {
    "exp": (math.exp, 1, 1),
    "log": (math.log, 1, 1),
    "ln": (math.log, 1, 1),
    "log2": (math.log2, 1, 1),
    "log10": (math.log10, 1, 1),
    "sqrt": (math.sqrt, 1, 1),
    "tanh": (math.tanh, 1, 1),
    "sigmoid": (lambda x: 1 / (1 + math.exp(-x)), 1, 1),
    "abs": (abs, 1, 1),
    "min": (min, 2, 8),
    "max": (max, 2, 8),
    "clip": (lambda x, low, high: min(max(x, low), high), 3, 3),
}
CONSTANTS = {"pi": math.pi, "π": math.pi}


class ArithmeticProblem(ValueError):
    """What was typed is no arithmetic; the message says what may stand there."""


def parse(text: str, names: Iterable[str] = ()) -> ast.expr:
    """The expression, checked to the last node.

    Raises:
        ArithmeticProblem: it is empty, too long, or has anything in it that is not arithmetic on
            `names`.
    """
    if len(text) > LONGEST:
        raise ArithmeticProblem(f"it is longer than {LONGEST} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python's, about `1or 2`; it is refused below
            tree = ast.parse(_plain(text), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ArithmeticProblem(
            f"{text.strip()!r} is no arithmetic; write it like exp(-x) * (1 - y**2) / 3"
        ) from None
    _check(tree, {_python_name(name) for name in names}, 0)
    return tree


def value(tree: ast.expr, variables: Mapping[str, float]) -> float:
    """The value of a parsed expression; nan where it has none, such as 1/0 or log(-1)."""
    try:
        return float(_value(tree, {_python_name(name): x for name, x in variables.items()}))
    except (ArithmeticError, ValueError):
        return math.nan


def number(text: str) -> float:
    """The number that a text stands for, such as `0.5`, `-3/4`, `2**10` or `exp(-1)`.

    Raises:
        ArithmeticProblem: it is none, or not finite.
    """
    if "," in text and "(" not in text:
        raise ArithmeticProblem("write numbers with a point and without commas, such as 1250.5")
    found = value(parse(text), {})
    if not math.isfinite(found):
        raise ArithmeticProblem(f"{text.strip()!r} is not a finite number")
    return found


def _python_name(name: str) -> str:
    """The name as Python's parser has it, which makes one letter of the two signs for mu."""
    return unicodedata.normalize("NFKC", name)


def _plain(text: str) -> str:
    """Python's spelling of what people type."""
    plain = text.strip().translate(SIGNS).replace("^", "**").replace("√(", "sqrt(")
    out = ""
    for index, sign in enumerate(plain):
        if sign in "⁰¹²³⁴⁵⁶⁷⁸⁹":
            before = plain[index - 1] if index else ""
            out += ("" if before in "⁰¹²³⁴⁵⁶⁷⁸⁹" else "**") + sign.translate(POWERS)
        else:
            out += sign
    return out


def _check(node: ast.AST, names: set[str], depth: int) -> None:
    if depth > DEEPEST:
        raise ArithmeticProblem("it is nested too deeply")
    if isinstance(node, ast.Constant):
        if type(node.value) not in (int, float):
            raise ArithmeticProblem(f"{node.value!r} is not a number")
    elif isinstance(node, ast.Name):
        if node.id not in names and node.id not in CONSTANTS:
            known = ", ".join(sorted(names)) or "no names"
            raise ArithmeticProblem(f"{node.id!r} is not known here; it may use {known}")
    elif isinstance(node, ast.Call):
        _check_call(node)
        for argument in node.args:
            _check(argument, names, depth + 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        _check(node.operand, names, depth + 1)
    elif isinstance(node, ast.BinOp) and type(node.op) in BINARY:
        _check(node.left, names, depth + 1)
        _check(node.right, names, depth + 1)
    else:
        raise ArithmeticProblem("only + - * / ** ( ), numbers, names and functions may stand here")


def _check_call(node: ast.Call) -> None:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name not in FUNCTIONS:
        raise ArithmeticProblem(
            f"{name or 'that'!r} is no function here; there are {', '.join(FUNCTIONS)}. "
            "A product needs its sign: 2*(x + 1)"
        )
    _, least, most = FUNCTIONS[name]
    if node.keywords or not least <= len(node.args) <= most:
        raise ArithmeticProblem(f"{name} takes {least} to {most} numbers")


def _value(node: ast.expr, variables: Mapping[str, float]) -> float:
    if isinstance(node, ast.Constant):
        return float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.Name):
        return float(variables[node.id]) if node.id in variables else CONSTANTS[node.id]
    if isinstance(node, ast.UnaryOp):
        inner = _value(node.operand, variables)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        function = FUNCTIONS[node.func.id][0]
        return function(*(_value(argument, variables) for argument in node.args))
    assert isinstance(node, ast.BinOp)
    return BINARY[type(node.op)](_value(node.left, variables), _value(node.right, variables))
