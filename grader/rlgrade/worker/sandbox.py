"""What a worker gives up before it meets the submission, step by step, in this order.

    1  a session of its own, no descriptor but the channel, an empty environment   every system
    2  limits on address space, CPU time, file size, open files, core dumps        every system
    3  namespaces: own users, network, shared memory, mounts, processes            level L3
    4  a root folder that holds Python, torch and an empty scratch folder          level L3
    5  no new privileges, no capabilities                                          level L2
    6  Landlock: read Python and torch, write the scratch folder of level L3 (on
       a disk nothing would bound what is written), no TCP, no signals or abstract
       sockets to the outside                                                      level L2
    7  seccomp: no programs, no processes, no sockets, and what `seccomp` lists    level L2

A step that this machine refuses is noted, with the reason, and the level falls. Nothing is tried
twice: what `enter` returns is what holds.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rlgrade.worker import kernel, seccomp

MEBIBYTE = 1 << 20
NOBODY = 65534
INSIDE = "/scratch"
MAX_FILES = 1_000
SYSTEM_FOLDERS = (
    "/usr/lib",
    "/usr/lib64",
    "/lib",
    "/lib64",
    "/usr/local/lib",
    "/usr/share/zoneinfo",
)
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/localtime")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


@dataclass(frozen=True)
class Limits:
    """What one worker may use up, beyond what the warm server already has."""

    memory_mib: int = 1024
    cpu_seconds: int = 120
    file_mib: int = 16
    open_files: int = 64
    tasks: int = 128  # processes and threads together, counted by the judge


@dataclass
class Walls:
    """What holds: the level, and why each missing step is missing."""

    level: str = "L1"
    missing: dict[str, str] = field(default_factory=dict)

    def try_step(self, name: str, step: Callable[[], None]) -> bool:
        """Take a step; note why not, if the machine refuses."""
        try:
            step()
        except (OSError, KeyError, AttributeError) as error:
            self.missing[name] = str(error)
            return False
        return True


@dataclass(frozen=True)
class Places:
    """Folders, found out by the server before any submission is there.

    `readable` holds Python and torch, and nothing of what is hidden; `scratch` is the worker's own.
    """

    readable: tuple[str, ...]
    scratch: str


def enter(limits: Limits, places: Places, keep: set[int], highest: str = "L3") -> Walls:
    """Put up the walls. At L3 this forks: the caller goes on in the child.

    Args:
        limits: step 2.
        places: what may be read and written.
        keep: descriptors that stay open.
        highest: the level to stop at, for tests and for comparing.
    """
    walls = Walls()
    os.setsid()
    _end_with_parent()
    _close_all_but(keep)
    os.chdir(places.scratch)
    limit(limits)
    scratch = places.scratch
    grants = [(path, kernel.READ) for path in places.readable]
    if not sys.platform.startswith("linux"):
        walls.missing["linux"] = f"namespaces, Landlock and seccomp need Linux, not {sys.platform}"
    elif highest == "L3" and walls.try_step("namespaces", _leave_namespaces):
        _continue_in_child()
        if walls.try_step("root folder", lambda: _make_root(places, limits)):
            scratch, grants = INSIDE, [("/", kernel.READ), (INSIDE, kernel.WRITE)]
    _clear_environment(scratch)
    if highest != "L1" and sys.platform.startswith("linux"):
        _confine(walls, grants)
    return walls


def _confine(walls: Walls, grants: list[tuple[str, int]]) -> None:
    """Steps 5 to 7, and the level that all steps together reach."""
    grants += [(device, kernel.READ | kernel.WRITE) for device in DEVICES]
    confined = [
        walls.try_step("no new privileges", lambda: kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)),
        walls.try_step("capabilities", kernel.drop_capabilities),
        walls.try_step("Landlock", lambda: kernel.Landlock.detect().restrict(grants)),
        walls.try_step("seccomp", lambda: kernel.install_filter(seccomp.program(os.getpid()))),
    ]
    if all(confined):
        whole = not {"namespaces", "root folder"} & set(walls.missing) and os.getpid() == 1
        walls.level = "L3" if whole else "L2"


def _end_with_parent() -> None:
    """Be killed when the server ends. A change of user namespace forgets it."""
    if sys.platform.startswith("linux"):
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)


def limit(limits: Limits) -> None:
    """Step 2."""
    _cap(resource.RLIMIT_CORE, 0)
    _cap(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1)
    _cap(resource.RLIMIT_FSIZE, limits.file_mib * MEBIBYTE)
    _cap(resource.RLIMIT_NOFILE, limits.open_files)
    _cap(resource.RLIMIT_AS, _address_space() + limits.memory_mib * MEBIBYTE)


def readable_places(search_path: list[str], hidden: list[str]) -> tuple[str, ...]:
    """What a worker needs to read: Python, its libraries and the system's, without what is hidden.

    A folder with something hidden below it is replaced by its other entries.
    """
    roots = [*search_path, str(Path(os.__file__).parent), *SYSTEM_FOLDERS, *SYSTEM_FILES]
    concealed = [Path(path).resolve() for path in hidden]
    found: dict[str, None] = {}
    for root in roots:
        if Path(root).exists():
            for place in _without(Path(root), concealed):
                found[str(place)] = None
    return tuple(found)


def _without(place: Path, hidden: list[Path]) -> list[Path]:
    real = place.resolve()
    if real in hidden:
        return []
    if not any(each.is_relative_to(real) for each in hidden):
        return [place]
    return [part for entry in sorted(place.iterdir()) for part in _without(entry, hidden)]


def _leave_namespaces() -> None:
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(
        kernel.CLONE_NEWUSER
        | kernel.CLONE_NEWNET
        | kernel.CLONE_NEWIPC
        | kernel.CLONE_NEWNS
        | kernel.CLONE_NEWPID
    )
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")


def _continue_in_child() -> None:
    """Fork into the new process namespace; the parent only waits, and ends as the child ended.

    The child is the first process there: when it ends, the kernel ends all others with it. When the
    parent is killed, so is the child.
    """
    _end_with_parent()
    child = os.fork()
    if child == 0:
        _end_with_parent()
        return
    os.closerange(0, 4096)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)


def _make_root(places: Places, limits: Limits) -> None:
    """A root folder in memory with what may be read bound into it, and a scratch folder."""
    root = places.scratch
    kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", root, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=4m,mode=755")
    for path in (*places.readable, *DEVICES):
        source, target = Path(path), Path(root + path)
        if source.is_symlink() and not source.is_dir():
            source = source.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            target.mkdir(exist_ok=True)
        elif not target.exists():
            target.touch()
        kernel.mount(str(source), str(target), "", kernel.MS_BIND | kernel.MS_REC)
        if path not in DEVICES:
            kernel.make_read_only(str(target))
    scratch = root + INSIDE
    Path(scratch).mkdir()
    options = f"size={limits.file_mib}m,nr_inodes={MAX_FILES},mode=700"
    kernel.pivot_root(root)
    kernel.mount("tmpfs", INSIDE, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)
    os.chdir(INSIDE)


def _close_all_but(keep: set[int]) -> None:
    start = 0
    for descriptor in sorted(keep):
        if start < descriptor:  # closerange(0, 0) closes everything: its end wraps around
            os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, 4096)


def _clear_environment(scratch: str) -> None:
    os.environ.clear()
    os.environ.update(HOME=scratch, TMPDIR=scratch, PATH="/usr/bin:/bin", LANG="C.UTF-8")


def _cap(what: int, soft: int, hard: int | None = None) -> None:
    wanted = soft if hard is None else hard
    _, allowed = resource.getrlimit(what)
    if allowed != resource.RLIM_INFINITY:
        wanted = min(wanted, allowed)
    try:
        resource.setrlimit(what, (min(soft, wanted), wanted))
    except (ValueError, OSError):
        if sys.platform.startswith("linux"):
            raise  # elsewhere some limits cannot be lowered; the wall clock still holds


def _address_space() -> int:
    """What the process has mapped already; torch maps far more than it uses."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[0]
        return int(pages) * resource.getpagesize()
    except OSError:
        return 4096 * MEBIBYTE
