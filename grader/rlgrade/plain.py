"""Text for a terminal that cannot show every character."""

from __future__ import annotations

import re
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
    "─": "-",
    "…": "...",
    "±": "+-",
    "∇": "grad ",
    "∂": "d",
    "∝": "~",
    "≪": "<<",
    "≫": ">>",
    "≻": ">",
    "∘": " o ",
    "′": "'",
    "\u0302": "^",  # a hat over the letter before it
}
RAISED = re.compile("[⁰¹²³⁴-⁹⁺⁻ⁿ]+")


def shows_unicode(encoding: str | None) -> bool:
    """Whether a stream of this encoding shows every character."""
    return (encoding or "").lower().replace("-", "").startswith("utf")


def fitted(text: str, encoding: str | None) -> str:
    """`text` in characters that `encoding` has, spelled out where it lacks them.

    A Greek letter becomes its name, an exponent `^-4`, an accented letter loses its accent, what is
    left becomes `?`.
    """
    if shows_unicode(encoding):
        return text
    encoding = encoding or "ascii"
    text = RAISED.sub(lambda found: _raised(found[0], encoding), text)
    return "".join(_in_encoding(character, encoding) for character in text)


def say(text: str, file: TextIO | None = None) -> None:
    """Print a text as far as the stream can show it."""
    stream = sys.stdout if file is None else file
    print(fitted(text, stream.encoding), file=stream, flush=True)


def _raised(signs: str, encoding: str) -> str:
    if _has(encoding, signs):
        return signs
    return "^" + unicodedata.normalize("NFKC", signs).replace("−", "-")


def _in_encoding(character: str, encoding: str) -> str:
    for candidate in (character, SPELLED.get(character), _name_or_base(character)):
        if candidate is not None and _has(encoding, candidate):
            return candidate
    return "?"


def _name_or_base(character: str) -> str:
    kind, _, name = unicodedata.name(character, "").rpartition(" LETTER ")
    if kind.startswith("GREEK"):
        return name.lower().partition(" ")[0]
    return "".join(c for c in _taken_apart(character) if c.isascii())


def _taken_apart(character: str) -> str:
    return unicodedata.normalize("NFKD", character).replace("⁄", "/")  # the bar of ½


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return bool(text)
