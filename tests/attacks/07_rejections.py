# ruff: noqa
"""Case 7, tamper: the ways in which Hypothesis is told that an example does not count."""


class UnsatisfiedAssumption(BaseException):
    pass


class StopTest(BaseException):
    testcounter = 0


class Unmet(AssertionError):
    pass


def attack_reject(rewards, *, factor):
    import hypothesis

    hypothesis.reject()


def attack_assume(rewards, *, factor):
    import hypothesis

    hypothesis.assume(False)


def attack_stop(rewards, *, factor):
    raise StopTest


def attack_same_name(rewards, *, factor):
    raise UnsatisfiedAssumption


def attack_name_of_ours(rewards, *, factor):
    raise Unmet("scaled is as it should be")
