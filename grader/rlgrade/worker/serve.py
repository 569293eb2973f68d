"""The worker's loop: load the submission once, then answer calls until the judge hangs up.

Whatever the submission does here can only harm its own answers: the judge believes nothing of what
comes back but that it is what the submission answered.
"""

from __future__ import annotations

import linecache
import os
import random
import socket
import sys
import types
from functools import partial
from typing import IO, Any

import torch

from rlgrade.channel import ChannelError, Handle, frame_size, pack, unpack
from rlgrade.worker import tools
from rlgrade.worker.lent import LentFunction, lent_environments
from rlgrade.worker.sandbox import Limits, Places, enter
from rlgrade.worker.values import Values, make_tensor

MAX_MESSAGE = 2_000
MAX_NAME = 200
MAX_TYPES = 32


def serve(channel: int, output: int, limits: Limits, places: Places, highest: str) -> None:
    """Put up the walls, say which hold, then answer on `channel` until it closes.

    Standard output and error go to `output`.
    """
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    walls = enter(limits, places, {0, 1, 2, channel}, highest)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="replace")
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="replace")
    with socket.socket(fileno=channel) as connection:
        stream = os.fdopen(os.dup(channel), "rb", buffering=1 << 16)
        hello = {"level": walls.level, "missing": walls.missing}
        worker = Worker(connection, stream)
        connection.sendall(pack(hello, worker.values.to_blob))
        while (frame := read_frame(stream)) is not None:
            connection.sendall(worker.answer(frame))


def read_frame(stream: IO[bytes]) -> bytes | None:
    """The next frame, or None when the judge has hung up."""
    head = stream.read(8)
    size = frame_size(head)
    if size is None:
        return None
    return head + stream.read(size - len(head))


class Worker:
    """One loaded submission and the objects it has made.

    Our own known mistakes share a worker, as modules with a key each; a submission has the key "".
    """

    def __init__(self, connection: socket.socket, stream: IO[bytes]) -> None:
        self.connection = connection
        self.stream = stream
        self.values = Values()
        self.modules: dict[str, types.ModuleType] = {}
        self.file = ""

    def answer(self, frame: bytes) -> bytes:
        """The frame that answers this one; nothing where none is asked for."""
        request = unpack(frame, make_tensor)
        if request["op"] == "seed":
            self._seed(request["seed"])
            return b""
        reply: dict[str, Any] = {"id": request["id"]}
        try:
            reply |= getattr(self, f"_{request['op']}")(request)
            return pack(reply, self.values.to_blob)
        except ChannelError as error:
            reply = {"id": request["id"], "unsendable": str(error)[:MAX_MESSAGE]}
        except BaseException as error:  # SystemExit and KeyboardInterrupt are answers too
            reply = {"id": request["id"], "raised": self._describe(error)}
        return pack(reply, self.values.to_blob)

    def _load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run the submission's source. It is no file here, so nothing beside it is importable."""
        self.file, key = request["file"], request["module"]
        module = types.ModuleType(request["file"].removesuffix(".py") + key)
        module.__file__ = self.file
        self.modules[key] = sys.modules[module.__name__] = module
        source = request["source"]
        lines = source.splitlines(keepends=True)
        linecache.cache[self.file] = len(source), None, lines, self.file  # torch.jit reads it
        code = compile(source, self.file, "exec", dont_inherit=True)
        exec(code, module.__dict__)
        return {"value": None}

    def _lend(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make something that stands here for what the judge lends, and give its handle."""
        ask = partial(self._ask, request["number"])
        spec = request.get("environments")
        lent = lent_environments(ask, spec) if spec else LentFunction(ask)
        return {"value": self.values.handle(lent)}

    def _ask(self, number: int, what: str, *args: Any) -> Any:
        """The judge's answer. Until it comes, the judge may call what it likes."""
        question = {"ask": number, "what": what, "args": list(args)}
        self.connection.sendall(pack(question, self.values.to_blob))
        while (frame := read_frame(self.stream)) is not None:
            message = unpack(frame, make_tensor)
            if message["op"] == "answer":
                if message["refused"]:
                    raise ValueError(message["refused"])
                return self.values.restore(message["value"])
            self.connection.sendall(self.answer(frame))
        raise SystemExit("the judge has hung up")

    def _seed(self, seed: int) -> None:
        """Seed every source of randomness, so that a run can be repeated."""
        random.seed(seed)
        torch.manual_seed(seed)
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            numpy.random.seed(seed % 2**32)

    def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        """Call a function, a method or a tool, with gradients where the judge asks for them."""
        function = self._find(request)
        args = self.values.restore(request["args"])
        kwargs = self.values.restore(request["kwargs"])
        wanted = request.get("gradients")
        if wanted is None:
            value = function(*args, **kwargs)
            if request.get("echo"):
                return {"value": value, "after": [args, kwargs]}
            return {"value": value}
        leaves = {name: tools.as_leaves(kwargs, name) for name in wanted}
        value = function(*args, **kwargs)
        return {
            "value": value,
            "carries_gradient": tools.carries_gradient(value),
            "gradients": tools.gradients_of(value, leaves, request["cotangent"]),
        }

    def _find(self, request: dict[str, Any]) -> Any:
        target = request["target"]
        of = request.get("of")
        if of == "tool":
            return getattr(tools, target)
        if isinstance(of, Handle):
            return getattr(self.values.resolve(of), target)
        return getattr(self.modules[request["module"]], target)

    def _describe(self, error: BaseException) -> dict[str, Any]:
        """The exception in plain data, with the frames that lie in the submission."""
        frames = []
        trace = error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if code.co_filename == self.file:
                frames.append([trace.tb_lineno, str(code.co_name)[:MAX_NAME]])
            trace = trace.tb_next
        try:
            message = str(error)[:MAX_MESSAGE]
        except BaseException:
            message = "(its message could not be read)"
        if isinstance(error, SyntaxError) and error.filename == self.file:
            frames.append([error.lineno or 1, ""])
            message = str(error.msg)
        kinds = type(error).__mro__[:MAX_TYPES]
        names = [str(kind.__name__)[:MAX_NAME] for kind in kinds if kind is not object]
        return {"types": names, "message": message, "frames": frames[-8:]}
