"""The conversation of an interview: question, answer, rubric, the follow-up of what was missed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rlgrade.quiz import presenting, schema
from rlgrade.quiz.asking import Asking, Reveal, tick, tick_rubric
from rlgrade.quiz.interview.plan import FOLLOW_UPS, Plan, Question
from rlgrade.quiz.schedule import Answered
from rlgrade.quiz.talk import Leaves, Talk

LEAST = 45  # seconds that must be left for another question or follow-up
LATE = 1.3


@dataclass
class FollowedUp:
    """A follow-up: what was asked, what was expected, which of it was said."""

    ask: str
    expects: list[str]
    got: list[int]
    answer: str = ""


@dataclass
class Asked:
    """A question that was answered and marked. got and flags: of an open question's rubric."""

    question: Question
    seconds: float = 0.0
    answer: str = ""
    got: list[str] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    follow_ups: list[FollowedUp] = field(default_factory=list)
    answered: Answered | None = None  # of a question with a key

    @property
    def item(self) -> schema.Item:
        """The item."""
        return self.question.entry.item


@dataclass
class Clock:
    """The time of an interview. It runs only while the candidate thinks and talks."""

    budget: float
    tick: Callable[[], float] = time.monotonic
    used: float = 0.0
    _since: float | None = None

    def start(self) -> None:
        """Let it run."""
        self._since = self.tick()

    def stop(self) -> float:
        """Halt it; the seconds since it was started."""
        if self._since is None:
            return 0.0
        passed = self.tick() - self._since
        self._since = None
        self.used += passed
        return passed

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return max(0.0, self.budget - self.used)


@dataclass
class Interview:
    """An interview under way. `keep` is called after every question with all that was asked."""

    talk: Talk
    plan: Plan
    clock: Clock
    keep: Callable[[Sequence[Asked]], None]
    flag: Callable[[schema.Item, str], bool]  # whether the note is kept
    done: list[Asked] = field(default_factory=list)
    broken_off: bool = False

    def hold(self) -> None:
        """Ask the plan's questions until the time is up or the candidate leaves."""
        count = len(self.plan.questions)
        try:
            for number, question in enumerate(self.plan.questions, 1):
                if self.clock.left < LEAST:
                    self.talk.say(f"\nTime is up; {count - number + 1} of {count} were not asked.")
                    break
                self._head(number, count, question)
                self._one(question)
        except (Leaves, KeyboardInterrupt) as error:
            self.clock.stop()
            self.broken_off = True
            self.keep(self.done)
            if isinstance(error, KeyboardInterrupt):
                raise

    def _head(self, number: int, count: int, question: Question) -> None:
        plan = clock_time(question.seconds)
        left = clock_time(self.clock.left)
        self.talk.say(
            f"\n── question {number} of {count}  {question.stage}  "
            f"about {plan}, {left} of {clock_time(self.clock.budget)} left"
        )

    def _one(self, question: Question) -> None:
        asked = Asked(question)
        if isinstance(question.entry.item, schema.Open):
            self._open(asked, question.entry.item)
        else:
            self._keyed(asked)
        self.keep(self.done)

    def _keyed(self, asked: Asked) -> None:
        """A question with a key: one try, and then the answer."""
        asking = Asking(self.talk, self.flag, tries=1)
        self.clock.start()
        try:
            asked.answered = asking.ask(asked.question.instance)
        finally:
            asked.seconds = self.clock.stop()
        self.done.append(asked)

    def _open(self, asked: Asked, item: schema.Open) -> None:
        self.talk.say(f"\n{presenting.question(asked.question.instance)}\n")
        asked.answer, asked.seconds = self._listen(
            item, "Write, and end with an empty line; or speak, and press Enter when you are done."
        )
        self._say_time(asked)
        asking = Asking(self.talk, self.flag)
        asked.got, asked.flags = tick_rubric(asking, item)
        self.done.append(asked)  # what is ticked counts, even if a follow-up is broken off
        self._follow_up(asked, item)
        self.talk.say(f"\nIn a minute one could have said:\n\n{item.model_answer.short.strip()}")
        if self.talk.typed and self.talk.ask("\nEnter goes on, l shows the long answer: ") == "l":
            self.talk.say(f"\n{item.model_answer.long.strip()}")

    def _listen(self, item: schema.Item, how: str) -> tuple[str, float]:
        """What is written, and how long it took; nothing is written where somebody speaks."""
        self.clock.start()
        try:
            answer = Asking(self.talk, self.flag).written(item, f"{how}\n> ")
        except Reveal:
            answer = ""
        finally:
            seconds = self.clock.stop()
        return answer, seconds

    def _say_time(self, asked: Asked) -> None:
        plan = asked.question.seconds
        took = f"{clock_time(asked.seconds)}, planned {clock_time(plan)}"
        late = "; answer first, details when asked" if asked.seconds > LATE * plan else ""
        self.talk.say(f"(you took {took}{late}; the clock stands still while you mark yourself)")

    def _follow_up(self, asked: Asked, item: schema.Open) -> None:
        left = list(item.follow_ups)
        for number in range(FOLLOW_UPS):
            following = next_follow_up(left, asked.got, first=number == 0)
            if following is None or self.clock.left < LEAST or (number and self._behind(asked)):
                return
            left.remove(following)
            self.talk.say(f"\nFollow-up: {following.ask}\n")
            answer, seconds = self._listen(item, "Write or speak; Enter when you are done.")
            asked.seconds += seconds
            self.talk.say(f"\nExpected:\n\n{presenting.lettered(following.expects)}\n")
            prompt = "which of these did you say? (letters; Enter for none): "
            got = tick(self.talk, prompt, len(following.expects))
            asked.follow_ups.append(FollowedUp(following.ask, following.expects, got, answer))

    def _behind(self, asked: Asked) -> bool:
        """Whether the questions to come need all the time that is left."""
        questions = self.plan.questions
        rest = questions[questions.index(asked.question) + 1 :]
        return sum(question.seconds for question in rest) > self.clock.left


def next_follow_up(
    follow_ups: Sequence[schema.FollowUp], got: Sequence[str], *, first: bool
) -> schema.FollowUp | None:
    """The first on a missed point; else the first on a point that was made; else one for all.

    Where it is not the first, one for all comes before another missed point: sideways, not deeper.
    """

    def fits(follow_up: schema.FollowUp) -> int:
        kind, _, point = follow_up.when.partition(":")
        if kind == "missing" and point not in got:
            return 0 if first else 2
        if kind == "got" and point in got:
            return 1
        return 1 if kind == "always" else 9

    ranked = sorted(follow_ups, key=fits)
    return ranked[0] if ranked and fits(ranked[0]) < 9 else None


def clock_time(seconds: float) -> str:
    """`4:05`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
