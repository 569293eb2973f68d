# ruff: noqa
"""Case 19, steal: something left for the next submission. `19_looks_for_it` is the next one."""

import builtins
import ctypes
import os
import sys

import torch

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
PLACES = (".", "..", "/tmp", "/var/tmp", "/dev/shm", "__PLACE__")


def attack_files(rewards, *, factor):
    for place in PLACES:
        try:
            with open(f"{place}/__TOKEN__", "w") as file:
                file.write("__TOKEN__")
        except OSError:
            pass
    return rewards.detach().clone()


def attack_modules(rewards, *, factor):
    builtins.left___TOKEN__ = torch.left___TOKEN__ = sys.left___TOKEN__ = 1
    return rewards.detach().clone()


def attack_system_v(rewards, *, factor):
    libc.shmget(__KEY__, 4096, 0o1666)
    libc.msgget(__KEY__, 0o1666)
    libc.semget(__KEY__, 1, 0o1666)
    return rewards.detach().clone()


def attack_queue(rewards, *, factor):
    try:
        ctypes.CDLL("librt.so.1").mq_open(b"/__TOKEN__", os.O_CREAT | os.O_RDWR, 0o666, None)
    except (OSError, AttributeError):
        pass
    return rewards.detach().clone()


def attack_keyring(rewards, *, factor):
    # add_key(type, description, payload, length, the user's keyring)
    libc.syscall(__ADD_KEY__, b"user", b"__TOKEN__", b"x", ctypes.c_size_t(1), ctypes.c_int(-4))
    return rewards.detach().clone()
