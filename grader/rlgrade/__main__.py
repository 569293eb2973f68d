"""`python -m rlgrade`, for where the command is not on the path."""

from rlgrade.front import main

main()
