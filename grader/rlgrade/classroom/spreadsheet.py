"""CSV that a spreadsheet shows as text and never runs, and that reads back exactly.

A cell that begins as a formula does gets an apostrophe in front, as does one that begins with an
apostrophe. So does what follows `;`, a tab or the end of a line within it: a spreadsheet may split
there, whatever the quotes say. Reading takes them away again.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

SIGNS = "=+-@|%＝＋－＠'"
FORMULA = f"{SIGNS}\t\r\n"
INSIDE = re.compile(rf"(?<=[;\t\r\n])( *)(?=[{re.escape(SIGNS)}])")
GUARDED_INSIDE = re.compile(rf"(?<=[;\t\r\n])( *)'(?=[{re.escape(SIGNS)}])")


def guarded(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    begins = text[:1] and text.lstrip(" ")[:1] in FORMULA
    text = INSIDE.sub(r"\1'", text)
    return f"'{text}" if begins else text


def unguarded(text: str) -> str:
    """The text that `guarded` was given."""
    inner = GUARDED_INSIDE.sub(r"\1", text.removeprefix("'"))
    return inner if guarded(inner) == text else text


def write_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV file. Numbers stay numbers, None is an empty cell, text is guarded and quoted."""
    lines = [",".join(_cell(value) for value in row) for row in (header, *rows)]
    return "".join(f"{line}\r\n" for line in lines)


def read_csv(text: str) -> list[list[str]]:
    """The rows of what `write_csv` wrote, text as it was."""
    return [[unguarded(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline=""))]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"{value:.10g}"
    text = guarded(str(value)).replace('"', '""')
    return f'"{text}"'
