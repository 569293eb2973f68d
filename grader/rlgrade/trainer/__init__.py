"""What the judge trains with: environments, networks, an optimiser, evaluation, devices.

Checks of a course import from here what they need, inside the bodies that need it: most of it
imports torch or gymnasium.
"""
