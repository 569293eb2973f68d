# ruff: noqa
"""Case 3, tamper: values that are different each time they are read."""

import torch


class Moody:
    def __init__(self):
        self.reads = 0

    def __float__(self):
        self.reads += 1
        return float(self.reads)

    __index__ = __len__ = lambda self: 1
    item = sum = mean = __float__

    def __getitem__(self, index):
        self.reads += 1
        return self.reads

    def __array__(self, *rest, **more):
        return __import__("numpy").full(1, float(self))

    def tolist(self):
        return [float(self)]


class MoodyList(list):
    def __getitem__(self, index):
        return Moody()

    def __iter__(self):
        return iter([Moody()])


class MoodyTensor(torch.Tensor):
    shape = property(lambda self: torch.Size([int(torch.randint(9, ()))]))


def attack_number(rewards, *, factor):
    return Moody()


def attack_list(rewards, *, factor):
    return MoodyList([1.0])


def attack_generator(rewards, *, factor):
    return (reward for reward in rewards)


def attack_tensor(rewards, *, factor):
    return rewards.detach().clone().as_subclass(MoodyTensor)
