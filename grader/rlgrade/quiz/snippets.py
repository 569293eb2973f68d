"""The bank's own code, run: what a snippet prints, and whether a test passes on it.

It is trusted as the rest of the course is. It runs in other processes of the same Python, so that
nothing it does stays, and under a time limit.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rlgrade.outcome import GraderError

SECONDS = 20.0
IMPORTS = re.compile(r"^\s*(?:import|from)\s+(numpy|torch)\b", re.MULTILINE)


@dataclass(frozen=True)
class Snippet:
    """Code, and a test that runs after it in the same namespace."""

    code: str
    test: str = ""
    seconds: float = SECONDS

    @property
    def imports(self) -> list[str]:
        """Which of numpy and torch it imports."""
        return sorted(set(IMPORTS.findall(f"{self.code}\n{self.test}")))


@dataclass(frozen=True)
class Ran:
    """What a snippet printed. `stage` is empty where all went well, else `code`, `test`, `time` or
    `died`; `kind` is then the name of the exception, and `error` what it says."""

    output: str
    stage: str
    error: str
    kind: str


def run_snippets(snippets: Sequence[Snippet], *, hash_seed: int = 0) -> list[Ran]:
    """What came of each; those that import torch run in a process apart, at the same time.

    hash_seed: Python's; another one gives sets of texts another order.

    Raises:
        GraderError: the process that runs them could not.
    """
    with_torch = [n for n, snippet in enumerate(snippets) if "torch" in snippet.imports]
    without = [n for n in range(len(snippets)) if n not in set(with_torch)]
    groups = [group for group in (with_torch, without) if group]
    started = [(group, _start([snippets[n] for n in group], hash_seed)) for group in groups]
    found: dict[int, Ran] = {}
    for group, process in started:
        found |= dict(zip(group, _finish(process), strict=True))
    return [found[n] for n in range(len(snippets))]


@cache
def printed(code: str) -> str:
    """What the code prints.

    Raises:
        GraderError: it raised or took too long.
    """
    (ran,) = run_snippets([Snippet(code)])
    if ran.stage:
        raise GraderError(f"a snippet of the quiz failed: {ran.error}")
    return ran.output


def _start(snippets: list[Snippet], hash_seed: int) -> subprocess.Popen[str]:
    jobs = [
        {"code": s.code, "test": s.test, "seconds": s.seconds, "imports": s.imports}
        for s in snippets
    ]
    asked = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 the child reads it
    json.dump(jobs, asked)
    asked.seek(0)
    with asked:
        return subprocess.Popen(
            [sys.executable, "-s", "-P", str(Path(__file__).with_name("snippet_child.py"))],
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=_environment(hash_seed),
        )


def _environment(hash_seed: int) -> dict[str, str]:
    """This one without what would change Python, so that a snippet prints the same everywhere."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return kept | one | {"PYTHONHASHSEED": str(hash_seed), "PYTHONUTF8": "1"}


def _finish(process: subprocess.Popen[str]) -> list[Ran]:
    out, err = process.communicate()
    if process.returncode:
        raise GraderError(f"the process that runs quiz snippets failed: {err.strip()[-300:]}")
    return [Ran(**result) for result in json.loads(out)]
