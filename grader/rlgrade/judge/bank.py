"""The solution and the known mistakes of an exercise, all loaded in one worker.

They are ours, so they may share a process: a worker each would cost a second for fifty mistakes.
"""

from __future__ import annotations

import time

from rlgrade.author.declare import Property
from rlgrade.author.expect import SubmissionRaised
from rlgrade.courses import Exercise, Mistake
from rlgrade.judge.calls import Link, understand
from rlgrade.judge.cases import Case, run_case
from rlgrade.judge.draws import Example
from rlgrade.judge.server import Server, WorkerGone

LOAD_SECONDS = 30.0
CASE_SECONDS = 3.0


class Bank:
    """Answers for the solution and for each mistake. Loaded when it is first asked."""

    def __init__(self, exercise: Exercise, server: Server) -> None:
        self.exercise = exercise
        self.server = server
        self._link: Link | None = None
        self._unusable: set[str] = set()

    def case(self, mistake: Mistake | None, tries: Property, example: Example) -> Case | None:
        """One case under a mistake, or under the solution for None.

        None comes back for a mistake that cannot be loaded, dies or does not end.
        """
        name = "" if mistake is None else mistake.name
        link = self._loaded()
        if name in self._unusable:
            return None
        link.deadline = time.monotonic() + CASE_SECONDS
        link.worker.begin_turn()
        case = run_case(link, tries, example, name)
        if isinstance(case.error, WorkerGone):
            if name:  # the solution is asked again: the machine was slow
                self._unusable.add(name)
            return None
        return case

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
