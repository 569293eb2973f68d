"""Two texts compared: whether they say the same was printed, and how long a sequence they share."""

from __future__ import annotations

import re
from collections.abc import Sequence

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def same_output(expected: str, answer: str) -> bool:
    """Whether an answer says what was printed: spaces, commas and rounding do not count."""
    wanted, given = _spread(expected), _spread(answer)
    if NUMBER.sub("#", wanted) != NUMBER.sub("#", given):
        return False
    pairs = zip(NUMBER.findall(wanted), NUMBER.findall(given), strict=True)
    return all(_same_number(want, have) for want, have in pairs)


def common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for left in one:
        before = row[:]
        for n, right in enumerate(other):
            row[n + 1] = before[n] + 1 if left == right else max(row[n], before[n + 1])
    return row[-1]


def _spread(text: str) -> str:
    """The text with one space for spaces, commas and line ends, and none at brackets."""
    plain = re.sub(r"[,\s]+", " ", text.replace("−", "-")).strip()
    return re.sub(r" ?([\[\](){}:=]) ?", r"\1", plain)


def _same_number(want: str, have: str) -> bool:
    """Equal; or, where a fraction is printed, rounded by the learner to three digits or more."""
    if float(want) == float(have):
        return True
    digits = re.fullmatch(r"[-+]?0*(\d*)\.(\d*)", have)
    if not digits or re.fullmatch(r"[-+]?\d+", want):
        return False
    typed = (digits[1] + digits[2]).lstrip("0")
    return len(typed) >= 3 and abs(float(have) - float(want)) <= 0.501 * 10 ** -len(digits[2])
