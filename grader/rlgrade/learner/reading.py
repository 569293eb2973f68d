"""Texts of a course on a terminal of any width."""

from __future__ import annotations

from rich.console import Console
from rich.markdown import Markdown
from rich.theme import Theme

from rlgrade.plain import fitted, shows_unicode

READING_WIDTH = 100


def show_markdown(console: Console, text: str) -> None:
    """Print Markdown: laid out, or as it is written where the terminal has ASCII alone."""
    if shows_unicode(console.encoding):
        laid_out = Markdown(text, code_theme="ansi_dark")
        with console.use_theme(Theme({"markdown.code": "cyan"})):  # no box, on any background
            console.print(laid_out, width=min(console.width, READING_WIDTH))
    else:
        console.print(fitted(text, console.encoding), soft_wrap=True)


def show_hint(console: Console, text: str, more: str) -> None:
    """Print a hint, and under it how to get more."""
    if console.is_terminal:
        show_markdown(console, text)
    else:
        console.print(fitted(text, console.encoding), soft_wrap=True)
    console.print()
    console.print(fitted(more, console.encoding), soft_wrap=not console.is_terminal)
