"""Whatever a worker sends, the judge gets an answer or one of three exceptions, in time and space.

A stub stands for the worker: the other end of a socket pair, to which a test writes what it likes.
"""

from __future__ import annotations

import json
import math
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlgrade.author.expect import SubmissionRaised, Unmet
from rlgrade.channel import LENGTHS, MAX_PAYLOAD, MAX_TEXT, pack
from rlgrade.judge.calls import Submission
from rlgrade.judge.draws import Example
from rlgrade.judge.lanes import run_lanes
from rlgrade.judge.link import Link, understand
from rlgrade.judge.server import Exit
from rlgrade.judge.worker import Worker, WorkerGone
from rlgrade.outcome import Outcome
from rlgrade.worker.sandbox import Limits

ALLOWED = (WorkerGone, Unmet, SubmissionRaised)
CAP = 2 * (MAX_TEXT + MAX_PAYLOAD)  # a frame, and a copy of it
QUIET = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    database=None,
)


class StubServer:
    """What a worker's end asks a server for. No process is ever killed."""

    def __init__(self) -> None:
        self.limits = Limits()
        self.process = type("Process", (), {"pid": 0})()
        self.their_channel: socket.socket
        self.their_output: socket.socket

    def fork(self) -> Worker:
        channel, self.their_channel = socket.socketpair()
        output, self.their_output = socket.socketpair()
        worker = Worker(self, channel, output)  # type: ignore[arg-type]
        worker.known_pid = 2**31 - 1  # no process has it
        return worker

    def wait_until_ready(self) -> None:
        pass

    def on_wait(self) -> None:
        pass

    def pid_of(self, worker: Worker) -> int:
        return worker.known_pid or 0

    def has_exited(self, pid: int) -> bool:
        return True

    def exit_of(self, pid: int, seconds: float) -> Exit | None:
        return Exit(0, 0.0)

    def forget(self, pid: int) -> None:
        pass


def frame(tree: Any, payload: bytes = b"") -> bytes:
    text = json.dumps(tree).encode()
    return LENGTHS.pack(len(text), len(payload)) + text + payload


HELLO = pack({"level": "L1", "missing": {}}, lambda value: None)


def reply(number: int, **rest: Any) -> bytes:
    return frame({"dict": {"id": number, **rest}})


LOADED = reply(0, value=None)


@contextmanager
def link_to(sent: bytes, *, closes: bool = True) -> Iterator[Link]:
    """A loaded link to a worker that sends this, and then hangs up or falls silent."""
    server = StubServer()
    link = Link(server, "x.py", "", 5.0)  # type: ignore[arg-type]

    def send() -> None:
        try:
            server.their_channel.sendall(HELLO + LOADED + sent)
            if closes:
                server.their_channel.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the judge has hung up

    thread = threading.Thread(target=send)
    thread.start()
    try:
        link.load()
        link.deadline = time.monotonic() + (5.0 if closes else 0.05)
        yield link
    finally:
        link.close()
        server.their_channel.close()
        server.their_output.close()
        thread.join(5.0)
        assert not thread.is_alive()


CALL = {"op": "call", "target": "f", "args": [], "kwargs": {}}


def ask_all_ways(sent: bytes, *, closes: bool = True) -> None:
    """A call by itself, then a body in lanes; no exception but the three comes out."""
    with link_to(sent, closes=closes) as link:
        start = time.monotonic()
        for _ in range(3):
            with suppress(*ALLOWED):
                understand("f", link.call(dict(CALL)))
        assert time.monotonic() - start < 5

    def body(submission: Submission) -> None:
        submission.f(1.0)
        submission.f.gradients("x", x=np.ones(2))
        submission.f.arguments_after(np.ones(2))

    with link_to(sent, closes=closes) as link:
        start = time.monotonic()
        examples = iter([Example({}, (k,)) for k in range(20)])
        failure, passed = run_lanes(link, body, examples)
        assert failure is not None or passed == 20
        assert time.monotonic() - start < 5


# Trees that look like replies

