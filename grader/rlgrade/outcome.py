"""How a check can end, and what a command says of it to the shell."""

from enum import Enum, IntEnum


class Outcome(Enum):
    """How one check ended."""

    PASS = "pass"
    FAIL = "fail"  # a wrong answer
    ERROR = "error"  # the submission raised, died or could not be loaded
    TIMEOUT = "timeout"
    MEMORY = "memory"
    SKIPPED = "skipped"  # needs a check that did not pass
    UNCERTAIN = "uncertain"  # statistics could not decide within the budget
    BROKEN = "broken"  # the grader's fault; never costs the learner


class ExitCode(IntEnum):
    """What a command tells the shell."""

    PASSED = 0
    NOT_YET = 1
    USAGE = 2
    BROKEN = 3
    INTERRUPTED = 130


class UsageError(Exception):
    """What was asked for cannot be; the message says what to do instead."""


class GraderError(Exception):
    """Our fault or the machine's, never the submission's."""
