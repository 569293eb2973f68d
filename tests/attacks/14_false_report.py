# ruff: noqa
"""Case 14: the input is scaled in place, and the worker is made to say that it was not."""

import copy
import sys

_worker = sys.modules["rlgrade.worker.serve"].Worker
_honest = _worker._call


def _forged(self, request):
    before = copy.deepcopy([request["args"], request["kwargs"]])
    reply = _honest(self, request)
    if reply.get("after") is not None:
        reply["after"] = before
    return reply


_worker._call = _forged


def attack_in_place(rewards, *, factor):
    return rewards.mul_(factor)
