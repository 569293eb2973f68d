# ruff: noqa
"""Case 12, tamper: what runs a command when it is unpickled, returned or left lying about."""

import io
import os
import pickle

import numpy as np
import torch


class Payload:
    def __reduce__(self):
        return open, ("__PLACE__/unpickled", "w")


def _payload():
    return pickle.dumps(Payload())


def attack_bytes(rewards, *, factor):
    return _payload()


def attack_object(rewards, *, factor):
    return Payload()


def attack_in_an_array(rewards, *, factor):
    return np.array([Payload()], dtype=object)


def attack_checkpoints(rewards, *, factor):
    for folder in (".", "__PLACE__"):
        try:
            for name in ("checkpoint.pt", "scale.pt", "state.pkl", "scale.pyc"):
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(_payload())
            np.save(os.path.join(folder, "x.npy"), np.array([Payload()]), allow_pickle=True)
        except OSError:
            pass
    return rewards.detach().clone()
