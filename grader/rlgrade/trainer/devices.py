"""Where the judge's networks live."""

from __future__ import annotations

from rlgrade.outcome import UsageError

DEVICES = ("auto", "cpu", "cuda", "mps")


def chosen_device(wanted: str) -> str:
    """The device to use: what is wanted, or the best there is for `auto`.

    Raises:
        UsageError: the wanted device is not there.
    """
    if wanted == "cpu":
        return wanted
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next((name for name, available in there.items() if available), "cpu")
    if not there[wanted]:
        raise UsageError(f"torch finds no {wanted} device here; use --device auto or --device cpu")
    return wanted


def one_thread() -> None:
    """Let torch use one thread in this process.

    At these sizes a second one gains nothing, and costs a hundredfold where the other core is busy.
    """
    import torch

    torch.set_num_threads(1)
