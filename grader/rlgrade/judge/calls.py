"""What a check sees of a submission: names that can be called, across the process boundary."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from rlgrade.author.expect import Array, SubmissionRaised, Unmet
from rlgrade.author.training import Refused
from rlgrade.channel import ITEM_SIZES, Blob, ChannelError, Handle, pack, unpack
from rlgrade.judge.server import Server, Worker, WorkerGone
from rlgrade.outcome import Outcome

MAX_WORDS = 4_000  # of what an exception says; the worker sends 2000 characters
MAX_FRAMES = 8
MAX_TYPES = 32

Request = dict[str, Any]
Reply = dict[str, Any]
Answer = Callable[..., Any]  # gets what is asked, and the arguments


DTYPE_NAMES = {np.dtype(name): name for name in ITEM_SIZES}  # `dtype.name` is slow


class Port(Protocol):
    """Something that carries a request to a worker and brings back the reply."""

    def call(self, request: Request) -> Reply:
        """The worker's reply."""

    def register(self, answer: Answer) -> int:
        """The number under which the worker may ask `answer` from now on."""


class Environments(Protocol):
    """What can be lent as environments. Both methods raise `Refused` for what they do not take."""

    count: int
    observation_size: int
    actions: int

    def reset(self) -> Array:
        """New episodes in all of them: observations [B, O]."""

    def step(self, actions: Any) -> tuple[Array, Array, Array, Array, Array | None]:
        """Observations, rewards, terminated, truncated, and the final observations, if any."""


@dataclass(frozen=True)
class Differentiated:
    """An answer with its gradients.

    `gradients[name]` has the shape of the argument `name`, or is None where nothing flows; for a
    module it is a dict by parameter name.
    """

    value: Any
    gradients: dict[str, Any]
    carries_gradient: bool


class Submission:
    """Every public name is a callable of the submission; `tools` are helpers beside it."""

    def __init__(self, port: Port) -> None:
        self._port = port

    def __getattr__(self, name: str) -> RemoteFunction:
        if name.startswith("_"):
            raise AttributeError(name)
        return RemoteFunction(self._port, None, name)

    @property
    def tools(self) -> RemoteObject:
        """The functions of `rlgrade.worker.tools`, run beside the submission."""
        return RemoteObject(self._port, "tool")

    def lend_function(self, function: Callable[..., Any]) -> RemoteObject:
        """Something in the worker that, when it is called, calls `function` here.

        The arguments are what a submission chose: plain data and arrays, nothing else is certain.
        `function` raises `Refused` where it wants none of them.
        """

        def answer(what: str, *args: Any) -> Any:
            return function(*args)

        return self._lend(answer, {})

    def lend_environments(self, environments: Environments) -> RemoteObject:
        """Environments in the worker that are stepped here, by `environments`."""

        def answer(what: str, *args: Any) -> Any:
            if what == "reset" and not args:
                return environments.reset()
            if what == "step" and len(args) == 1:
                return environments.step(args[0])
            raise Refused("environments are reset and stepped, nothing else")

        sizes = ("count", "observation_size", "actions")
        return self._lend(answer, {"environments": {s: getattr(environments, s) for s in sizes}})

    def _lend(self, answer: Answer, spec: Request) -> RemoteObject:
        request = {"op": "lend", "number": self._port.register(answer), **spec}
        return RemoteObject(self._port, understand("lend", self._port.call(request))["value"])


class RemoteObject:
    """Stands for an object in the worker. Attributes are its methods."""

    def __init__(self, port: Port, of: Any) -> None:
        self._port = port
        self._of = of

    def __getattr__(self, name: str) -> RemoteFunction:
        if name.startswith("_"):
            raise AttributeError(name)
        return RemoteFunction(self._port, self._of, name)

    def __repr__(self) -> str:
        return f"an object of type {getattr(self._of, 'type_name', self._of)}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return RemoteFunction(self._port, self._of, "__call__")(*args, **kwargs)

    def get(self, name: str) -> Any:
        """The value of an attribute."""
        return RemoteFunction(self._port, "tool", "attribute")(self, name)


