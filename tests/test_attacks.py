"""Every attack in `attacks/`, at every level that this machine has. See `docs/threat-model.md`.

What must hold after each: no more points than the honest wrong answer, the other checks graded,
nothing read, nothing left, and an honest submission to the same server passes.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import platform
import re
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

import rlgrade
from rlgrade.author.declare import Check
from rlgrade.courses import Course, Exercise, find_course
from rlgrade.judge import bank as bank_module
from rlgrade.judge.bank import Bank
from rlgrade.judge.grading import Settings, grade
from rlgrade.judge.link import Link
from rlgrade.judge.server import Exit, Server
from rlgrade.judge.worker import Worker
from rlgrade.outcome import GraderError, Outcome, UsageError
from rlgrade.report import Report, as_plain, to_json
from rlgrade.worker import seccomp
from rlgrade.worker.sandbox import Limits, readable_places

HERE = Path(__file__).parent
ATTACKS = HERE / "attacks"
COURSE = HERE / "course"
LEVELS = ("L1", "L2", "L3")
HIT, OTHER = "scales_each", "adds_up"  # the check that the attack answers to, and one more
HONEST_WRONG = "def scale(rewards, *, factor):\n    return rewards.detach().clone()\n"
QUICK = {"shrink_tries": 2, "diagnose": False, "explained": 0}
SMALL = Limits(memory_mib=256, cpu_seconds=20)
LINUX = sys.platform.startswith("linux")
NUMBERS = platform.machine() if platform.machine() in ("x86_64", "aarch64") else ""

pytestmark = pytest.mark.skipif(not LINUX, reason="the attacks are written for Linux")

# What a separate process with limits cannot stop. At L1 each of these works, and must: where one
# stops working, the table in docs/threat-model.md is to be corrected.
WORKS_AT_L1 = {
    "15 open",
    "15 list",
    "15 links",
    "15 other calls",
    "15 change rights",
    "15 package",
    "15 proc",
    "15 open without reading",
    "15 watch",
    "18 tcp",
    "18 udp",
    "18 unix",
    "18 abstract",
    "18 pair to a path",
    "18 pair to an abstract name",
    "18 other families",
    "22 fork",
    "22 programs",
    "23 memory file",
    "23 shared memory",
    "24 several files",
    "24 many files",
    "24 deep folders",
}
# These depend on more than the level: Yama, the file system, the rights of the user, memory.
MAY_WORK_AT_L1 = {"15 other memory", "15 attributes", "18 ring", "22 other forks"}

# These spoil the process that the other checks ask too: their own harm, and graded as such.
HURTS_ITSELF = {"8 outcome", "11 ahead of the questions"}


class Watched(Server):
    """A server that remembers its workers."""

    def __init__(self, *args: object, **rest: object) -> None:
        self.seen: list[Worker] = []
        super().__init__(*args, **rest)  # type: ignore[arg-type]

    def fork(self) -> Worker:
        worker = super().fork()
        self.seen.append(worker)
        return worker

    def pids(self) -> set[int]:
        return {worker.known_pid for worker in self.seen if worker.known_pid is not None}


@dataclass
class Arena:
    """A warm server at one level, and what an attack may find or leave."""

    level: str
    server: Watched
    exercise: Exercise
    hidden: Path
    place: Path
    token: str = field(default_factory=lambda: f"rla{secrets.token_hex(4)}")
    ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.canary = self.hidden / "canary"
        self.canary.write_text(f"the canary of {self.token}")
        self.place.mkdir()
        (self.place / "victim").write_text("kept as it is")
        self.memory = ctypes.create_string_buffer(8)
        self.key = int(self.token[3:], 16) % 2**31 | 1

    def text(self, name: str, attack: str | None, honest: str = "") -> str:
        """The solution with one attack in the place of `scale`."""
        numbers = {"x86_64": (248, 250, 56, 58), "aarch64": (217, 219, 220, 220)}
        add_key, keyctl, clone, vfork = numbers.get(NUMBERS, (-1, -1, -1, -1))
        source = self.exercise.solution.read_text()
        long_line = "# " + 5_000 * "y" + "\n"
        text = long_line + source + "\n" + (honest or HONEST_WRONG)
        text += (ATTACKS / f"{name}.py").read_text() if name else ""
        text += f"\nscale = attack_{attack.replace(' ', '_')}\n" if attack else ""
        known = {
            "TOKEN": self.token,
            "LEVEL": self.level,
            "PLACE": self.place,
            "CANARY": self.canary,
            "COURSE": COURSE,
            "CHECKS": self.exercise.hidden / "checks.py",
            "SOLUTION": self.exercise.solution,
            "JUDGE": os.getpid(),
            "ADDRESS": ctypes.addressof(self.memory),
            "KEY": self.key,
            "ADD_KEY": add_key,
            "KEYCTL": keyctl,
            "CLONE": clone,
            "VFORK": vfork,
            "LINE": 1,
            "CALLS": needless_calls(),
            **self.ports,
        }
        return re.sub(
            r"__([A-Z]+(?:_[A-Z]+)*)__", lambda m: str(known[m[1]]) if m[1] in known else m[0], text
        )

    def grade(self, text: str, seed: int = 0, **settings: object) -> Report:
        chosen = {"only": frozenset({HIT, OTHER}), **QUICK, **settings}
        return grade(self.exercise, text.encode(), self.server, seed, settings=Settings(**chosen))

    def attack(self, name: str, attack: str | None, **settings: object) -> Report:
        return self.grade(self.text(name, attack), **settings)

    def honest_still_passes(self) -> None:
        report = self.grade(self.exercise.solution.read_text())
        assert [check.outcome for check in report.checks] == [Outcome.PASS] * 2, report
        assert report.sandbox == self.level

    def nothing_is_left(self) -> None:
        """No process, no file of a worker; the kernel may need a moment."""
        end = time.monotonic() + 3
        left = ["not looked"]
        while left and time.monotonic() < end:
            time.sleep(0.02)
            left = processes(self.server.pids(), self.token, self.server.process.pid)
            left += self.files_left()
        assert not left
        self.server.seen.clear()

    def files_left(self) -> list[str]:
        return os.listdir(self.server.scratch)  # noqa: PTH208

    def traces(self) -> list[str]:
        """What was left outside the worker's own folder."""
        folders = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"), self.place)
        found = [str(folder / self.token) for folder in folders if (folder / self.token).exists()]
        for kind in ("shm", "msg", "sem"):
            table = Path(f"/proc/sysvipc/{kind}")
            lines = table.read_text().splitlines()[1:] if table.exists() else []
            found += [kind for line in lines if int(line.split()[0]) == self.key]
        return found + (["key"] if self._key() >= 0 else [])

    def _key(self) -> int:
        number = {"x86_64": 250, "aarch64": 219}.get(NUMBERS)
        if number is None:
            return -1
        search = ctypes.CDLL(None).syscall
        return int(search(number, 10, ctypes.c_int(-4), b"user", self.token.encode(), 0))

    def clean(self) -> None:
        """Take away what an attack left at L1."""
        for pid in [int(line.split()[0]) for line in processes(set(), self.token)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for folder in ("/tmp", "/var/tmp", "/dev/shm", self.server.scratch):
            path = Path(folder) / self.token
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)
        for path in self.place.iterdir():
            if path.name != "victim" and not path.is_socket():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        libc = ctypes.CDLL(None)
        for get, control, rest in (("shmget", "shmctl", 0), ("msgget", "msgctl", None)):
            known = getattr(libc, get)(self.key, *([0] if rest is None else [0, 0]))
            if known >= 0:
                getattr(libc, control)(known, 0, None)
        if (known := libc.semget(self.key, 0, 0)) >= 0:
            libc.semctl(known, 0, 0)
        number = {"x86_64": 250, "aarch64": 219}.get(NUMBERS)
        if number is not None and (known := self._key()) >= 0:
            libc.syscall(number, 9, known, ctypes.c_int(-4))  # unlink


