"""A class: collect submissions, grade them all, keep a gradebook, tell students and teachers."""
