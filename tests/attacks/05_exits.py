# ruff: noqa
"""Case 5, tamper: exceptions that are no Exception, and exceptions that lie about themselves."""

import sys


class Nameless(type):
    @property
    def __name__(cls):
        raise KeyboardInterrupt


class Shy(BaseException, metaclass=Nameless):
    def __str__(self):
        raise SystemExit(0)


class _Code:
    co_filename, co_name = "scale.py", "\x1b[2J"


class _Frame:
    f_code = _Code()


class _Trace:
    tb_frame, tb_lineno, tb_next = _Frame(), 10**4000, None


class Lying(BaseException):
    __traceback__ = _Trace()


def attack_sys_exit(rewards, *, factor):
    sys.exit(0)


def attack_exit(rewards, *, factor):
    raise SystemExit


def attack_interrupt(rewards, *, factor):
    raise KeyboardInterrupt


def attack_generator_exit(rewards, *, factor):
    raise GeneratorExit


def attack_without_a_name(rewards, *, factor):
    raise Shy


def attack_false_traceback(rewards, *, factor):
    raise Lying


def attack_group(rewards, *, factor):
    raise BaseExceptionGroup("\x1b[31m", [SystemExit(0)])
