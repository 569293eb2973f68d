"""Many examples of one check in flight at once.

A check's body is written as if each call were answered at once. Here every example runs in a lane
(a greenlet) that pauses at each call; while the worker computes one lane's answer, the judge
already judges another's. Requests are answered in order, so a run is as repeatable as a sequence.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import greenlet

from rlgrade.judge.calls import Submission
from rlgrade.judge.draws import Example
from rlgrade.judge.link import Link, Port, Reply, Request

WIDTH = 16

Work = TypeVar("Work")
Result = TypeVar("Result")


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

    def error_on(port: Port, example: Example) -> Exception | None:
        try:
            body(Submission(port), **example.arguments)
        except Exception as error:
            return error
        return None

    passed = 0
    with contextlib.closing(in_lanes(link, error_on, examples, width)) as ended:
        for example, error in ended:
            if error is not None:
                return Failure(example, error), passed
            passed += 1
    return None, passed


def in_lanes(
    link: Link, do: Callable[[Port, Work], Result], works: Iterator[Work], width: int = WIDTH
) -> Generator[tuple[Work, Result], None, None]:
    """What `do` makes of each work with a port to `link`, as each ends; `width` are under way.

    `do` raises nothing. What is under way when the caller has had enough is abandoned.
    """
    hub = greenlet.getcurrent()
    port = _LanePort(hub, link)
    waiting: deque[tuple[greenlet.greenlet, Work]] = deque()
    while True:
        reply: Reply | Exception | None = None
        if len(waiting) < width and (work := next(works, None)) is not None:
            lane = greenlet.greenlet(partial(_run, do, port, work))
        elif waiting:
            lane, work = waiting.popleft()
            reply = _receive(link)
        else:
            return
        result = lane.switch(reply)
        if not lane.dead:
            link.post(result)
            waiting.append((lane, work))
            continue
        if width == 1:
            link.take_back()
        try:
            yield work, result
        except GeneratorExit:
            _abandon(link, [lane for lane, _ in waiting])
            raise


def _run(do: Callable[[Port, Work], Result], port: Port, work: Work, _: Any) -> Result:
    """What a lane does; the first switch to it carries nothing."""
    return do(port, work)


def _receive(link: Link) -> Reply | Exception:
    """The next reply, or what came instead, also from a function that was lent."""
    try:
        return link.receive()
    except Exception as error:
        return error


def _abandon(link: Link, lanes: list[greenlet.greenlet]) -> None:
    """End the lanes that wait, and read the answers that nobody wants any more."""
    for lane in lanes:
        lane.throw()
        if link.alive:
            _receive(link)
