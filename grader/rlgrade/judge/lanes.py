"""Many examples of one check in flight at once.

A check's body is written as if each call were answered at once. Here every example runs in a lane
(a greenlet) that pauses at each call; while the worker computes one lane's answer, the judge
already judges another's. Requests are answered in order, so a run is as repeatable as a sequence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import greenlet

from rlgrade.judge.calls import Link, Reply, Request, Submission
from rlgrade.judge.draws import Example

WIDTH = 16


@dataclass(frozen=True)
class Failure:
    """An example on which a body raised, and what it raised."""

    example: Example
    error: Exception


class _LanePort:
    """Hands a request to the hub and sleeps until the hub comes back with the reply.

    What is lent to the submission runs in the hub, in the middle of its waiting, and asks directly.
    """

    def __init__(self, hub: greenlet.greenlet, link: Link) -> None:
        self.hub = hub
        self.link = link
        self.register = link.register

    def call(self, request: Request) -> Reply:
        if greenlet.getcurrent() is self.hub:
            return self.link.call(request)
        reply: Reply | Exception = self.hub.switch(request)
        if isinstance(reply, Exception):
            raise reply
        return reply


def run_lanes(
    link: Link, body: Callable[..., None], examples: Iterator[Example], width: int = WIDTH
) -> tuple[Failure | None, int]:
    """Run `body` on every example until one fails: the failure, if any, and how many passed."""
    hub = greenlet.getcurrent()
    submission = Submission(_LanePort(hub, link))
    waiting: deque[tuple[greenlet.greenlet, Example]] = deque()
    failure: Failure | None = None
    passed = 0

    def advance(lane: greenlet.greenlet, example: Example, reply: Any = None) -> None:
        nonlocal failure, passed
        result = lane.switch(reply)
        if not lane.dead:
            link.post(result)
            waiting.append((lane, example))
        elif result is None:
            passed += 1
            if width == 1:
                link.take_back()
        elif failure is None:
            failure = Failure(example, result)

    while failure is None:
        while len(waiting) < width and failure is None:
            example = next(examples, None)
            if example is None:
                break
            advance(greenlet.greenlet(_lane(body, submission, example)), example)
        if not waiting:
            break
        advance(*waiting.popleft(), _receive(link))
    _abandon(link, waiting)
    return failure, passed


def _lane(
    body: Callable[..., None], submission: Submission, example: Example
) -> Callable[[Any], Exception | None]:
    def run(_: Any) -> Exception | None:
        try:
            body(submission, **example.arguments)
        except Exception as error:
            return error
        return None

    return run


def _receive(link: Link) -> Reply | Exception:
    """The next reply, or what came instead, also from a function that was lent."""
    try:
        return link.receive()
    except Exception as error:
        return error


def _abandon(link: Link, waiting: deque[tuple[greenlet.greenlet, Example]]) -> None:
    """End the lanes that wait, and read the answers that nobody wants any more."""
    for lane, _ in waiting:
        lane.throw()
        if link.alive:
            _receive(link)
