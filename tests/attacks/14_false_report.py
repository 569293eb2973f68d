# ruff: noqa
"""Case 14: the input is scaled in place, and the worker is made to say that it was not."""

import sys

_values = sys.modules["rlgrade.worker.values"].Values
_restore = _values.restore


def _restore_copies(self, value):
    value = _restore(self, value)
    return [item.clone() for item in value] if type(value) is list else value


def attack_in_place(rewards, *, factor):
    _values.restore = _restore_copies
    return rewards.mul_(factor)


def attack_in_place_without_forging(rewards, *, factor):
    return rewards.mul_(factor)
