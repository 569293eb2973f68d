# ruff: noqa
"""Case 1, tamper: values that are equal to everything."""

import torch


class Same:
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __hash__ = object.__hash__


class SameInt(Same, int):
    pass


class SameFloat(Same, float):
    pass


class SameText(Same, str):
    pass


class Disguised(Same):
    __class__ = property(lambda self: torch.Tensor)


def attack_int(rewards, *, factor):
    return SameInt(1)


def attack_float(rewards, *, factor):
    return SameFloat(1.0)


def attack_text(rewards, *, factor):
    return SameText("1")


def attack_nested(rewards, *, factor):
    return [SameFloat(1.0), (SameInt(1),), {"a": SameText("1")}, {SameText("k"): 1}]


def attack_disguised_as_a_tensor(rewards, *, factor):
    return Disguised()
