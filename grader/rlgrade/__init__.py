"""Auto-graded reinforcement-learning exercises. The engine knows courses, not exercises.

Nothing is imported here: `python -m rlgrade` begins with this file, and only then takes the current
folder, in which a submission may lie, off the path.
"""

TYPE_CHECKING = False  # what typing calls so; type checkers know the name
if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """What `%load_ext rlgrade` calls: makes `%%rlgrade ex05` grade a cell."""
    from rlgrade.notebook.magic import load

    load(shell)


def unload_ipython_extension(shell: "InteractiveShell") -> None:
    """What `%unload_ext rlgrade` calls."""
    from rlgrade.notebook.magic import unload

    unload(shell)
