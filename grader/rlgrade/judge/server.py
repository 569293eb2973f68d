"""The judge's end of the warm fork server, and of one worker."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import rlgrade
from rlgrade import worker as worker_package
from rlgrade.channel import ChannelError, frame_size
from rlgrade.judge.memory import own_bytes_of, session_use
from rlgrade.outcome import GraderError, Outcome
from rlgrade.worker.removal import remove
from rlgrade.worker.sandbox import Limits

START_SECONDS = 120.0
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


@dataclass(frozen=True)
class Exit:
    """How a worker ended: its wait status, and the CPU time that it had used."""

    status: int
    cpu_seconds: float


class Server:
    """A process that has torch loaded and forks workers. Use as a context manager."""

    def __init__(
        self, limits: Limits | None = None, hidden: Sequence[Path] = (), highest: str = "L3"
    ) -> None:
        """Start the server and return at once.

        Args:
            limits: what each worker may use.
            hidden: folders that no worker may read, such as the course; our own package is one.
            highest: the sandbox level to stop at.
        """
        self.limits = limits or Limits()
        self.hidden = [str(path) for path in (*hidden, Path(rlgrade.__file__).parent)]
        self.highest = highest
        self.scratch = tempfile.mkdtemp(prefix="rlgrade-")
        self.control, theirs = socket.socketpair()
        self._lines = b""
        self._ready = False
        self._exited: dict[int, Exit] = {}
        self._forgotten: set[int] = set()
        self._failure = ""
        self._without_pid: deque[Worker] = deque()
        self.on_wait: Callable[[], None] = lambda: None  # several times a second; may raise
        self.process = self._start(theirs)

    def _start(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        here = {"", str(Path.cwd()), str(Path(sys.argv[0]).resolve().parent)}
        here -= set(sysconfig.get_paths().values())  # a Jupyter kernel is started from there
        settings = {
            "path": [entry for entry in sys.path if entry not in here],
            "control": theirs.fileno(),
            "scratch": self.scratch,
            "hidden": self.hidden,
            "highest": self.highest,
            "limits": asdict(self.limits),
        }
        script = Path(worker_package.__file__).with_name("server.py")
        with theirs:
            return subprocess.Popen(
                [sys.executable, "-I", str(script), json.dumps(settings)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=_environment(),
                start_new_session=True,
            )

    def fork(self) -> Worker:
        """A new worker. Returns at once; the worker is there when it answers its first frame.

        Raises:
            GraderError: the server could not start.
        """
        channel, their_channel = socket.socketpair()
        output, their_output = socket.socketpair()
        with their_channel, their_output:
            self.control.settimeout(None)
            try:
                socket.send_fds(
                    self.control, [b"f"], [their_channel.fileno(), their_output.fileno()]
                )
            except OSError:
                channel.close()
                output.close()
                raise GraderError(self._why_not()) from None
        worker = Worker(self, channel, output)
        self._without_pid.append(worker)
        return worker

    def wait_until_ready(self) -> None:
        """Block until torch is loaded.

        Raises:
            GraderError: it was not within two minutes.
        """
        while not self._ready:
            self._read(START_SECONDS)

    def pid_of(self, worker: Worker) -> int:
        """The process id of a worker that was asked for.

        Raises:
            GraderError: the system gave no process for it.
        """
        while worker.known_pid is None and not worker.refused:
            self._read(START_SECONDS)
        if worker.known_pid is None:
            raise GraderError(f"the system refuses another process: {worker.refused}")
        return worker.known_pid

    def exit_of(self, pid: int, seconds: float) -> Exit | None:
        """How a worker ended, if it does within `seconds`."""
        deadline = time.monotonic() + seconds
        while pid not in self._exited:
            rest = deadline - time.monotonic()
            if rest <= 0:
                return None
            with contextlib.suppress(TimeoutError):
                self._read(rest)
        return self._exited[pid]

    def has_exited(self, pid: int) -> bool:
        """Whether the server has reaped this worker; its process id is free from then on."""
        with contextlib.suppress(TimeoutError):
            while pid not in self._exited:
                self._read(0.0)
        return pid in self._exited

    def forget(self, pid: int) -> None:
        """Keep nothing of a worker that is done with, also when it is yet to exit."""
        if self._exited.pop(pid, None) is None:
            self._forgotten.add(pid)

    def _read(self, seconds: float) -> None:
        """Take in the next event from the server."""
        if self._failure:
            raise GraderError(self._failure)
        self.control.settimeout(max(seconds, 1e-4))
        while b"\n" not in self._lines:
            try:
                data = self.control.recv(4096)
            except TimeoutError:
                raise
            except OSError:
                data = b""
            if not data:
                raise GraderError(self._why_not())
            self._lines += data
        line, _, self._lines = self._lines.partition(b"\n")
        event = json.loads(line)
        if "exited" in event:
            pid = event["exited"]
            if pid in self._forgotten:
                self._forgotten.discard(pid)
            else:
                self._exited[pid] = Exit(event["status"], event["cpu_seconds"])
        if "forked" in event:  # an exit under this process id is that of an earlier process
            self._exited.pop(event["forked"], None)
            self._without_pid.popleft().known_pid = event["forked"]
        if "refused" in event:
            self._without_pid.popleft().refused = event["refused"]
        self._ready = True

    def _why_not(self) -> str:
        if not self._failure:
            self.process.kill()
            _, errors = self.process.communicate()
            last = errors.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            self._failure = f"the process that loads torch ended: {last[0]}"
        return self._failure

    def close(self) -> None:
        """End the server and every worker it still has."""
        self.control.close()
        try:
            self.process.wait(2.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()
        remove(self.scratch)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


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


def _environment() -> dict[str, str]:
    """What the server inherits: enough to find a GPU and a temporary folder."""
    kept = ("PATH", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "SYSTEMROOT")
    own = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    return {name: os.environ[name] for name in kept if name in os.environ} | own
