"""Which known mistake does a failing submission look like?

Every mistake of the exercise is run as a submission: on the failing case, on fresh cases of that
check, and on cases of the other checks that call the same functions. One that answers everywhere as
the learner's code does, and not as the solution does, is named. Where several are left, the checks
of the other functions may tell them apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import takewhile

from rlgrade.author.declare import Check
from rlgrade.courses import Mistake
from rlgrade.judge.bank import Bank
from rlgrade.judge.cases import Case, Trial, run_cases, same_answers, similar_answers
from rlgrade.judge.draws import Example
from rlgrade.judge.link import Link
from rlgrade.judge.worker import WorkerGone

FRESH = 30  # fresh cases of the failing check
ELSEWHERE = 4  # of each other check
SECONDS = 5.0  # for the learner's answers to those of one check
TELLING = 3  # cases that must tell the solution from numbers that are only similar
MOST_ALIKE = 2  # mistakes that are only similar; more of them tell nothing

Alike = Callable[[Case, Case], bool]


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
        asked = self._ask(learner, check, [failing])
        right = self.bank.case(None, check.tries, failing)
        if not asked or right is None:
            return []
        seen, mistakes = asked[0], self.bank.exercise.mistakes
        answered = zip(mistakes, self.bank.cases(mistakes, check, failing), strict=True)
        wrong = [(m, case) for m, case in answered if case and not same_answers(case, right)]
        same = [m for m, case in wrong if same_answers(case, seen)]
        if says := self._the_same(same, check, seen.functions, learner):
            return says
        like = [m for m, case in wrong if similar_answers(case, seen)]
        return self._the_like(like, check, not similar_answers(right, seen), learner)

    def _the_same(
        self, suspects: list[Mistake], check: Check, functions: set[str], learner: Link
    ) -> list[str]:
        """Those that answer as `learner` does in every respect, wherever `functions` are called."""
        elsewhere: list[tuple[Check, list[Case]]] = []
        for each in [check, *(other for other in self.checks if other is not check)]:
            if not suspects:
                return []
            seen = self._fresh(learner, each, FRESH if each is check else ELSEWHERE)
            here = list(takewhile(lambda case: case.functions <= functions, seen))
            if len(here) < len(seen):
                elsewhere.append((each, seen))
            suspects = self._alike(suspects, each, here, same_answers)
        return [mistake.says for mistake in self._told_apart(suspects, elsewhere)]

    def _told_apart(
        self, suspects: list[Mistake], elsewhere: list[tuple[Check, list[Case]]]
    ) -> list[Mistake]:
        """Those that answer alike where other functions are called, too; all, if none does.

        A second error of the learner's elsewhere says nothing of this one.
        """
        for check, seen in elsewhere:
            if len(suspects) <= 1:
                break
            for number, mine in enumerate(seen):
                left = [
                    mistake
                    for mistake in suspects
                    if (case := self.bank.fresh(mistake, check, len(seen))[number])
                    and same_answers(case, mine)
                ]
                suspects = left or suspects
        return suspects

    def _the_like(
        self, suspects: list[Mistake], check: Check, differs: bool, learner: Link
    ) -> list[str]:
        """Those with the numbers of `learner` in all cases of this check, if they are few.

        Elsewhere, and in dtypes, graphs and wording, a learner's code may have ways of its own.
        `differs` says whether the failing case has other numbers than the solution's.
        """
        if not suspects:
            return []
        seen = self._fresh(learner, check, FRESH)
        right = self.bank.fresh(None, check, FRESH)
        told = [not similar_answers(a, b) for a, b in zip(right, seen, strict=False) if a]
        suspects = self._alike(suspects, check, seen, similar_answers)
        few = len(suspects) <= MOST_ALIKE and differs + sum(told) >= TELLING
        return [mistake.says for mistake in suspects] if few else []

    def _alike(
        self, suspects: list[Mistake], check: Check, seen: list[Case], alike: Alike
    ) -> list[Mistake]:
        """Those whose answers to the first fresh cases are alike to what was seen."""
        return [
            mistake
            for mistake in suspects
            if all(
                case and alike(case, mine)
                for case, mine in zip(self.bank.fresh(mistake, check, len(seen)), seen, strict=True)
            )
        ]

    def _fresh(self, learner: Link, check: Check, count: int) -> list[Case]:
        """What the learner's code answers in fresh cases of a check."""
        return self._ask(learner, check, self.bank.examples(check, count))

    def _ask(self, learner: Link, check: Check, examples: list[Example]) -> list[Case]:
        """The learner's answers, as far as the worker survives them."""
        now = time.monotonic()
        if not learner.alive or now >= self._end:
            return []
        learner.deadline = min(now + SECONDS, self._end)
        learner.worker.begin_turn()
        cases = run_cases(learner, [Trial(check.tries, example) for example in examples])
        return list(takewhile(lambda case: not isinstance(case.error, WorkerGone), cases))
