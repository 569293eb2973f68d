"""How often somebody who cannot read picks the key: by length, by place, by surface.

All figures are of `single` items, and deterministic.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ABSOLUTE = re.compile(
    r"\b(all|always|never|only|every|none|no|must|cannot|impossible|guarantees?d?|exactly|"
    r"completely|entirely|any|solely|purely|nothing|everything)\b",
    re.IGNORECASE,
)
HEDGE = re.compile(
    r"\b(usually|often|may|might|can|could|typically|generally|sometimes|mostly|roughly|about|"
    r"approximately|some|partly|tends?|likely|largely|nearly|almost)\b",
    re.IGNORECASE,
)
FOLDS = 5
REPEATS = 5
RIDGE = 1.0
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Question:
    """The surface of a single-choice item: the options in one order, and which is the key."""

    id: str
    stem: str
    options: tuple[str, ...]
    key: int


@dataclass(frozen=True)
class Guessed:
    """A guesser's score, what chance gives, and the upper end of a one-sided 95 % interval."""

    score: float
    chance: float
    upper: float

    @property
    def excess(self) -> float:
        """How far the score lies above chance."""
        return self.score - self.chance


def guess(questions: Sequence[Question], pick: Callable[[Question], Sequence[int]]) -> Guessed:
    """The score of a guesser that picks these options; a tie is split."""
    scores = []
    for question in questions:
        picked = pick(question)
        scores.append((question.key in picked) / len(picked))
    return _guessed(questions, scores)


def _guessed(questions: Sequence[Question], scores: Sequence[float]) -> Guessed:
    if not questions:
        return Guessed(math.nan, math.nan, math.nan)
    chance = float(np.mean([1 / len(question.options) for question in questions]))
    spread = float(np.std(scores)) / math.sqrt(len(scores))
    score = float(np.mean(scores))
    return Guessed(score, chance, score + 1.645 * spread)


def longest(question: Question) -> list[int]:
    """The longest options."""
    sizes = [len(option) for option in question.options]
    return [n for n, size in enumerate(sizes) if size == max(sizes)]


def shortest(question: Question) -> list[int]:
    """The shortest options."""
    sizes = [len(option) for option in question.options]
    return [n for n, size in enumerate(sizes) if size == min(sizes)]


def learned(questions: Sequence[Question]) -> Guessed:
    """The score of a logistic regression on eleven surface features, on items it has not seen.

    Options of one item compete in a softmax. Five folds of whole items, five times.
    """
    if len(questions) < 2 * FOLDS:
        return Guessed(math.nan, math.nan, math.nan)
    rows = [features(question) for question in questions]
    keys = [question.key for question in questions]
    totals = np.zeros(len(questions))
    for repeat in range(REPEATS):
        folds = _folds(questions, repeat)
        for fold in range(FOLDS):
            train = [n for n in range(len(rows)) if folds[n] != fold]
            weights, scale = _fit([rows[n] for n in train], [keys[n] for n in train])
            for n in np.flatnonzero(folds == fold):
                scores = (rows[n] / scale) @ weights
                best = np.flatnonzero(scores > scores.max() - 1e-9)
                totals[n] += float(keys[n] in best) / len(best)
    return _guessed(questions, [float(total) / REPEATS for total in totals])


def features(question: Question) -> Array:
    """[options, 11] what can be seen of each option without knowing what it means."""
    options, stem = question.options, _words(question.stem)
    sizes = np.array([max(1, len(option)) for option in options], dtype=float)
    words = [_words(option) for option in options]
    columns = [
        np.log(sizes / ((sizes.sum() - sizes) / (len(options) - 1))),
        (sizes == sizes.max()) / (sizes == sizes.max()).sum(),
        (sizes == sizes.min()) / (sizes == sizes.min()).sum(),
        _count(options, ABSOLUTE),
        _count(options, HEDGE),
        np.array([len(own & stem) / max(1, len(own)) for own in words]),
        np.array([_likeness(n, words) for n in range(len(words))]),
        _count(options, re.compile(r"\d")),
        _count(options, re.compile(r"[(\[]")),
        _count(options, re.compile(r"[,;:.]")),
        _count(options, re.compile(r"`|_|=|\w\(")),
    ]
    table = np.stack(columns, axis=1)
    centred: Array = table - table.mean(axis=0)
    return centred


