"""The warm fork server: imports torch once, then forks a worker for each request.

Run as a script, isolated from the environment, by `rlgrade.judge.server`. It holds no check, no
solution and no submission: a fork copies memory.

On the control socket a request is one byte with two descriptors attached, the worker's channel and
its output; the answers are lines of JSON: {"ready": pid}, {"forked": pid}, {"refused": why} where
the system gives no process, {"exited": pid, "status": wait status, "cpu_seconds": used}. When the
control socket closes, every worker is killed.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> None:
    """Serve until the judge hangs up."""
    settings = json.loads(sys.argv[1])
    sys.path[:] = settings["path"]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=settings["control"])
    _warm_up()
    from rlgrade.worker.removal import remove
    from rlgrade.worker.sandbox import Limits, Places, readable_places
    from rlgrade.worker.serve import serve

    limits = Limits(**settings["limits"])
    readable = readable_places(settings["path"], settings["hidden"])

    def work(channel: int, output: int, scratch: str) -> None:
        serve(channel, output, limits, Places(readable, scratch), settings["highest"])

    gc.collect()
    gc.freeze()
    _tell(control, {"ready": os.getpid()})
    _Server(control, work, settings["scratch"], remove).run()


def _warm_up() -> None:
    """Import torch and run its first operations, on one thread.

    More than one thread before a fork would hang the child at its first parallel operation; a
    backward pass would start the autograd threads, which do not survive a fork.
    """
    import torch

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    x = torch.linspace(0.0, 1.0, 8)
    (x[:4].cumsum(0) * x[4:].exp()).sum().item()
    torch.frombuffer(bytearray(8), dtype=torch.float32).clone().numpy().tobytes()


def _tell(control: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        control.sendall(json.dumps(message).encode() + b"\n")


class _Server:
    def __init__(
        self,
        control: socket.socket,
        work: Callable[[int, int, str], None],
        scratch: str,
        remove: Callable[[str], None],
    ) -> None:
        self.remove = remove
        self.control = control
        self.work = work
        self.scratch = scratch
        self.workers: dict[int, str] = {}
        self.cleaners: set[int] = set()
        self.forked = 0
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_read, False)
        os.set_blocking(self.wake_write, False)
        signal.set_wakeup_fd(self.wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> None:
        while True:
            readable, _, _ = select.select([self.control.fileno(), self.wake_read], [], [])
            if self.wake_read in readable:
                os.read(self.wake_read, 4096)
                self.reap()
            if self.control.fileno() in readable and not self.answer():
                self.kill_all()
                self.remove(self.scratch)
                return

    def answer(self) -> bool:
        """Fork one worker; False when the judge has hung up."""
        try:
            request, descriptors, _, _ = socket.recv_fds(self.control, 1, 2)
        except ConnectionResetError:
            return False
        if not request:
            return False
        channel, output = descriptors
        self.forked += 1
        scratch = f"{self.scratch}/{self.forked}"
        try:
            Path(scratch).mkdir(0o700)
            pid = os.fork()
        except OSError as error:  # no process, no space: the next request may fare better
            pid = None
            _tell(self.control, {"refused": str(error)})
        if pid == 0:
            self.become_worker(channel, output, scratch)
        os.close(channel)
        os.close(output)
        if pid is not None:
            self.workers[pid] = scratch
            _tell(self.control, {"forked": pid})
        return True

    def become_worker(self, channel: int, output: int, scratch: str) -> None:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self.work(channel, output, scratch)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)

    def reap(self) -> None:
        while self.workers or self.cleaners:
            if hasattr(os, "waitid"):  # until it is reaped, its number is certainly its group's
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if ended is not None:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(ended.si_pid, signal.SIGKILL)
            pid, status, used = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            scratch = self.workers.pop(pid, None)
            if scratch is None:  # one that cleaned up
                self.cleaners.discard(pid)
                continue
            cpu_seconds = used.ru_utime + used.ru_stime
            _tell(self.control, {"exited": pid, "status": status, "cpu_seconds": cpu_seconds})
            self.clean(scratch)

    def clean(self, scratch: str) -> None:
        """Remove a worker's folder; one that holds something in a process of its own.

        A submission may have left so much that the next one would wait too long.
        """
        try:
            os.rmdir(scratch)  # noqa: PTH106
        except OSError:
            try:
                pid = os.fork()
            except OSError:  # all of it goes when the server ends
                return
            if pid == 0:
                try:
                    self.remove(scratch)
                finally:
                    os._exit(0)
            self.cleaners.add(pid)

    def kill_all(self) -> None:
        for pid in self.workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
