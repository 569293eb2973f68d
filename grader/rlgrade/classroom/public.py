"""Public tests: a few cases of a check as plain pytest, with the answers written out.

A student sees inputs and right answers of these cases, and nothing of a check or a solution. The
cases are not those that grade. A case is used only if the solution and every other right
implementation of the bank agree on it, so that a right submission never fails here.
"""

from __future__ import annotations

import builtins
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rlgrade.author.declare import Check
from rlgrade.channel import Generator, Handle
from rlgrade.courses import Exercise
from rlgrade.judge.cases import Case, run_case, same_value
from rlgrade.judge.draws import draw_examples
from rlgrade.judge.literals import expression
from rlgrade.outcome import GraderError, UsageError

if TYPE_CHECKING:
    from rlgrade.judge.link import Link, Reply, Request
    from rlgrade.judge.server import Server

LOAD_SECONDS = 30.0
CASE_SECONDS = 10.0
TRIED = 40  # cases of a check that are looked at, to find the few that are written
WIDE = 80
LONGEST = 6_000  # characters of a test
MOST_ENTRIES = 200  # of a tensor that is written out
COMPARED = ("value", "gradients", "carries_gradient", "after")

HEAD = '''"""Public tests of {exercise}: `pytest {exercise}`. There are others."""

import importlib.util
from pathlib import Path

import pytest
import torch

spec = importlib.util.spec_from_file_location("{module}", Path(__file__).with_name("{file}"))
{module} = importlib.util.module_from_spec(spec)
spec.loader.exec_module({module})


def same(found, wanted):
    """Compare an answer with the right one: tensors and numbers to rounding, the rest exactly."""
    if isinstance(wanted, torch.Tensor):
        assert isinstance(found, torch.Tensor), f"should be a tensor, is {{type(found).__name__}}"
        torch.testing.assert_close(found.detach(), wanted, rtol=1e-4, atol=1e-5, equal_nan=True)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=1e-4, abs=1e-5, nan_ok=True)
    elif isinstance(wanted, (list, tuple)):
        assert type(found) is type(wanted) and len(found) == len(wanted)
        for one, other in zip(found, wanted):
            same(one, other)
    elif isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            same(found[key], wanted[key])
    else:
        assert found == wanted
'''


@dataclass
class _Lines:
    """The body of one test, and the names of the objects that the submission made."""

    module: str
    lines: list[str] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)


def chosen_checks(checks: Sequence[Check], wanted: Sequence[str], exercise: str) -> list[Check]:
    """The checks of these names; a number stands for so many from the first, `all` for all.

    Raises:
        UsageError: there is no such check.
    """
    usable = [check for check in checks if check.training is None and not check.tries.lends]
    chosen: dict[str, Check] = {}
    for name in wanted:
        if name == "all" or name.isdigit():
            chosen |= {c.name: c for c in usable[: None if name == "all" else int(name)]}
            continue
        found = next((check for check in usable if check.name == name), None)
        if found is None:
            names = ", ".join(check.name for check in usable)
            raise UsageError(
                f"{exercise} has no check {name!r} that can be public; it has: {names}"
            )
        chosen[name] = found
    return list(chosen.values())


def public_tests(
    exercise: Exercise, checks: Sequence[Check], server: Server, cases: int
) -> tuple[str, list[str]]:
    """A test file with up to `cases` cases of each check, and the checks that gave none.

    Raises:
        GraderError: the solution or a right implementation does not run.
    """
    from rlgrade.judge.link import Link

    sources = [exercise.solution, *exercise.right]
    links = []
    try:
        for path in sources:
            text = path.read_text(encoding="utf-8")
            links.append(Link(server, exercise.file, text, LOAD_SECONDS).load())
        parts, without = [], []
        for check in checks:
            usable = (_test(exercise, check, case) for case in _usable_cases(check, links))
            short = (test for test in usable if len(test) <= LONGEST)
            found = list(itertools.islice(short, cases))
            parts += [test.replace("NUMBER", str(n), 1) for n, test in enumerate(found, start=1)]
            if not found:
                without.append(check.name)
    except Exception as error:
        raise GraderError(f"{exercise.id}: a right implementation fails: {error}") from error
    finally:
        for link in links:
            link.close()
    module = exercise.file.removesuffix(".py")
    head = HEAD.format(exercise=exercise.id, module=module, file=exercise.file)
    return head + "".join(parts), without


def _usable_cases(check: Check, links: Sequence[Link]) -> Iterator[Case]:
    """Cases on which all agree and that can be written down; the inputs are not the graded ones."""
    examples = draw_examples(check.tries, f"public/{check.name}")
    simplest = [] if check.tries.examples > 1 else [next(examples)]  # it shows little
    for example in itertools.islice(itertools.chain(simplest, examples), 1 - len(simplest), TRIED):
        for link in links:
            link.deadline = time.monotonic() + CASE_SECONDS
            link.worker.begin_turn()
        cases = [run_case(link, check.tries, example) for link in links]
        if any(case.error is not None for case in cases):
            continue
        first, *others = cases
        if _writable(first) and all(_agree(first, other) for other in others):
            yield first