class RemoteFunction:
    """One function of the submission, or one method of an object in the worker."""

    def __init__(self, port: Port, of: Any, name: str) -> None:
        self._port = port
        self._of = of
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the submission returns: tensors as numpy arrays, the rest as plain Python values.

        Raises:
            SubmissionRaised: the call raised.
            Unmet: the answer is of a kind that no exercise asks for.
            WorkerGone: the process did not survive the call, or was too slow.
        """
        return self._ask(list(args), kwargs)["value"]

    def gradients(self, *wrt: str, cotangent: Array | None = None, **kwargs: Any) -> Differentiated:
        """The answer and its gradients with respect to the keyword arguments named in `wrt`.

        Each is made to require gradient before the call. An answer that is no scalar is multiplied
        with `cotangent` (ones unless given) and summed first.
        """
        reply = self._ask([], kwargs, gradients=list(wrt), cotangent=cotangent)
        return Differentiated(reply["value"], reply["gradients"], reply["carries_gradient"])

    def arguments_after(self, *args: Any, **kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
        """The arguments as they are once the call has returned."""
        after = self._ask(list(args), kwargs, echo=True)["after"]
        return after[0], after[1]

    def _ask(
        self,
        args: list[Any],
        kwargs: dict[str, Any],
        *,
        gradients: list[str] | None = None,
        cotangent: Array | None = None,
        echo: bool = False,
    ) -> Reply:
        request: Request = {"op": "call", "target": self._name, "args": args, "kwargs": kwargs}
        if self._of is not None:
            request["of"] = self._of
        if gradients is not None:
            request |= {"gradients": gradients, "cotangent": cotangent}
        if echo:
            request["echo"] = True
        reply = self._port.call(request)
        return {
            key: _wrap(value, self._port) for key, value in understand(self._name, reply).items()
        }


def understand(function: str, reply: Reply) -> Reply:
    """The reply, unless it says that the call failed.

    Raises:
        SubmissionRaised, Unmet: it failed.
    """
    raised = reply.get("raised")
    if raised is not None:
        frames = [(int(line), str(name)) for line, name in raised["frames"]]
        raise SubmissionRaised(function, raised["types"], raised["message"], frames)
    if "unsendable" in reply:
        raise Unmet(f"{function} returned something that cannot be graded: {reply['unsendable']}")
    if reply.get("foreign"):
        raise Unmet(f"{function} returned a numpy array; return a torch tensor", "numpy")
    return reply


def _wrap(value: Any, port: Port) -> Any:
    kind = type(value)
    if kind is Handle:
        return RemoteObject(port, value)
    if kind is list or kind is tuple:
        return kind(_wrap(item, port) for item in value)
    if kind is dict:
        return {key: _wrap(item, port) for key, item in value.items()}
    return value


class Link:
    """Requests to one worker and replies from it, in order. A `Port` for one call at a time."""

    def __init__(self, server: Server, file: str, source: str, seconds: float) -> None:
        """Ask for a worker and for loading a submission, which may take `seconds`; do not wait."""
        self.worker: Worker = server.fork()
        self.deadline = 0.0
        self._server = server
        self._file = file
        self._load_seconds = seconds
        self._ids = itertools.count()
        self._awaited: deque[int] = deque()  # numbers of the requests without a reply
        self._lent: list[Answer] = []
        self._loaded = False
        self.level = ""
        self.missing_walls: dict[str, str] = {}
        self.post({"op": "load", "module": "", "file": file, "source": source})

    def load(self, end: float = float("inf")) -> Link:
        """Wait until the submission is loaded, but not beyond `end` on the monotonic clock.

        Raises:
            WorkerGone, SubmissionRaised: it could not be; the worker is dead then.
        """
        if not self._loaded:
            self._server.wait_until_ready()
            self.deadline = min(time.monotonic() + self._load_seconds, end)
            try:
                self._read_hello()
                understand(self._file, self.receive())
            except BaseException:
                self.close()
                raise
            self._loaded = True
        return self

    def _read_hello(self) -> None:
        """Which walls hold. The worker says it before it has seen the submission."""
        hello = unpack(self.worker.receive(self.deadline), _Tensors().make)
        self.level, self.missing_walls = hello["level"], hello["missing"]

    @property
    def alive(self) -> bool:
        """Whether the worker can still be asked."""
        return self.worker.channel.fileno() != -1

    def post(self, request: Request) -> None:
        """Send a request without waiting."""
        number = next(self._ids)
        self.worker.post(pack({"module": "", **request, "id": number}, _to_blob))
        self._awaited.append(number)

    def seed(self, seed: int) -> None:
        """Seed the worker's random generators before the next request. There is no reply."""
        self.worker.post(pack({"op": "seed", "seed": seed}, _to_blob))

    def receive(self) -> Reply:
        """The reply to the oldest request without one.

        Raises:
            WorkerGone: there is none before the deadline, or it breaks the protocol.
        """
        awaited = self._awaited.popleft()
        while True:
            frame = self.worker.receive(self.deadline)
            tensors = _Tensors()
            try:
                reply = unpack(frame, tensors.make, self.worker.charge)
                if type(reply) is dict and "ask" in reply:
                    self._answer(reply)
                    continue
                _demand_form(reply, awaited)
            except ChannelError as error:
                self.close()
                raise WorkerGone(
                    Outcome.ERROR, f"gave an answer that cannot be read: {error}"
                ) from None
            reply["foreign"] = tensors.foreign
            return reply  # type: ignore[no-any-return]

    def _answer(self, question: Any) -> None:
        """Answer a question that the submission asks in the middle of a call.

        What answers may itself call the submission; it waits for us and serves us meanwhile.

        Raises:
            ChannelError: the question is about nothing that was lent.
        """
        number, args = question["ask"], question.get("args")
        lent = type(number) is int and 0 <= number < len(self._lent)
        if not lent or type(args) is not list or not _is_text(question.get("what")):
            raise ChannelError("it asks for something that was not lent")
        waiting, self._awaited = self._awaited, deque()
        answer: Reply = {"op": "answer", "refused": "", "value": None}
        try:
            answer["value"] = self._lent[number](question["what"], *args)
        except Refused as refused:
            answer["refused"] = str(refused)
        except BaseException:  # the check is over in the middle of a call, which nobody resumes
            self.close()
            raise
        self._awaited = waiting
        self.worker.post(pack(answer, _to_blob))

    def register(self, answer: Answer) -> int:
        """The number under which the worker may ask `answer` from now on."""
        self._lent.append(answer)
        return len(self._lent) - 1

    def take_back(self) -> None:
        """Nothing is lent any more."""
        self._lent.clear()

    def call(self, request: Request) -> Reply:
        """Send a request and wait for its reply."""
        self.post(request)
        return self.receive()

    def close(self) -> None:
        """Kill the worker."""
        self.worker.close()