FIELDS = (
    *("value", "raised", "unsendable", "gradients", "carries_gradient", "after"),
    *("foreign", "outcome", "points"),
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from([2**63, -1, 0, 1, 10**4200, math.nan, math.inf, "\ud800", "id", "\x1b[2J"]),
)
dtypes = st.sampled_from(["bool", "int8", "float16", "float32", "float64", "object", "complex64"])
shapes = st.one_of(
    st.lists(st.integers(-1, 4), max_size=9),
    st.lists(st.sampled_from([0, 1, 2**20, 2**26, 2**31, 2**63, -1]), max_size=9),
    scalars,
)
tensors = st.builds(
    lambda kind, dtype, shape: {"tensor": [kind, dtype, shape]},
    st.sampled_from(["torch", "numpy", "strided", "cuda"]),
    dtypes,
    shapes,
)
tags = st.sampled_from(["tuple", "dict", "handle", "generator", "tensor", "object", ""])
trees = st.recursive(
    st.one_of(scalars, tensors, st.builds(lambda n, s: {"handle": [n, s]}, scalars, scalars)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.builds(lambda body: {"dict": body}, st.dictionaries(st.text(max_size=8), inner)),
        st.builds(lambda body: {"tuple": body}, st.lists(inner, max_size=4)),
        st.dictionaries(tags, inner, max_size=2),
    ),
    max_leaves=12,
)
fields = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(FIELDS, trees),
)
described = st.fixed_dictionaries(
    {
        "types": st.one_of(trees, st.lists(st.text(max_size=5), max_size=3)),
        "message": st.one_of(trees, st.text(max_size=30)),
        "frames": st.one_of(trees, st.lists(st.tuples(scalars, scalars), max_size=3)),
    }
)
ids = st.one_of(st.sampled_from([1, 1, 1, 2, 0]), trees)
payloads = st.one_of(st.just(b""), st.binary(max_size=64))


@st.composite
def replies(draw: Any) -> bytes:
    """A frame that is nearly a reply."""
    body = {"id": draw(ids), **draw(fields)}
    if draw(st.booleans()):
        body["raised"] = {"dict": draw(described)}
    return frame({"dict": body}, draw(payloads))


@QUIET
@given(sent=st.lists(replies(), max_size=4))
def test_replies_that_are_nearly_right(sent):
    ask_all_ways(b"".join(sent))


@QUIET
@given(tree=trees, payload=payloads)
def test_frames_of_anything(tree, payload):
    ask_all_ways(frame(tree, payload))


@QUIET
@given(
    sent=st.lists(replies(), min_size=1, max_size=3),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 10**6),
)
def test_frames_with_bytes_changed_or_missing(sent, changes, cut):
    data = bytearray(b"".join(sent))
    for place, byte in changes:
        data[place % len(data)] = byte
    ask_all_ways(bytes(data[: cut % (len(data) + 1)]))


@QUIET
@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_frame(data):
    ask_all_ways(data)


@settings(QUIET, max_examples=12)
@given(sent=replies(), cut=st.integers(1, 10**6))
def test_a_frame_that_never_comes_to_its_end(sent, cut):
    """The worker lives on and says nothing more: the judge ends it in time."""
    ask_all_ways(sent[: cut % len(sent)], closes=False)


THOUGHT_OF = [
    b"",
    LENGTHS.pack(2**32 - 1, 2**32 - 1),
    LENGTHS.pack(MAX_TEXT + 1, 0),
    LENGTHS.pack(0, 0),
    LENGTHS.pack(2, 0) + b"\xff\xff",
    LENGTHS.pack(4, 0) + b"null",
    LENGTHS.pack(3, 0) + b"NaN",
    reply(1, value=1) * 3,
    reply(2, value=1) + reply(1, value=1),
    reply(10**30, value=1),
    frame({"dict": {"id": 1.0, "value": 1}}),
    frame({"dict": {"id": True, "value": 1}}),
    frame({"dict": {"id": {"tensor": ["torch", "int8", [2]]}, "value": 1}}, b"ab"),
    frame({"dict": {"id": {"tensor": ["torch", "int8", [0]]}, "value": 1}}),
    frame({"dict": {"id": {"tensor": ["torch", "int64", []]}, "value": 1}}, bytes(8)),
    frame({"dict": {"id": {"handle": [1, "int"]}, "value": 1}}),
    frame({"dict": {"id": {"dict": {}}, "value": 1}}),
    reply(1, raised={"dict": {"types": ["E"], "message": "", "frames": [[10**4200, ""]]}}),
    reply(1, raised={"dict": {"types": ["E"], "message": "", "frames": [[True, ""]]}}),
    reply(1, value={"tensor": ["torch", "float64", [2**60, 2**60, 0]]}),
    reply(1, value={"tensor": ["torch", "float64", [1] * 9]}),
    LENGTHS.pack(17, 0) + b'{"dict":{"id":1}}',
    LENGTHS.pack(26, 0) + b'{"dict":{"id":1,"id":[1]}}',
]


@pytest.mark.parametrize("sent", THOUGHT_OF, ids=range(len(THOUGHT_OF)))
@pytest.mark.parametrize("closes", [True, False], ids=["closes", "stays"])
def test_frames_that_were_thought_of(sent, closes):
    ask_all_ways(sent, closes=closes)


