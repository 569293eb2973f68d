"""`python -m rlgrade`, for where the command is not on the path.

Python puts the current folder first on the path, and submissions may lie there: it goes.
"""

import os
import sys

if sys.path[:1] in ([""], [os.getcwd()]):  # noqa: PTH109
    del sys.path[0]

from rlgrade.front import main

main()
