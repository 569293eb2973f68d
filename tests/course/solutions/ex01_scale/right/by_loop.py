"""Loops and lists."""

import torch


def scale(rewards, *, factor):
    return torch.stack([reward * factor for reward in rewards]).detach()


def total(rewards):
    if rewards.dim() != 1:
        raise ValueError("rewards has the wrong shape")
    result = torch.zeros(())
    for reward in rewards:
        result = result + reward
    return result


def squared_error(prediction, target):
    with torch.no_grad():
        fixed = target.clone()
    error = prediction - fixed
    return error * error


class Counter:
    def __init__(self, start):
        self._calls, self._start = 0, start

    @property
    def count(self):
        return self._start + self._calls

    def step(self):
        self._calls += 1
        return self.count
