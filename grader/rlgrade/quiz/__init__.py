"""Quizzes and mock interviews: the bank, the runner, the schedule, the exports."""
