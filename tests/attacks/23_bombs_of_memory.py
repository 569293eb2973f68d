# ruff: noqa
"""Case 23, denial: memory, of every kind there is."""

import ctypes
import mmap
import os

import numpy as np
import torch

HUGE = 1 << 33


def attack_python(rewards, *, factor):
    kept = []
    while True:
        kept.append(bytearray(1 << 24))


def attack_numpy(rewards, *, factor):
    return np.ones(HUGE)


def attack_torch(rewards, *, factor):
    return torch.ones(HUGE)


def attack_map(rewards, *, factor):
    kept = []
    while True:
        kept.append(mmap.mmap(-1, 1 << 26))


def attack_memory_file(rewards, *, factor):
    descriptor = os.memfd_create("__TOKEN__")
    for _ in range(8):
        os.write(descriptor, bytes(1 << 20))
    raise RuntimeError("LOOT 8 MiB in a file without a name")


def attack_shared_memory(rewards, *, factor):
    with open("/dev/shm/__TOKEN__", "wb") as file:
        for _ in range(8):
            file.write(bytes(1 << 20))
    raise RuntimeError("LOOT 8 MiB in /dev/shm")


def attack_recursion(rewards, *, factor):
    import sys

    sys.setrecursionlimit(10**9)

    def deeper(depth):
        return deeper(depth + 1)

    return deeper(0)


def attack_many_maps(rewards, *, factor):
    kept = [mmap.mmap(-1, 4096, prot=1 + 2 * (k % 2)) for k in range(70_000)]
    return kept
