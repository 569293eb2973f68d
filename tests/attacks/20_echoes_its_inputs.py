# ruff: noqa
"""Case 20, steal: the inputs of a hidden case, through all that a report can carry."""

import sys
import time


def attack_message(rewards, *, factor):
    raise ValueError(f"__TOKEN__ {rewards.tolist()} {factor}")


def attack_name(rewards, *, factor):
    raise type(f"__TOKEN___{len(rewards)}", (Exception,), {})


def attack_print(rewards, *, factor):
    print("__TOKEN__", rewards.tolist())
    print("__TOKEN__", factor, file=sys.stderr)
    return rewards.detach().clone()


def attack_answer(rewards, *, factor):
    return f"__TOKEN__ {rewards.tolist()}"


def attack_line(rewards, *, factor):
    exec(compile("\n" * 777 + "raise ValueError", "scale.py", "exec"))


_once = []


def attack_time(rewards, *, factor):
    if not _once:
        time.sleep(0.3)
    _once.append(1)
    return rewards.detach().clone()
