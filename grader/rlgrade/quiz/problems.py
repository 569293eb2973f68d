"""What is wrong with a quiz file: where, what, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass

from rlgrade.outcome import UsageError


@dataclass(frozen=True)
class Problem:
    """One fault: the file and line, the item (where there is one), the rule, and what to do."""

    file: str
    line: int
    rule: str
    message: str
    item: str = ""

    def __str__(self) -> str:
        what = f"{self.item}: {self.message}" if self.item else self.message
        return f"{self.file}:{self.line}: {what} [{self.rule}]"


class BankError(UsageError):
    """A quiz file that cannot be used; the message has every fault that was found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