def best_position(questions: Sequence[Question]) -> float:
    """The share of the most frequent place of the key among items with four options."""
    places = Counter(question.key for question in questions if len(question.options) == 4)
    return max(places.values()) / places.total() if places else math.nan


def position_p(questions: Sequence[Question]) -> float:
    """The chance of places at least as uneven as these; items are grouped by their options."""
    statistic, freedom = 0.0, 0
    for size in sorted({len(question.options) for question in questions}):
        group = [question.key for question in questions if len(question.options) == size]
        expected = len(group) / size
        if expected < 5:
            continue
        statistic += sum((group.count(n) - expected) ** 2 / expected for n in range(size))
        freedom += size - 1
    return chi_square_tail(statistic, freedom) if freedom else math.nan


def length_ratio(questions: Sequence[Question]) -> float:
    """The median of the key's length over the mean length of its distractors."""
    ratios = []
    for question in questions:
        sizes = [len(option) for option in question.options]
        others = [size for n, size in enumerate(sizes) if n != question.key]
        ratios.append(sizes[question.key] * len(others) / max(1, sum(others)))
    return float(np.median(ratios)) if ratios else math.nan


def words_gap(options: Sequence[tuple[str, bool]], pattern: re.Pattern[str]) -> float:
    """The share of keys with such a word, less the share of distractors with one."""
    keys = [bool(pattern.search(text)) for text, correct in options if correct]
    others = [bool(pattern.search(text)) for text, correct in options if not correct]
    return float(np.mean(keys) - np.mean(others)) if keys and others else math.nan


def chi_square_tail(statistic: float, freedom: int) -> float:
    """P(X >= statistic) of a chi-square variable, by the recurrence of the gamma function."""
    x, a = statistic / 2, 0.5 if freedom % 2 else 1.0
    tail = math.erfc(math.sqrt(x)) if freedom % 2 else math.exp(-x)
    while a < freedom / 2:
        tail += math.exp(a * math.log(x) - x - math.lgamma(a + 1)) if x else 0.0
        a += 1
    return tail


def _folds(questions: Sequence[Question], repeat: int) -> NDArray[np.int64]:
    digests = [hashlib.sha256(f"{q.id}|{repeat}".encode()).digest() for q in questions]
    folds = np.zeros(len(questions), dtype=np.int64)
    for place, n in enumerate(sorted(range(len(digests)), key=digests.__getitem__)):
        folds[n] = place % FOLDS
    return folds


def _fit(rows: list[Array], keys: list[int]) -> tuple[Array, Array]:
    """The weights of a conditional logistic regression with a ridge, by Newton's method."""
    scale: Array = np.concatenate(rows).std(axis=0)
    scale[scale == 0] = 1.0
    table, there = _padded([row / scale for row in rows])
    right = table[np.arange(len(rows)), keys]
    weights = np.zeros(len(scale))
    for _ in range(25):
        scores = np.where(there, table @ weights, -np.inf)
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        means = np.einsum("no,nof->nf", chances, table)
        slope = (right - means).sum(axis=0) - RIDGE * weights
        curve = np.einsum("no,nof,nog->fg", chances, table, table) - means.T @ means
        step = np.linalg.solve(curve + RIDGE * np.eye(len(scale)), slope)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    return weights, scale


def _padded(rows: list[Array]) -> tuple[Array, NDArray[np.bool_]]:
    """[items, options, features], and [items, options] whether there is such an option."""
    most = max(len(row) for row in rows)
    there = np.array([[n < len(row) for n in range(most)] for row in rows])
    table = np.zeros((len(rows), most, rows[0].shape[1]))
    for n, row in enumerate(rows):
        table[n, : len(row)] = row
    return table, there


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.lower()) if len(word) > 2}


def _likeness(n: int, words: list[set[str]]) -> float:
    others = [other for m, other in enumerate(words) if m != n]
    return sum(len(words[n] & o) / max(1, len(words[n] | o)) for o in others) / len(others)


def _count(options: Sequence[str], pattern: re.Pattern[str]) -> Array:
    return np.array([len(pattern.findall(option)) for option in options], dtype=float)
