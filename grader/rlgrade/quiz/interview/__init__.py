"""A mock interview: what is asked (plan), the conversation (conduct), what came of it (report).

Nobody but the candidate judges an open answer, and no number is made up: every point in the report
is a tick of the candidate's, or an answer that has a key.
"""
