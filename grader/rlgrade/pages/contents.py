"""What the page shows, collected from the state folder. Data; nothing is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from rlgrade.courses import Course, Exercise
from rlgrade.labs.result import LabResult, kept_results
from rlgrade.learner.keeper import report_file
from rlgrade.learner.overview import ChapterState, chapter_states, duration
from rlgrade.learner.progress import Progress, Work, next_exercise, streak
from rlgrade.outcome import Outcome

if TYPE_CHECKING:
    from rlgrade.quiz.notes import Card

SIGNS = {
    **{"pass": "✓", "fail": "✗", "error": "✗", "timeout": "⧖", "memory": "✗"},
    **{"skipped": "–", "uncertain": "?", "broken": "!"},
}


class Attempt(msgspec.Struct):
    """One learning curve."""

    seed: int
    steps: list[int]
    scores: list[float | None]
    learned: bool


class Band(msgspec.Struct):
    """Where nine of ten curves of right code lie."""

    steps: list[int]
    low: list[float]
    middle: list[float]
    high: list[float]


class Training(msgspec.Struct):
    """What a training check saw."""

    goal: float
    null: float
    unit: str
    attempts: list[Attempt]
    band: Band | None = None


class CheckShown(msgspec.Struct):
    """One check of a report, as `docs/report-schema.json` has it."""

    outcome: str
    promise: str
    message: str = ""
    line: int | None = None
    counterexample: dict[str, str] = msgspec.field(default_factory=dict)
    diagnosis: list[str] = msgspec.field(default_factory=list)
    traceback: list[str] = msgspec.field(default_factory=list)
    printed: str = ""
    training: Training | None = None

    @property
    def sign(self) -> str:
        """The outcome in one sign."""
        return SIGNS.get(self.outcome, "?")

    @property
    def curve(self) -> Training | None:
        """The learning curves, if there is a point on any."""
        training = self.training
        return training if training and any(a.steps for a in training.attempts) else None


class KeptReport(msgspec.Struct):
    """The last report of an exercise."""

    schema_version: Literal[1]
    checks: list[CheckShown]


@dataclass(frozen=True)
class ExerciseShown:
    """One exercise: what was done, and its last report."""

    short: str
    title: str
    chapter: str
    state: str  # passed, given up, begun, open
    points: float
    max_points: float
    attempts: int
    hints: int
    time: str
    last: str  # when it was last checked
    seed: int | None
    checks: list[CheckShown]

    @property
    def passed_checks(self) -> int:
        """How many checks of the last report passed."""
        return sum(check.outcome == Outcome.PASS.value for check in self.checks)

    @property
    def broken(self) -> CheckShown | None:
        """The first check that failed, with what is known of it."""
        fine = (Outcome.PASS.value, Outcome.SKIPPED.value)
        return next((check for check in self.checks if check.outcome not in fine), None)

    @property
    def curves(self) -> list[CheckShown]:
        """The training checks that have a curve."""
        return [check for check in self.checks if check.curve is not None]


@dataclass(frozen=True)
class Topic:
    """One topic of the quiz: first answers, and how many of them were right."""

    name: str
    answers: int
    right: int


@dataclass(frozen=True)
class QuizShown:
    """What the quiz knows of the learner."""

    topics: list[Topic]
    due: int
    confidence: list[tuple[str, int, int]]  # sure, unsure, guess: answers and right ones
    days: list[tuple[str, int]]  # the last days with answers


@dataclass(frozen=True)
class Contents:
    """The whole page."""

    course: str
    made: str
    streak: int
    time: str
    following: str  # the next exercise, as a command; empty if none is left
    chapters: list[ChapterState]
    exercises: list[ExerciseShown]
    quiz: QuizShown | None
    labs: list[LabResult]


def contents_of(course: Course, progress: Progress, state: Path, today: date) -> Contents:
    """The page of one workspace."""
    following = next_exercise(course.exercises, progress)
    return Contents(
        course=course.title,
        made=today.isoformat(),
        streak=streak(list(progress.days), today),
        time=duration(sum(progress.days.values())),
        following=f"rlgrade check {following.short}" if following is not None else "",
        chapters=chapter_states(course, progress),
        exercises=[_exercise(course, each, progress, state) for each in course.exercises],
        quiz=_quiz(state, today),
        labs=kept_results(state),
    )


def _exercise(course: Course, exercise: Exercise, progress: Progress, state: Path) -> ExerciseShown:
    work = progress.exercises.get(exercise.id, Work())
    about = exercise.metadata
    return ExerciseShown(
        short=exercise.short,
        title=about.title,
        chapter=course.chapters.get(about.chapter, about.chapter),
        state=_state(work),
        points=round(work.best, 2),
        max_points=about.points,
        attempts=work.attempts,
        hints=len(work.hints),
        time=duration(work.seconds),
        last=work.last.at.strftime("%Y-%m-%d %H:%M") if work.last is not None else "",
        seed=work.last.seed if work.last is not None else None,
        checks=_last_checks(report_file(state, exercise)),
    )


def _state(work: Work) -> str:
    if work.passed is not None:
        return "passed"
    if work.gave_up is not None:
        return "given up"
    return "begun" if work.attempts else "open"


def _last_checks(path: Path) -> list[CheckShown]:
    """The checks of the report that is kept there; none where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=KeptReport).checks
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return []


def _quiz(state: Path, today: date) -> QuizShown | None:
    """The quiz's own numbers; None where no question was answered."""
    if not (state / "quiz.json").is_file():
        return None
    from rlgrade.quiz.notes import Notes
    from rlgrade.quiz.schedule import due_items

    notebook = Notes(state, say=lambda text: None).read()
    cards: dict[str, list[Card]] = {}
    for card in notebook.cards.values():
        cards.setdefault(card.topic, []).append(card)
    if not cards:
        return None
    return QuizShown(
        topics=[_topic(name, cards[name]) for name in sorted(cards)],
        due=len(due_items(notebook, today)),
        confidence=[
            (name, notebook.confidence[name].answers, notebook.confidence[name].right)
            for name in ("sure", "unsure", "guess")
            if name in notebook.confidence
        ],
        days=[(day, notebook.days[day].answers) for day in sorted(notebook.days)[-14:]],
    )


def _topic(name: str, cards: Sequence[Card]) -> Topic:
    return Topic(name, sum(c.answered for c in cards), sum(c.first_right for c in cards))
