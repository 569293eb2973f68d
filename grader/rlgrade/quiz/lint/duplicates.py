"""Items that say the same as another: equal, or so alike that one of them is enough."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from rlgrade.quiz import schema
from rlgrade.quiz.lint.wording import normal

ALIKE = 92.0  # token-set ratio
SHARED = 0.6  # of the five-letter pieces


def duplicates(items: Sequence[schema.Item]) -> Iterator[tuple[int, int, str]]:
    """Pairs of indexes, the later one first, of items that are the same or nearly so."""
    texts = [_text(item) for item in items]
    seen: dict[str, int] = {}
    for n, text in enumerate(texts):
        if text in seen:
            yield n, seen[text], "asks the same as"
        seen.setdefault(text, n)
    for n, m in _alike(texts):
        share = _shared(texts[n], texts[m])
        if texts[n] != texts[m] and share >= SHARED:
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


def _alike(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    from rapidfuzz import fuzz, process

    ratios = process.cdist(texts, texts, scorer=fuzz.token_set_ratio, score_cutoff=ALIKE)
    for n, m in zip(*ratios.nonzero(), strict=True):
        if m < n:
            yield int(n), int(m)


def _shared(one: str, other: str) -> float:
    left, right = _pieces(one), _pieces(other)
    return len(left & right) / max(1, len(left | right))


def _pieces(text: str) -> set[str]:
    return {text[n : n + 5] for n in range(max(1, len(text) - 4))}
