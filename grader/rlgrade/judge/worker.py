"""The judge's end of one worker."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from typing import TYPE_CHECKING

from rlgrade.channel import ChannelError, frame_size
from rlgrade.judge.memory import own_bytes_of, session_use
from rlgrade.outcome import GraderError, Outcome

if TYPE_CHECKING:
    from rlgrade.judge.server import Server

MAX_OUTPUT = 1 << 20
KEPT_OUTPUT = 4_000
MAX_TAKEN = 256 << 20  # bytes of answers in one check, all of which its body may keep
WATCH_SECONDS = 0.2


class WorkerGone(Exception):
    """The worker ended, or was ended, before it answered."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


class Worker:
    """One process with one submission. Frames out and in; nothing it sends is trusted."""

    def __init__(self, server: Server, channel: socket.socket, output: socket.socket) -> None:
        self.server = server
        self.known_pid: int | None = None
        self.refused = ""  # why there is no process
        self.channel = channel
        self.output = output
        self.gone: WorkerGone | None = None  # why it was ended, once it was
        self._printed = bytearray()
        self._printed_bytes = 0
        self._fork_bytes: int | None = None
        self._next_watch = time.monotonic() + WATCH_SECONDS
        self._taken = 0
        self._outgoing = bytearray()
        self._incoming = bytearray()
        self._selector = selectors.DefaultSelector()
        for end in (channel, output):
            end.setblocking(False)
            self._selector.register(end, selectors.EVENT_READ)

    @property
    def pid(self) -> int:
        """Its process id, which is also its process group."""
        return self.server.pid_of(self)

    def post(self, frame: bytes) -> None:
        """Put a frame on its way. It goes when we next have to wait, with all that came since."""
        self._outgoing += frame

    def receive(self, deadline: float) -> bytearray:
        """The next frame from the worker.

        Raises:
            WorkerGone: it died, printed too much, broke the format, or `deadline` (on the monotonic
                clock) passed. It is dead by then.
        """
        while True:
            if self.channel.fileno() == -1:
                raise self.gone or WorkerGone(Outcome.ERROR, "had ended before")
            if time.monotonic() > deadline:
                raise self._end(Outcome.TIMEOUT, "took too long")
            try:
                size = frame_size(self._incoming)
            except ChannelError as error:
                raise self._end(
                    Outcome.ERROR, f"gave an answer that cannot be read: {error}"
                ) from None
            if size is not None and len(self._incoming) >= size:
                self.charge(size)
                frame = self._incoming[:size]
                del self._incoming[:size]
                return frame
            self._wait(deadline)

    def charge(self, size: int) -> None:
        """Count bytes of memory that an answer takes here.

        Raises:
            WorkerGone: they are too many for one check. It is dead by then.
        """
        self._taken += size
        if self._taken > MAX_TAKEN:
            limit = MAX_TAKEN >> 20
            raise self._end(Outcome.MEMORY, f"answered with more than {limit} MiB")

    def _wait(self, deadline: float) -> None:
        rest = max(0.0, deadline - time.monotonic())
        self._send()
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)
        if self._selector.get_key(self.channel).events != wanted:
            self._selector.modify(self.channel, wanted)
        ready = self._selector.select(min(rest, WATCH_SECONDS))
        if time.monotonic() >= self._next_watch:  # a worker that prints is watched too
            self._next_watch = time.monotonic() + WATCH_SECONDS
            self._watch()
            self.server.on_wait()
        for key, events in ready:
            if key.fileobj is self.output:
                self._read_output()
                continue
            if events & selectors.EVENT_READ:
                self._read_channel()

    def _watch(self) -> None:
        """End a worker that, with all it has started, is more or holds more than it may."""
        if self._fork_bytes is None:
            self._fork_bytes = own_bytes_of(self.server.process.pid)
        use = session_use(self.pid, self._fork_bytes)
        limits = self.server.limits
        if use is not None and use.memory > limits.memory_mib << 20:
            reason = f"used more memory than it may have ({limits.memory_mib} MiB)"
            raise self._end(Outcome.MEMORY, reason)
        if use is not None and use.tasks > limits.tasks:
            reason = f"started more than {limits.tasks} threads and processes"
            raise self._end(Outcome.ERROR, reason)

    def _send(self) -> None:
        try:
            while self._outgoing:
                sent = self.channel.send(self._outgoing)
                del self._outgoing[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._outgoing.clear()  # its end shows when we read

    def _read_channel(self) -> None:
        try:
            data = self.channel.recv(1 << 18)
        except OSError:
            data = b""
        if not data:
            self.gone = self._explain_death()
            raise self.gone
        self._incoming += data

    def begin_turn(self) -> None:
        """Forget what was printed and how much was answered so far; both have a limit."""
        self.take_output()
        self._taken = 0

    def take_output(self) -> str:
        """What the worker has printed since this was last asked, cut to a few thousand bytes."""
        self._keep_last_words()
        text = self._printed.decode(errors="replace")
        cut = self._printed_bytes - len(self._printed)
        self._printed.clear()
        self._printed_bytes = 0
        return f"{text}\n... and {cut} bytes more" if cut else text

    def _read_output(self) -> None:
        try:
            data = self.output.recv(1 << 16)
        except BlockingIOError:
            raise
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(self.output)
        self._printed_bytes += len(data)
        self._printed += data[: KEPT_OUTPUT - len(self._printed)]
        if self._printed_bytes > MAX_OUTPUT:
            reason = f"printed more than {MAX_OUTPUT >> 20} MiB; remove the print calls"
            raise self._end(Outcome.ERROR, reason)

    def _explain_death(self) -> WorkerGone:
        self._keep_last_words()
        ended = self.server.exit_of(self.pid, 1.0)
        if ended is None:
            return self._end(Outcome.ERROR, "closed its connection to the grader")
        self.close()
        seconds = self.server.limits.cpu_seconds
        if ended.cpu_seconds >= seconds:
            return WorkerGone(Outcome.TIMEOUT, f"used more than {seconds} s of CPU time")
        if not os.WIFSIGNALED(ended.status):
            code = os.waitstatus_to_exitcode(ended.status)
            return WorkerGone(Outcome.ERROR, f"ended the process (exit code {code})")
        number = os.WTERMSIG(ended.status)
        if number == signal.SIGKILL:
            return WorkerGone(Outcome.MEMORY, "was killed by the system, most likely out of memory")
        return WorkerGone(Outcome.ERROR, f"crashed the process ({signal.Signals(number).name})")

    def _keep_last_words(self) -> None:
        with contextlib.suppress(OSError, KeyError, RuntimeError, WorkerGone):
            while self._selector.get_key(self.output):
                self._read_output()

    def _end(self, outcome: Outcome, reason: str) -> WorkerGone:
        self.gone = WorkerGone(outcome, reason)
        self.close()
        return self.gone

    def close(self) -> None:
        """Kill the process and everything in its group."""
        if self.channel.fileno() == -1:
            return
        self._selector.close()
        self.channel.close()
        self.output.close()
        try:
            running = not self.server.has_exited(self.pid)
        except GraderError:  # the server is gone, and nobody else ends it
            running = self.known_pid is not None
        if running:
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(self.pid, signal.SIGKILL)
        if self.known_pid is not None:
            self.server.forget(self.known_pid)
