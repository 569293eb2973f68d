"""Lines that fit a terminal, broken between words. Only `os` is imported: `list` uses this."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TextIO

NARROWEST = 20
CODE_WIDTH = 100
LONG_CODE = 300  # the length from which a line of a program is broken


def terminal_width(stream: TextIO) -> int | None:
    """The columns of the terminal that `stream` is; None where it is none, and nothing is broken.

    As elsewhere, a number in the variable COLUMNS counts more than what the terminal says.
    """
    try:
        if not stream.isatty():
            return None
        told = os.environ.get("COLUMNS", "")
        columns = int(told) if told.isdecimal() else os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return None
    return max(columns, NARROWEST) if columns else None  # some terminals say 0


def folded(text: str, width: int | None, hang: int = 0) -> list[str]:
    """The lines of a text of one line: broken between words, each after the first indented."""
    if width is None or len(text) <= width:
        return [text]
    import textwrap

    return textwrap.wrap(
        text,
        max(width, hang + NARROWEST // 2),
        subsequent_indent=" " * hang,
        break_long_words=False,
        break_on_hyphens=False,
    )


def packed(parts: Iterable[str], width: int | None, gap: str = "  ") -> list[str]:
    """As few lines as hold the parts, with a gap between two; a part is never broken."""
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]}{gap}{part}" if lines else part
        if lines and (width is None or len(longer) <= width):
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def folded_program(text: str) -> str:
    """A program whose very long lines are broken behind commas, outside texts.

    Every comma of such a line has to stand in brackets, as in a literal or the arguments of a call.
    """
    if all(len(line) <= LONG_CODE for line in text.splitlines()):
        return text
    return "\n".join(part for line in text.split("\n") for part in _broken(line))


def _broken(line: str) -> list[str]:
    if len(line) <= LONG_CODE:
        return [line]
    import re

    indent = " " * (len(line) - len(line.lstrip()) + 4)
    parts, begin = [], 0
    for found in re.finditer(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|,\s""", line):
        if found[0][0] == "," and found.end() - begin > CODE_WIDTH - len(indent):
            parts.append(line[begin : found.end() - 1])
            begin = found.end()
    return [parts[0], *(indent + part for part in [*parts[1:], line[begin:]])] if parts else [line]
