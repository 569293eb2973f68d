"""The keyboard, one key at a time, and the terminal as it was before."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import sys
import termios
import tty
from collections import deque
from collections.abc import Iterator
from types import FrameType, TracebackType

from rlgrade.outcome import UsageError

END = "\x04"  # Ctrl-D
ESCAPE = "\x1b"
ESCAPE_SECONDS = 0.05  # what is no longer in coming belongs to the same key
LONG_KEY = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|[^\x1b\r\n])")  # an arrow, Alt-x
RUBOUT = ("\x7f", "\b")


class Terminal:
    """Reads keys as they are pressed. A context manager: it leaves the terminal as it found it."""

    def __init__(self) -> None:
        """Take the terminal of this process.

        Raises:
            UsageError: there is none.
        """
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UsageError(
                "watch mode needs a terminal, and this is none; `rlgrade check` grades once"
            )
        self._number = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._number)
        self._keys: deque[str] = deque()
        self._size = shutil.get_terminal_size()
        self._resumed = False
        self._handlers = {}
        for name, handler in ((signal.SIGCONT, self._resume), (signal.SIGTERM, _leave)):
            self._handlers[name] = signal.signal(name, handler)

    def __enter__(self) -> Terminal:
        tty.setcbreak(self._number)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        termios.tcsetattr(self._number, termios.TCSADRAIN, self._before)
        for name, handler in self._handlers.items():
            signal.signal(name, handler)

    def key(self, seconds: float) -> str | None:
        """The next key, if one is pressed within `seconds`; `END` when the terminal is closed."""
        self.take_in(0.0 if self._keys else seconds)
        return self._keys.popleft() if self._keys else None

    def take_in(self, seconds: float = 0.0) -> tuple[str, ...]:
        """The keys that wait, after at most `seconds`; they go on waiting."""
        if self._has_input(seconds):
            data = self._read()
            if data.endswith(b"\x1b") and self._has_input(ESCAPE_SECONDS):
                data += self._read()
            self._keys.extend(LONG_KEY.sub("", data.decode(errors="ignore")) if data else END)
        return tuple(self._keys)

    def _has_input(self, seconds: float) -> bool:
        return bool(select.select([self._number], [], [], seconds)[0])

    def _read(self) -> bytes:
        try:
            return os.read(self._number, 64)
        except OSError:
            return b""

    def forget_keys(self) -> None:
        """Drop what was pressed before a question was asked."""
        termios.tcflush(self._number, termios.TCIFLUSH)
        self._keys.clear()

    def says_yes(self) -> bool:
        """Whether the answer to a question is the key y."""
        self.forget_keys()
        return self._next() in ("y", "Y")

    def line(self) -> str:
        """What is typed up to Enter; nothing where Esc, Ctrl-C or Ctrl-D is pressed instead."""
        self.forget_keys()
        typed = ""
        try:
            while (key := self._next()) not in ("\n", "\r", ESCAPE, END):
                if key in RUBOUT and typed:
                    typed = typed[:-1]
                    _echo("\b \b")
                elif key.isprintable():
                    typed += key
                    _echo(key)
        except KeyboardInterrupt:
            key = ESCAPE
        _echo("\n")
        return typed if key in ("\n", "\r") else ""

    def _next(self) -> str:
        key = None
        while key is None:
            key = self.key(1.0)
        return key

    @contextlib.contextmanager
    def whole_lines(self) -> Iterator[None]:
        """The terminal as other programs expect it, for as long as the block runs."""
        self.forget_keys()
        termios.tcsetattr(self._number, termios.TCSADRAIN, self._before)
        try:
            yield
        finally:
            tty.setcbreak(self._number)
            self.forget_keys()

    def needs_drawing(self) -> bool:
        """Whether the size has changed, or we were stopped and go on, since this was last asked."""
        size = shutil.get_terminal_size()
        changed = size != self._size or self._resumed
        self._size, self._resumed = size, False
        return changed

    def _resume(self, number: int, frame: FrameType | None) -> None:
        tty.setcbreak(self._number)
        self._resumed = True


def _echo(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