def processes(sessions: set[int], token: str, server: int = 0) -> list[str]:
    """Processes of these sessions, or that an attack gave this name: pid, state and name."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid, rest = (folder / "stat").read_text().split(" (", 1)
            name, numbers = rest.rsplit(") ", 1)
            state, parent, _, session = numbers.split()[:4]
            if state == "Z" and int(parent) != server:
                continue  # it has ended, and is another's to take note of
            if int(session) in sessions or name == token:
                found.append(f"{pid} {state} {name}")
    return found


def attacks_of(name: str) -> list[str]:
    """The names of the attacks in a file."""
    names = re.findall(r"^def attack_(\w+)\(", (ATTACKS / f"{name}.py").read_text(), re.MULTILINE)
    return [each.replace("_", " ") for each in names]


@pytest.fixture(scope="module", params=LEVELS)
def arena(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    hidden = tmp_path_factory.mktemp("hidden")
    course = find_course(COURSE)
    with Watched(SMALL, hidden=[course.root, hidden], highest=request.param) as server:
        link = Link(server, "empty.py", "", 60.0).load()
        link.close()
        if link.level != request.param:
            pytest.skip(f"this machine has no {request.param}: {link.missing_walls}")
        place = tmp_path_factory.mktemp("learner") / "place"
        made = Arena(request.param, server, course.find("ex01"), hidden, place)
        yield made
        made.clean()


@pytest.fixture(scope="module")
def honest(arena: Arena) -> Report:
    """What the honest wrong answer gets."""
    report = arena.grade(arena.text("", None))
    assert [check.outcome for check in report.checks] == [Outcome.FAIL, Outcome.PASS]
    return report


def hurry(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the check that an attack answers to end sooner than after five seconds."""
    load = bank_module.load_checks

    def loaded(exercise: Exercise) -> list[Check]:
        return [
            replace(check, seconds=seconds) if check.name == HIT else check
            for check in load(exercise)
        ]

    monkeypatch.setattr(bank_module, "load_checks", loaded)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch, 0.3)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch, 0.8)


