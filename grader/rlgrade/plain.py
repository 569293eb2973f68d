"""Text for a terminal that cannot show every character."""

from __future__ import annotations

import sys
import unicodedata
from typing import TextIO

SPELLED = {
    "λ": "lambda",
    "→": "->",
    "←": "<-",
    "⇒": "=>",
    "↔": "<->",
    "−": "-",
    "–": "-",
    "—": "-",
    "‖": "||",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
    "∞": "inf",
    "∈": "in",
    "∏": "prod",
    "∑": "sum",
    "Σ": "sum",
    "√": "sqrt",
    "·": "*",
    "×": "x",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "✓": "[ok]",
    "✗": "[x]",
    "●": "[.]",
    "○": "[ ]",
    "█": "#",
    "░": ".",
}


def shows_unicode(encoding: str | None) -> bool:
    """Whether a stream of this encoding shows every character."""
    return (encoding or "").lower().replace("-", "").startswith("utf")


def fitted(text: str, encoding: str | None) -> str:
    """`text` in characters that `encoding` has, spelled out where it lacks them.

    A Greek letter becomes its name, an accented letter loses its accent, what is left becomes `?`.
    """
    if shows_unicode(encoding):
        return text
    encoding = encoding or "ascii"
    return "".join(_in_encoding(character, encoding) for character in text)


def say(text: str, file: TextIO | None = None) -> None:
    """Print a text as far as the stream can show it."""
    stream = sys.stdout if file is None else file
    print(fitted(text, stream.encoding), file=stream, flush=True)


def _in_encoding(character: str, encoding: str) -> str:
    for candidate in (character, SPELLED.get(character), _name_or_base(character)):
        if candidate is not None and _has(encoding, candidate):
            return candidate
    return "?"


def _name_or_base(character: str) -> str:
    kind, _, name = unicodedata.name(character, "").rpartition(" LETTER ")
    if kind.startswith("GREEK"):
        return name.lower().partition(" ")[0]
    return "".join(c for c in unicodedata.normalize("NFKD", character) if c.isascii())


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return bool(text)
