"""Processes of Python that take no module from the current folder, where submissions may lie.

`multiprocessing` starts them, and its resource tracker, as `python -c ...`, and then the current
folder is the first in which Python looks: a submission named `socket` would be run by the judge.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rlgrade.outcome import UsageError

SAFE_PATH = "PYTHONSAFEPATH"


@contextmanager
def safe_path() -> Iterator[None]:
    """Keep the current folder off the path of every process that is started meanwhile.

    Raises:
        UsageError: this Python was told to ignore its environment, and so would they.
    """
    if sys.flags.ignore_environment and not sys.flags.safe_path:
        raise UsageError("`python -E` would import what lies in this folder; say `python -P -E`")
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before
