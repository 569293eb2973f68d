"""The judge's end of the warm fork server."""

from __future__ import annotations

import contextlib
import json
import os
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
from rlgrade.judge.worker import Worker
from rlgrade.outcome import GraderError
from rlgrade.worker.removal import remove
from rlgrade.worker.sandbox import Limits

START_SECONDS = 120.0


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


def _environment() -> dict[str, str]:
    """What the server inherits: enough to find a GPU and a temporary folder."""
    kept = ("PATH", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "SYSTEMROOT")
    own = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    return {name: os.environ[name] for name in kept if name in os.environ} | own
