# ruff: noqa
"""Case 19, steal: looks for what `19_leaves_something` left."""

import builtins
import ctypes
import sys

import torch

libc = ctypes.CDLL(None, use_errno=True)


def _got(what):
    raise RuntimeError(f"LOOT {what}")


def attack_look(rewards, *, factor):
    for module in (builtins, torch, sys):
        if hasattr(module, "left___TOKEN__"):
            _got("what another submission left in a module")
    found = []
    for place in (".", "..", "/tmp", "/var/tmp", "/dev/shm", "__PLACE__"):
        try:
            with open(f"{place}/__TOKEN__") as file:
                found.append(f"{place}: {file.read()}")
        except OSError:
            pass
    for number, (name, rest) in enumerate(
        (("shmget", (0, 0)), ("msgget", (0,)), ("semget", (0, 0)))
    ):
        if getattr(libc, name)(__KEY__, *rest) >= 0:
            found.append(name)
    if libc.syscall(__KEYCTL__, 10, ctypes.c_int(-4), b"user", b"__TOKEN__", 0) >= 0:
        found.append("key")
    if found:
        _got(", ".join(found))
    return rewards.detach().clone()