@contextmanager
def allocates_at_most(limit: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("sent", "limit"),
    [
        (LENGTHS.pack(2**32 - 1, 2**32 - 1), 4 << 20),
        (LENGTHS.pack(MAX_TEXT, MAX_PAYLOAD), 4 << 20),
        (LENGTHS.pack(MAX_TEXT, 0) + b"[" * MAX_TEXT, CAP),
        (LENGTHS.pack(MAX_TEXT, 0) + b'"' + b"\x7f" * (MAX_TEXT - 2) + b'"', CAP),
        (reply(1, value={"tensor": ["torch", "int8", [2**26]]}), 4 << 20),
        (frame({"dict": {"id": 1, "value": {"tensor": ["torch", "int8", [MAX_PAYLOAD]]}}},
               bytes(MAX_PAYLOAD)), CAP + (64 << 20)),
    ],
    ids=["lengths", "largest lengths", "brackets", "string", "no payload", "payload"],
)  # fmt: skip
def test_nothing_is_allocated_beyond_the_cap(sent, limit):
    with link_to(sent) as link, allocates_at_most(limit), suppress(*ALLOWED):
        link.call(dict(CALL))


def test_what_an_answer_of_many_small_things_costs():
    """The worst text: a list takes some eighty times the bytes that say it, twice over."""
    size = MAX_TEXT // 8
    lists = b"[]," * (size // 3)
    text = b'{"dict":{"id":1,"value":[' + lists + b"[]]}}"
    with link_to(LENGTHS.pack(len(text), 0) + text) as link, allocates_at_most(100 * size):
        assert len(link.call(dict(CALL))["value"]) > size // 3


def test_all_that_is_answered_in_one_check_is_bounded():
    """A body may keep every answer; the largest ones, a hundred times, are more than a machine."""
    one = bytes(48 << 20)

    def sent() -> bytes:
        return b"".join(
            frame({"dict": {"id": 1 + k, "value": {"tensor": ["torch", "int8", [48 << 20]]}}}, one)
            for k in range(8)
        )

    def body(submission: Submission) -> None:
        kept = [submission.f() for _ in range(8)]
        assert len(kept) == 8

    with link_to(sent()) as link:
        link.deadline = time.monotonic() + 30
        failure, passed = run_lanes(link, body, iter([Example({}, ())]))
    assert passed == 0
    assert failure is not None
    assert isinstance(failure.error, WorkerGone)
    assert failure.error.outcome is not Outcome.PASS


def test_a_late_answer_is_no_answer():
    """What comes after the time is up reaches nobody, though it was the right one."""
    server = StubServer()
    link = Link(server, "x.py", "", 5.0)  # type: ignore[arg-type]
    server.their_channel.sendall(HELLO + LOADED)
    link.load()
    link.deadline = time.monotonic() + 0.05
    with pytest.raises(WorkerGone, match="took too long"):
        link.call(dict(CALL))
    with pytest.raises(BrokenPipeError):
        server.their_channel.sendall(reply(1, value=1))
    with pytest.raises(WorkerGone):
        link.call(dict(CALL))
    server.their_channel.close()
    server.their_output.close()


def test_an_answer_that_lies_ready_when_the_time_is_up_does_not_count():
    with link_to(reply(1, value=1) + reply(2, value=1)) as link:
        link.call(dict(CALL))
        link.deadline = time.monotonic() - 1
        with pytest.raises(WorkerGone, match="took too long"):
            link.call(dict(CALL))


def test_output_that_floods_between_two_calls_ends_the_worker_alone():
    server = StubServer()
    link = Link(server, "x.py", "", 5.0)  # type: ignore[arg-type]
    server.their_channel.sendall(HELLO + LOADED)
    link.load()
    link.deadline = time.monotonic() + 5

    def flood() -> None:
        try:
            while True:
                server.their_output.sendall(bytes(1 << 16))
        except OSError:
            pass

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        for _ in range(100):
            link.worker.take_output()
            if not link.alive:
                break
        with pytest.raises(WorkerGone):
            link.call(dict(CALL))
    finally:
        link.close()
        server.their_channel.close()
        server.their_output.close()
        thread.join(5)


def test_a_source_that_no_frame_can_hold_is_not_sent(exercise, grade_text):
    """One byte of a control character takes six on the way."""
    report = grade_text("#" + "\x01" * 1_000_000 + "\n" + exercise.solution.read_text())
    assert report.points == 0
    assert report.problem
