"""Checks of the fixture exercise: one of every kind that the engine knows."""

import numpy as np

from rlgrade.author import (
    check,
    expect_close,
    expect_equal,
    expect_no_gradient,
    expect_raises,
    given,
    integers,
    one_of,
    strategy,
    tensors,
)


@strategy
def series(draw, least=1):
    return draw(tensors(draw(integers(least, 6))))


@check("scales each reward")
@given(rewards=series(), factor=one_of(1.0, 0.5, 2.0))
def scales_each(submission, rewards, factor):
    expect_close("scaled", submission.scale(rewards, factor=factor), rewards * factor)


@check("leaves its input alone")
@given(rewards=series(), examples=20)
def leaves_input_alone(submission, rewards):
    (after,), _ = submission.scale.arguments_after(rewards, factor=3.0)
    expect_close("rewards after the call", after, rewards)


@check("adds up")
@given(rewards=series())
def adds_up(submission, rewards):
    expect_close("total", submission.total(rewards), np.float64(rewards.astype(float).sum()))


@check("is linear in the factor", needs="scales_each")
@given(rewards=series(), factor=one_of(1.0, -1.0, 0.25))
def is_linear(submission, rewards, factor):
    once = submission.scale(rewards, factor=factor)
    twice = submission.scale(rewards, factor=2 * factor)
    expect_close("scaled by twice the factor", twice, 2 * once)


@check("refuses what is not one row")
def refuses_tables(submission):
    with expect_raises(ValueError, naming="rewards"):
        submission.total(np.zeros((2, 3), dtype=np.float32))


@check("sends gradient to the prediction alone")
@given(prediction=tensors(), target=tensors(), examples=20)
def differentiates(submission, prediction, target):
    result = submission.squared_error.gradients(
        "prediction", "target", prediction=prediction, target=target
    )
    wanted = 2 * (float(prediction) - float(target))
    expect_close("gradient of prediction", result.gradients["prediction"], np.asarray(wanted))
    expect_no_gradient("target", result.gradients["target"])


@check("counts its calls")
@given(start=integers(0, 5), calls=integers(1, 4))
def counts_calls(submission, start, calls):
    counter = submission.Counter(start)
    seen = [counter.step() for _ in range(calls)]
    expect_equal("counts", seen, list(range(start + 1, start + calls + 1)))
    expect_equal("count", counter.get("count"), start + calls)
