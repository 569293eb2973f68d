# ruff: noqa
"""Case 4, tamper: the process ends in the middle of a call."""

import ctypes
import os
import signal


def attack_exit(rewards, *, factor):
    os._exit(0)


def attack_kill(rewards, *, factor):
    os.kill(os.getpid(), signal.SIGKILL)
    os._exit(0)  # the first process of a namespace survives its own signals


def attack_abort(rewards, *, factor):
    os.abort()


def attack_crash(rewards, *, factor):
    ctypes.string_at(0)


def attack_deep_c_stack(rewards, *, factor):
    import sys

    sys.setrecursionlimit(10**9)
    nested = []
    for _ in range(100_000):
        nested = [nested]
    return repr(nested)


def attack_close(rewards, *, factor):
    os.closerange(0, 64)
    return rewards.detach().clone()
