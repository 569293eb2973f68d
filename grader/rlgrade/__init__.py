"""Auto-graded reinforcement-learning exercises. The engine knows courses, not exercises."""

from typing import Any

__version__ = "0.1.0"


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext rlgrade` calls: makes `%%rlgrade ex05` grade a cell."""
    from rlgrade.notebook.magic import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """What `%unload_ext rlgrade` calls."""
    from rlgrade.notebook.magic import unload

    unload(shell)
