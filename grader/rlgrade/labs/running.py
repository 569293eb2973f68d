"""Runs a lab's trials in processes of their own, while the learner still thinks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from types import TracebackType

from rlgrade.labs.lab import Measured, merged
from rlgrade.outcome import GraderError
from rlgrade.spawning import safe_path

PROCESSES = 2


class Running:
    """A lab that is being measured. A context manager: what still runs at its end is ended.

    The results do not depend on the number of processes: every seed draws for itself.
    """

    def __init__(self, name: str, seeds: Sequence[int], small: bool = False) -> None:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        from rlgrade.labs.registry import find_lab

        together = find_lab(name).together
        groups = [list(seeds)] if together else [[seed] for seed in seeds]
        self.count = len(groups)
        workers = min(PROCESSES, os.cpu_count() or 1, self.count)
        spawn = multiprocessing.get_context("spawn")
        others = set(multiprocessing.active_children())
        # Not multiprocessing.Pool: it starts another for each that dies, without end.
        with safe_path():
            self._pool = ProcessPoolExecutor(workers, spawn, initializer=_begin)
            self._parts = [self._pool.submit(measure, name, group, small) for group in groups]
        self._workers = set(multiprocessing.active_children()) - others

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.kill()
        # It has to wait, and once: the pool's thread waits for the same processes, and of two
        # that do, one is not told that they ended.
        self._pool.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.join()

    def wait(self, on_wait: Callable[[int], None] = lambda done: None) -> Measured:
        """What was measured, when all of it is there; `on_wait` is told now and then how much is.

        An exception of a trial is raised here.

        Raises:
            GraderError: a process ended before its trial did.
        """
        from concurrent.futures import wait
        from concurrent.futures.process import BrokenProcessPool

        try:
            for part in self._parts:
                while not part.done():
                    on_wait(sum(each.done() for each in self._parts))
                    wait([part], 0.2)
            return merged([part.result() for part in self._parts])
        except BrokenProcessPool:
            raise GraderError("a process of the lab ended before its trial did") from None


def measure(name: str, seeds: Sequence[int], small: bool = False) -> Measured:
    """What a lab measures on these seeds, in this process."""
    from rlgrade.labs.registry import find_lab

    return find_lab(name).trial(seeds, small)


def _begin() -> None:
    """The first thing in a worker: an interrupt ends the parent, and the parent ends the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from rlgrade.trainer.devices import one_thread

    one_thread()
