"""Auto-graded reinforcement-learning exercises. The engine knows courses, not exercises."""

__version__ = "0.1.0"