def _writable(case: Case) -> bool:
    return bool(case.calls) and all(
        request.get("of") != "tool"
        and _is_plain([request["args"], request["kwargs"], request.get("cotangent")])
        and _is_plain([reply.get(key) for key in COMPARED])
        and "unsendable" not in reply
        and not reply.get("foreign")
        for request, reply in case.calls
    )


def _is_plain(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.size <= MOST_ENTRIES
    if isinstance(value, Generator):
        return False  # a right answer may draw otherwise
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    return value is None or isinstance(value, (bool, int, float, str, Handle, np.generic))


def _agree(one: Case, other: Case) -> bool:
    return len(one.calls) == len(other.calls) and all(
        _alike(mine, theirs) for (_, mine), (_, theirs) in zip(one.calls, other.calls, strict=True)
    )


def _alike(one: Reply, other: Reply) -> bool:
    raised, theirs = one.get("raised"), other.get("raised")
    if raised is not None or theirs is not None:
        return bool(raised and theirs and raised["types"][0] == theirs["types"][0])
    return all(same_value(one.get(key), other.get(key)) for key in COMPARED)


def _test(exercise: Exercise, check: Check, case: Case) -> str:
    body = _Lines(exercise.file.removesuffix(".py"))
    for count, (request, reply) in enumerate(case.calls, start=1):
        _write_call(body, f"answer_{count}", request, reply)
    promise = check.promise.replace("\\", "\\\\").replace('"', "'")
    lines = "".join(f"    {line}\n" for line in body.lines)
    return f'\n\ndef test_{check.name}_NUMBER():\n    """{promise}"""\n{lines}'


def _write_call(body: _Lines, answer: str, request: Request, reply: Reply) -> None:
    """One call and what is asserted of its answer."""
    raised = reply.get("raised")
    keywords, argument_lines = dict(request["kwargs"]), []
    wanted = list(request.get("gradients") or [])
    shown = {name: expression(value, body.names) for name, value in keywords.items()}
    for name in wanted:
        body.lines.append(f"leaf_{name} = {shown[name]}.requires_grad_()")
        shown[name] = f"leaf_{name}"
    arguments = [expression(value, body.names) for value in request["args"]]
    if request.get("echo"):
        body.lines += [f"given_{n} = {text}" for n, text in enumerate(arguments)]
        body.lines += [f"given_{name} = {text}" for name, text in shown.items()]
        arguments = [f"given_{n}" for n in range(len(arguments))]
        shown = {name: f"given_{name}" for name in shown}
    argument_lines = [*arguments, *(f"{name}={text}" for name, text in shown.items())]
    of = request.get("of")
    owner = body.names[of.number] if isinstance(of, Handle) else body.module
    call = f"{owner}.{request['target']}({', '.join(argument_lines)})"
    if len(call) > WIDE:
        inner = "".join(f"\n        {argument}," for argument in argument_lines)
        call = f"{owner}.{request['target']}({inner}\n    )"
    if raised is not None:
        kind = raised["types"][0]
        kind = kind if isinstance(getattr(builtins, kind, None), type) else "Exception"
        call = call.replace("\n", "\n    ")
        body.lines += [f"with pytest.raises({kind}):", f"    {call}"]
        return
    body.lines.append(f"{answer} = {call}")
    value = reply.get("value")
    if isinstance(value, Handle):
        body.names[value.number] = answer
        return
    body.lines.append(f"same({answer}, {expression(value)})")
    if request.get("echo"):
        after, named = reply["after"]
        body.lines += [f"same(given_{n}, {expression(v)})" for n, v in enumerate(after)]
        body.lines += [f"same(given_{name}, {expression(v)})" for name, v in named.items()]
    if wanted:
        _write_gradients(body, answer, request, reply)


def _write_gradients(body: _Lines, answer: str, request: Request, reply: Reply) -> None:
    carries = bool(reply["carries_gradient"])
    body.lines.append(f"assert {answer}.requires_grad is {carries}")
    if not carries:
        return
    weights = request["cotangent"]
    product = answer if weights is None else f"({answer} * {expression(weights)})"
    body.lines.append(f"{product}.sum().backward()")
    for name, gradient in reply["gradients"].items():
        if gradient is None:
            body.lines.append(f"assert leaf_{name}.grad is None or not leaf_{name}.grad.any()")
        else:
            body.lines.append(f"same(leaf_{name}.grad, {expression(gradient)})")
