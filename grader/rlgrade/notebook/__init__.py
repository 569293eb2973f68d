"""Exercises in Jupyter: a notebook made from a stub, and a cell magic that grades."""
