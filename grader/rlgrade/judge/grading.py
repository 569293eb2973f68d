"""Grade one submission: every check in turn, its smallest counterexample, the mistake behind."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rlgrade import __version__
from rlgrade.author.declare import Check
from rlgrade.author.expect import SubmissionRaised, Unmet
from rlgrade.author.training import Training
from rlgrade.courses import Exercise
from rlgrade.judge.bank import Bank
from rlgrade.judge.cases import Case, run_case
from rlgrade.judge.diagnosis import Diagnoser
from rlgrade.judge.draws import Example, draw_examples, fresh_arguments, shrink
from rlgrade.judge.faults import Fault, Faults, broken, kind_of
from rlgrade.judge.lanes import WIDTH, Failure, run_lanes
from rlgrade.judge.link import Link
from rlgrade.judge.literals import plain_arguments
from rlgrade.judge.replay import replay_program
from rlgrade.judge.server import Server
from rlgrade.judge.source import Source, parse_source
from rlgrade.judge.training import Verdict, run_training
from rlgrade.judge.worker import WorkerGone
from rlgrade.outcome import GraderError, Outcome, UsageError
from rlgrade.report import CheckResult, Evidence, Report, harmless
from rlgrade.trainer.devices import chosen_device

OnPoint = Callable[[Check, Verdict], None]


@dataclass(frozen=True)
class Settings:
    """How much a run may take and how much it should find out."""

    run_seconds: float = 30.0  # for the verdicts of all property checks
    explain_seconds: float | None = None  # for all explanations; None means as long as the verdicts
    load_seconds: float = 10.0
    patience: float = 1.0  # multiplies the seconds of each check, where the machine is busy
    shrink_tries: int = 400
    shrink_deaths: int = 30  # tries where each costs a worker
    diagnose: bool = True
    explained: int = 1_000  # how many failures get a smallest case and a diagnosis
    only: frozenset[str] = frozenset()  # names of the checks to run; empty means all
    attempts: int | None = None  # at learning; None leaves the number to the check
    device: str = "auto"  # where the judge's networks live: auto, cpu, cuda or mps


def grade(
    exercise: Exercise,
    data: bytes,
    server: Server,
    seed: int,
    *,
    settings: Settings | None = None,
    bank: Bank | None = None,
    on_result: Callable[[CheckResult], None] = lambda result: None,
    on_failing: Callable[[Check], None] = lambda check: None,
    on_point: OnPoint = lambda check, verdict: None,
) -> Report:
    """Run every check of `exercise` on the submission whose bytes are `data`.

    Args:
        exercise: what is graded.
        data: the submission as it came.
        server: a warm fork server; it is left running.
        seed: two runs with the same seed draw the same examples.
        settings: limits; the default serves a learner.
        bank: the exercise's known mistakes, where many submissions share them.
        on_result: is told of each check as it ends.
        on_failing: is told of a check that fails, before the failure is explained.
        on_point: is told of a training check and of each attempt as it begins, then of each point.
    """
    start = time.monotonic()
    known = bank or Bank(exercise, server)
    source = parse_source(exercise.file, data)
    run = _Run(known, source, seed, settings or Settings(), on_failing, on_point)
    try:
        results = run.all(on_result)
    finally:
        run.close()
        if bank is None:
            known.close()
    return Report(
        exercise=exercise.id,
        exercise_version=exercise.metadata.version,
        file=exercise.file,
        submission_sha256=hashlib.sha256(data).hexdigest(),
        seed=seed,
        engine_version=__version__,
        sandbox=run.sandbox,
        seconds=round(time.monotonic() - start, 4),
        checks=results,
        problem=harmless(run.problem),
    )


class _Run:
    """The state of one run: the worker, the results so far, and the clock."""

    def __init__(
        self,
        bank: Bank,
        source: Source,
        seed: int,
        settings: Settings,
        on_failing: Callable[[Check], None],
        on_point: OnPoint,
    ) -> None:
        self.bank = bank
        self.exercise = bank.exercise
        self.server = bank.server
        self.source = source
        self.seed = seed
        self.settings = settings
        self.problem = source.problem
        everything = bank.checks
        self.total_weight = sum(check.weight for check in everything)
        self.checks = [c for c in everything if not settings.only or c.name in settings.only]
        if settings.device != "auto" and any(c.training and c.training.on_gpu for c in self.checks):
            _ = self.device  # one that is not there is refused before anything runs
        self.outcomes: dict[str, Outcome] = {}
        self.link: Link | None = None if self.problem else self.open_link()
        self.faults = Faults(bank, source)
        self.diagnoser = Diagnoser(everything, bank)
        self.end = float("inf")
        self.explain_left = settings.explain_seconds or settings.run_seconds
        self.on_failing = on_failing
        self.on_point = on_point
        self.explained = 0
        self.sandbox = ""  # nothing ran

    @functools.cached_property
    def device(self) -> str:
        """Where networks of checks that are worth a GPU live; torch is loaded to find it."""
        return chosen_device(self.settings.device)

    def open_link(self) -> Link:
        seconds = self.settings.load_seconds
        return Link(self.server, self.exercise.file, self.source.text, seconds)

    def close(self) -> None:
        if self.link is not None:
            self.link.close()

    def all(self, on_result: Callable[[CheckResult], None]) -> list[CheckResult]:
        load_failure = self._load()
        training = sum(self.seconds_of(check) for check in self.checks if check.training)
        self.end = time.monotonic() + self.settings.run_seconds + training
        results = []
        for check in self.checks:
            result = load_failure(check) if load_failure else self.one(check)
            self.outcomes[check.name] = result.outcome
            results.append(result)
            on_result(result)
        return results

    def _load(self) -> Callable[[Check], CheckResult] | None:
        """Load the submission; where that fails, what to say of every check."""
        if self.link is None:
            return lambda check: self.result(check, Outcome.ERROR, message=self.problem)
        try:
            self.sandbox = self.link.load().level
            return None
        except SubmissionRaised as raised:
            line = raised.frames[-1][0] if raised.frames else None
            where = f"{self.source.file}:{line}" if line else self.source.file
            self.problem = f"{where}: {raised} (while the file was loaded)"
            traceback = self.faults.frames(raised)
            outcome = Outcome.MEMORY if "MemoryError" in raised.types else Outcome.ERROR
            return lambda check: self.result(
                check, outcome, message=self.problem, line=line, traceback=traceback
            )
        except WorkerGone as gone:
            self.problem = f"{self.source.file} {gone.reason} while it was loaded"
            outcome = gone.outcome
            return lambda check: self.result(check, outcome, message=self.problem)

    def one(self, check: Check) -> CheckResult:
        if check.needs and self.outcomes.get(check.needs) not in (None, Outcome.PASS):
            before = next(c.promise for c in self.bank.checks if c.name == check.needs)
            return self.result(check, Outcome.SKIPPED, message=f"waits until this passes: {before}")
        start = time.monotonic()
        if start >= self.end:
            seconds = self.settings.run_seconds
            reason = f"not reached: the whole run may take {seconds:.0f} s"
            return self.result(check, Outcome.TIMEOUT, message=reason)
        if check.training is not None:
            return self.train(check, check.training)
        try:
            link = self.ready_link(check)
            link.worker.begin_turn()
            link.seed(self.seed_of(check))
            examples = draw_examples(check.tries, f"{self.seed}/{check.name}")
            width = 1 if check.tries.lends else WIDTH
            failure, passed = run_lanes(link, check.tries.body, examples, width)
        except (WorkerGone, SubmissionRaised, Unmet) as error:
            failure, passed = Failure(Example({}, ()), error), 0
        seconds = time.monotonic() - start
        if failure is None:
            return self.result(check, Outcome.PASS, seconds=seconds, examples=passed)
        return self.explain(check, failure, seconds, passed)

    def train(self, check: Check, training: Training) -> CheckResult:
        """Make attempts at learning until the check is decided."""
        start = time.monotonic()
        verdict = Verdict(training, "")
        self.on_point(check, verdict)  # the first point may take long: torch is loaded for it
        message, line = "", None
        try:
            verdict = run_training(
                check,
                training,
                lambda: self.ready_link(check),
                seed=self.seed,
                attempts=self.settings.attempts or training.attempts,
                seconds=min(self.seconds_of(check), self.end - start),
                device=self.device if training.on_gpu else "cpu",
                on_point=lambda verdict: self.on_point(check, verdict),
            )
            outcome, message = verdict.outcome, verdict.message
        except (GraderError, UsageError):
            raise
        except Exception as error:
            outcome, message, line = self.fault_in_training(check, training, error)
            if self.link is not None:  # it may be in the middle of a call
                self.link.close()
        return self.result(
            check,
            outcome,
            seconds=time.monotonic() - start,
            examples=len(verdict.curves),
            message=message,
            line=line,
            training=verdict.as_plain() | {"band": self.exercise.bands.get(check.name)},
        )

    def ready_link(self, check: Check) -> Link:
        """The submission's worker, a fresh one if the last has died, with this check's deadline."""
        if self.link is None or not self.link.alive:
            self.link = self.open_link()
        self.link.load(self.end).deadline = min(time.monotonic() + self.seconds_of(check), self.end)
        self.sandbox = min(self.sandbox, self.link.level)  # the weakest that any part ran in
        return self.link

    def seconds_of(self, check: Check) -> float:
        return check.seconds * self.settings.patience

    def seed_of(self, check: Check) -> int:
        digest = hashlib.sha256(f"{self.seed}/{check.name}".encode()).digest()
        return int.from_bytes(digest[:4], "big")

    def explain(self, check: Check, failure: Failure, seconds: float, passed: int) -> CheckResult:
        """Shrink the failing example, find what it looks like, and put it into words."""
        if isinstance(failure.error, SubmissionRaised) and failure.error.unwritten:
            outcome, message, line = self.faults.of_exception(failure.error)
            return self.result(check, outcome, seconds=seconds, message=message, line=line)
        self.explained += 1
        if self.explained > self.settings.explained or self.explain_left <= 0:
            outcome, message, line = self.fault(check, failure.error, failure.example)
            return self.result(
                check, outcome, seconds=seconds, examples=passed + 1, message=message, line=line
            )
        self.on_failing(check)
        with self.in_time_of_its_own():
            return self.explain_fully(check, failure, seconds, passed)

    @contextlib.contextmanager
    def in_time_of_its_own(self) -> Iterator[None]:
        """What happens inside takes nothing from the checks that are still to come.

        To explain a failure takes longer than to find it, on a busy machine much longer; it must
        not cost the points of a right function behind it.
        """
        start, end = time.monotonic(), self.end
        self.end = start + self.explain_left
        try:
            yield
        finally:
            spent = time.monotonic() - start
            self.explain_left -= spent
            self.end = end + spent

    def explain_fully(
        self, check: Check, failure: Failure, seconds: float, passed: int
    ) -> CheckResult:
        """The smallest case, the diagnosis and the replay of a failure."""
        example = self.shrunk(check, failure)
        case, printed = self.last_case(check, example)
        error = failure.error
        if case is not None and case.error is not None and kind_of(case.error) == kind_of(error):
            error = case.error
        outcome, message, line = self.fault(check, error, example)
        diagnosis: list[str] = []
        if self.settings.diagnose and outcome in (Outcome.FAIL, Outcome.ERROR) and case is not None:
            with contextlib.suppress(WorkerGone, SubmissionRaised, Unmet):  # loads no more
                learner = self.ready_link(check)
                diagnosis = self.diagnoser.diagnose(check, example, learner, self.end)
        replay = ""
        if case is not None and case.calls and not check.tries.lends:
            replay = replay_program(self.exercise, check, message, case)
            line = line or self.source.line_of(case.calls[-1][0]["target"])
        return self.result(
            check,
            outcome,
            seconds=seconds,
            examples=passed + 1,
            message=message,
            line=line,
            counterexample=plain_arguments(fresh_arguments(check.tries, example)),
            diagnosis=diagnosis,
            traceback=self.faults.frames(error),
            printed=printed,
            evidence=Evidence(fresh_arguments(check.tries, example), replay),
        )

    def shrunk(self, check: Check, failure: Failure) -> Example:
        kind = kind_of(failure.error)
        most = self.settings.shrink_tries
        if isinstance(failure.error, WorkerGone):
            slow = failure.error.outcome is Outcome.TIMEOUT
            most = 0 if slow else min(most, self.settings.shrink_deaths)
        if most == 0:
            return failure.example

        def fails(example: Example) -> bool:
            if time.monotonic() >= self.end:
                return False
            case, _ = self.last_case(check, example)
            return case is not None and case.error is not None and kind_of(case.error) == kind

        return shrink(check.tries, failure.example, fails, most)

    def last_case(self, check: Check, example: Example) -> tuple[Case | None, str]:
        """The example once more, by itself, and what it printed; None if nothing can be loaded."""
        try:
            link = self.ready_link(check)
            link.worker.begin_turn()
            return run_case(link, check.tries, example), link.worker.take_output()
        except (WorkerGone, SubmissionRaised, Unmet):
            return None, ""

    def fault(self, check: Check, error: Exception, example: Example) -> Fault:
        return self.faults.of(error, check.tries, example, self.seconds_of(check))

    def fault_in_training(self, check: Check, training: Training, error: Exception) -> Fault:
        """The fault behind an error; the solution is trained where it may be the check's own."""
        fault = self.faults.of_submission(error, self.seconds_of(check))
        if fault is not None:
            return fault
        if self.link is not None:  # it may be busy with what slows the solution down
            self.link.close()
        seconds = self.settings.load_seconds
        link = Link(self.server, self.exercise.file, self.faults.model.text, seconds)
        try:
            run_training(
                check,
                training,
                link.load,
                seed=self.seed,
                attempts=1,
                seconds=check.seconds,
                device="cpu",
            )
        except Exception:
            return broken(error)
        finally:
            link.close()
        return Fault(Outcome.FAIL, f"your answer cannot be used: {error}")

    def result(
        self,
        check: Check,
        outcome: Outcome,
        *,
        seconds: float = 0.0,
        examples: int = 0,
        message: str = "",
        line: int | None = None,
        counterexample: dict[str, str] | None = None,
        diagnosis: list[str] | None = None,
        traceback: list[str] | None = None,
        printed: str = "",
        training: dict[str, object] | None = None,
        evidence: Evidence | None = None,
    ) -> CheckResult:
        share = self.exercise.metadata.points * check.weight / self.total_weight
        if line is not None and line > self.source.text.count("\n") + 1:
            line = None  # a submission can give its code any line number
        return CheckResult(
            check=check.name,
            promise=check.promise,
            outcome=outcome,
            points=share if outcome is Outcome.PASS else 0.0,
            max_points=share,
            seconds=round(seconds, 4),
            examples=examples,
            message=harmless(message),
            line=line,
            counterexample=counterexample or {},
            diagnosis=diagnosis or [],
            traceback=[harmless(frame) for frame in traceback or []],
            printed=harmless(printed),
            training=training,
            evidence=evidence,
        )