class _Tensors:
    """Makes arrays of blobs, and notices those that were no torch tensors."""

    def __init__(self) -> None:
        self.foreign = False

    def make(self, blob: Blob) -> Array:
        self.foreign |= blob.kind == "numpy"
        if blob.dtype == "bool":  # any byte may have come, and `&` and `sum` would see which
            return np.frombuffer(blob.data, dtype=np.uint8).astype(bool).reshape(blob.shape)
        return np.frombuffer(blob.data, dtype=blob.dtype).reshape(blob.shape).copy()


def _to_blob(value: Any) -> Blob | Handle | None:
    if isinstance(value, (np.ndarray, np.generic)):
        kind = "torch" if value.flags.c_contiguous else "strided"
        name = DTYPE_NAMES.get(value.dtype) or value.dtype.name
        return Blob(kind, name, value.shape, value.tobytes())
    if isinstance(value, RemoteObject) and isinstance(value._of, Handle):
        return value._of
    return None


def _demand_form(reply: Any, awaited: int) -> None:
    """Raise ChannelError unless the reply has the form that `rlgrade.worker.serve` gives it."""
    if type(reply) is not dict or type(reply.get("id")) is not int or reply["id"] != awaited:
        raise ChannelError("it answers no question")
    raised = reply.get("raised")
    if raised is not None and not (
        type(raised) is dict
        and _is_text(raised.get("message"))
        and type(raised.get("types")) is list
        and 0 < len(raised["types"]) <= MAX_TYPES
        and all(map(_is_text, raised["types"]))
        and type(raised.get("frames")) is list
        and len(raised["frames"]) <= MAX_FRAMES
        and all(
            type(frame) is list
            and [type(part) for part in frame] == [int, str]
            and 0 <= frame[0] < 1 << 31
            and _is_text(frame[1])
            for frame in raised["frames"]
        )
    ):
        raise ChannelError("it describes no exception")
    if raised is None and "unsendable" not in reply and "value" not in reply:
        raise ChannelError("it holds no value")
    if not _is_text(reply.get("unsendable", "")):
        raise ChannelError("it gives no reason")
    if "gradients" in reply and not (
        type(reply["gradients"]) is dict and type(reply.get("carries_gradient")) is bool
    ):
        raise ChannelError("it holds no gradients")
    after = reply.get("after")
    if after is not None and not (
        type(after) is list and [type(part) for part in after] == [list, dict]
    ):
        raise ChannelError("it holds no arguments")


def _is_text(value: Any) -> bool:
    return type(value) is str and len(value) <= MAX_WORDS
