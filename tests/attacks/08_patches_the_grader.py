# ruff: noqa
"""Case 8, tamper: the grader's own modules, as far as this process has them."""

import sys
import unittest


def _fine(*args, **kwargs):
    return None


def _patch_all():
    import numpy.testing

    numpy.testing.assert_allclose = numpy.testing.assert_array_equal = _fine
    unittest.TestCase.assertEqual = _fine
    for name, module in list(sys.modules.items()):
        if name.startswith(("rlgrade.author", "rlgrade.judge", "rlgrade.report", "_pytest")):
            for attribute in list(vars(module)):
                if attribute.startswith(("expect", "grade", "verdict", "pytest_")):
                    setattr(module, attribute, _fine)


def attack_helpers(rewards, *, factor):
    _patch_all()
    return rewards.detach().clone()


def attack_import_the_judge(rewards, *, factor):
    try:
        import rlgrade.author.expect as expect
        import rlgrade.judge.grading as grading
        import rlgrade.report as report
    except ImportError:
        return rewards.detach().clone()
    expect.expect_close = expect.expect_equal = _fine
    grading._Run.verdict = lambda *rest: (grading.Outcome.PASS, "", None)
    report.CheckResult.points = 4.0
    return rewards.detach().clone()


def attack_worker(rewards, *, factor):
    worker = sys.modules["rlgrade.worker.serve"].Worker
    honest = worker.answer

    def answer(self, frame):
        return honest(self, frame).replace(b'"raised"', b'"passed"')

    worker.answer = answer
    raise ValueError("this is turned into something else")


def attack_outcome(rewards, *, factor):
    worker = sys.modules["rlgrade.worker.serve"].Worker
    worker._call = lambda self, request: {
        "value": None,
        "outcome": "PASS",
        "points": 4,
        "passed": True,
        "after": [request["args"], request["kwargs"]],
    }
    return rewards.detach().clone()
