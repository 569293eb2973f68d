"""What a learner types, read: letters, numbers, orders. Malformed input is told how to be written.

| kind | answer |
|---|---|
| single | a letter: `b` |
| multi | letters: `a c` or `ac`; or numbers: `1 3` |
| numeric, estimate | a number or arithmetic: `0.35`, `7/20`, `exp(-1)` |
| order | the letters of the blocks that belong, in order: `c a d` |
| match | a letter for each left-hand side in turn: `b a c`, or `1b 2a 3c`, or `a2 b1 c3` |
| predict | what is printed, line by line |
| bug | lines and a fix: `3 5 b` |
| claim | `true`, `false`, or `if b` |
| derive | one answer a blank, divided by `;` or by lines |
| open | the letters of the rubric points that the answer had |
"""

from __future__ import annotations

import re

from rlgrade.quiz.arithmetic import ArithmeticProblem, number

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SEPARATORS = re.compile(r"[\s,;.()]+")


class AnswerError(ValueError):
    """What was typed cannot be read; the message says how to write it."""


def letter(text: str, count: int) -> int:
    """The index of one option, from its letter or its number."""
    found = SEPARATORS.sub("", text).lower()
    if found.isdecimal() and len(found) < 4 and 1 <= int(found) <= count:
        return int(found) - 1
    if len(found) != 1 or found not in LETTERS[:count]:
        raise AnswerError(f"type one letter from a to {LETTERS[count - 1]}")
    return LETTERS.index(found)


def letters(text: str, count: int, *, repeat: bool = False) -> list[int]:
    """The indexes of several options, in the order typed; their numbers will do: `3 1 2`."""
    found = SEPARATORS.sub("", _lettered(text, count)).lower()
    if not found or any(sign not in LETTERS[:count] for sign in found):
        raise AnswerError(f"type letters from a to {LETTERS[count - 1]}, such as `a c`")
    if not repeat and len(set(found)) < len(found):
        raise AnswerError("you typed a letter twice")
    return [LETTERS.index(sign) for sign in found]


def _lettered(text: str, count: int) -> str:
    """The text with letters for numbers, where it is all numbers of options."""
    words = SEPARATORS.sub(" ", text).split()
    if words and all(w.isdecimal() and len(w) < 3 and 1 <= int(w) <= count for w in words):
        return " ".join(LETTERS[int(word) - 1] for word in words)
    return text


def quantity(text: str, unit: str = "") -> float:
    """The number; its unit may follow it."""
    plain = text.strip().lstrip("≈~=").strip()
    for ending in filter(None, (unit.strip(), "%" if unit.strip() in ("%", "percent") else "")):
        if plain.lower().endswith(ending.lower()) and plain.lower() != ending.lower():
            plain = plain[: -len(ending)].strip()
    try:
        return number(plain)
    except ArithmeticProblem as error:
        raise AnswerError(str(error)) from None


def matching(text: str, lefts: int, rights: int) -> list[int]:
    """For each left-hand side the index of its right-hand side."""
    if re.match(r"\s*[a-zA-Z]\s*[-:=>]*\s*\d", text):
        text = re.sub(r"([a-zA-Z])\s*[-:=>]*\s*(\d+)", r"\2\1", text)  # a2 is 2a
    pairs = re.findall(r"(\d+)\s*[-:=>]*\s*([a-zA-Z])", text)
    rest = re.sub(r"(\d+)\s*[-:=>]*\s*([a-zA-Z])", "", text)
    if not pairs:
        found = letters(text, rights, repeat=True)
        if len(found) != lefts:
            raise AnswerError(f"type {lefts} letters, one for each line on the left")
        return found
    numbers = [int(left) for left, _ in pairs]
    if SEPARATORS.sub("", rest) or sorted(numbers) != list(range(1, lefts + 1)):
        raise AnswerError(f"pair each number from 1 to {lefts} with a letter, such as `1b 2a`")
    chosen = {int(left): letter(right, rights) for left, right in pairs}
    return [chosen[left] for left in range(1, lefts + 1)]


def lines_and_fix(text: str, lines: int, fixes: int) -> tuple[list[int], int]:
    """The faulty lines, and the index of the fix."""
    found = re.fullmatch(
        r"\s*((?:lines?)?[\d\s,;and-]*?\d)[\s,;]*(?:fix)?[\s:]*([a-zA-Z])\s*", text
    )
    if not found:
        raise AnswerError("type the faulty lines and the letter of a fix, such as `3 5 b`")
    chosen: set[int] = set()
    for first, last in re.findall(r"(\d+)(?:\s*-\s*(\d+))?", found[1]):
        if len(first) > 4 or len(last) > 4:
            raise AnswerError(f"the code has the lines 1 to {lines}")
        chosen |= set(range(int(first), int(last or first) + 1))
    if not chosen or not chosen <= set(range(1, lines + 1)):
        raise AnswerError(f"the code has the lines 1 to {lines}")
    return sorted(chosen), letter(found[2], fixes)


def verdict(text: str, conditions: int) -> tuple[str, int | None]:
    """`true`, `false` or `conditional`, and the index of the condition."""
    words = SEPARATORS.sub(" ", text).strip().lower()
    if words in ("true", "t"):
        return "true", None
    if words in ("false", "f"):
        return "false", None
    found = re.fullmatch(r"(?:true )?(?:only )?(?:if|conditional)(?: ([a-z]))?", words)
    if not found:
        letter_too = " and the letter of the condition" if conditions else ""
        raise AnswerError(f"type true, false, or `if`{letter_too}")
    return "conditional", letter(found[1], conditions) if conditions and found[1] else None


def parts(text: str, count: int) -> list[str]:
    """The answers to several blanks."""
    found = [part.strip() for part in re.split(r"[;\n]", text) if part.strip()]
    if len(found) != count:
        raise AnswerError(f"type {count} answers, divided by ; or by lines")
    return found
