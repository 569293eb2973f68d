"""What a worker and all it has started hold: memory by what is resident, threads, processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

KIBIBYTE = 1 << 10


@dataclass(frozen=True)
class Use:
    """Bytes of resident memory that no file backs, and how many threads of all processes."""

    memory: int
    tasks: int


def session_use(session: int, shared: int) -> Use | None:
    """What every process of a session uses together.

    Args:
        session: the session's number, which is its first process's.
        shared: bytes that each process has from the server by forking; taken off once for each.

    Returns:
        The sums, or None where the system does not say (anything but Linux).
    """
    if not Path("/proc/self/stat").exists():
        return None
    memory = tasks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if _session_of(folder) == session:
                memory += max(0, own_bytes(folder) - shared)
                tasks += sum(1 for _ in (folder / "task").iterdir())
        except (OSError, ValueError, IndexError):
            continue  # it has just ended
    return Use(memory, tasks)


def own_bytes_of(pid: int) -> int:
    """`own_bytes` of one process, 0 where the system does not say."""
    try:
        return own_bytes(Path(f"/proc/{pid}"))
    except OSError:
        return 0


def own_bytes(folder: Path) -> int:
    """Resident anonymous and shared memory of the process whose folder in /proc this is."""
    wanted = ("RssAnon:", "RssShmem:")
    lines = (folder / "status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(wanted)) * KIBIBYTE


def _session_of(folder: Path) -> int:
    after_name = (folder / "stat").read_text().rpartition(")")[2]
    return int(after_name.split()[3])
