"""A failing case as a plain Python program, for a debugger."""

from __future__ import annotations

import ast
from typing import Any

from rlgrade.author.declare import Check
from rlgrade.channel import Handle
from rlgrade.courses import Exercise
from rlgrade.judge.cases import Case
from rlgrade.judge.literals import expression

HEAD = '''"""{short}, smallest case on which a promise breaks: {promise}

{message}
"""

import importlib.util
import sys

import torch

spec = importlib.util.spec_from_file_location({module!r}, sys.argv[1] if sys.argv[1:] else {path!r})
{module} = importlib.util.module_from_spec(spec)
spec.loader.exec_module({module})
'''


def replay_program(exercise: Exercise, check: Check, message: str, case: Case) -> str:
    """A program that makes the case's calls one by one; PATH stands for the learner's file."""
    module = exercise.file.removesuffix(".py")
    head = HEAD.format(
        short=exercise.short,
        promise=check.promise,
        message=_in_docstring(message),
        module=module,
        path="PATH",
    )
    names: dict[int, str] = {}
    lines = []
    uses_tools = any(request.get("of") == "tool" for request, _ in case.calls)
    for number, (request, reply) in enumerate(case.calls, start=1):
        lines += _call(module, number, request, names)
        value = reply.get("value")
        if isinstance(value, Handle):
            names[value.number] = f"answer_{number}"
    tools = "from rlgrade.worker import tools\n" if uses_tools else ""
    return head + tools + "\n" + "\n".join(lines) + "\n"


def _call(module: str, number: int, request: dict[str, Any], names: dict[int, str]) -> list[str]:
    of = request.get("of")
    owner = "tools" if of == "tool" else names.get(of.number, "?") if of is not None else module
    lines = []
    keywords = dict(request["kwargs"])
    for name in request.get("gradients") or []:
        if hasattr(keywords[name], "dtype"):
            lines.append(f"{name} = {expression(keywords[name])}.requires_grad_()")
            keywords[name] = _Name(name)
    arguments = [expression(value, names) for value in request["args"]]
    arguments += [
        f"{name}={value if isinstance(value, _Name) else expression(value, names)}"
        for name, value in keywords.items()
    ]
    lines.append(f"answer_{number} = {owner}.{request['target']}(")
    lines += [f"    {argument}," for argument in arguments]
    lines += [")", f'print("{request["target"]}:", answer_{number})']
    if request.get("gradients"):
        weights = request["cotangent"]
        product = f"(answer_{number} * {expression(weights)})" if weights is not None else None
        lines.append(f"{product or f'answer_{number}'}.sum().backward()")
        lines += [
            f'print("gradient of {name}:", {name}.grad)'
            for name, value in keywords.items()
            if isinstance(value, _Name)
        ]
    return lines


class _Name(str):
    """The name of a variable, as against a text."""


def _in_docstring(text: str) -> str:
    return ast.unparse(ast.Constant(text))[1:-1].replace('"""', "'''")
