"""Items that say the same as another: equal, or so alike that one of them is enough."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from rlgrade.quiz import schema
from rlgrade.quiz.comparing import common_subsequence
from rlgrade.quiz.lint.wording import normal

ALIKE = 92.0  # token-set ratio
SHARED = 0.6  # of the five-letter pieces


def duplicates(items: Sequence[schema.Item]) -> Iterator[tuple[int, int, str]]:
    """Pairs of indexes, the later one first, of items that are the same or nearly so.

    Nearly: at least 60 % of their five-letter pieces in common, and 92 of 100 by their words.
    """
    texts = [_text(item) for item in items]
    for n, m, share in sharing(texts):
        if texts[n] == texts[m]:
            yield n, m, "asks the same as"
        elif token_set_ratio(texts[n], texts[m]) >= ALIKE:
            yield n, m, f"is nearly the same ({share:.0%} of it) as"


def repeated(sentences: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs of indexes, the later one first, of sentences that are the same."""
    places: dict[str, list[int]] = defaultdict(list)
    for n, sentence in enumerate(sentences):
        places[normal(sentence)].append(n)
    for found in places.values():
        yield from ((n, found[0]) for n in found[1:])


def _text(item: schema.Item) -> str:
    """What makes a question this one: its stem and its code; of a derivation, its blanks too."""
    parts = [item.stem, item.code]
    if isinstance(item, schema.Derive):
        parts += [blank.prompt for blank in item.blanks]
    return normal("\n".join(parts))


def sharing(texts: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """Pairs of texts that share enough pieces, and how much.

    Two sets with a Jaccard index of t have a piece in common among the rarest |x| - ceil(t |x|) + 1
    of each, so only those are looked up.
    """
    sets = [_pieces(text) for text in texts]
    frequency = Counter(piece for own in sets for piece in own)
    index: dict[str, list[int]] = defaultdict(list)
    for n, own in enumerate(sets):
        count = len(own) - math.ceil(SHARED * len(own)) + 1
        rare = sorted(own, key=lambda piece: (frequency[piece], piece))[:count]
        for m in sorted({m for piece in rare for m in index[piece]}):
            share = len(own & sets[m]) / len(own | sets[m])
            if share >= SHARED:
                yield n, m, share
        for piece in rare:
            index[piece].append(n)


def token_set_ratio(one: str, other: str) -> float:
    """How alike two texts are by their words, 0 to 100, whatever their order and number.

    The common words, and these with the rest of either text: the best of three comparisons. Source:
    SeatGeek's fuzzywuzzy, with the longest common subsequence, as rapidfuzz has it.
    """
    left, right = set(one.split()), set(other.split())
    both = " ".join(sorted(left & right))
    first, second = (
        " ".join(filter(None, (both, " ".join(sorted(words)))))
        for words in (left - right, right - left)
    )
    if both and both in (first, second):
        return 100.0
    pairs = ((first, second), (both, first), (both, second)) if both else ((first, second),)
    return max(_ratio(a, b) for a, b in pairs)


def _ratio(one: str, other: str) -> float:
    return 200 * common_subsequence(one, other) / max(1, len(one) + len(other))


def _pieces(text: str) -> set[str]:
    return {text[n : n + 5] for n in range(max(1, len(text) - 4))}
