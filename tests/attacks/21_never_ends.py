# ruff: noqa
"""Case 21, denial: functions that do not come back, and processes that do not go."""

import ctypes
import os
import signal
import socket
import sys
import threading
import time


def _deaf():
    ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)  # no signal when the parent ends
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))


def attack_python(rewards, *, factor):
    while True:
        pass


def attack_c(rewards, *, factor):
    return sum(iter(int, 1))


def attack_deaf(rewards, *, factor):
    _deaf()
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


def attack_sleep(rewards, *, factor):
    time.sleep(10**6)


def attack_blocked(rewards, *, factor):
    os.read(os.pipe()[0], 1)


def attack_deadlock(rewards, *, factor):
    lock = threading.Lock()
    lock.acquire()
    for _ in range(3):
        threading.Thread(target=lock.acquire, daemon=False).start()
    lock.acquire()


def attack_stopped(rewards, *, factor):
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(10**6)


def attack_dribble(rewards, *, factor):
    frame = sys._getframe()
    while "connection" not in frame.f_locals:
        frame = frame.f_back
    connection = frame.f_locals["connection"]
    connection.sendall(b"\xff\0\0\0\0\0\0\0")
    while True:
        connection.sendall(b" " if time.sleep(0.01) is None else b"")


def attack_deaf_and_unheard(rewards, *, factor):
    _deaf()
    os.closerange(0, 64)
    while True:
        time.sleep(1)


def attack_child(rewards, *, factor):
    try:
        if os.fork() == 0:
            ctypes.CDLL(None).prctl(15, b"__TOKEN__")
            _deaf()
            os.closerange(0, 64)
            time.sleep(20)
            os._exit(0)
    except OSError:
        pass
    return rewards.detach().clone()