def must_fail(arena: Arena, honest: Report, name: str, case: str, **settings: object) -> None:
    """Run each attack of a file, and then an honest submission."""
    problems = []
    for attack in attacks_of(name):
        start = time.monotonic()
        report = arena.attack(name, attack, **settings)
        print(f"{time.monotonic() - start:.2f} s {attack}: {report.checks[0].message[:80]!r}")
        text = to_json(report)
        works = "LOOT" in text
        label = f"{case} {attack}"
        if arena.level == "L1" and label in WORKS_AT_L1:
            if not works:
                problems.append(
                    f"{attack}: expected to work at L1, but: {report.checks[0].message}"
                )
        elif works and not (arena.level == "L1" and label in MAY_WORK_AT_L1):
            problems.append(f"{attack}: {report.checks[0].message}")
        outcomes = {check.check: check.outcome for check in report.checks}
        if report.points > honest.points or outcomes[HIT] is Outcome.PASS:
            problems.append(f"{attack}: {report.points} points")
        if outcomes[OTHER] is not Outcome.PASS and label not in HURTS_ITSELF:
            problems.append(f"{attack}: {OTHER} ended with {outcomes[OTHER].name}")
        if len(text) > 100_000:
            problems.append(f"{attack}: a report of {len(text)} bytes")
        if report.sandbox != arena.level:
            problems.append(f"{attack}: graded at {report.sandbox}")
    assert not problems, "\n".join(problems)
    arena.honest_still_passes()


# Cases 1 to 9, and 12: the answer itself

PLAIN = {
    "01_equal_to_all": "1",
    "02_tensors_that_lie": "2",
    "03_changes_between_reads": "3",
    "04_death": "4",
    "05_exits": "5",
    "06_skips": "6",
    "07_rejections": "7",
    "08_patches_the_grader": "8",
    "09_patches_libraries": "9",
    "11_forged_frames": "11",
    "14_shared_inputs": "14",
    "15_reads_files": "15",
    "16_looks_around": "16",
}
EXPLAINED = ("01", "03", "05")  # where a failure is also shown in its smallest case


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("name", PLAIN)
def test_an_attack_gains_nothing(arena: Arena, honest: Report, name: str) -> None:
    must_fail(arena, honest, name, PLAIN[name], explained=int(name[:2] in EXPLAINED))
    arena.clean()
    arena.nothing_is_left()
    assert (arena.place / "victim").read_text() == "kept as it is" or arena.level == "L1"


def test_4_a_death_at_import_fails_every_check(arena: Arena) -> None:
    report = arena.attack("04_death_at_import", None)
    assert {check.outcome for check in report.checks} == {Outcome.ERROR}
    arena.honest_still_passes()
    arena.nothing_is_left()


def test_10_nobody_but_the_judge_writes_results(arena: Arena, honest: Report) -> None:
    must_fail(arena, honest, "10_writers", "10")
    written = sorted(path.name for path in arena.place.iterdir() if not path.is_socket())
    if arena.level == "L1":  # not stopped: a process that may write files writes files
        assert "report.json" in written
        assert processes(set(), arena.token), "and a child that left its session goes on"
        arena.clean()
        time.sleep(0.1)
        for path in Path(arena.server.scratch).iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    else:
        assert written == ["victim"]
        assert not Path(f"/tmp/{arena.token}").exists()
        arena.nothing_is_left()
    arena.clean()


def test_12_what_is_pickled_stays_pickled(arena: Arena, honest: Report) -> None:
    must_fail(arena, honest, "12_pickles", "12")
    assert not (arena.place / "unpickled").exists()
    assert ((arena.place / "checkpoint.pt").exists()) == (arena.level == "L1")
    arena.clean()
    arena.nothing_is_left()


