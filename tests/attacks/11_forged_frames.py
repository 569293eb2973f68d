# ruff: noqa
"""Case 11, tamper: the submission speaks on the channel itself."""

import array
import json
import os
import socket
import struct
import sys


def _find(name):
    frame = sys._getframe()
    while name not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals[name]


def _send(data):
    _find("connection").sendall(data)


def _frame(reply, payload=b"", lengths=None):
    text = reply if isinstance(reply, bytes) else json.dumps({"dict": reply}).encode()
    _send(struct.pack("<II", *(lengths or (len(text), len(payload)))) + text + payload)


def _id():
    return _find("request")["id"]


def _wrong(rewards):
    return rewards.detach().clone()


def attack_wrong_id(rewards, *, factor):
    _frame({"id": 10**6, "value": None})
    return _wrong(rewards)


def attack_twice(rewards, *, factor):
    for _ in range(40):
        _frame({"id": _id(), "value": None})
    return _wrong(rewards)


def attack_ahead_of_the_questions(rewards, *, factor):
    for number in range(_id(), _id() + 400):
        _frame({"id": number, "value": {"tuple": []}})
    return _wrong(rewards)


def attack_almost_the_id(rewards, *, factor):
    _frame({"id": float(_id()), "value": True})
    return _wrong(rewards)


def attack_id_is_a_tensor(rewards, *, factor):
    _frame({"id": {"tensor": ["torch", "int8", [2]]}, "value": None}, b"ab")
    return _wrong(rewards)


def attack_huge_length(rewards, *, factor):
    _frame(b"{}", lengths=(2**31, 2**31))
    return _wrong(rewards)


def attack_largest_length(rewards, *, factor):
    _frame(b"{}", lengths=(4 << 20, 64 << 20))
    os._exit(0)


def attack_no_json(rewards, *, factor):
    _frame(b"]]]]")
    return _wrong(rewards)


def attack_no_utf8(rewards, *, factor):
    _frame(b'{"dict":{"id":\xff\xfe}}')
    return _wrong(rewards)


def attack_nan(rewards, *, factor):
    _frame(b'{"dict":{"id":NaN,"value":Infinity}}')
    return _wrong(rewards)


def attack_same_key_twice(rewards, *, factor):
    _frame(b'{"dict":{"id":%d,"value":1,"value":2,"raised":null}}' % _id())
    return _wrong(rewards)


def attack_deep(rewards, *, factor):
    _frame(b"[" * 1_000_000)
    return _wrong(rewards)


def attack_deep_objects(rewards, *, factor):
    _frame(b'{"dict":' * 400_000)
    return _wrong(rewards)


def attack_a_verdict(rewards, *, factor):
    _frame({"id": _id(), "outcome": "PASS", "points": 4, "passed": True})
    return _wrong(rewards)


def attack_every_descriptor(rewards, *, factor):
    frame = b'{"dict":{"id":%d,"value":true}}' % _id()
    for descriptor in range(3, 256):
        try:
            os.write(descriptor, struct.pack("<II", len(frame), 0) + frame)
        except OSError:
            pass
    return _wrong(rewards)


def attack_event_of_the_server(rewards, *, factor):
    for descriptor in range(3, 256):
        try:
            os.write(descriptor, b'{"exited": 1, "status": 0, "cpu_seconds": 0}\n')
        except OSError:
            pass
    return _wrong(rewards)


def attack_descriptors_attached(rewards, *, factor):
    rights = array.array("i", [1] * 200)
    for _ in range(50):
        try:
            _find("connection").sendmsg(
                [b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights.tobytes())]
            )
        except OSError:
            pass
    return _wrong(rewards)


def attack_half_closed(rewards, *, factor):
    _find("connection").shutdown(socket.SHUT_WR)
    return _wrong(rewards)


def attack_a_long_message(rewards, *, factor):
    _frame({"id": _id(), "raised": {"dict": _error("m" * 4_000_000, [])}})
    return _wrong(rewards)


def attack_a_long_reason(rewards, *, factor):
    _frame({"id": _id(), "unsendable": "m" * 4_000_000})
    return _wrong(rewards)


def attack_a_long_traceback(rewards, *, factor):
    # A line of 5 kB in the submission, quoted once for each frame
    # {LONG}
    _frame({"id": _id(), "raised": {"dict": _error("", [[__LINE__, "x"]] * 2_000)}})
    return _wrong(rewards)


def attack_long_names(rewards, *, factor):
    error = {"types": ["E" * 4_000_000], "message": "", "frames": []}
    _frame({"id": _id(), "raised": {"dict": error}})
    return _wrong(rewards)


def _error(message, frames):
    return {"types": ["ValueError"], "message": message, "frames": frames}
