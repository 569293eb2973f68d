"""`rlgrade interview`: a plan, the conversation, and a report that is saved after each question."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from rlgrade.outcome import UsageError
from rlgrade.quiz import choosing, schema
from rlgrade.quiz.interview.conduct import Asked, Clock, Interview, clock_time
from rlgrade.quiz.interview.plan import STAGES, Plan, make_plan
from rlgrade.quiz.interview.report import Frame, write_report
from rlgrade.quiz.marking import mark_open
from rlgrade.quiz.schedule import Answered, record
from rlgrade.quiz.session import Table, take_down
from rlgrade.quiz.talk import Leaves, Talk
from rlgrade.store import free_name, write_whole

SHORT = 0.75
SEEDS = 10_000  # few digits, so that one can be typed again


@dataclass(frozen=True)
class Terms:
    """What was asked for."""

    minutes: int
    level: schema.Level
    topics: str
    seed: int | None
    report: str | None


@dataclass
class Sitting:
    """One interview: its terms, its plan and where its report goes."""

    table: Table
    terms: Terms
    plan: Plan
    path: Path
    at: datetime
    command: str
    kept: int = 0  # how many questions are in the learner's schedule
    clock: Clock = field(default_factory=lambda: Clock(0.0))

    def save(self, done: Sequence[Asked], *, finished: bool = False) -> None:
        """Write the report, and the new answers into the schedule."""
        frame = Frame(
            at=self.at,
            level=self.terms.level,
            topics=self.terms.topics.replace(",", ", ") or "all topics",
            command=self.command,
            minutes=self.terms.minutes,
            used=self.clock.used,
            plan=self.plan,
            finished=finished,
        )
        try:
            write_whole(self.path, write_report(frame, done).encode())
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"{self.path} cannot be written: {reason}; use --report") from None
        for asked in done[self.kept :]:
            with self.table.notes.change() as notebook:
                topic, now = asked.question.entry.quiz.id, self.table.notes.now()
                record(notebook, asked.item, topic, answered_of(asked), now)
        self.kept = len(done)


def answered_of(asked: Asked) -> Answered:
    """How a question of an interview was answered, for the schedule."""
    if asked.answered is not None:
        return asked.answered
    assert isinstance(asked.item, schema.Open)
    marked = mark_open(asked.item, asked.got, asked.flags)
    return Answered(marked.right, marked.score, faults=bool(marked.message))


def interview_command(table: Table, terms: Terms) -> None:
    """Hold an interview.

    Raises:
        UsageError: there is no such topic, nothing to ask, or the report cannot be written.
    """
    seed = secrets.randbelow(SEEDS) if terms.seed is None else terms.seed
    topics = choosing.topics_named(table.bank, table.desk.course, [terms.topics], broad=True)
    plan = make_plan(table.bank, topics or None, terms.level, terms.minutes, seed)
    sitting = Sitting(
        table, terms, plan, _path(table, terms), table.notes.now(), again(terms, seed)
    )
    sitting.clock = Clock(terms.minutes * 60.0)
    sitting.save([])
    talk = Talk()
    _welcome(talk, sitting)
    interview = Interview(
        talk, plan, sitting.clock, sitting.save, lambda item, note: take_down(table, item, note)
    )
    try:
        if talk.typed:
            talk.ask("Enter begins: ")
        interview.hold()
        if not interview.broken_off:
            sitting.save(interview.done, finished=True)
    except Leaves:
        pass
    finally:
        state = "broken off" if interview.broken_off else "over"
        if not interview.done:
            sitting.path.unlink(missing_ok=True)
            talk.say("\nNothing was answered, so there is no report.")
        else:
            talk.say(f"\nThe interview is {state}. Your report: {sitting.path}")


def again(terms: Terms, seed: int) -> str:
    """The command that repeats an interview."""
    topics = f" --topics {terms.topics}" if terms.topics else ""
    return (
        f"rlgrade interview --minutes {terms.minutes} --level {terms.level}{topics} --seed {seed}"
    )


def _path(table: Table, terms: Terms) -> Path:
    if terms.report is not None:
        return Path(terms.report)
    return free_name(Path(f"interview-{table.notes.now():%Y-%m-%d-%H%M}.md"))


def _welcome(talk: Talk, sitting: Sitting) -> None:
    plan = sitting.plan
    stages = [stage for stage in STAGES if any(q.stage == stage for q in plan.questions)]
    count = "1 question" if len(plan.questions) == 1 else f"{len(plan.questions)} questions"
    talk.say(
        f"{count} in {clock_time(sitting.clock.budget)} minutes: {', '.join(stages)}. "
        "Speak or write; then you tick what you said, and the next question follows up on what you "
        "missed. The clock runs only while you answer. q stops; the report is saved after every "
        f"question as {sitting.path}."
    )
    if plan.seconds < SHORT * sitting.clock.budget:
        talk.say(f"There is no more for this level: it will take about {clock_time(plan.seconds)}.")
    if plan.without:
        talk.say(f"These topics have nothing for: {', '.join(plan.without)}.")
    talk.say(f"Again: {sitting.command}")
