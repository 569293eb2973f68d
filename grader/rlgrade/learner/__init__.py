"""What is remembered of a learner, and the commands of a learner's day."""
