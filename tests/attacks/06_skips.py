# ruff: noqa
"""Case 6, tamper: the ways in which a test says that it does not count."""

import unittest


def _of_pytest(name):
    class Skipped(BaseException):
        pass

    try:
        import pytest
    except ImportError:
        return Skipped
    return {"skip": pytest.skip.Exception, "xfail": pytest.xfail.Exception}[name]


def attack_pytest_skip(rewards, *, factor):
    raise _of_pytest("skip")("not today")


def attack_pytest_xfail(rewards, *, factor):
    raise _of_pytest("xfail")("known to fail")


def attack_pytest_exit(rewards, *, factor):
    import pytest

    pytest.exit("all passed", returncode=0)


def attack_unittest_skip(rewards, *, factor):
    raise unittest.SkipTest("not today")
