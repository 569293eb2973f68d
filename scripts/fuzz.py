"""Coverage-guided fuzzing of what the judge reads from a worker.

    scripts/fuzz [--seconds 600]

atheris (libFuzzer) mutates whole conversations: hello, the answer to loading, questions about what
was lent, answers to a call. The judge may take them, or raise one of three exceptions; anything
else, a hang of ten seconds or a gigabyte of memory is a finding and is written to a file.
"""

import argparse
import socket
import sys
import tempfile
import time
from pathlib import Path

import atheris

with atheris.instrument_imports():
    from rlgrade.author.expect import SubmissionRaised, Unmet
    from rlgrade.author.training import Refused
    from rlgrade.channel import LENGTHS, pack
    from rlgrade.judge.calls import Submission
    from rlgrade.judge.link import Link
    from rlgrade.judge.worker import Worker, WorkerGone

from rlgrade.worker.sandbox import Limits

HELLO = {"level": "L3", "missing": {}}
SEEDS = [
    [{"id": 1, "value": None}],
    [{"id": 1, "value": [1.5, "a", {"b": [True, None]}]}],
    [{"id": 1, "value": {"gradients": {"x": None}}, "carries_gradient": True, "gradients": {}}],
    [{"id": 1, "raised": {"types": ["ValueError"], "message": "no", "frames": [[3, "f"]]}}],
    [{"id": 1, "unsendable": "a set has no place in a frame"}],
    [{"id": 1, "value": 0, "after": [[], {}]}],
    [{"ask": 0, "what": "call", "args": [1]}, {"id": 1, "value": 2}],
    [{"ask": 1, "what": "step", "args": [[0, 1]]}, {"id": 1, "value": 2}],
]


class StubServer:
    """Stands for the fork server: the other end of the channel is ours."""

    def __init__(self):
        self.limits = Limits()
        self.process = type("Process", (), {"pid": 0})()

    def fork(self):
        channel, self.their_channel = socket.socketpair()
        output, self.their_output = socket.socketpair()
        worker = Worker(self, channel, output)
        worker.known_pid = 2**31 - 1  # no process has it
        return worker

    def wait_until_ready(self):
        pass

    def on_wait(self):
        pass

    def pid_of(self, worker):
        return worker.known_pid

    def exit_of(self, pid, seconds):
        return None

    def has_exited(self, pid):
        return True

    def forget(self, pid):
        pass


class Poles:
    """Environments that take anything."""

    count, observation_size, actions = 2, 4, 2

    def reset(self):
        return None

    def step(self, actions):
        raise Refused("no")


def converse(data):
    """One call of a submission whose worker sends `data` after it has been loaded."""
    server = StubServer()
    link = Link(server, "a.py", "", 1.0)
    link.register(lambda what, *args: None)
    link.register(lambda what, *args: Poles().step(args))
    server.their_channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    server.their_channel.setblocking(False)
    try:
        server.their_channel.send(pack(HELLO, lambda v: None))
        server.their_channel.send(pack({"id": 0, "value": None}, lambda v: None))
        if data:
            server.their_channel.send(data[: 1 << 17])
        server.their_channel.shutdown(socket.SHUT_WR)
        link.load()
        link.deadline = time.monotonic() + 5.0
        Submission(link).f(1)
    except (WorkerGone, Unmet, SubmissionRaised):
        pass
    finally:
        link.close()
        server.their_channel.close()
        server.their_output.close()


def framed(data):
    """Lengths that fit, so that the fuzzer need not find them: text up to a NUL, then payload."""
    text, _, payload = data.partition(b"\0")
    return LENGTHS.pack(len(text), len(payload)) + text + payload


def test_one(data):
    """Two conversations for each input: the bytes as they are, and as one well-measured frame."""
    converse(data)
    converse(framed(data))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for number, frames in enumerate(SEEDS):
            whole = b"".join(pack(frame, lambda v: None) for frame in frames)
            Path(folder, f"whole{number}").write_bytes(whole)
            Path(folder, f"text{number}").write_bytes(whole[LENGTHS.size :])
        options = [
            f"-max_total_time={arguments.seconds}",
            "-timeout=10",
            "-rss_limit_mb=1024",
            "-max_len=4096",
            "-print_final_stats=1",
        ]
        atheris.Setup([sys.argv[0], *options, folder], test_one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
