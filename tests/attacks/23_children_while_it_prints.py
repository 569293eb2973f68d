# ruff: noqa
"""Case 23, denial: memory in children, while the judge is kept busy with output."""

import os
import time


def attack_children(rewards, *, factor):
    try:
        for _ in range(3):
            if os.fork() == 0:
                kept = b"x" * (120 << 20)
                time.sleep(8)
                os._exit(len(kept) % 2)
    except OSError:
        return rewards.detach().clone()
    while True:
        print(".")
        time.sleep(0.03)
