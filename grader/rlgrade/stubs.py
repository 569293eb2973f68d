"""One source, two views: the stub is the solution with every marked region taken out.

A region begins with a line that is exactly `# BEGIN SOLUTION` and ends with one that is exactly
`# END SOLUTION`, apart from indentation. Inside a function it becomes
`raise NotImplementedError`; at the top level, where helpers stand, it vanishes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlgrade.courses import Exercise

BEGIN = "# BEGIN SOLUTION"
END = "# END SOLUTION"
MEANT = re.compile(r"#[\W_]*(begin|end)[\W_]*solution", re.IGNORECASE)


class MarkerError(ValueError):
    """A marker that is misspelt, nested, unmatched or in the wrong column; the line is named."""

    def __init__(self, file: str, line: int, problem: str) -> None:
        super().__init__(f"{file}:{line}: {problem}")


def make_stub(source: str, file: str) -> str:
    """The stub of a solution.

    Args:
        source: the solution's text.
        file: its name, for the error.

    Raises:
        MarkerError: a marker is not as the format says, or there is none at all.
    """
    kept: list[str] = []
    end_of_last = 0
    for begin, end in regions(source, file):
        kept += _lines(source)[end_of_last : begin - 1]
        indent = _indent(_lines(source)[begin - 1])
        if indent:
            kept.append(f"{indent}raise NotImplementedError")
        end_of_last = end
    kept += _lines(source)[end_of_last:]
    text = re.sub(r"\n{4,}", "\n\n\n", "\n".join(kept))  # two blank lines where helpers stood
    return text.rstrip() + "\n"


def stub_of(exercise: Exercise) -> bytes:
    """The stub of an exercise, made anew: in a clone, the file shown is the learner's own.

    Raises:
        OSError: there is neither a solution nor a stub.
        MarkerError: the solution's markers are not as the format says.
    """
    if not exercise.solution.is_file():  # the student's edition has stubs alone
        return exercise.stub.read_bytes()
    return make_stub(exercise.solution.read_text(encoding="utf-8"), exercise.file).encode()


def hidden_lines(source: str, file: str) -> list[str]:
    """The lines inside the marked regions, without indentation."""
    lines = _lines(source)
    return [
        line.strip()
        for begin, end in regions(source, file)
        for line in lines[begin : end - 1]
        if line.strip()
    ]


def regions(source: str, file: str) -> Iterator[tuple[int, int]]:
    """The line numbers, from 1, of each region's two markers."""
    begin, indent, found = 0, "", False
    for number, line in enumerate(_lines(source), start=1):
        marker = line.strip()
        if marker not in (BEGIN, END):
            if BEGIN in line or END in line:
                raise MarkerError(file, number, "a marker stands on a line of its own")
            if MEANT.search(line):
                raise MarkerError(file, number, f"write `{BEGIN}` or `{END}` exactly")
        elif marker == BEGIN:
            if begin:
                raise MarkerError(file, number, f"the region of line {begin} is still open")
            begin, indent, found = number, _indent(line), True
        else:
            if not begin:
                raise MarkerError(file, number, f"no `{BEGIN}` before this line")
            if _indent(line) != indent:
                raise MarkerError(file, number, f"indent as the marker of line {begin}")
            yield begin, number
            begin = 0
    if begin:
        raise MarkerError(file, begin, f"no `{END}` after this line")
    if not found:
        raise MarkerError(file, 1, f"no `{BEGIN}` in this file")


def _lines(source: str) -> list[str]:
    """The lines as Python and editors count them; `splitlines` ends them at more characters."""
    lines = re.split(r"\r\n?|\n", source)
    return lines[:-1] if lines[-1] == "" else lines


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
