"""What a check sees of a submission: names that can be called, across the process boundary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from rlgrade.author.expect import Array
from rlgrade.author.training import Refused
from rlgrade.channel import Handle
from rlgrade.judge.link import Answer, Port, Reply, Request, understand
from rlgrade.judge.values import Remote


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


class RemoteObject(Remote):
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


def _wrap(value: Any, port: Port) -> Any:
    kind = type(value)
    if kind is Handle:
        return RemoteObject(port, value)
    if kind is list or kind is tuple:
        return kind(_wrap(item, port) for item in value)
    if kind is dict:
        return {key: _wrap(item, port) for key, item in value.items()}
    return value
