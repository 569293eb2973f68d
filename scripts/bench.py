"""Medians of what must be fast, each beside the thing it is compared with, in one run.

scripts/bench [commands] [warm] [saves]      all three where none is named; about five minutes
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
from rich.console import Console
from rich.table import Table

from rlgrade.courses import find_course
from rlgrade.judge.bank import Bank
from rlgrade.judge.grading import Settings, grade
from rlgrade.judge.link import Link
from rlgrade.judge.loading import load_checks
from rlgrade.judge.server import Server

ROUNDS = 15
COMMAND = str(Path(sys.executable).with_name("rlgrade"))


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def run(*command: str) -> Callable[[], object]:
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def side_by_side(rounds: int, works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The median seconds of each, the rounds interleaved so that a busy moment hits all alike."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(seconds(work))
    return {name: statistics.median(values) for name, values in taken.items()}


def commands(table: Table) -> None:
    python = sys.executable
    times = side_by_side(
        ROUNDS,
        {
            "python -c pass": run(python, "-c", "pass"),
            "rlgrade --help": run(COMMAND, "--help"),
            "rlgrade list": run(COMMAND, "list"),
        },
    )
    bare = times["python -c pass"]
    for name in ("rlgrade --help", "rlgrade list"):
        row(table, name, times[name], f"{times[name] / bare:.1f} x `python -c pass`", "4 x")
    solution = str(find_course().find("ex05").solution)
    times = side_by_side(
        ROUNDS // 2,
        {
            "torch": run(python, "-c", "import torch"),
            "check": run(COMMAND, "check", "ex05", solution),
        },
    )
    ratio = times["check"] / times["torch"]
    row(table, "cold `rlgrade check ex05`", times["check"], f"{ratio:.2f} x import torch", "1.5 x")


def warm(table: Table) -> None:
    """All property checks of a solution; scripts/bench-training has those that train."""
    with Server() as server:
        server.wait_until_ready()
        for exercise in find_course().exercises:
            data = exercise.solution.read_bytes()
            names = frozenset(c.name for c in load_checks(exercise) if c.training is None)
            settings = Settings(only=names)
            bank = Bank(exercise, server)
            taken = [
                seconds(lambda n=n: grade(exercise, data, server, n, settings=settings, bank=bank))  # noqa: B023
                for n in range(ROUNDS + 1)
            ]
            target = "150 ms" if exercise.short == "ex05" else "300 ms"
            median = statistics.median(taken[1:])
            row(table, f"warm {exercise.id}, {len(names)} property checks", median, "", target)
            bank.close()
        workers(table, server)


def saves(table: Table) -> None:
    """From a save in watch mode to the verdict on the screen, beside a warm check of the same.

    Of a wrong file it is that a check fails; its smallest case and its mistake come later.
    """
    exercise = find_course().find("ex05")
    wrong = exercise.mistaken_source(exercise.mistakes[0])
    rows = {
        "save to verdict, ex05 right": (exercise.solution.read_text(), " points"),
        "save to verdict, ex05 wrong": (wrong, "looking for the smallest case"),
        "save to all the rest, ex05 wrong": (wrong, " points"),
    }
    with Server() as server, tempfile.TemporaryDirectory() as folder:
        subprocess.run([COMMAND, "init", folder], check=True, stdout=subprocess.DEVNULL)
        file = Path(folder) / exercise.id / exercise.file
        child = pexpect.spawn(COMMAND, ["watch", "ex05"], cwd=folder, timeout=60)
        child.expect("q quit")
        bank = Bank(exercise, server)
        for name, (text, sign) in rows.items():

            def save(text: str = text, sign: str = sign) -> None:
                file.write_text(f"{text}\n# {time.perf_counter()}\n")
                child.expect(sign)

            def check(text: str = text) -> None:
                settings = Settings(explained=1)
                grade(exercise, text.encode(), server, 0, bank=bank, settings=settings)
                child.expect("q quit")

            times = side_by_side(ROUNDS, {"save": save, "check": check})
            ratio = f"{times['save'] / times['check']:.2f} x a warm check"
            row(table, name, times["save"], ratio, "300 ms" if "verdict" in name else "")
        child.send("q")
        child.expect(pexpect.EOF)


def workers(table: Table, server: Server) -> None:
    def fork() -> Link:
        return Link(server, "empty.py", "x = 1\n", 10.0).load()

    taken, private = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        link = fork()
        taken.append(time.perf_counter() - start)
        private.append(private_mib(link.worker.pid))
        link.close()
    row(table, "a ready worker", statistics.median(taken), "", "50 ms")
    median = statistics.median(private)
    table.add_row("its private memory", f"{median:.1f} MiB", "", "30 MB")


def private_mib(pid: int) -> float:
    """Memory that a process and its children share with no other; 0 where none is told."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    sizes = [int(line.split()[1]) for line in lines if line.startswith("Private")]
    return sum(sizes) / 1024 + sum(private_mib(int(child)) for child in children)


def row(table: Table, name: str, value: float, ratio: str, target: str) -> None:
    table.add_row(name, f"{value * 1000:.0f} ms", ratio, target)


PARTS = {"commands": commands, "warm": warm, "saves": saves}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parts = parser.parse_args().parts or list(PARTS)
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"there is no part {unknown[0]!r}, only {', '.join(PARTS)}")
    table = Table(box=None)
    for heading in ("what", "median", "beside", "at most"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for part in parts:
        PARTS[part](table)
    console = Console(width=100)
    console.print(f"{ROUNDS} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
