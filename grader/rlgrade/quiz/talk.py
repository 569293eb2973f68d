"""The learner at the other end: lines out, lines in, in a terminal or through a pipe.

At every prompt `q` stops, and so do Esc before Enter and the end of the input (Ctrl-D): all raise
`Leaves`.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap

from rlgrade.plain import fitted, say

WIDEST = 96
NARROWEST = 40
BOLD = re.compile(r"(?<![\w*])\*\*(?=\S)(.+?)(?<=\S)\*\*(?![\w*])", re.DOTALL)
HANG = re.compile(r"\s*(?:[a-z]\) (?:[✓✗] )?|\d+\. |[✓✗] |- |step \d+: )")


class Leaves(Exception):
    """The learner stops; everything that was answered is kept."""


class Talk:
    """A conversation on standard input and output. Nothing else of the quiz touches them."""

    def __init__(self) -> None:
        self.typed = sys.stdin.isatty()
        self.styled = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        if hasattr(sys.stdin, "reconfigure"):
            sys.stdin.reconfigure(errors="replace")
        if self.typed:
            import contextlib

            with contextlib.suppress(ImportError):  # Windows has none; lines can still be typed
                import readline

                for enter in ("C-m", "C-j"):
                    readline.parse_and_bind(rf'"\e\{enter}": "\C-a\C-kq\C-m"')

    @property
    def width(self) -> int:
        """How long a line may be."""
        columns = shutil.get_terminal_size((100, 24)).columns
        return max(NARROWEST, min(columns - 1, WIDEST))

    def say(self, text: str = "") -> None:
        """Print a text, its lines broken between words; code stays as it is."""
        text = wrapped(text, self.width)
        if self.styled:
            text = BOLD.sub("\x1b[1m\\1\x1b[22m", text)
        say(text)

    def verdict(self, right: bool, text: str) -> None:
        """A line that begins with a sign."""
        sign, colour = ("✓", 32) if right else ("✗", 31)
        whole = wrapped(f"{sign} {text}", self.width)
        if self.styled:
            whole = whole.replace(sign, f"\x1b[{colour}m{sign}\x1b[39m", 1)
        say(whole)

    def ask(self, prompt: str) -> str:
        """What is typed, without the spaces around it.

        Raises:
            Leaves: it is `q`, or there is no more input.
        """
        try:
            line = input(fitted(prompt, sys.stdout.encoding))
        except EOFError:
            say("")
            raise Leaves from None
        if not self.typed:
            say("")  # nobody's Enter has ended the line of the prompt
        if line.strip() in ("q", "Q"):
            raise Leaves
        return line.strip()

    def ask_lines(self, prompt: str, single: tuple[str, ...] = ()) -> str:
        """Several lines up to an empty one; a first line that is in `single` stands alone."""
        lines: list[str] = []
        while True:
            line = self.ask(prompt if not lines else "… " if self._shows("…") else ". ")
            if not line or (not lines and (line in single or line.startswith("!"))):
                return line if not lines else "\n".join(lines)
            lines.append(line)

    def _shows(self, sign: str) -> bool:
        return fitted(sign, sys.stdout.encoding) == sign


def wrapped(text: str, width: int) -> str:
    """The text with its long lines broken between words, and the rest hanging under their begin.

    Lines that are indented by four or more are code.
    """
    return "\n".join(_line(line, width) for line in text.splitlines())


def _line(line: str, width: int) -> str:
    if len(line) <= width or line.startswith("    "):
        return line
    begin = HANG.match(line)
    hang = len(begin[0]) if begin else len(line) - len(line.lstrip())
    return textwrap.fill(
        line,
        width,
        subsequent_indent=" " * hang,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    )
