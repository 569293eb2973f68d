"""Labs: one thing is broken on purpose, beside the same thing intact, and the learner predicts."""
