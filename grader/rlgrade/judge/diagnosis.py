"""Which known mistake does a failing submission look like?

Every mistake of the exercise is run as a submission: on the failing case, on fresh cases of that
check, and on cases of the other checks that call the same functions. One that answers everywhere as
the learner's code does, and not as the solution does, is named. Where several are left, the checks
of the other functions may tell them apart.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

from rlgrade.author.declare import Check
from rlgrade.courses import Mistake
from rlgrade.judge.bank import Bank
from rlgrade.judge.calls import Link
from rlgrade.judge.cases import Case, run_case, same_answers, similar_answers
from rlgrade.judge.draws import Example, draw_examples
from rlgrade.judge.server import WorkerGone

FRESH = 30  # fresh cases of the failing check
ELSEWHERE = 4  # of each other check
SECONDS = 3.0
TELLING = 3  # cases that must tell the solution from numbers that are only similar
MOST_ALIKE = 2  # mistakes that are only similar; more of them tell nothing


@dataclass(frozen=True)
class Seen:
    """What the learner's code answered in a case."""

    check: Check
    example: Example
    case: Case


class Diagnoser:
    """Recognises the mistakes of one exercise."""

    def __init__(self, checks: list[Check], bank: Bank) -> None:
        self.checks = [check for check in checks if check.training is None]
        self.bank = bank
        self._end = float("inf")

    def diagnose(
        self, check: Check, failing: Example, learner: Link, end: float = float("inf")
    ) -> list[str]:
        """The sentences of the mistakes that answer as `learner` does; mostly one, often none.

        Nothing new is asked after `end`, on the monotonic clock.
        """
        self._end = end
        seen = self._ask(learner, check, failing)
        if seen is None:
            return []
        answered = [(m, self._case(m, seen)) for m in self.bank.exercise.mistakes]
        same = [m for m, case in answered if case and same_answers(case, seen.case)]
        if says := self._the_same(same, check, seen, learner):
            return says
        like = [m for m, case in answered if case and similar_answers(case, seen.case)]
        return self._the_like(like, check, seen, learner)

    def _the_same(
        self, suspects: list[Mistake], check: Check, seen: Seen, learner: Link
    ) -> list[str]:
        """Those that answer as `learner` does in every respect, wherever the functions are."""
        if not suspects:
            return []
        functions = seen.case.functions
        elsewhere: list[Check] = []
        for each in [check, *(other for other in self.checks if other is not check)]:
            for fresh in self._fresh(each, learner, FRESH if each is check else ELSEWHERE):
                if not fresh.case.functions <= functions:
                    elsewhere.append(each)
                    break
                suspects = [mistake for mistake in suspects if self._alike(mistake, fresh)]
                if not suspects:
                    return []
        suspects = self._tell_apart(suspects, elsewhere, learner)
        return [m.says for m in suspects if self._is_wrong(m, check, seen.example)]

    def _the_like(
        self, suspects: list[Mistake], check: Check, seen: Seen, learner: Link
    ) -> list[str]:
        """Those with the numbers of `learner` in all cases of this check, if they are few.

        Elsewhere, and in dtypes, graphs and wording, a learner's code may have ways of its own.
        """
        telling = int(self._is_told_apart(seen))
        for fresh in self._fresh(check, learner, FRESH) if suspects else ():
            telling += self._is_told_apart(fresh)
            suspects = [
                mistake
                for mistake in suspects
                if (case := self._case(mistake, fresh)) and similar_answers(case, fresh.case)
            ]
        few = len(suspects) <= MOST_ALIKE and telling >= TELLING
        return [mistake.says for mistake in suspects] if few else []

    def _is_told_apart(self, seen: Seen) -> bool:
        """Whether the solution has other numbers than the learner's code in a case."""
        right = self._case(None, seen)
        return right is not None and not similar_answers(right, seen.case)

    def _tell_apart(
        self, suspects: list[Mistake], checks: list[Check], learner: Link
    ) -> list[Mistake]:
        """Those that answer alike where other functions are called, too; all, if none does.

        A second error of the learner's elsewhere says nothing of this one.
        """
        for check in checks:
            if len(suspects) <= 1:
                break
            for fresh in self._fresh(check, learner, ELSEWHERE):
                left = [mistake for mistake in suspects if self._alike(mistake, fresh)]
                suspects = left or suspects
        return suspects

    def _fresh(self, check: Check, learner: Link, count: int) -> Iterator[Seen]:
        """What the learner's code answers in fresh cases of a check, as far as it survives them."""
        for example in itertools.islice(draw_examples(check.tries, "fresh"), count):
            seen = self._ask(learner, check, example)
            if seen is None:
                return
            yield seen

    def _ask(self, learner: Link, check: Check, example: Example) -> Seen | None:
        """The learner's answers, or None when the worker did not survive them."""
        if not learner.alive or time.monotonic() >= self._end:
            return None
        learner.deadline = min(time.monotonic() + SECONDS, self._end)
        learner.worker.begin_turn()
        case = run_case(learner, check.tries, example)
        return None if isinstance(case.error, WorkerGone) else Seen(check, example, case)

    def _case(self, mistake: Mistake | None, seen: Seen) -> Case | None:
        return self.bank.case(mistake, seen.check.tries, seen.example)

    def _alike(self, mistake: Mistake, seen: Seen) -> bool:
        case = self._case(mistake, seen)
        return case is not None and same_answers(case, seen.case)

    def _is_wrong(self, mistake: Mistake, check: Check, failing: Example) -> bool:
        """Whether the solution answers otherwise on the failing case; a mistake should."""
        case = self.bank.case(mistake, check.tries, failing)
        right = self.bank.case(None, check.tries, failing)
        return case is not None and right is not None and not same_answers(case, right)
