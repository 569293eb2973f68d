"""CSV that a spreadsheet shows as text and never runs, and that reads back exactly.

A cell that begins as a formula does gets an apostrophe in front, as does one that begins with an
apostrophe; reading takes one away again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

FORMULA = "=+-@\t\r\n|%＝＋－＠'"


def guarded(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] and text.lstrip(" ")[:1] in FORMULA else text


def unguarded(text: str) -> str:
    """The text that `guarded` was given."""
    inner = text[1:]
    return inner if text.startswith("'") and guarded(inner) == text else text


def write_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV file. Numbers stay numbers, None is an empty cell, and text is guarded."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([guarded(name) for name in header])
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return out.getvalue()


def read_csv(text: str) -> list[list[str]]:
    """The rows of what `write_csv` wrote, text as it was."""
    return [[unguarded(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline=""))]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}" if isinstance(value, (int, float)) else guarded(str(value))
