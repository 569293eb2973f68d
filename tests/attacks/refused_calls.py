# ruff: noqa
"""Calls that a submission has no use for. Arguments of -1 do no harm where one is let through."""

import ctypes
import errno
import fcntl
import os
import socket

libc = ctypes.CDLL(None, use_errno=True)


def attack_numbers(rewards, *, factor):
    reached = []
    for name, number in __CALLS__:
        found = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(-1)] * 6)
        if found >= 0 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
            reached.append(name)
    if reached:
        raise RuntimeError(f"LOOT {' '.join(reached)}")
    return rewards.detach().clone()


def attack_arguments(rewards, *, factor):
    def parent_signal():
        if libc.prctl(1, 0, 0, 0, 0) != 0:
            raise OSError

    def signals_of_files():
        one, _ = socket.socketpair()
        fcntl.fcntl(one, fcntl.F_SETSIG, 23)
        fcntl.fcntl(one, fcntl.F_SETOWN, os.getpid())

    def owner_by_ioctl():
        one, _ = socket.socketpair()
        fcntl.ioctl(one, 0x8901, os.getpid().to_bytes(4, "little"))

    def datagrams():
        socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def flags_of_a_library():
        with open(os.__file__) as file:
            flags = fcntl.ioctl(file, 0x80086601, bytes(8))
            fcntl.ioctl(file, 0x40086602, flags)  # as they were

    def lease_on_a_library():
        with open(os.__file__) as file:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)

    def truncated_while_read():
        os.close(os.open("no such file", os.O_RDONLY | os.O_TRUNC | os.O_CREAT, 0o600))

    ways = (
        *(parent_signal, signals_of_files, owner_by_ioctl, datagrams),
        *(flags_of_a_library, lease_on_a_library, truncated_while_read),
    )
    reached = []
    for way in ways:
        try:
            way()
        except OSError:
            continue
        reached.append(way.__name__)
    if reached:
        raise RuntimeError(f"LOOT {' '.join(reached)}")
    return rewards.detach().clone()


def attack_other_entries(rewards, *, factor):
    import mmap
    import platform

    if platform.machine() != "x86_64":
        return rewards.detach().clone()
    # getpid by the entry of 32-bit programs
    code = mmap.mmap(-1, 4096, prot=7)
    code.write(bytes.fromhex("b814000000cd80c3"))
    found = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
    raise RuntimeError(f"LOOT the 32-bit entry: {found}")


def attack_x32(rewards, *, factor):
    import mmap
    import platform

    if platform.machine() != "x86_64":
        return rewards.detach().clone()
    code = mmap.mmap(-1, 4096, prot=7)
    code.write(bytes.fromhex("b8270000400f05c3"))
    found = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
    if found > 0:
        raise RuntimeError(f"LOOT the x32 entry: {found}")
    return rewards.detach().clone()
