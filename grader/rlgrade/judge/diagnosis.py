"""Which known mistake does a failing submission look like?

Every mistake of the exercise is run as a submission: on the failing case, then on fresh cases. One
that answers everywhere as the learner's code does, and not as the solution does, is named.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable

from rlgrade.author.declare import Check
from rlgrade.courses import Exercise, Mistake
from rlgrade.judge.calls import Link
from rlgrade.judge.cases import Case, run_case, same_answers
from rlgrade.judge.draws import Example, draw_examples
from rlgrade.judge.server import WorkerGone

TELLING = 5  # fresh cases that must tell the mistake from the solution
FRESH = 60  # drawn at most to find them
TIE_BREAK = 4  # examples of each other check, to tell two mistakes apart
SECONDS = 3.0

Opener = Callable[[str], Link]


class Diagnoser:
    """Keeps a worker for each mistake of an exercise, from the first failure on."""

    def __init__(self, exercise: Exercise, checks: list[Check], open_link: Opener) -> None:
        self.exercise = exercise
        self.checks = checks
        self.open_link = open_link
        self._links: dict[str, Link] = {}
        self._solution: Link | None = None

    @property
    def solution(self) -> Link:
        """A worker with the solution."""
        if self._solution is None or not self._solution.alive:
            source = self.exercise.solution.read_text(encoding="utf-8")
            self._solution = self.open_link(source).load()
        self._solution.deadline = time.monotonic() + SECONDS
        return self._solution

    def diagnose(self, check: Check, failing: Example, learner: Link) -> list[str]:
        """The sentences of the mistakes that answer as `learner` does; mostly one, often none."""
        seen = self._run(learner, check, failing)
        if seen is None:
            return []
        suspects = [
            mistake
            for mistake in self.exercise.mistakes
            if self._agrees(mistake, check, [(failing, seen)])
        ]
        if not suspects:
            return []
        fresh = self._fresh_cases(check, learner)
        confirmed = [mistake for mistake in suspects if self._confirmed(mistake, check, fresh)]
        if len(confirmed) > 1:
            confirmed = self._tell_apart(confirmed, learner) or confirmed
        return [mistake.says for mistake in confirmed]

    def _fresh_cases(self, check: Check, learner: Link) -> list[tuple[Example, Case, Case]]:
        """Fresh examples, with what the learner and the solution answer; kept for every suspect."""
        examples = itertools.islice(draw_examples(check.tries, "fresh"), 1, FRESH)
        cases: list[tuple[Example, Case, Case]] = []
        for example in examples:
            mine = self._run(learner, check, example)
            right = self._run(self.solution, check, example)
            if mine is not None and right is not None:
                cases.append((example, mine, right))
        return cases

    def _confirmed(
        self, mistake: Mistake, check: Check, fresh: Iterable[tuple[Example, Case, Case]]
    ) -> bool:
        """Whether the mistake goes on answering like the learner where it matters."""
        telling = 0
        for example, mine, right in fresh:
            case = self._run(self._link(mistake), check, example)
            if case is None or not same_answers(case, mine):
                return False
            telling += not same_answers(case, right)
            if telling >= TELLING:
                break
        return telling > 0 or not check.tries.strategies

    def _tell_apart(self, mistakes: list[Mistake], learner: Link) -> list[Mistake]:
        """Those that answer like the learner in the other checks too."""
        left = mistakes
        for check in self.checks:
            for example in itertools.islice(draw_examples(check.tries, "apart"), TIE_BREAK):
                mine = self._run(learner, check, example)
                if mine is None:
                    continue
                left = [m for m in left if self._agrees(m, check, [(example, mine)])]
                if len(left) <= 1:
                    return left
        return left

    def _agrees(
        self, mistake: Mistake, check: Check, cases: Iterable[tuple[Example, Case]]
    ) -> bool:
        for example, mine in cases:
            case = self._run(self._link(mistake), check, example)
            if case is None or not same_answers(case, mine):
                return False
        return True

    def _run(self, link: Link, check: Check, example: Example) -> Case | None:
        """The case, or None when the worker did not survive it."""
        if not link.alive:
            return None
        link.deadline = time.monotonic() + SECONDS
        case = run_case(link, check.tries, example)
        return None if isinstance(case.error, WorkerGone) else case

    def _link(self, mistake: Mistake) -> Link:
        if not self._links:  # all at once: the server forks one while another loads
            sources = {m.name: self.exercise.mistaken_source(m) for m in self.exercise.mistakes}
            self._links = {name: self.open_link(source) for name, source in sources.items()}
        return self._links[mistake.name].load()

    def close(self) -> None:
        """End every worker."""
        for link in [*self._links.values(), self._solution]:
            if link is not None:
                link.close()
