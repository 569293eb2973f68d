"""The solution beside the learner's own code, function by function, and the walkthrough."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rlgrade.courses import Exercise
from rlgrade.learner.reading import show_markdown
from rlgrade.outcome import UsageError
from rlgrade.plain import fitted
from rlgrade.stubs import BEGIN, END

BESIDE_WIDTH = 140  # columns from which two files stand side by side
STYLES = {"+": "green", "-": "red", "@": "dim"}


@dataclass(frozen=True)
class Part:
    """One function or class without its docstring: what is written, and what it means."""

    name: str
    lines: list[str]
    meaning: str


def show_solution(console: Console, exercise: Exercise, own: Path | None) -> None:
    """Print our functions beside those in the file `own`, then the walkthrough.

    Raises:
        UsageError: this course comes without solutions.
    """
    if not exercise.solution.is_file():
        raise UsageError(f"this course comes without the solution of {exercise.short}")
    ours = parts_of(exercise.solution.read_text(encoding="utf-8"))
    theirs = {part.name: part for part in _own_parts(own)}
    for part in ours:
        _show_part(console, part, theirs.get(part.name))
    walkthrough = exercise.hidden / "walkthrough.md"
    if walkthrough.is_file():
        console.print()
        show_markdown(console, walkthrough.read_text(encoding="utf-8"))


def parts_of(source: str) -> list[Part]:
    """The functions and classes of a file, then what else it has but imports and docstrings.

    Raises:
        SyntaxError: it cannot be parsed.
    """
    tree, lines = ast.parse(source), source.splitlines()
    parts, rest = [], []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            parts.append(Part(node.name, list(_written(node, lines)), _meaning(node)))
        elif not isinstance(node, (ast.Import, ast.ImportFrom)) and not _is_docstring(node):
            rest += lines[node.lineno - 1 : node.end_lineno]
    top = [Part("", rest, "\n".join(rest))] if rest else []
    return top + parts


def _own_parts(own: Path | None) -> list[Part]:
    try:
        return [] if own is None else parts_of(own.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return []


def _written(node: ast.FunctionDef | ast.ClassDef, lines: list[str]) -> Iterator[str]:
    """The lines of a definition without docstrings and markers."""
    begin = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    dropped = {
        number
        for inner in ast.walk(node)
        if isinstance(inner, (ast.FunctionDef, ast.ClassDef))
        for first in inner.body[:1]
        if _is_docstring(first)
        for number in range(first.lineno, (first.end_lineno or first.lineno) + 1)
    }
    for number in range(begin, (node.end_lineno or begin) + 1):
        line = lines[number - 1]
        if number not in dropped and line.strip() not in (BEGIN, END):
            yield line.rstrip()


def _meaning(node: ast.FunctionDef | ast.ClassDef) -> str:
    copy = ast.parse(ast.unparse(node)).body[0]
    for inner in ast.walk(copy):
        if isinstance(inner, (ast.FunctionDef, ast.ClassDef)) and _is_docstring(inner.body[0]):
            inner.body = inner.body[1:] or [ast.Pass()]
    return ast.dump(copy)


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _show_part(console: Console, ours: Part, own: Part | None) -> None:
    console.print()
    name = ours.name or "the rest of the file"
    if own is None or own.lines[-1].strip() == "raise NotImplementedError":
        console.print(Text(f"{name}: the solution", style="bold"))
        _show_lines(console, ours.lines)
    elif own.meaning == ours.meaning:
        console.print(Text(f"{name}: yours is the same", style="bold"))
    elif console.width >= BESIDE_WIDTH:
        _show_beside(console, name, own.lines, ours.lines)
    else:
        console.print(Text(f"{name}: from yours (-) to the solution (+)", style="bold"))
        _show_lines(console, _difference(own.lines, ours.lines), coloured=True)


def _difference(own: list[str], ours: list[str]) -> list[str]:
    everything = max(len(own), len(ours))
    return list(difflib.unified_diff(own, ours, n=everything, lineterm=""))[3:]


def _show_lines(console: Console, lines: list[str], *, coloured: bool = False) -> None:
    for line in lines:
        text = fitted(line, console.encoding)
        style = STYLES.get(text[:1], "") if coloured else ""
        console.print(Text(f"  {text}", style=style), soft_wrap=True)


def _show_beside(console: Console, name: str, own: list[str], ours: list[str]) -> None:
    table = Table(box=None, title=Text(name, style="bold"), title_justify="left", pad_edge=False)
    for heading in ("yours", "the solution"):
        table.add_column(heading, overflow="fold", ratio=1)
    matcher = difflib.SequenceMatcher(None, own, ours, autojunk=False)
    for kind, i, j, k, m in matcher.get_opcodes():
        for row in range(max(j - i, m - k)):
            left = own[i + row] if i + row < j else ""
            right = ours[k + row] if k + row < m else ""
            styles = ("", "") if kind == "equal" else ("red", "green")
            table.add_row(
                Text(fitted(left, console.encoding), style=styles[0]),
                Text(fitted(right, console.encoding), style=styles[1]),
            )
    console.print(table)
