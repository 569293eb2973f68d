# ruff: noqa
"""Case 9, tamper: the functions that an oracle, an environment or a clock would use."""

import random
import time

import numpy as np
import torch


def _patch():
    np.allclose = np.isclose = np.array_equal = lambda *a, **k: True
    np.abs = np.max = np.asarray = lambda *a, **k: np.float64(0.0)
    torch.allclose = torch.equal = lambda *a, **k: True
    random.random = lambda: 0.0
    random.Random.getrandbits = lambda self, k: 0
    time.monotonic = time.time = time.perf_counter = lambda: 0.0


def attack_all(rewards, *, factor):
    _patch()
    return rewards.detach().clone()


def attack_operators(rewards, *, factor):
    torch.Tensor.__eq__ = torch.Tensor.__le__ = lambda *a: True
    return rewards.detach().clone()
