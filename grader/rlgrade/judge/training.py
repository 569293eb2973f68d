"""Decide a training check: up to three attempts, each from a fresh seed, until one learns."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rlgrade.author.declare import Check
from rlgrade.author.training import (
    SEEN,
    Attempt,
    Curve,
    NotLearned,
    OutOfTime,
    Training,
    symptom,
)
from rlgrade.judge.calls import Submission
from rlgrade.judge.link import Link
from rlgrade.outcome import Outcome

SILENCE_SECONDS = 20.0  # without a point of the curve, and the code is taken to hang


@dataclass
class Verdict:
    """How a training check ended, with all the curves."""

    training: Training
    device: str
    outcome: Outcome = Outcome.UNCERTAIN
    message: str = ""
    curves: list[Curve] = field(default_factory=list)

    def as_plain(self) -> dict[str, object]:
        """The curves and what they are measured against, in JSON's types."""
        goal = self.training.goal
        return {
            "goal": goal.score,
            "null": goal.null,
            "unit": goal.unit,
            "budget": goal.budget,
            "device": self.device,
            "attempts": [curve.as_plain() for curve in self.curves],
        }


def run_training(
    check: Check,
    training: Training,
    ready_link: Callable[[], Link],
    *,
    seed: int,
    attempts: int,
    seconds: float,
    device: str,
    on_point: Callable[[Verdict], None] = lambda verdict: None,
) -> Verdict:
    """Make attempts until one learns, all have failed, or `seconds` of wall time are over.

    An answer that no seed could mend (a wrong shape, an exception) ends the check at once.

    Args:
        check: what is decided.
        training: its body and its goal.
        ready_link: gives the submission's worker, a fresh one if the last is gone.
        seed: the seeds of the attempts come from it.
        attempts: how many, at most.
        seconds: for all attempts together.
        device: where networks of the judge live.
        on_point: is told of every attempt as it begins, and of every new point of its curve.

    Raises:
        WorkerGone, SubmissionRaised, Unmet: the submission did not do what can be trained at all.
    """
    verdict = Verdict(training, device)
    wins = min(training.wins, attempts)
    end = time.monotonic() + seconds
    for number in range(attempts):
        link = ready_link()
        attempt = Attempt(
            training.goal,
            _seed_of(check, seed, number),
            device=device,
            end=end,
            on_point=lambda curve, link=link: _sign_of_life(link, lambda: on_point(verdict)),  # type: ignore[misc]
        )
        verdict.curves.append(attempt.curve)
        on_point(verdict)
        _sign_of_life(link)
        link.seed(attempt.seed)
        try:
            training.body(Submission(link), attempt)
        except NotLearned:
            if len(verdict.curves) - _learned(verdict) > attempts - wins:
                break
            continue
        except OutOfTime:
            link.close()
            verdict.message = (
                f"the time for this check ({seconds:g} s) was over in attempt {number + 1} of "
                f"{attempts}, so nothing is decided: run it again on a quieter machine, "
                "or make your code faster"
            )
            return verdict
        finally:
            link.take_back()
        attempt.curve.learned = True
        if _learned(verdict) == wins:
            verdict.outcome, verdict.message = Outcome.PASS, ""
            return verdict
    verdict.outcome = Outcome.FAIL
    verdict.message = _explanation(verdict)
    return verdict


def _seed_of(check: Check, seed: int, number: int) -> int:
    digest = hashlib.sha256(f"{seed}/{check.name}/{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def _sign_of_life(link: Link, then: Callable[[], None] = lambda: None) -> None:
    link.deadline = time.monotonic() + SILENCE_SECONDS
    link.worker.begin_turn()
    then()


def _learned(verdict: Verdict) -> int:
    """How many attempts have learned."""
    return sum(curve.learned for curve in verdict.curves)


def _explanation(verdict: Verdict) -> str:
    """What was seen in the best attempt that failed, and what most often causes it."""
    goal = verdict.training.goal
    failed = [curve for curve in verdict.curves if not curve.learned]
    best = max(failed, key=lambda curve: max(curve.scores, default=goal.null))
    seen = symptom(best, goal)
    top = max(best.scores, default=goal.null)
    steps = max(best.steps, default=0)
    tried = f"{len(failed)} attempts" if len(failed) > 1 else "one attempt"
    if len(failed) < len(verdict.curves):
        tried = f"{len(failed)} of {len(verdict.curves)} attempts"
    text = (
        f"in {tried} the {goal.unit} never came to {goal.score:g}: the best reached {top:.4g} in "
        f"{steps:,} steps; {SEEN[seen]}"
    )
    likely = verdict.training.likely.get(seen, "")
    return f"{text}. Most often that is {likely}" if likely else text
