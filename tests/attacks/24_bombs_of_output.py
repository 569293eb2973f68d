# ruff: noqa
"""Case 24, denial: output, disk, inodes, and text that programs obey."""

import os
import threading
import time


def attack_print(rewards, *, factor):
    while True:
        print("__TOKEN__" * 1000)


def attack_print_between_calls(rewards, *, factor):
    def flood():
        block = b"x" * 60_000
        while True:
            os.write(1, block)

    threading.Thread(target=flood, daemon=True).start()
    time.sleep(0.02)
    return rewards.detach().clone()


_once = []


def attack_large_file(rewards, *, factor):
    with open("large", "wb") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
    raise RuntimeError("LOOT a file of 64 MiB")


def attack_sparse_file(rewards, *, factor):
    with open("sparse", "wb") as file:
        file.truncate(1 << 40)
    raise RuntimeError("LOOT a file of 1 TiB")


def attack_several_files(rewards, *, factor):
    if _once:
        return rewards.detach().clone()
    _once.append(1)
    for number in range(3):
        with open(f"file{number}", "wb") as file:
            for _ in range(10):
                file.write(bytes(1 << 20))
    raise RuntimeError("LOOT 30 MiB in 3 files")


def attack_many_files(rewards, *, factor):
    if _once:
        return rewards.detach().clone()
    _once.append(1)
    for number in range(1_500):
        os.close(os.open(f"small{number}", os.O_CREAT | os.O_WRONLY))
    raise RuntimeError("LOOT 1500 files")


def attack_deep_folders(rewards, *, factor):
    if _once:
        return rewards.detach().clone()
    _once.append(1)
    made = 0
    try:
        for made in range(1_200):
            os.mkdir("d")
            os.chdir("d")
    except OSError:
        pass
    if made > 1_100:
        raise RuntimeError("LOOT 1200 folders in each other")
    return rewards.detach().clone()


def attack_locked_folders(rewards, *, factor):
    os.umask(0o777)
    try:
        os.makedirs("locked", mode=0o000, exist_ok=True)
    except OSError:
        pass
    return rewards.detach().clone()


def attack_giant_repr(rewards, *, factor):
    class Wide:
        def __repr__(self):
            return "x" * 10_000_000

    raise type("G" * 100_000, (Exception,), {})(Wide())


def attack_giant_answer(rewards, *, factor):
    return "x" * 3_000_000


def attack_injection(rewards, *, factor):
    print("\x1b]0;title\x07\x1b[2J<script>alert(1)</script>\n=1+1\n::error::x\r\u202e")
    raise type("=HYPERLINK", (Exception,), {})('\x1b[31m=cmd|"/c calc"!A1 <img src=x> [red]')
