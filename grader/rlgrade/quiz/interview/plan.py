"""Which questions an interview has: stage by stage, for a level, some topics and a length."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rlgrade.outcome import UsageError
from rlgrade.quiz import schema
from rlgrade.quiz.bank import Bank, Entry
from rlgrade.quiz.choosing import runs_here
from rlgrade.quiz.drawing import Instance, draw

STAGES: tuple[schema.Stage, ...] = ("warm-up", "concept", "derivation", "debugging", "design")
FIRST: tuple[schema.Stage, ...] = ("warm-up", "concept", "debugging", "derivation", "design")
LEVELS: tuple[schema.Level, ...] = ("screen", "mid", "senior", "research")
BY_BLOOM: dict[schema.Bloom, schema.Stage] = {
    "remember": "warm-up",
    "understand": "concept",
    "apply": "derivation",
    "analyze": "debugging",
    "evaluate": "design",
    "create": "design",
}
FOLLOW_UP_SECONDS = 60
FOLLOW_UPS = 2
ROUNDS = 20
KEYED = 2  # questions with a key in one stage, at most
SLACK = 1.1  # a plan may be this much longer than the time; the clock decides


@dataclass(frozen=True)
class Question:
    """One question of the plan, drawn."""

    stage: schema.Stage
    entry: Entry
    instance: Instance
    tier: int  # how well it fits, 0 best

    @property
    def seconds(self) -> int:
        """How long an able candidate takes, without follow-ups."""
        item = self.entry.item
        inner = sum(each.seconds for each in item.items) if isinstance(item, schema.Case) else 0
        return max(item.seconds, inner)

    @property
    def planned(self) -> int:
        """The same with follow-ups."""
        more = FOLLOW_UPS if isinstance(self.entry.item, schema.Open) else 0
        return self.seconds + more * FOLLOW_UP_SECONDS


@dataclass(frozen=True)
class Plan:
    """What is to be asked, and the stages for which the topics have nothing."""

    questions: tuple[Question, ...]
    without: tuple[schema.Stage, ...]

    @property
    def seconds(self) -> int:
        """How long it takes with follow-ups."""
        return sum(question.planned for question in self.questions)


def make_plan(
    bank: Bank, topics: Sequence[str] | None, level: schema.Level, minutes: int, seed: int
) -> Plan:
    """Questions that fill the time, the same for the same seed.

    Each stage gets one before any gets a second. An open question is preferred to one with a key.

    Raises:
        UsageError: the topics have no question of this level.
    """
    entries = bank.entries(topics=topics)
    ranked = {stage: _ranked(entries, stage, level, seed, bank) for stage in STAGES}
    missing = tuple(stage for stage in STAGES if not ranked[stage])
    chosen: list[Question] = []
    left = minutes * 60 * SLACK
    for _ in range(ROUNDS):
        for stage in FIRST:
            fits = [q for q in ranked[stage] if _may_follow(q, chosen, left)]
            if fits:
                # Ranks are by fit and then by chance; a topic that was not asked yet goes first.
                best = min(fits, key=lambda q: (q.tier, _asked(chosen, q.entry.quiz.id)))
                chosen.append(best)
                ranked[stage].remove(best)
                left -= best.planned
    if not chosen:
        raise UsageError(f"these topics have no question of the level {level}; name others")
    return Plan(tuple(sorted(chosen, key=lambda q: STAGES.index(q.stage))), missing)


def _may_follow(question: Question, chosen: Sequence[Question], left: float) -> bool:
    if question.planned > left and chosen:
        return False
    same = [other for other in chosen if other.stage == question.stage]
    if question.stage == "warm-up":
        return not same
    keyed = [other for other in same if not isinstance(other.entry.item, schema.Open)]
    return isinstance(question.entry.item, schema.Open) or len(keyed) < KEYED


def _asked(chosen: Sequence[Question], topic: str) -> int:
    return sum(question.entry.quiz.id == topic for question in chosen)


def stage_of(item: schema.Item) -> schema.Stage | None:
    """The part of an interview that an item belongs to; None for those that need pen and time."""
    if item.stage is not None:
        return item.stage
    match item:
        case schema.Open():
            return BY_BLOOM[item.bloom]
        case schema.Derive() | schema.Order():
            return "derivation"
        case schema.Bug() | schema.Predict() | schema.Case():
            return "debugging"
        case schema.Claim() if item.difficulty > 2:
            return "concept"
        case schema.Single() | schema.Claim() | schema.Estimate() if item.difficulty <= 2:
            return "warm-up"
    return None


def _ranked(
    entries: Iterable[Entry], stage: schema.Stage, level: schema.Level, seed: int, bank: Bank
) -> list[Question]:
    fitting = [e for e in entries if stage_of(e.item) == stage and runs_here(e.item)]
    fitting = [e for e in fitting if _tier(e.item, stage, level) < 9]
    mixed = {e.item.id: random.Random(f"{seed}|interview|{e.item.id}").random() for e in fitting}
    fitting.sort(key=lambda e: (_tier(e.item, stage, level), mixed[e.item.id]))
    return [
        Question(stage, e, draw(e.item, seed, bank.functions), _tier(e.item, stage, level))
        for e in fitting
    ]


def _tier(item: schema.Item, stage: schema.Stage, level: schema.Level) -> int:
    """How well an item fits: 0 best, 9 not at all. A warm-up may be easier than the level."""
    above = LEVELS.index(item.level) - LEVELS.index(level)
    if above > 0:
        return 9
    near = 0 if stage == "warm-up" or above >= -1 else 1
    return near if isinstance(item, schema.Open) else near + 2
