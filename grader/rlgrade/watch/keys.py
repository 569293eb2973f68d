"""The keys of watch mode: which there are, and what each does, in words."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from rlgrade.plain import fitted
from rlgrade.watch.terminal import END

QUIT = ("q", "x", END)


@dataclass(frozen=True)
class Key:
    """A key, its word in the line of keys, and what it does."""

    sign: str
    word: str
    does: str


CHECK = Key("c", "check", "checks the file now, saved or not since the last check")
NEXT = Key("n", "next", "goes on to the next exercise, after a pass")
QUIZ = Key("z", "quiz", "asks questions on this exercise; q leaves the quiz")
MORE = Key("v", "all", "explains every failure, or the first one only")
KEYS = (
    CHECK,
    NEXT,
    Key("h", "hint", "a question first, then the next hint"),
    Key("l", "list", "shows all exercises, and goes to another"),
    Key("o", "README", "shows the exercise's README"),
    Key("s", "solution", "shows ours beside yours, after a pass or if you give up"),
    Key("r", "reset", "puts the stub back; yours is kept as a backup"),
    QUIZ,
    MORE,
    Key("?", "keys", "shows this list"),
    Key("q", "quit", "ends rlgrade; so does Ctrl-C"),
)


def key_line(*, manual: bool, done: bool, quizzes: bool, verbose: bool) -> list[str]:
    """The keys that do something now, each with its word."""
    hidden = {CHECK: not manual, NEXT: not done, QUIZ: not quizzes}
    words = {MORE: "less"} if verbose else {}
    return [f"{key.sign} {words.get(key, key.word)}" for key in KEYS if not hidden.get(key)]


def show_keys(console: Console, *, quizzes: bool) -> None:
    """Print every key with what it does."""
    table = Table.grid(padding=(0, 2))
    for key in KEYS:
        if key is not QUIZ or quizzes:
            table.add_row(key.sign, key.word, fitted(key.does, console.encoding))
    console.print(table)
    console.print("Esc at a question means no.")
