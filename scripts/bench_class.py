"""How long a class takes, what it holds in memory, and what a kill costs; see docs/classroom.md.

scripts/bench-class                      400 submissions of ex05, against pytest, growth, Ray
scripts/bench-class --counts 10,100      only growth, at these sizes
scripts/bench-class --kills 20           kill -9 at 20 random moments, resume, compare
"""

import argparse
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rlgrade.channel import pack, unpack
from rlgrade.classroom.pool import cores
from rlgrade.courses import Exercise, find_course
from rlgrade.judge.calls import Submission
from rlgrade.judge.draws import draw_examples
from rlgrade.judge.link import Reply, Request
from rlgrade.judge.loading import load_checks
from rlgrade.judge.values import Tensors, to_blob
from rlgrade.worker.serve import Worker

RLGRADE = str(Path(sys.executable).with_name("rlgrade"))
SEED = 1
LOOP_SECONDS = 10
MIX = {"right": 0.55, "wrong": 0.33, "stub": 0.05, "crash": 0.05, "loop": 0.02}


@dataclass
class Measured:
    """One run of the command."""

    count: int
    wall: float
    cpu: float
    whole_mib: float  # the most that all processes together held, shared pages counted once
    judges_mib: list[float] = field(default_factory=list)  # of the judges, early and at the end
    rows: dict[str, tuple[float, str]] = field(default_factory=dict)


def submission(exercise: Exercise, kind: str, draw: random.Random) -> str:
    """One submission of a kind."""
    solution = exercise.solution.read_text()
    begin = "# BEGIN SOLUTION\n"
    if kind == "right":
        return draw.choice([exercise.solution, *exercise.right]).read_text()
    if kind == "wrong":
        return exercise.mistaken_source(draw.choice(exercise.mistakes))
    if kind == "stub":
        return exercise.stub.read_text()
    line = "import os; os.abort()" if kind == "crash" else "while True: pass"
    return solution.replace(begin, f"{begin}    {line}\n", 1)


def make_class(root: Path, count: int, mix: dict[str, float]) -> None:
    """A folder for each of `count` students, no two files alike."""
    exercise = find_course().find("ex05")
    draw = random.Random(count)
    for number in range(count):
        (kind,) = draw.choices([*mix], [*mix.values()])
        path = root / f"s{number:05d}" / exercise.file
        path.parent.mkdir(parents=True)
        path.write_text(f"{submission(exercise, kind, draw)}\n# {kind} {number}\n")


def command(work: Path, *more: str) -> list[str]:
    out = ["--out", str(work / "out"), "--exercises", "ex05", "--seed", str(SEED)]
    limits = ["--seconds", str(LOOP_SECONDS)]
    return [RLGRADE, "class", "grade", str(work / "in"), *out, *limits, *more]


