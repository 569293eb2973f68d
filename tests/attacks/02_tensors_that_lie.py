# ruff: noqa
"""Case 2, tamper: tensor and array subclasses, and tensors of every wrong kind."""

import numpy as np
import torch


class LyingArray(np.ndarray):
    def __array_function__(self, function, types, args, kwargs):
        return True

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return np.array(True)


class LyingTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        if name in ("eq", "allclose", "equal", "isclose"):
            return torch.tensor(True)
        return super().__torch_function__(function, types, args, kwargs or {})


def attack_array_subclass(rewards, *, factor):
    return rewards.numpy().copy().view(LyingArray)


def attack_tensor_subclass(rewards, *, factor):
    return rewards.detach().clone().as_subclass(LyingTensor)


def attack_object_dtype(rewards, *, factor):
    return np.array([object()] * len(rewards), dtype=object)


def attack_meta(rewards, *, factor):
    return torch.empty(len(rewards), device="meta")


def attack_nan(rewards, *, factor):
    return rewards * float("nan")


def attack_infinity(rewards, *, factor):
    return torch.full_like(rewards, float("inf"))


def attack_broadcast(rewards, *, factor):
    return torch.zeros(())


def attack_more_axes(rewards, *, factor):
    return rewards.detach().clone().reshape(1, 1, -1)


def attack_without_end(rewards, *, factor):
    return torch.zeros(1).expand(1 << 40)


def attack_no_entries(rewards, *, factor):
    return torch.zeros(0, 1 << 40)
