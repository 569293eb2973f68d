"""The few Linux calls that Python does not wrap, through ctypes. Each raises OSError on failure."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CLONE_NEWNS = 0x0002_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

MS_NOSUID, MS_NODEV = 0x2, 0x4
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x4_0000
MNT_DETACH = 0x2
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 0x1, 0x2, 0x4

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 22, 24, 38
SECCOMP_MODE_FILTER = 2

# The same on every architecture: numbers from 424 on are common to all.
SYS_MOUNT_SETATTR = 442
SYS_LANDLOCK_CREATE, SYS_LANDLOCK_ADD, SYS_LANDLOCK_RESTRICT = 444, 445, 446
SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_libc = ctypes.CDLL(None, use_errno=True)


def _syscall(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(ctypes.c_long(number), *arguments))
    return _checked(result)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def prctl(option: int, value: int) -> None:
    """Change one attribute of this process."""
    _checked(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))


def unshare(flags: int) -> None:
    """Leave namespaces for fresh ones."""
    _checked(_libc.unshare(flags))


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount a file system, or bind a folder to a second place."""
    _checked(
        _libc.mount(
            source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()
        )
    )


def make_read_only(target: str) -> None:
    """Make a mount and all below it read-only, without devices and set-uid programs."""
    attributes = struct.pack("<QQQQ", ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV, 0, 0, 0)
    _syscall(
        SYS_MOUNT_SETATTR,
        ctypes.c_int(AT_FDCWD),
        ctypes.c_char_p(target.encode()),
        ctypes.c_uint(AT_RECURSIVE),
        ctypes.c_char_p(attributes),
        ctypes.c_size_t(len(attributes)),
    )


def pivot_root(new_root: str) -> None:
    """Make `new_root`, a mount, the root, and let go of the old one."""
    os.chdir(new_root)
    _syscall(SYS_PIVOT_ROOT[platform.machine()], ctypes.c_char_p(b"."), ctypes.c_char_p(b"."))
    _checked(_libc.umount2(b".", MNT_DETACH))
    os.chdir("/")


def drop_capabilities() -> None:
    """Give up every capability, also those that a program could win back."""
    for capability in range(64):
        if _libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) != 0:
            break  # the last one that this kernel knows, or none may be dropped
    header = struct.pack("<Ii", 0x2008_0522, 0)
    _syscall(SYS_CAPSET[platform.machine()], ctypes.c_char_p(header), ctypes.c_char_p(bytes(24)))


# Landlock's rights: read a file, list a folder; write, truncate, make and remove files and folders.
READ = 1 << 2 | 1 << 3
WRITE = READ | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 14
ON_A_FILE = 1 << 1 | 1 << 2 | 1 << 14
LANDLOCK_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # how many there are by version; 16 from 5 on


@dataclass(frozen=True)
class Landlock:
    """Access rights to folders; what is not granted is refused. Needs Linux 5.13."""

    abi: int

    @classmethod
    def detect(cls) -> Landlock:
        """The version that this kernel speaks.

        Raises:
            OSError: none.
        """
        return cls(_syscall(SYS_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(1)))

    def restrict(self, grants: Iterable[tuple[str, int]]) -> None:
        """Keep access to the granted paths only; no TCP, no signals or sockets to the outside."""
        handled = (1 << LANDLOCK_RIGHTS.get(self.abi, 16)) - 1
        network = 0b11 if self.abi >= 4 else 0
        scoped = 0b11 if self.abi >= 6 else 0
        attributes = struct.pack("<QQQ", handled, network, scoped)
        size = 8 if self.abi < 4 else 16 if self.abi < 6 else 24
        ruleset = _syscall(
            SYS_LANDLOCK_CREATE,
            ctypes.c_char_p(attributes),
            ctypes.c_size_t(size),
            ctypes.c_uint(0),
        )
        for path, rights in grants:
            self._grant(ruleset, path, rights & handled)
        _syscall(SYS_LANDLOCK_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint(0))
        os.close(ruleset)

    def _grant(self, ruleset: int, path: str, rights: int) -> None:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return  # what is not there needs no grant
        try:
            if not Path(path).is_dir():
                rights &= ON_A_FILE
            rule = struct.pack("<Qi", rights, place)
            _syscall(
                SYS_LANDLOCK_ADD,
                ctypes.c_int(ruleset),
                ctypes.c_int(1),
                ctypes.c_char_p(rule),
                ctypes.c_uint(0),
            )
        finally:
            os.close(place)


def install_filter(program: bytes) -> None:
    """Put a seccomp filter (BPF instructions of 8 bytes) over this process, for good."""
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("<HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    holder = ctypes.create_string_buffer(header, len(header))
    prctl_pointer = ctypes.c_void_p(ctypes.addressof(holder))
    _checked(_libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), prctl_pointer, 0, 0))
