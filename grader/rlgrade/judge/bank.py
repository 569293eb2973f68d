"""What many runs of an exercise share: its checks, and its solution and mistakes in one worker.

Solution and mistakes are ours, so they may share a process: a worker each would cost a second for
fifty mistakes.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Iterator, Sequence

from rlgrade.author.declare import Check, Property
from rlgrade.author.expect import SubmissionRaised
from rlgrade.courses import Exercise, Mistake
from rlgrade.judge.cases import Case, Trial, run_cases
from rlgrade.judge.draws import Example, draw_examples
from rlgrade.judge.link import Link, understand
from rlgrade.judge.loading import load_checks
from rlgrade.judge.server import Server
from rlgrade.judge.worker import WorkerGone

LOAD_SECONDS = 30.0
CASE_SECONDS = 3.0
MORE_SECONDS = 0.05  # for each case beyond the first that is asked with it


class Bank:
    """Answers for the solution and for each mistake. Loaded when it is first asked."""

    def __init__(self, exercise: Exercise, server: Server) -> None:
        self.exercise = exercise
        self.server = server
        self._link: Link | None = None
        self._unusable: set[str] = set()
        self._drawn: dict[str, tuple[list[Example], Iterator[Example]]] = {}  # by check
        self._fresh: dict[tuple[str, str], list[Case | None]] = {}  # by mistake and check

    @functools.cached_property
    def checks(self) -> list[Check]:
        """All checks of the exercise; to import them for each submission would take its time."""
        return load_checks(self.exercise)

    def case(self, mistake: Mistake | None, tries: Property, example: Example) -> Case | None:
        """One case under a mistake, or under the solution for None.

        None comes back for a mistake that cannot be loaded, dies or does not end.
        """
        name = _key(mistake)
        link = self._loaded()
        if name in self._unusable:
            return None
        case = self._run(link, [Trial(tries, example, name)])[0]
        if isinstance(case.error, WorkerGone):
            if name:  # the solution is asked again: the machine was slow
                self._unusable.add(name)
            return None
        return case

    def cases(self, mistakes: list[Mistake], check: Check, example: Example) -> list[Case | None]:
        """One case under each of the mistakes, as `case` gives it."""
        return self._each([(mistake, example) for mistake in mistakes], check.tries)

    def fresh(self, mistake: Mistake | None, check: Check, count: int) -> list[Case | None]:
        """The first `count` cases of those that are the same for everyone, answered once."""
        known = self._fresh.setdefault((_key(mistake), check.name), [])
        examples = self.examples(check, count)[len(known) :]
        more = self._each([(mistake, example) for example in examples], check.tries)
        if mistake is None and None in more:  # the machine was slow; the solution is asked again
            return known + more
        known += more
        return known[:count]

    def examples(self, check: Check, count: int) -> list[Example]:
        """The examples of `fresh`; fewer than `count` where the check has no more."""
        drawn, source = self._drawn.setdefault(
            check.name, ([], draw_examples(check.tries, "fresh"))
        )
        drawn += itertools.islice(source, max(0, count - len(drawn)))
        return drawn[:count]

    def _each(
        self, asked: Sequence[tuple[Mistake | None, Example]], tries: Property
    ) -> list[Case | None]:
        """Many cases at a time; one by one where a mistake among them does not survive them."""
        link = self._loaded()
        usable = [(m, example) for m, example in asked if _key(m) not in self._unusable]
        cases = self._run(link, [Trial(tries, example, _key(m)) for m, example in usable])
        if any(isinstance(case.error, WorkerGone) for case in cases):
            return [self.case(mistake, tries, example) for mistake, example in asked]
        found = iter(cases)
        return [None if _key(m) in self._unusable else next(found) for m, _ in asked]

    def _run(self, link: Link, trials: list[Trial]) -> list[Case]:
        link.deadline = time.monotonic() + CASE_SECONDS + MORE_SECONDS * (len(trials) - 1)
        link.worker.begin_turn()
        return run_cases(link, trials)

    def prepare(self) -> None:
        """Load now, so that nobody waits for it later."""
        self._loaded()

    def _loaded(self) -> Link:
        while self._link is None or not self._link.alive:
            self._link = self._load()
        return self._link

    def _load(self) -> Link:
        solution = self.exercise.solution.read_text(encoding="utf-8")
        mistakes = [m for m in self.exercise.mistakes if m.name not in self._unusable]
        sources = [(m.name, self.exercise.mistaken_source(m)) for m in mistakes]
        file = self.exercise.file
        link = Link(self.server, file, solution, LOAD_SECONDS).load()
        for name, source in sources:
            link.post({"op": "load", "module": name, "file": file, "source": source})
        for name, _ in sources:
            try:
                understand(name, link.receive())
            except (SubmissionRaised, WorkerGone):
                self._unusable.add(name)
                if not link.alive:
                    break  # the rest loads without it
        return link

    def close(self) -> None:
        """End the worker."""
        if self._link is not None:
            self._link.close()


def _key(mistake: Mistake | None) -> str:
    """The module in the worker: that of a mistake, or of the solution."""
    return "" if mistake is None else mistake.name
