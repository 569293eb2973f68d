"""Requests to one worker, and replies from it that have the form they must have."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from rlgrade.author.expect import SubmissionRaised, Unmet
from rlgrade.author.training import Refused
from rlgrade.channel import ChannelError, pack, unpack
from rlgrade.judge.server import Server
from rlgrade.judge.values import Tensors, to_blob
from rlgrade.judge.worker import Worker, WorkerGone
from rlgrade.outcome import Outcome

MAX_WORDS = 4_000  # of what an exception says; the worker sends 2000 characters
MAX_FRAMES = 8
MAX_TYPES = 32

Request = dict[str, Any]
Reply = dict[str, Any]
Answer = Callable[..., Any]  # gets what is asked, and the arguments


class Port(Protocol):
    """Something that carries a request to a worker and brings back the reply."""

    def call(self, request: Request) -> Reply:
        """The worker's reply."""

    def register(self, answer: Answer) -> int:
        """The number under which the worker may ask `answer` from now on."""


def understand(function: str, reply: Reply) -> Reply:
    """The reply, unless it says that the call failed.

    Raises:
        SubmissionRaised, Unmet: it failed.
    """
    raised = reply.get("raised")
    if raised is not None:
        frames = [(int(line), str(name)) for line, name in raised["frames"]]
        raise SubmissionRaised(function, raised["types"], raised["message"], frames)
    if "unsendable" in reply:
        raise Unmet(f"{function} returned something that cannot be graded: {reply['unsendable']}")
    if reply.get("foreign"):
        raise Unmet(f"{function} returned a numpy array; return a torch tensor", "numpy")
    return reply


class Link:
    """Requests to one worker and replies from it, in order. A `Port` for one call at a time."""

    def __init__(self, server: Server, file: str, source: str, seconds: float) -> None:
        """Ask for a worker and for loading a submission, which may take `seconds`; do not wait."""
        self.worker: Worker = server.fork()
        self.deadline = 0.0
        self._server = server
        self._file = file
        self._load_seconds = seconds
        self._ids = itertools.count()
        self._awaited: deque[int] = deque()  # numbers of the requests without a reply
        self._lent: list[Answer] = []
        self._loaded = False
        self.level = ""
        self.missing_walls: dict[str, str] = {}
        self.post({"op": "load", "module": "", "file": file, "source": source})

    def load(self, end: float = float("inf")) -> Link:
        """Wait until the submission is loaded, but not beyond `end` on the monotonic clock.

        Raises:
            WorkerGone, SubmissionRaised: it could not be; the worker is dead then.
        """
        if not self._loaded:
            self._server.wait_until_ready()
            self.deadline = min(time.monotonic() + self._load_seconds, end)
            try:
                self._read_hello()
                understand(self._file, self.receive())
            except BaseException:
                self.close()
                raise
            self._loaded = True
        return self

    def _read_hello(self) -> None:
        """Which walls hold. The worker says it before it has seen the submission."""
        hello = unpack(self.worker.receive(self.deadline), Tensors().make)
        self.level, self.missing_walls = hello["level"], hello["missing"]

    @property
    def alive(self) -> bool:
        """Whether the worker can still be asked."""
        return self.worker.channel.fileno() != -1

    def post(self, request: Request) -> None:
        """Send a request without waiting."""
        number = next(self._ids)
        self.worker.post(pack({"module": "", **request, "id": number}, to_blob))
        self._awaited.append(number)

    def seed(self, seed: int) -> None:
        """Seed the worker's random generators before the next request. There is no reply."""
        self.worker.post(pack({"op": "seed", "seed": seed}, to_blob))

    def receive(self) -> Reply:
        """The reply to the oldest request without one.

        Raises:
            WorkerGone: there is none before the deadline, or it breaks the protocol.
        """
        awaited = self._awaited.popleft()
        while True:
            frame = self.worker.receive(self.deadline)
            tensors = Tensors()
            try:
                reply = unpack(frame, tensors.make, self.worker.charge)
                if type(reply) is dict and "ask" in reply:
                    self._answer(reply)
                    continue
                _demand_form(reply, awaited)
            except ChannelError as error:
                self.close()
                raise WorkerGone(
                    Outcome.ERROR, f"gave an answer that cannot be read: {error}"
                ) from None
            reply["foreign"] = tensors.foreign
            return reply  # type: ignore[no-any-return]

    def _answer(self, question: Any) -> None:
        """Answer a question that the submission asks in the middle of a call.

        What answers may itself call the submission; it waits for us and serves us meanwhile.

        Raises:
            ChannelError: the question is about nothing that was lent.
        """
        number, args = question["ask"], question.get("args")
        lent = type(number) is int and 0 <= number < len(self._lent)
        if not lent or type(args) is not list or not _is_text(question.get("what")):
            raise ChannelError("it asks for something that was not lent")
        waiting, self._awaited = self._awaited, deque()
        answer: Reply = {"op": "answer", "refused": "", "value": None}
        try:
            answer["value"] = self._lent[number](question["what"], *args)
        except Refused as refused:
            answer["refused"] = str(refused)
        except BaseException:  # the check is over in the middle of a call, which nobody resumes
            self.close()
            raise
        self._awaited = waiting
        self.worker.post(pack(answer, to_blob))

    def register(self, answer: Answer) -> int:
        """The number under which the worker may ask `answer` from now on."""
        self._lent.append(answer)
        return len(self._lent) - 1

    def take_back(self) -> None:
        """Nothing is lent any more."""
        self._lent.clear()

    def call(self, request: Request) -> Reply:
        """Send a request and wait for its reply."""
        self.post(request)
        return self.receive()

    def close(self) -> None:
        """Kill the worker."""
        self.worker.close()


def _demand_form(reply: Any, awaited: int) -> None:
    """Raise ChannelError unless the reply has the form that `rlgrade.worker.serve` gives it."""
    if type(reply) is not dict or type(reply.get("id")) is not int or reply["id"] != awaited:
        raise ChannelError("it answers no question")
    raised = reply.get("raised")
    if raised is not None and not (
        type(raised) is dict
        and _is_text(raised.get("message"))
        and type(raised.get("types")) is list
        and 0 < len(raised["types"]) <= MAX_TYPES
        and all(map(_is_text, raised["types"]))
        and type(raised.get("frames")) is list
        and len(raised["frames"]) <= MAX_FRAMES
        and all(
            type(frame) is list
            and [type(part) for part in frame] == [int, str]
            and 0 <= frame[0] < 1 << 31
            and _is_text(frame[1])
            for frame in raised["frames"]
        )
    ):
        raise ChannelError("it describes no exception")
    if raised is None and "unsendable" not in reply and "value" not in reply:
        raise ChannelError("it holds no value")
    if not _is_text(reply.get("unsendable", "")):
        raise ChannelError("it gives no reason")
    if "gradients" in reply and not (
        type(reply["gradients"]) is dict and type(reply.get("carries_gradient")) is bool
    ):
        raise ChannelError("it holds no gradients")
    after = reply.get("after")
    if after is not None and not (
        type(after) is list and [type(part) for part in after] == [list, dict]
    ):
        raise ChannelError("it holds no arguments")


def _is_text(value: Any) -> bool:
    return type(value) is str and len(value) <= MAX_WORDS