def measure(count: int, mix: dict[str, float], *more: str) -> Measured:
    """Grade a new class of `count`, and watch."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        make_class(work / "in", count, mix)
        start = time.perf_counter()
        running = subprocess.Popen(command(work, *more), stdout=subprocess.DEVNULL)
        whole, cpu, judges = 0.0, 0.0, []
        while running.poll() is None:
            family = [running.pid, *children(running.pid)]
            whole = max(whole, sum(map(pss, family)))
            cpu = max(cpu, cpu_seconds(family))
            held = [rss(pid) for pid in family if "spawn_main" in arguments(pid)]
            if held and stored(work / "out") > cores():
                judges.append(max(held))
            time.sleep(0.5)
        wall = time.perf_counter() - start
        assert running.returncode == 0, running.returncode
        ends = [judges[0], judges[-1]] if judges else []
        return Measured(count, wall, cpu, whole, ends, results(work / "out"))


def results(out: Path) -> dict[str, tuple[float, str]]:
    """Seconds and report, apart from times, of each submission."""
    with closing(sqlite3.connect(out / "gradebook.sqlite")) as book:
        rows = book.execute("select sha256, seconds, report from results").fetchall()
    return {sha: (seconds, timeless(report)) for sha, seconds, report in rows}


def timeless(text: str) -> str:
    report = json.loads(text)
    report["seconds"] = 0
    for check in report["checks"]:
        check["seconds"] = 0
    return json.dumps(report, sort_keys=True)


def verdicts(text: str) -> list[tuple[str, str, float]]:
    """What decides the mark."""
    return [(c["check"], c["outcome"], c["points"]) for c in json.loads(text)["checks"]]


def stored(out: Path) -> int:
    """How many results there are."""
    file = out / "gradebook.sqlite"
    if not file.exists():
        return 0
    with closing(sqlite3.connect(file)) as book:
        try:
            return int(book.execute("select count(*) from results").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def children(pid: int) -> list[int]:
    try:
        direct = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [each for child in map(int, direct) for each in (child, *children(child))]


def arguments(pid: int) -> str:
    return _read(pid, "cmdline").replace("\0", " ")


def cpu_seconds(family: list[int]) -> float:
    """What the processes that live have used, and the workers that servers have seen end."""
    ticks = 0
    for pid in family:
        fields = _read(pid, "stat").rpartition(")")[2].split()
        if fields:
            ended = "worker/server.py" in arguments(pid)
            ticks += sum(map(int, fields[11:15] if ended else fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def pss(pid: int) -> float:
    return _mib(pid, "smaps_rollup", "Pss:")


def rss(pid: int) -> float:
    return _mib(pid, "status", "VmRSS:")


def _mib(pid: int, file: str, name: str) -> float:
    lines = _read(pid, file).splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def _read(pid: int, file: str) -> str:
    try:
        return Path(f"/proc/{pid}/{file}").read_text()
    except OSError:
        return ""


def pytest_each(count: int, mix: dict[str, float]) -> tuple[float, float]:
    """Seconds, and seconds of CPU, a submission by a pytest process each, on as many cores."""
    with tempfile.TemporaryDirectory() as folder:
        make_class(Path(folder), count, mix)
        checks = str(find_course().find("ex05").hidden)
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        with ThreadPoolExecutor(cores()) as pool:
            runs = [
                pool.submit(
                    quiet, [sys.executable, "-m", "pytest", "-q", checks, "--submission", f]
                )
                for f in map(str, Path(folder).glob("*/*.py"))
            ]
        codes = {run.result() for run in runs}
        assert codes <= {0, 1}, codes
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return (time.perf_counter() - start) / count, cpu / count


def functions_alone() -> tuple[int, float]:
    """Calls, and seconds of CPU in the solution's functions, of one run's examples.

    Without a judge's work, a channel, a fork or walls: less than this no grader can take.
    """
    exercise = find_course().find("ex05")
    worker = _Timed(None, None)
    request = {"op": "load", "module": "", "file": exercise.file}
    worker.call(request | {"source": exercise.solution.read_text()})
    worker.calls, worker.seconds = 0, 0.0
    for check in load_checks(exercise):
        for example in draw_examples(check.tries, f"{SEED}/{check.name}"):
            check.tries.body(Submission(worker), **example.arguments)
    return worker.calls, worker.seconds


class _Timed(Worker):
    """A worker in this process that takes the time of what it calls; a port to itself."""

    calls = 0
    seconds = 0.0

    def call(self, request: Request) -> Reply:
        frame = pack({"module": "", "id": 0, **request}, to_blob)
        return unpack(self.answer(frame), Tensors().make)

    def _call(self, request: Request) -> Reply:
        start = time.process_time()
        try:
            return super()._call(request)
        finally:
            self.seconds += time.process_time() - start
            self.calls += 1


def quiet(words: list[str]) -> int:
    return subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


def kills(count: int, times: int) -> str:
    """Whether a run killed `times` times ends as one that is not."""
    whole = measure(count, MIX).rows
    draw = random.Random(times)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        make_class(work / "in", count, MIX)
        marks = sorted(draw.sample(range(count), times))
        for mark in marks:
            running = subprocess.Popen(command(work), stdout=subprocess.DEVNULL)
            while running.poll() is None and stored(work / "out") < mark:
                time.sleep(0.02)
            time.sleep(draw.random())
            running.send_signal(signal.SIGKILL)
            running.wait()
        subprocess.run(command(work), stdout=subprocess.DEVNULL, check=True)
        found = results(work / "out")
        alike = sum(verdicts(found[s][1]) == verdicts(whole[s][1]) for s in whole if s in found)
        bytes_alike = sum(found[s][1] == whole[s][1] for s in whole if s in found)
        return (
            f"kill -9 x {times}: {stored(work / 'out')} results of {count} submissions, {alike} of "
            f"the same verdicts and points, {bytes_alike} alike in every byte but times"
        )


def kind_seconds(measured: Measured) -> str:
    """Median seconds of those that pass, that fail, and the most of any."""
    groups: dict[str, list[float]] = {}
    for seconds, report in measured.rows.values():
        outcomes = {check["outcome"] for check in json.loads(report)["checks"]}
        worst = next((o for o in ("timeout", "error", "fail") if o in outcomes), "pass")
        groups.setdefault(worst, []).append(seconds)
    middle = {name: sorted(some)[len(some) // 2] for name, some in sorted(groups.items())}
    return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in middle.items())


def row(table: Table, name: str, measured: Measured) -> None:
    rate = measured.count / measured.wall
    ends = " to ".join(f"{size:.0f}" for size in measured.judges_mib) or "–"
    table.add_row(
        f"{measured.count} {name}",
        f"{measured.wall:.1f} s",
        f"{rate:.2f}",
        f"{rate / cores():.2f}",
        f"{measured.cpu / measured.count:.2f} s",
        f"{measured.whole_mib:.0f} MiB",
        f"{ends} MiB",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", default="")
    parser.add_argument("--size", type=int, default=400)
    parser.add_argument("--against", type=int, default=12, help="pytest processes to time")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--ray", type=int, default=0, help="submissions for Ray and the pool")
    options = parser.parse_args()
    console = Console(width=120)
    console.print(f"{cores()} cores, load {os.getloadavg()[0]:.1f}")
    table = Table(box=None)
    for heading in ("what", "wall", "a second", "a core", "CPU each", "memory", "a judge's"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    notes: list[str] = []
    steps: list[Callable[[], None]] = []
    if options.counts:
        steps.append(lambda: growth([int(n) for n in options.counts.split(",")], table))
    elif options.kills:
        steps.append(lambda: notes.append(kills(options.size, options.kills)))
    elif options.ray:
        steps.append(lambda: against_ray(options.ray, table, notes))
    else:
        steps.append(lambda: whole_class(options.size, options.against, table, notes))
    for step in steps:
        step()
    console.print(table)
    for note in notes:
        console.print(note)
    console.print(f"load at the end {os.getloadavg()[0]:.1f}")


GOOD = {"right": 0.6, "wrong": 0.4}


def growth(counts: list[int], table: Table) -> None:
    """Classes of several sizes."""
    for count in counts:
        row(table, "well-behaved", measure(count, GOOD))


def whole_class(size: int, against: int, table: Table, notes: list[str]) -> None:
    """The mix, the right ones alone, and the same by a pytest process each."""
    mixed = measure(size, MIX)
    row(table, "mixed", mixed)
    notes.append(f"median of a submission: {kind_seconds(mixed)}")
    right = measure(size // 4, {"right": 1.0})
    row(table, "right", right)
    wall, cpu = pytest_each(against, {"right": 1.0})
    ratio, ratio_cpu = wall / (right.wall / right.count), cpu / (right.cpu / right.count)
    notes.append(
        f"a pytest process each: {wall:.2f} s a submission ({cpu:.2f} s of CPU), {ratio:.1f} times "
        f"as long as the class of right ones, {ratio_cpu:.1f} times the CPU"
    )
    calls, alone = functions_alone()
    notes.append(
        f"the solution's functions alone: {calls} calls, {alone * 1000:.0f} ms of CPU; a pytest "
        f"process takes {cpu / alone:.0f} times that"
    )


def against_ray(count: int, table: Table, notes: list[str]) -> None:
    """The same class by the pool and by Ray on this machine's cores."""
    pool = measure(count, GOOD)
    row(table, "by the pool", pool)
    ray = measure(count, GOOD, "--ray", "local")
    row(table, "by Ray", ray)
    notes.append(f"Ray takes {ray.wall / pool.wall - 1:+.0%}")


if __name__ == "__main__":
    main()