def test_13_nothing_is_imported_from_where_a_submission_lies(
    arena: Arena, honest: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(arena.place)
    must_fail(arena, honest, "13_shadows", "13")
    left = {path.name for path in arena.place.iterdir() if not path.is_socket()}
    if arena.level == "L1":  # not stopped: the files are there; nothing loads them
        assert "sitecustomize.py" in left
        with Server(SMALL, highest="L1") as another:
            Link(another, "empty.py", "", 60.0).load().close()
    else:
        assert left == {"victim"}
    assert not (arena.place / "loaded").exists()
    arena.clean()
    arena.nothing_is_left()


def test_13_the_module_way_in_imports_nothing_from_the_current_folder(tmp_path: Path) -> None:
    for name in ("typing", "json", "click", "tomllib"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('loaded')\n")
    command = [sys.executable, "-m", "rlgrade", "--course", str(COURSE), "hint", "ex01"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "loaded" not in run.stderr
    assert run.returncode == 0


def test_14_what_a_worker_says_of_itself_is_the_submissions_word(arena: Arena) -> None:
    """Not stopped, at any level: whether an input was changed is seen on the submission's side.

    To say it wrongly a submission has to know how to do it right.
    """
    only = frozenset({"leaves_input_alone"})
    in_place = "\ndef scale(rewards, *, factor):\n    return rewards.mul_(factor)\n"
    honest = arena.grade(arena.text("", None) + in_place, only=only)
    forged = arena.attack("14_false_report", "in place", only=only)
    assert honest.checks[0].outcome is Outcome.FAIL
    assert forged.checks[0].outcome is Outcome.PASS
    arena.honest_still_passes()


def test_17_the_reference_solution_cannot_be_called(arena: Arena, honest: Report) -> None:
    for attack in attacks_of("17_reference_solution"):
        report = arena.attack("17_reference_solution", attack)
        if arena.level == "L1" and attack != "by name":  # not stopped: it can read the file
            assert report.points > honest.points
        else:
            assert report.points == honest.points
    arena.honest_still_passes()
    arena.nothing_is_left()


class Listener:
    """Sockets of every kind on this machine, and what came in."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.sockets = {
            "tcp": self._bound(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            "udp": self._bound(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            "unix": self._bound(socket.AF_UNIX, socket.SOCK_STREAM, f"{arena.place}/stream"),
            "datagram": self._bound(socket.AF_UNIX, socket.SOCK_DGRAM, f"{arena.place}/datagram"),
            "abstract": self._bound(socket.AF_UNIX, socket.SOCK_DGRAM, f"\0{arena.token}"),
        }
        arena.ports = {name.upper(): self.sockets[name].getsockname()[1] for name in ("tcp", "udp")}

    def _bound(self, family: int, kind: int, address: object) -> socket.socket:
        made = socket.socket(family, kind)
        made.bind(address)  # type: ignore[arg-type]
        if kind == socket.SOCK_STREAM:
            made.listen()
        made.settimeout(0.01)
        return made

    def heard(self) -> set[str]:
        """Which sockets something came in on."""
        names = set()
        for name, each in self.sockets.items():
            with contextlib.suppress(TimeoutError):
                if each.type == socket.SOCK_STREAM:
                    each.accept()[0].close()
                else:
                    each.recv(100)
                names.add(name)
        return names

    def close(self) -> None:
        for each in self.sockets.values():
            each.close()
        for name in ("stream", "datagram"):
            (self.arena.place / name).unlink()


def test_18_nothing_leaves_the_worker(arena: Arena, honest: Report) -> None:
    listener = Listener(arena)
    try:
        reached = {}
        for attack in attacks_of("18_network"):
            report = arena.attack("18_network", attack, explained=0)
            assert report.points == honest.points
            heard = listener.heard()
            reached[attack] = bool(heard) or "LOOT" in to_json(report)
    finally:
        listener.close()
    expected = dict.fromkeys(reached, arena.level == "L1")
    reached.pop("ring")  # where a machine has no io_uring, L1 has none either
    expected.pop("ring")
    assert reached == expected
    arena.honest_still_passes()
    arena.nothing_is_left()


def test_19_nothing_is_left_for_the_next_submission(arena: Arena, honest: Report) -> None:
    arena.clean()
    for attack in attacks_of("19_leaves_something"):
        assert arena.attack("19_leaves_something", attack).points == honest.points
        if attack == "modules":  # never shared, at any level
            assert "LOOT" not in to_json(arena.attack("19_looks_for_it", "look")) or (
                arena.level == "L1"
            )
    found = arena.attack("19_looks_for_it", "look")
    if arena.level == "L1":  # not stopped: files, shared memory and keys of the same user
        assert "/dev/shm" in found.checks[0].message
        assert "shmget" in found.checks[0].message
        assert len(arena.traces()) > 4
    else:
        assert "LOOT" not in found.checks[0].message
        assert arena.traces() == []
        arena.nothing_is_left()
    assert found.points == honest.points
    arena.clean()
    arena.honest_still_passes()


def test_20_a_blind_report_echoes_nothing(arena: Arena) -> None:
    def seen(report: Report) -> dict[str, object]:
        plain = as_plain(report, blind=True)
        plain.pop("submission_sha256")
        for check in plain["checks"]:
            check.pop("outcome")  # FAIL or ERROR: two bits that a teacher needs
        return plain

    honest = arena.grade(arena.text("", None), explained=1)
    problems = []
    for attack in attacks_of("20_echoes_its_inputs"):
        report = arena.attack("20_echoes_its_inputs", attack, explained=1)
        assert arena.token in to_json(report) or attack in ("line", "time")
        assert arena.token not in to_json(report, blind=True)
        if seen(report) != seen(honest):
            problems.append(attack)
    assert not problems, "a blind report tells these from an honest wrong answer"


@pytest.mark.usefixtures("hasty")
def test_21_what_does_not_end_is_ended(arena: Arena, honest: Report) -> None:
    for attack in attacks_of("21_never_ends"):
        start = time.monotonic()
        report = arena.attack("21_never_ends", attack, explained=0)
        assert report.points == honest.points, attack
        assert report.checks[1].outcome is Outcome.PASS, attack
        assert time.monotonic() - start < 8
    arena.nothing_is_left()
    arena.honest_still_passes()


@pytest.mark.usefixtures("hasty")
def test_23_memory_is_bounded(arena: Arena, honest: Report) -> None:
    must_fail(arena, honest, "23_bombs_of_memory", "23")
    arena.clean()
    arena.nothing_is_left()


def test_23_memory_is_counted_while_the_judge_is_busy(arena: Arena) -> None:
    (result, other) = arena.attack("23_children_while_it_prints", "children").checks
    assert result.outcome is (Outcome.MEMORY if arena.level == "L1" else Outcome.FAIL)
    assert other.outcome is Outcome.PASS
    arena.nothing_is_left()


SLOW = {
    "a slow import, again for each death": (
        "import time\ntime.sleep(0.5)\n"
        "def attack(rewards, *, factor):\n    __import__('os')._exit(1)\n"
    ),
    "slow once the diagnosis begins": (
        "import time\ncalls = 0\n"
        "def attack(rewards, *, factor):\n    global calls\n    calls += 1\n"
        "    time.sleep(0.2 if calls > 3 else 0)\n    return rewards.detach().clone()\n"
    ),
}


@pytest.mark.parametrize("way", SLOW)
def test_21_a_run_ends_in_its_time(arena: Arena, way: str) -> None:
    if arena.level == "L2":
        pytest.skip("the clock is the same at each level: L1 and L3 show it")
    text = arena.text("", None) + SLOW[way] + "scale = attack\n"
    start = time.monotonic()
    full = {"shrink_tries": 400, "diagnose": True, "explained": 1, "run_seconds": 1.0}
    report = arena.grade(text, only=frozenset({HIT}), **full)
    assert report.points == 0
    assert time.monotonic() - start < 4


def test_22_processes_and_threads_are_bounded(arena: Arena, honest: Report) -> None:
    must_fail(arena, honest, "22_bombs_of_processes", "22")
    arena.nothing_is_left()


def test_24_output_and_disk_are_bounded(arena: Arena, honest: Report) -> None:
    must_fail(arena, honest, "24_bombs_of_output", "24")
    arena.nothing_is_left()


def test_24_text_of_a_submission_is_text(arena: Arena) -> None:
    (result, _) = arena.attack("24_bombs_of_output", "injection").checks
    assert "\x1b" not in result.message + result.printed
    assert "\u202e" not in result.printed
    assert "\r" not in result.printed


@pytest.mark.parametrize(
    "text",
    [
        "#" + "\x01" * 1_000_000,
        "#" + "\N{OLD PERSIAN SIGN A}" * 200_000,
        "x = f'" + "{a}" * 30_000 + "'",
        "a;" * 60_000,
        "x = " + "(" * 100_000,
        "x = " + "-" * 100_000 + "1",
        "a" + ".a" * 60_000,
        "if 1: pass\n" + "elif 1: pass\n" * 9_000,
        "x = " + "9" * 100_000,
    ],
    ids=["control", "wide", "format", "nodes", "open", "minus", "dots", "elif", "digits"],
)
def test_24_a_giant_source_is_refused_or_graded(
    exercise: Exercise, grade_text: Callable[..., Report], text: str
) -> None:
    start = time.process_time()
    report = grade_text(text + "\n", only=frozenset({OTHER}), **QUICK)
    assert report.points == 0
    assert time.process_time() - start < 2


def test_24_the_largest_source_costs_the_judge_little() -> None:
    """Nothing bounds the judge's own parser but the size of what it is given."""
    from rlgrade.judge import source

    assert source.MAX_SOURCE <= 256 << 10, "1 MiB of `{a}` in a format string takes a minute"


def training_course(folder: Path) -> Course:
    """The fixture course with a check in which the judge owns all but the update."""
    shutil.copytree(COURSE, folder)
    path = folder / "solutions" / "ex01_scale"
    with (path / "checks.py").open("a") as file:
        file.write(
            textwrap.dedent("""
            from rlgrade.author import expect, expect_shape


            @check("learns which arm pays")
            @given(best=integers(0, 3), salt=integers(0, 99), examples=8)
            def learns(submission, best, salt):
                generator = np.random.default_rng()
                logits = np.zeros(4, dtype=np.float32)
                for _ in range(60):
                    chances = np.exp(logits - logits.max())
                    chances /= chances.sum()
                    action = int(generator.choice(4, p=chances / chances.sum()))
                    reward = float(action == best)
                    logits = submission.step(logits, action, reward)
                    expect_shape("logits", logits, (4,))
                    expect(bool(np.isfinite(logits).all()), "logits should be finite")
                expect(bool(logits.argmax() == best), "the best arm should be the likeliest")
            """)
        )
    with (path / "scale.py").open("a") as file:
        file.write(
            textwrap.dedent('''

            def step(logits, action, reward):
                """One step of REINFORCE."""
                # BEGIN SOLUTION
                chances = torch.softmax(logits, -1)
                pull = -chances
                pull[action] += 1
                return logits + 2 * reward * pull
                # END SOLUTION
            ''')
        )
    return find_course(folder)


def test_25_a_claim_to_have_learned_is_no_learning(arena: Arena, tmp_path: Path) -> None:
    exercise = training_course(tmp_path / "course").find("ex01")
    only = frozenset({"learns"})
    settings = Settings(only=only, shrink_tries=0, diagnose=False, explained=0)

    def points(text: str) -> float:
        return grade(exercise, text.encode(), arena.server, 0, settings=settings).points

    right = exercise.solution.read_text()
    assert points(right) > 0
    for attack in attacks_of("25_claims_to_have_learned"):
        text = right + (ATTACKS / "25_claims_to_have_learned.py").read_text()
        assert points(f"{text}\nstep = attack_{attack.replace(' ', '_')}\n") == 0, attack


# The filter


def needless_calls() -> list[tuple[str, int]]:
    """Calls that no submission needs, by name and number here; forks aside, which would fork."""
    column = {"x86_64": 0, "aarch64": 1}.get(NUMBERS)
    if column is None:
        return []
    both = {**seccomp.REFUSED, **NEEDLESS}
    skipped = ("fork", "vfork")
    return [(n, both[n][column]) for n in both if n not in skipped and both[n][column] is not None]


# Not in the first list of `seccomp.py`: other processes' priority and place, IPC that is found by
# its number, names of files that others open, file attributes by newer calls, sockets that were
# made by socketpair, and resources that the whole machine shares.
NEEDLESS: dict[str, tuple[int | None, int | None]] = {
    "setpriority": (141, 140),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "ioprio_set": (251, 30),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "shmctl": (31, 195),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "mq_unlink": (241, 181),
    "mq_timedsend": (242, 182),
    "mq_timedreceive": (243, 183),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "io_setup": (206, 0),
    "truncate": (76, 45),
    "setxattrat": (463, 463),
    "removexattrat": (466, 466),
    "open_tree_attr": (467, 467),
    "file_setattr": (469, 469),
    "listmount": (458, 458),
    "statmount": (457, 457),
    "quotactl_fd": (443, 443),
    "clock_adjtime": (305, 266),
    "setdomainname": (171, 162),
    "setfsuid": (122, 151),
    "setfsgid": (123, 152),
}


def test_calls_without_use_are_refused(arena: Arena, honest: Report) -> None:
    if arena.level == "L1":
        pytest.skip("L1 has no filter")
    must_fail(arena, honest, "refused_calls", "calls")


def headers() -> list[tuple[str, Path]]:
    kernel = Path("/usr/include")
    return [
        ("x86_64", kernel / "x86_64-linux-gnu/asm/unistd_64.h"),
        ("x86_64", kernel / "asm/unistd_64.h"),
        ("aarch64", kernel / "asm-generic/unistd.h"),
    ]


@pytest.mark.parametrize(("machine", "header"), headers(), ids=lambda value: str(value))
def test_the_numbers_are_those_of_the_kernel(machine: str, header: Path) -> None:
    if not header.exists():
        pytest.skip(f"no {header}")
    found = re.findall(
        r"^#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text(), flags=re.MULTILINE
    )
    real = {name: int(number) for name, number in found}
    ours = {**seccomp.REFUSED, **seccomp.SIGNALLING, **NEEDLESS}
    column = seccomp.ARCHITECTURES[machine][0]
    newest = max(real.values())
    for name, numbers in ours.items():
        number = numbers[column]
        if number is None or number <= newest:
            assert real.get(name) == number, name


def test_an_older_landlock_with_the_filter_keeps_files_whole(tmp_path: Path) -> None:
    """Before version 3, Landlock lets files be cut: any by its name, a readable one by open."""
    if not seccomp.supported():
        pytest.skip("no filter for this machine")
    (tmp_path / "readable").write_text("whole")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("whole")
    program = f"""
import os
from rlgrade.worker import kernel, seccomp
kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
kernel.Landlock(1).restrict([({str(tmp_path / "readable")!r}, kernel.READ)])
kernel.install_filter(seccomp.program(os.getpid()))
for way in (
    lambda: os.truncate({str(tmp_path / "outside" / "file")!r}, 0),
    lambda: os.open({str(tmp_path / "readable")!r}, os.O_RDONLY | os.O_TRUNC),
):
    try:
        way()
    except PermissionError:
        print("refused")
"""
    environment = {"PYTHONPATH": str(Path(rlgrade.__file__).parents[1])}
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    if "Landlock" in run.stderr or "Function not implemented" in run.stderr:
        pytest.skip("no Landlock here")
    assert run.stdout.split() == ["refused", "refused"], run.stderr
    assert (tmp_path / "readable").read_text() == "whole"
    assert (tmp_path / "outside" / "file").read_text() == "whole"


# The judge


def test_24_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A pipe keeps the reader waiting, and a device or a large file fills its memory."""
    from rlgrade.judge.source import read_bytes

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    thread = threading.Thread(target=_read_or_refuse, args=(pipe,), daemon=True)
    thread.start()
    thread.join(2)
    stuck = thread.is_alive()
    if stuck:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    assert not stuck
    (tmp_path / "large").write_bytes(bytes(8 << 20))
    assert len(read_bytes(tmp_path / "large")) < 1 << 20


def _read_or_refuse(path: Path) -> None:
    from rlgrade.judge.source import read_bytes

    with contextlib.suppress(UsageError):
        read_bytes(path)


def test_a_hidden_folder_is_hidden_behind_links_too(tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "library").mkdir(parents=True)
    (real / "secret").mkdir()
    (tmp_path / "link").symlink_to(real)
    for search, hidden in (("link", "real/secret"), ("real", "link/secret")):
        places = readable_places([str(tmp_path / search)], [str(tmp_path / hidden)])
        readable = {Path(place).resolve() for place in places}
        assert real / "library" in readable
        assert real not in readable
        assert real / "secret" not in readable


def test_a_file_that_loads_only_sometimes_fails_and_no_more(
    exercise: Exercise, grade_text: Callable[..., Report]
) -> None:
    """The submission dies; what is loaded in its place, while that is explained, raises."""
    now = time.time()
    text = (
        f"import os, time\nif time.time() > {now} + 0.5: raise ValueError('not now')\n"
        + exercise.solution.read_text()
        + "\ndef scale(rewards, *, factor):\n    time.sleep(0.6)\n    os._exit(3)\n"
    )
    report = grade_text(text, only=frozenset({HIT}))
    assert report.points == 0
    rare = "import os\nif os.urandom(1)[0] < 128: raise ValueError\n"
    dies = exercise.solution.read_text() + "\ndef scale(rewards, *, factor):\n    os._exit(3)\n"
    for _ in range(12):
        assert grade_text(rare + dies, only=frozenset({HIT}), shrink_tries=1).points == 0


def test_an_old_exit_is_not_taken_for_a_new_one(arena: Arena, honest: Report) -> None:
    """Process ids come again: what ended under one of them says nothing of who has it now."""
    if arena.level == "L2":
        pytest.skip("the same at each level: L1 and L3 show it")
    arena.server._exited.update({pid: Exit(0, 0.0) for pid in range(1, 40_000)})
    try:
        text = arena.text("21_never_ends", "deaf")
        report = arena.grade(text, only=frozenset({HIT}), run_seconds=0.5)
    finally:
        arena.server._exited.clear()
    assert report.checks[0].outcome is Outcome.TIMEOUT
    arena.nothing_is_left()


@pytest.mark.parametrize("level", ["L1", "L3"])
def test_no_worker_outlives_its_server(level: str, exercise: Exercise) -> None:
    """The server is killed from outside; at L1 a submission could do that itself."""
    server = Watched(SMALL, highest=level)
    try:
        text = exercise.solution.read_text() + (ATTACKS / "21_never_ends.py").read_text()
        link = Link(server, "scale.py", text + "\nscale = attack_deaf\n", 60.0).load()
        arguments = {"args": [1.0], "kwargs": {"factor": 1.0}, "gradients": None}
        rest = {"of": None, "target": "scale", "cotangent": None, "echo": False}
        link.post({"op": "call", **arguments, **rest})
        link.worker._send()
        time.sleep(0.3)
        pids = {link.worker.pid}
        assert processes(pids, "")
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        with contextlib.suppress(GraderError):
            link.close()
    finally:
        with contextlib.suppress(GraderError):
            server.close()
    end = time.monotonic() + 3
    while (left := processes(pids, "")) and time.monotonic() < end:
        time.sleep(0.02)
    for line in left:
        os.kill(int(line.split()[0]), signal.SIGKILL)
    assert not left


def test_a_server_that_was_killed_is_the_graders_fault(exercise: Exercise) -> None:
    """At L1 a submission can kill the server. Nothing is scored then, and nothing hangs."""
    with Watched(SMALL, highest="L1") as server:
        text = exercise.solution.read_text() + (
            "\ndef scale(rewards, *, factor):\n"
            "    import os, signal\n    os.kill(os.getppid(), signal.SIGKILL)\n"
            "    return rewards\n"
        )
        for _ in range(2):
            with pytest.raises(GraderError):
                grade(exercise, text.encode(), server, 0, settings=Settings(**QUICK))
    assert not processes(server.pids(), "")


def test_a_lasting_answer_keeps_the_judge_no_longer_than_the_check_may_take(
    arena: Arena,
) -> None:
    """The largest text that a frame may hold takes the judge a second to read, each time."""
    if arena.level != "L3":
        pytest.skip("the same at each level")
    text = arena.text("", None) + textwrap.dedent("""
        import sys, struct
        from rlgrade.worker import serve
        def answer(self, frame, honest=serve.Worker.answer):
            reply = honest(self, frame)
            if b'"echo":true' not in bytes(frame).replace(b" ", b""):
                return reply
            number = reply[8:].split(b'"id":', 1)[1].split(b",", 1)[0]
            lists = b"[],"
            text = (b'{"dict":{"id":' + number + b',"value":[' + lists * 1_300_000
                    + b'[]],"after":[[],{"dict":{}}]}}')
            return struct.pack("<II", len(text), 0) + text
        serve.Worker.answer = answer
    """)
    start = time.process_time()
    report = arena.grade(text, only=frozenset({"leaves_input_alone"}), run_seconds=1.0)
    assert report.points == 0
    assert time.process_time() - start < 5


# Many times


BOMBS = {
    "processes": ("22_bombs_of_processes", "fork"),
    "memory": ("23_bombs_of_memory", "python"),
    "output": ("24_bombs_of_output", "print"),
    "loop": ("21_never_ends", "deaf"),
}


@pytest.mark.long
@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_many_times_leaves_nothing(arena: Arena, bomb: str) -> None:
    """RLGRADE_SOAK is how many times; 200 for a release."""
    times = int(os.environ.get("RLGRADE_SOAK", "3"))
    if arena.level == "L2" and times < 10:
        pytest.skip("L1 and L3 in the short run")
    name, attack = BOMBS[bomb]
    text = arena.text(name, attack)

    def once() -> None:
        report = arena.grade(text, explained=0)
        assert report.checks[0].outcome is not Outcome.PASS
        assert report.checks[1].outcome is Outcome.PASS

    once()
    arena.server.seen.clear()
    before, objects = memory_in_use(), len(gc.get_objects())
    for _ in range(times):
        once()
        arena.nothing_is_left()
    gc.collect()
    assert memory_in_use() - before < 24 << 20
    assert len(gc.get_objects()) - objects < 2_000
    assert threading.active_count() == 1
    assert len(arena.server._exited) < 3


def memory_in_use() -> int:
    """Resident bytes of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_the_json_of_a_report_is_json(arena: Arena, honest: Report) -> None:
    assert json.loads(to_json(honest))["sandbox"] == arena.level


def test_what_one_check_may_answer_is_not_summed_over_a_class(
    exercise: Exercise, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker of the known mistakes lives as long as the class; each case begins anew."""
    monkeypatch.setattr("rlgrade.judge.worker.MAX_TAKEN", 8 << 10)
    bank = Bank(exercise, server)
    wrong = (exercise.solution.read_text() + "\n" + HONEST_WRONG).encode()
    settings = Settings(only=frozenset({HIT}))
    try:
        for _ in range(5):
            (result,) = grade(exercise, wrong, server, 0, settings=settings, bank=bank).checks
            assert result.diagnosis == ["the factor is never applied"]
    finally:
        bank.close()
    assert not bank._unusable
