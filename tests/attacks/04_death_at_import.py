# ruff: noqa
"""Case 4, tamper: the process ends while the file is loaded."""

import os

os._exit(0)
