# ruff: noqa
"""Case 25, tamper: for a check in which the judge owns the environment and the learner the step."""

import random
import sys
import time

import numpy as np
import torch


def attack_forged_curve(logits, action, reward):
    sys.modules["rlgrade.worker.serve"].Worker._call = lambda self, request: {
        "value": request["args"][0],
        "learning_curve": [0.0, 0.5, 1.0],
        "reward": 1.0,
    }
    return logits


def attack_hand_made_policy(logits, action, reward):
    return torch.tensor([100.0] + [0.0] * (len(logits) - 1))


def attack_keeps_the_last_arm(logits, action, reward):
    answer = torch.zeros_like(logits)
    answer[action] = 100.0
    return answer


def attack_patched_environment(logits, action, reward):
    random.random = np.random.random = time.time = lambda *rest: 0.0
    random.seed = np.random.seed = torch.manual_seed = lambda seed: None
    reward.fill_(1.0) if torch.is_tensor(reward) else None
    return logits


def attack_not_a_number(logits, action, reward):
    return torch.full_like(logits, float("nan"))


def attack_another_shape(logits, action, reward):
    return torch.full((1,), 100.0)


def attack_unchanged(logits, action, reward):
    return logits
