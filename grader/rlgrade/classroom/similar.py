"""Submissions that share what nobody else wrote.

Code is read as tokens without layout, comments and the names of variables, so that neither
reformatting nor renaming hides a copy; runs of tokens are fingerprinted by winnowing. What the stub
has is left out. Right answers to a short exercise are alike by nature: evidence is only what hardly
anybody else in the class has, and comments in the same words.
Source: Schleimer, Wilkerson, Aiken, Winnowing (SIGMOD 2003).
"""

from __future__ import annotations

import hashlib
import io
import itertools
import keyword
import re
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

GRAM = 10  # tokens of a run
WINDOW = 6  # a common passage of GRAM + WINDOW - 1 tokens is always found
RARE_SHARE = 0.02  # of the class may have what counts as rare
RARE_LEAST = 3
EVIDENCE = 4  # rare runs that two must share to be shown
COMMENT = 16  # characters of a comment that says something
LAYOUT = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)


@dataclass(frozen=True)
class Pair:
    """Two submissions, and what they share."""

    one: str
    other: str
    rare: int  # runs of tokens that hardly anybody else has
    share: float  # of the shorter one's own runs, how many the other has
    comments: tuple[str, ...]  # in the same words


def similar_pairs(texts: Mapping[str, str], stub: str, most: int = 50) -> list[Pair]:
    """The pairs that share most of what is rare, the most telling first.

    Args:
        texts: each different submission of an exercise, under a name.
        stub: what everybody was given.
        most: how many pairs at most.
    """
    given = prints(stub)
    own = {name: prints(text) - given for name, text in texts.items()}
    words = {name: _comments(text) - _comments(stub) for name, text in texts.items()}
    limit = max(RARE_LEAST, round(RARE_SHARE * len(texts)))
    rare = _shared(own, limit)
    said = _shared(words, limit)
    pairs = []
    for one, other in rare.keys() | said.keys():
        smaller = min(len(own[one]), len(own[other])) or 1
        share = len(own[one] & own[other]) / smaller
        texts_alike = tuple(sorted(words[one] & words[other])) if (one, other) in said else ()
        pairs.append(Pair(one, other, rare[one, other], share, texts_alike))
    telling = [pair for pair in pairs if pair.rare + 4 * len(pair.comments) >= EVIDENCE]
    telling.sort(key=lambda pair: (-pair.rare - 4 * len(pair.comments), pair.one, pair.other))
    return telling[:most]


def prints(text: str) -> set[int]:
    """The fingerprints of a program."""
    words = list(_tokens(text))
    grams = [_hash(" ".join(words[n : n + GRAM])) for n in range(len(words) - GRAM + 1)]
    if len(grams) <= WINDOW:
        return set(grams)
    return {min(grams[n : n + WINDOW]) for n in range(len(grams) - WINDOW + 1)}


def _shared(
    sets: Mapping[str, set[int]] | Mapping[str, set[str]], limit: int
) -> Counter[tuple[str, str]]:
    """How many things that at most `limit` have, each pair has in common."""
    owners: dict[int | str, list[str]] = defaultdict(list)
    for name in sorted(sets):
        for thing in sets[name]:
            owners[thing].append(name)
    return Counter(
        pair
        for names in owners.values()
        if 2 <= len(names) <= limit
        for pair in itertools.combinations(names, 2)
    )


def _tokens(text: str) -> Iterator[str]:
    """Words and signs; every name but keywords and attributes is one and the same."""
    before = ""
    for kind, word in _read(text):
        if kind == tokenize.COMMENT or kind in LAYOUT:
            continue
        if kind == tokenize.STRING:
            yield "text"
        elif kind == tokenize.NAME and not keyword.iskeyword(word) and before != ".":
            yield "name"
        else:
            yield word
        before = word


def _comments(text: str) -> set[str]:
    words = (word.lstrip("# ").strip() for kind, word in _read(text) if kind == tokenize.COMMENT)
    return {word for word in words if len(word) >= COMMENT}


def _read(text: str) -> Iterator[tuple[int, str]]:
    """Kind and text of each token, as far as the program can be read; then words alone."""
    end = 1
    lines = text.splitlines(keepends=True)
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            yield token.type, token.string
            end = token.end[0]
    except (tokenize.TokenError, SyntaxError, ValueError):
        for word in re.findall(r"\w+|[^\w\s]", "".join(lines[end:])):
            yield (tokenize.NAME if word.isidentifier() else tokenize.OP), word


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def decoded(data: bytes) -> str:
    """A submission as text, whatever is in it."""
    return data.decode("utf-8", "replace")
