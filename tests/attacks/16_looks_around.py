# ruff: noqa
"""Case 16, steal: the grader, seen through frames, objects, hooks and its memory."""

import gc
import os
import sys
import threading

WORDS = ["_".join(pair) for pair in (("expect", "close"), ("scales", "each"), ("draw", "examples"))]


def _look(text):
    for word in WORDS:
        if word in text:
            raise RuntimeError(f"LOOT {word} in {text[:200]}")


def attack_frames(rewards, *, factor):
    frame = sys._getframe().f_back
    while frame is not None:
        _look(" ".join(frame.f_code.co_names))
        for name, value in {**frame.f_globals, **frame.f_locals}.items():
            if name != "request":
                _look(f"{name} {getattr(value, '__name__', '')}")
                if type(value) is str:
                    _look(value)
        frame = frame.f_back
    return rewards.detach().clone()


_once = []


def attack_objects(rewards, *, factor):
    if _once:
        return rewards.detach().clone()
    _once.append(1)
    gc.unfreeze()
    for each in gc.get_objects():
        if type(each).__name__ == "function" and each.__module__ != __name__:
            _look(each.__qualname__)
        if type(each).__name__ == "module" and each.__name__.startswith(
            ("rlgrade.author", "rlgrade.judge", "hypothesis")
        ):
            raise RuntimeError(f"LOOT the module {each.__name__}")
    return rewards.detach().clone()


def attack_hooks(rewards, *, factor):
    def trace(frame, event, argument):
        _look(frame.f_code.co_name)
        return trace

    def audit(event, arguments):
        if event == "open":
            _look(str(arguments[0]))

    sys.settrace(trace)
    sys.setprofile(trace)
    threading.settrace(trace)
    sys.addaudithook(audit)
    return rewards.detach().clone()


def attack_arguments(rewards, *, factor):
    _look(" ".join(sys.argv) + " ".join(f"{k}={v}" for k, v in os.environ.items()))
    return rewards.detach().clone()


def attack_own_memory(rewards, *, factor):
    if _once:
        return rewards.detach().clone()
    _once.append(1)
    begin, end_backwards = b"Checks of the fixture ", b"esicrexe"
    try:
        with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
            for line in maps.readlines():
                span, rights, *_ = line.split()
                start, end = (int(part, 16) for part in span.split("-"))
                if not rights.startswith("rw") or end - start > 1 << 28:
                    continue
                try:
                    memory.seek(start)
                    data = memory.read(end - start)
                except (OSError, ValueError, OverflowError):
                    continue
                at = data.find(begin)
                while at >= 0:
                    after = data[at + len(begin) : at + len(begin) + len(end_backwards)]
                    if after[::-1] == end_backwards:
                        raise RuntimeError("LOOT a hidden check lies in this memory")
                    at = data.find(begin, at + 1)
    except OSError:
        pass
    return rewards.detach().clone()
