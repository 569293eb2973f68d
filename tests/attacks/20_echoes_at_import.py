# ruff: noqa
"""Case 20, steal: what a file can tell while it is loaded."""

raise ValueError("__TOKEN__")
