"""What an error in a check says about the submission: outcome, sentence, line and frames."""

from __future__ import annotations

import functools
from typing import NamedTuple

from rlgrade.author.declare import Property
from rlgrade.author.expect import SubmissionRaised, Unmet
from rlgrade.judge.bank import Bank
from rlgrade.judge.draws import Example
from rlgrade.judge.source import MAX_SHOWN, Source, parse_source
from rlgrade.judge.worker import WorkerGone
from rlgrade.outcome import Outcome
from rlgrade.report import UNWRITTEN


class Fault(NamedTuple):
    """The outcome, the sentence for the learner, and the line it points to, if it does."""

    outcome: Outcome
    message: str
    line: int | None = None


class Faults:
    """Reads the errors of one submission."""

    def __init__(self, bank: Bank, source: Source) -> None:
        self.bank = bank
        self.source = source
        self.limits = bank.server.limits

    @functools.cached_property
    def model(self) -> Source:
        """The solution."""
        exercise = self.bank.exercise
        return parse_source(exercise.file, exercise.solution.read_bytes())

    def of(self, error: Exception, tries: Property, example: Example, seconds: float) -> Fault:
        """The fault behind an error on an example, in a check that may take `seconds`."""
        fault = self.of_submission(error, seconds)
        if fault is not None:
            return fault
        case = self.bank.case(None, tries, example)
        if case is None or case.error is not None:
            return broken(error)
        return Fault(Outcome.FAIL, f"your answer cannot be compared: {error}")

    def of_submission(self, error: Exception, seconds: float) -> Fault | None:
        """The fault behind an error that is the submission's for certain; None behind another."""
        if isinstance(error, Unmet):
            return Fault(Outcome.FAIL, str(error))
        if isinstance(error, WorkerGone):
            limit = f" ({seconds:g} s)" if error.reason == "took too long" else ""
            return Fault(error.outcome, f"your code {error.reason}{limit}")
        if isinstance(error, SubmissionRaised):
            return self.of_exception(error)
        return None

    def of_exception(self, error: SubmissionRaised) -> Fault:
        """The fault behind an exception of a function."""
        line = error.frames[-1][0] if error.frames else self.source.line_of(error.function)
        if error.unwritten:
            return Fault(Outcome.ERROR, f"{error.function} {UNWRITTEN}", line)
        if not error.frames:
            fault = self.source.fault_in(error.function, self.model)
            if fault:
                return Fault(Outcome.ERROR, fault, line)
        if "MemoryError" in error.types or "can't allocate memory" in error.message:
            text = f"{error.function} asked for more memory than the worker may have"
            return Fault(Outcome.MEMORY, f"{text} ({self.limits.memory_mib} MiB)", line)
        text = f"{error.function} raised {error}"
        if "PermissionError" in error.types:
            text += "; the sandbox refuses new processes, programs, sockets and foreign files"
        if "File too large" in error.message:
            text += f"; a file may have at most {self.limits.file_mib} MiB"
        return Fault(Outcome.ERROR, text, line)

    def frames(self, error: Exception) -> list[str]:
        """The learner's own frames in a traceback, with their lines."""
        if not isinstance(error, SubmissionRaised):
            return []
        lines = self.source.text.splitlines()
        return [
            f"{self.source.file}:{line} in {name or 'the file'}: "
            f"{lines[line - 1].strip()[:MAX_SHOWN]}"
            for line, name in error.frames
            if 0 < line <= len(lines)
        ]


def broken(error: Exception) -> Fault:
    """An error that the solution meets as well."""
    text = f"the grader itself failed here: {type(error).__name__}: {error}"
    return Fault(Outcome.BROKEN, text)


def kind_of(error: Exception) -> tuple[str, ...]:
    """What must stay the same while a failing example is made smaller."""
    if isinstance(error, Unmet):
        return "unmet", error.location
    if isinstance(error, SubmissionRaised):
        return "raised", error.function, error.types[0]
    if isinstance(error, WorkerGone):
        return "gone", error.outcome.value, error.reason
    return "body", type(error).__name__
