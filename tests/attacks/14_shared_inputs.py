# ruff: noqa
"""Case 14, tamper: inputs changed, answers that are the input, both changed later."""

import threading
import time

_kept = []


def attack_alias(rewards, *, factor):
    return rewards


def attack_change_and_restore(rewards, *, factor):
    before = rewards.clone()
    rewards.mul_(factor)
    rewards.copy_(before)
    return rewards


def attack_change_all_that_came_before(rewards, *, factor):
    _kept.append(rewards)
    answer = rewards.detach().clone()
    for each in _kept[:-1]:
        each.mul_(0.0)
    _kept.append(answer)
    return answer


def attack_change_later(rewards, *, factor):
    answer = rewards.detach().clone()

    def later():
        for _ in range(50):
            answer.mul_(factor)
            time.sleep(0.001)

    threading.Thread(target=later, daemon=True).start()
    return answer
