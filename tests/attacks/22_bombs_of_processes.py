# ruff: noqa
"""Case 22, denial: processes and threads. All have an end, for the machine's sake."""

import ctypes
import os
import threading
import time

MANY = 200


def attack_fork(rewards, *, factor):
    made = 0
    for _ in range(20):
        try:
            if os.fork() == 0:
                ctypes.CDLL(None).prctl(15, b"__TOKEN__")
                time.sleep(5)
                os._exit(0)
            made += 1
        except OSError:
            break
    if made:
        raise RuntimeError(f"LOOT {made} processes")
    return rewards.detach().clone()


def attack_other_forks(rewards, *, factor):
    libc = ctypes.CDLL(None, use_errno=True)
    for number, *arguments in ((__CLONE__, 17, 0, 0, 0, 0), (435, bytes(88), 88), (__VFORK__,)):
        if "__LEVEL__" == "L1":
            break  # the fork above says it
        found = libc.syscall(ctypes.c_long(number), *arguments)
        if found == 0:
            os._exit(0)
        if found > 0:
            raise RuntimeError(f"LOOT a process by call {number}")
    return rewards.detach().clone()


def attack_programs(rewards, *, factor):
    try:
        os.posix_spawn("/bin/true", ["true"], {})
    except OSError:
        return rewards.detach().clone()
    raise RuntimeError("LOOT a program")


def attack_threads(rewards, *, factor):
    threading.stack_size(32768)
    go_on = threading.Event()
    made = 0
    try:
        while made < MANY:
            threading.Thread(target=go_on.wait, daemon=True).start()
            made += 1
    except RuntimeError:
        pass
    time.sleep(1)  # who counts has the time to
    go_on.set()
    if made == MANY:
        raise RuntimeError(f"LOOT {made} threads")
    return rewards.detach().clone()
