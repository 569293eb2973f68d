"""The promises of ex09_kl. Expectations are sums over a small vocabulary, in float64."""

from typing import Any

import numpy as np

from rlgrade.author import (
    Array,
    Draw,
    booleans,
    check,
    distinct_sizes,
    expect,
    expect_close,
    expect_dtype,
    expect_equal,
    expect_no_gradient,
    expect_raises,
    expect_shape,
    given,
    integers,
    masks,
    one_of,
    strategy,
    tensors,
)

KINDS = one_of("k1", "k2", "k3")
BETAS = one_of(0.5, 0.25, 2.0, 0.1)
FUNCTIONS = one_of("kl_penalised_rewards", "kl_loss", "kl_categorical", "kl_estimate")
# Times 1.5: how far apart log-probs may be. What exp makes of the largest is finite in float32.
REACHES = one_of(1.0, 8.0, -8.0, 50.0, -50.0)


def log_softmax(logits: Array) -> Array:
    """By the definition, in float64."""
    wide = logits.astype(np.float64)
    wide = wide - wide.max(axis=-1, keepdims=True)
    return wide - np.log(np.exp(wide).sum(axis=-1, keepdims=True))


def true_kl(log_p: Array, log_q: Array) -> Array:
    """KL(p || q) as a sum over the vocabulary."""
    return (np.exp(log_p) * (log_p - log_q)).sum(axis=-1)


def true_estimate(log_probs: Array, ref_log_probs: Array, kind: str) -> Array:
    """k1, k2 and k3 through the ratio of the probabilities, entry by entry."""
    ratio = np.exp(ref_log_probs.astype(float)) / np.exp(log_probs.astype(float))
    if kind == "k1":
        return -np.log(ratio)
    return np.log(ratio) ** 2 / 2 if kind == "k2" else ratio - 1 - np.log(ratio)


def true_slope(log_probs: Array, ref_log_probs: Array, kind: str) -> Array:
    """The derivative of each estimate in its own log-prob."""
    x = log_probs.astype(float) - ref_log_probs.astype(float)
    return {"k1": np.ones_like(x), "k2": x, "k3": 1 - np.exp(-x)}[kind]


@strategy
def pairs(draw: Draw, axes: int = 0, spread: float = 2.0) -> tuple[Array, Array]:
    """Logits of a policy and of its reference, clearly apart: [V], or with leading axes."""
    shape = draw(distinct_sizes(*[(1, 3)] * axes, (2, 5)))
    logits = draw(tensors(*shape, low=-spread, high=spread))
    ref_logits = draw(tensors(*shape, low=-spread, high=spread))
    ref_logits[..., 0] = logits[..., 0] + 1.0
    ref_logits[..., 1] = logits[..., 1] - 0.5
    return logits, ref_logits


@strategy
def samples(
    draw: Draw, rows: tuple[int, int] = (1, 4), reach: float = 1.0
) -> tuple[Array, Array, Array]:
    """Log-probs, reference log-probs and a mask, [B, T]; differences of both signs, or far off."""
    b, t = draw(distinct_sizes(rows, (2, 5)))
    likelier = draw(tensors(b, t, low=-3.0, high=-0.1))
    difference = draw(tensors(b, t, low=-1.5, high=1.5))
    if reach != 1.0:  # all to one side, for the largest of both would hide the others
        difference = np.abs(difference) * np.float32(reach)
    log_probs = likelier - np.maximum(difference, 0)
    return log_probs, log_probs + difference, draw(masks(b, t))


@strategy
def scores_of_any_dtype(draw: Draw) -> tuple[Array, Array, Array, Array]:
    """Scores of one dtype, and `samples` of the same or another.

    Beside float64 samples most scores are too long for float32, and a token that the reference
    finds impossible costs nearly as much at beta 0.5, so that rounding shows.
    """
    log_probs, ref_log_probs, mask = draw(samples())
    scores = np.arange(1, len(mask) + 1)
    dtype, wide = draw(
        one_of(
            ("int64", False),
            ("float64", False),
            ("int64", True),
            ("float64", True),
            ("float32", True),
        )
    )
    if wide:
        log_probs, ref_log_probs = (x.astype("float64") / 3 for x in (log_probs, ref_log_probs))
        if dtype != "float32":
            scores = 2**25 + (scores / 3 if dtype == "float64" else scores)
            ref_log_probs -= 2.0**26
    return scores.astype(dtype), log_probs, ref_log_probs, mask


@strategy
def far_samples(draw: Draw, rows: tuple[int, int] = (1, 4)) -> tuple[Array, Array, Array]:
    """As `samples`, and in some the reference is far above the policy, or far below."""
    reach = draw(REACHES)
    sample: tuple[Array, Array, Array] = draw(samples(rows=rows, reach=reach))
    return sample


def arguments_of(
    function: str, log_probs: Array, ref_log_probs: Array, mask: Array, kind: str
) -> dict[str, Any]:
    """What each function is called with where a check is about all of them."""
    if function == "kl_categorical":
        return {"logits": log_probs, "ref_logits": ref_log_probs}
    inputs = {"log_probs": log_probs, "ref_log_probs": ref_log_probs}
    if function == "kl_estimate":
        return {**inputs, "kind": kind}
    if function == "kl_loss":
        return {**inputs, "mask": mask, "kind": kind}
    scores = with_gaps(np.arange(1, len(mask) + 1).astype(log_probs.dtype))
    return {"rewards": scores, **inputs, "mask": mask, "beta": 0.1}


def true_answer(
    function: str, log_probs: Array, ref_log_probs: Array, mask: Array, kind: str
) -> Array:
    """What each function answers to `arguments_of`."""
    if function == "kl_categorical":
        return true_kl(log_softmax(log_probs), log_softmax(ref_log_probs))
    estimates = true_estimate(log_probs, ref_log_probs, kind)
    if function == "kl_penalised_rewards":
        return true_rewards(np.arange(1, len(mask) + 1), log_probs, ref_log_probs, mask, 0.1)
    return estimates if function == "kl_estimate" else np.asarray(estimates[mask].mean())


def true_rewards(
    scores: Array, log_probs: Array, ref_log_probs: Array, mask: Array, beta: float
) -> Array:
    """Token by token, in float64."""
    expected = np.zeros(mask.shape)
    for b, t in np.argwhere(mask):
        expected[b, t] = -beta * (float(log_probs[b, t]) - float(ref_log_probs[b, t]))
        if not mask[b, t + 1 :].any():
            expected[b, t] += scores[b]
    return expected


def with_gaps(tensor: Array) -> Array:
    """The same numbers, which arrive as a tensor with gaps in memory."""
    return np.repeat(tensor, 2, axis=-1)[..., ::2]


@check("kl_categorical is the sum over the vocabulary of pi * (log pi - log pi_ref)")
@given(pair=pairs(axes=0))
def sums_over_the_vocabulary(submission, pair):
    logits, ref_logits = pair
    expected = true_kl(log_softmax(logits), log_softmax(ref_logits))
    expect_close("kl", submission.kl_categorical(logits, ref_logits), expected, rtol=1e-3)


@check("kl_categorical gives one number for each distribution of a batch")
@given(pair=pairs(axes=2), examples=60)
def keeps_leading_axes(submission, pair):
    logits, ref_logits = pair
    kl = submission.kl_categorical(with_gaps(logits), with_gaps(ref_logits))
    expect_shape("kl", kl, logits.shape[:-1])
    expect_close("kl", kl, true_kl(log_softmax(logits), log_softmax(ref_logits)), rtol=1e-3)


@check("kl_categorical is finite and right for logits of hundreds")
@given(
    pair=pairs(),
    size=one_of(100.0, -100.0, 300.0, 0.0),
    where=integers(0, 1),
    rare=one_of(0.0, 30.0, -30.0, 200.0, -1000.0),
    examples=60,
)
def survives_large_logits(submission, pair, size, where, rare):
    """The policy may be all but certain, the reference may find a token all but impossible."""
    logits, ref_logits = pair
    logits[where] += size
    ref_logits += size
    ref_logits[1 - where] += rare
    expected = true_kl(log_softmax(logits), log_softmax(ref_logits))
    kl = submission.kl_categorical(logits, ref_logits)
    # float32 numbers of hundreds are a few hundred thousandths apart.
    expect_close("kl", kl, expected, rtol=1e-3, atol=1e-4)


@check("kl_categorical sends the exact gradient to the policy, and none to the reference")
@given(pair=pairs(), examples=60)
def differentiates_exactly(submission, pair):
    logits, ref_logits = pair
    log_p, log_q = log_softmax(logits), log_softmax(ref_logits)
    result = submission.kl_categorical.gradients(
        "logits", "ref_logits", logits=logits, ref_logits=ref_logits
    )
    expected = np.exp(log_p) * (log_p - log_q - true_kl(log_p, log_q))
    expect_close("gradient of logits", result.gradients["logits"], expected, rtol=1e-3)
    expect_no_gradient("ref_logits", result.gradients["ref_logits"])


@check("the policy pi_ref * exp(r / beta) / Z is the best under r - beta * KL")
@given(
    ref_logits=tensors(4, low=-1.0, high=1.0),
    scores=tensors(4, low=-1.0, high=1.0),
    beta=BETAS,
    examples=40,
)
def has_the_known_optimum(submission, ref_logits, scores, beta):
    """At the optimum, E[r] - beta * KL = beta * log Z."""
    tilted = log_softmax(ref_logits) + scores.astype(float) / beta
    best = beta * np.log(np.exp(tilted).sum())
    kl = submission.kl_categorical(tilted.astype(np.float32), ref_logits)
    expect_shape("kl", kl, ())
    mean_score = (np.exp(log_softmax(tilted)) * scores).sum()
    expect_close("E[r] - beta * KL at the optimum", mean_score - beta * kl, np.asarray(best))


@check("kl_estimate is k1, k2 or k3 of each single sample")
@given(sample=far_samples(), kind=KINDS)
def estimates_each_sample(submission, sample, kind):
    log_probs, ref_log_probs, _ = sample
    estimate = submission.kl_estimate(log_probs, ref_log_probs, kind)
    expected = true_estimate(log_probs, ref_log_probs, kind)
    expect_close(f"{kind}", estimate, expected, rtol=1e-3)


@check("k1 and k3 are unbiased for KL(pi || pi_ref), not for the reverse")
@given(pair=pairs(), kind=one_of("k1", "k3"))
def is_unbiased(submission, pair, kind):
    log_p, log_q = log_softmax(pair[0]), log_softmax(pair[1])
    estimate = submission.kl_estimate(log_p.astype("float32"), log_q.astype("float32"), kind)
    expect_shape(kind, estimate, log_p.shape)
    mean = (np.exp(log_p) * estimate).sum()
    expect_close(f"the mean of {kind} under pi", mean, true_kl(log_p, log_q), rtol=1e-3)


@check("k2 and k3 are never negative, and every estimate is 0 where the policies agree")
@given(sample=samples(), kind=one_of("k3", "k2"), same=booleans(), examples=60)
def is_never_negative(submission, sample, kind, same):
    log_probs, ref_log_probs, _ = sample
    if same:
        agreed = submission.kl_estimate(log_probs, log_probs, kind)
        expect_close(f"{kind} of equal policies", agreed, np.zeros(log_probs.shape))
    estimate = submission.kl_estimate(log_probs, ref_log_probs, kind)
    expect_shape(kind, estimate, log_probs.shape)
    expect(
        bool((estimate >= 0).all()), f"{kind} should never be negative; yours is {estimate.min()}"
    )


@check("as losses, E grad k1 is zero, E grad k2 that of KL(pi || ref), E grad k3 of KL(ref || pi)")
@given(pair=pairs(), kind=KINDS)
def has_the_right_gradient(submission, pair, kind):
    """Samples are fixed; only log pi(x) is differentiated, and every x weighs pi(x)."""
    log_p, log_q = log_softmax(pair[0]), log_softmax(pair[1])
    p, q = np.exp(log_p), np.exp(log_q)
    result = submission.kl_estimate.gradients(
        "log_probs",
        "ref_log_probs",
        log_probs=log_p.astype("float32"),
        ref_log_probs=log_q.astype("float32"),
        kind=kind,
    )
    slope = result.gradients["log_probs"]
    expect_shape("gradient of log_probs", slope, p.shape)
    gradient = p * slope - p * (p * slope).sum()
    expected = {
        "k1": np.zeros_like(p),
        "k2": p * (log_p - log_q - true_kl(log_p, log_q)),
        "k3": p - q,
    }[kind]
    expect_close(f"the expected gradient of {kind} in the logits", gradient, expected, rtol=1e-3)
    expect_no_gradient("ref_log_probs", result.gradients["ref_log_probs"])


@check("kl_estimate has slope 1, x, 1 - exp(-x) in x = log pi - log pi_ref")
@given(sample=far_samples(), kind=KINDS, examples=60)
def has_the_right_slope(submission, sample, kind):
    log_probs, ref_log_probs, _ = sample
    result = submission.kl_estimate.gradients(
        "log_probs", log_probs=log_probs, ref_log_probs=ref_log_probs, kind=kind
    )
    expected = true_slope(log_probs, ref_log_probs, kind)
    expect_close(f"slope of {kind}", result.gradients["log_probs"], expected, rtol=1e-3)


@check(
    "kl_penalised_rewards charges beta for each nat and pays the score on the last counted token"
)
@given(sample=far_samples(), beta=BETAS, data=tensors(4))
def pays_and_charges(submission, sample, beta, data):
    log_probs, ref_log_probs, mask = sample
    scores = data[: len(mask)]
    got = submission.kl_penalised_rewards(scores, log_probs, ref_log_probs, mask, beta=beta)
    expected = true_rewards(scores, log_probs, ref_log_probs, mask, beta)
    expect_close("token rewards", got, expected)


@check(
    "kl_penalised_rewards adds up to the score minus beta times the log-ratio of the whole answer"
)
@given(sample=samples(), beta=BETAS, data=tensors(4, low=0.5, high=3.0), examples=60)
def adds_up(submission, sample, beta, data):
    log_probs, ref_log_probs, mask = sample
    scores = data[: len(mask)]
    got = submission.kl_penalised_rewards(scores, log_probs, ref_log_probs, mask, beta=beta)
    expect_shape("token rewards", got, mask.shape)
    ratio = np.where(mask, log_probs.astype(float) - ref_log_probs, 0.0).sum(axis=1)
    expect_close("sum of token rewards", got.sum(axis=1), scores - beta * ratio, rtol=1e-3)


@check("following the penalty alone brings the policy nearer to its reference")
@given(pair=pairs(), beta=BETAS, examples=60)
def pulls_towards_the_reference(submission, pair, beta):
    """One token, every one of the V tokens once: the policy gradient is -beta * grad KL."""
    log_p, log_q = log_softmax(pair[0]), log_softmax(pair[1])
    p = np.exp(log_p)
    v = len(p)
    got = submission.kl_penalised_rewards(
        np.zeros(v, dtype=np.float32),
        log_p.astype(np.float32)[:, None],
        log_q.astype(np.float32)[:, None],
        np.ones((v, 1), dtype=bool),
        beta=beta,
    )
    expect_shape("token rewards", got, (v, 1))
    gradient = p * (got[:, 0] - (p * got[:, 0]).sum())
    expected = -beta * p * (log_p - log_q - true_kl(log_p, log_q))
    expect_close("the policy gradient of the penalty", gradient, expected, rtol=1e-3)


@check("kl_loss is the mean of the estimate over all counted tokens, whatever stands elsewhere")
@given(sample=far_samples(rows=(2, 4)), kind=KINDS, garbage=one_of(0.0, 30.0, -30.0, 80.0))
def averages_counted_tokens(submission, sample, kind, garbage):
    log_probs, ref_log_probs, mask = sample
    mask[0] = True
    mask[1, 1:] = False
    spoilt = np.where(mask, ref_log_probs, log_probs + np.float32(garbage))
    loss = submission.kl_loss(log_probs, spoilt, mask, kind=kind)
    expected = true_estimate(log_probs, ref_log_probs, kind)[mask].mean()
    expect_close(f"loss with {kind}", loss, np.asarray(expected), rtol=1e-3)


@check("kl_loss sends each counted token its slope over their number, and the others nothing")
@given(sample=far_samples(rows=(2, 4)), kind=KINDS, examples=60)
def differentiates_the_loss(submission, sample, kind):
    log_probs, ref_log_probs, mask = sample
    mask[1, 1:] = False
    result = submission.kl_loss.gradients(
        "log_probs",
        "ref_log_probs",
        log_probs=log_probs,
        ref_log_probs=ref_log_probs,
        mask=mask,
        kind=kind,
    )
    slope = true_slope(log_probs, ref_log_probs, kind)
    expected = np.where(mask, slope, 0.0) / mask.sum()
    expect_close("gradient of log_probs", result.gradients["log_probs"], expected, rtol=1e-3)
    expect_no_gradient("ref_log_probs", result.gradients["ref_log_probs"])


@check("a mask without a counted token gives a loss of 0 and no rewards")
@given(sample=samples().map(lambda s: (*s[:2], s[2] & False)), kind=KINDS, examples=20)
def is_zero_where_nothing_counts(submission, sample, kind):
    log_probs, ref_log_probs, mask = sample
    loss = submission.kl_loss(log_probs, ref_log_probs, mask, kind=kind)
    expect_close("loss", loss, np.asarray(0.0))
    scores = np.ones(len(mask), dtype=np.float32)
    rewards = submission.kl_penalised_rewards(scores, log_probs, ref_log_probs, mask, beta=0.5)
    expect_close("token rewards", rewards, np.zeros(mask.shape))


@check("the controller moves beta by the clipped error, times steps over horizon")
@given(
    observed=one_of(6.0, 3.0, 6.6, 5.5, 60.0, 0.0),
    beta=BETAS,
    target=one_of(6.0, 3.0),
    steps=one_of(256, 64, 3000),
    rounds=integers(1, 3),
)
def controls(submission, observed, beta, target, steps, rounds):
    controller = submission.AdaptiveKLController(beta, target=target, horizon=1000.0)
    expected = beta
    for _ in range(rounds):
        error = np.clip((observed - target) / target, -0.2, 0.2)
        expected += expected * error * steps / 1000.0
        updated = controller.update(observed, steps)
        expect_close("beta", updated, expected)
    expect_close("the attribute beta", controller.get("beta"), expected)


@check("token rewards carry no gradient")
@given(sample=samples(), examples=10)
def rewards_carry_no_gradient(submission, sample):
    log_probs, ref_log_probs, mask = sample
    result = submission.kl_penalised_rewards.gradients(
        "rewards",
        "log_probs",
        "ref_log_probs",
        rewards=np.ones(len(mask), dtype=np.float32),
        log_probs=log_probs,
        ref_log_probs=ref_log_probs,
        mask=mask,
        beta=0.5,
    )
    expect(not result.carries_gradient, "the token rewards should be detached")


@check("kl_penalised_rewards takes scores of any dtype, and answers in that of log_probs")
@given(sample=scores_of_any_dtype(), examples=30)
def takes_scores_of_any_dtype(submission, sample):
    scores, log_probs, ref_log_probs, mask = sample
    got = submission.kl_penalised_rewards(scores, log_probs, ref_log_probs, mask, beta=0.5)
    expect_shape("token rewards", got, mask.shape)
    expect_dtype("token rewards", got, str(log_probs.dtype))
    expected = true_rewards(scores, log_probs, ref_log_probs, mask, 0.5)
    tolerance = {"rtol": 1e-14, "atol": 1e-12} if got.dtype == np.float64 else {}
    largest = float(max(np.abs(scores).max(), np.abs(ref_log_probs).max()))
    expect_close("token rewards", got, expected, scale=largest, **tolerance)


@check("answers float64 with float64, to all its digits")
@given(sample=samples(), function=FUNCTIONS, kind=KINDS, examples=40)
def float64_stays(submission, sample, function, kind):
    log_probs, ref_log_probs, mask = sample
    wide, ref_wide = log_probs.astype("float64") / 3, ref_log_probs.astype("float64") / 3
    drawn = (wide, ref_wide, mask, kind)
    answer = getattr(submission, function)(**arguments_of(function, *drawn))
    expect_dtype(function, answer, "float64")
    expect_close(function, answer, true_answer(function, *drawn), rtol=1e-12, atol=1e-12)


@check("takes tensors with gaps in memory, and leaves its inputs as they were")
@given(sample=samples(), function=FUNCTIONS, kind=KINDS, examples=40)
def is_a_good_guest(submission, sample, function, kind):
    log_probs, ref_log_probs, mask = map(with_gaps, sample)
    inputs = arguments_of(function, log_probs, ref_log_probs, mask, kind)
    answer = getattr(submission, function)(**inputs)
    expected = true_answer(function, log_probs, ref_log_probs, mask, kind)
    expect_close(function, answer, expected, rtol=1e-3)
    _, after = getattr(submission, function).arguments_after(**inputs)
    for name, value in inputs.items():
        expect_equal(f"the caller's {name}", after[name], value)


@check("refuses an argument of another shape, an unknown kind, and a target or horizon not above 0")
@given(case=integers(0, 13), examples=200)
def refuses_what_cannot_be(submission, case):
    good, wide = np.zeros((2, 3), dtype=np.float32), np.zeros((2, 1), dtype=np.float32)
    scores, mask = np.zeros(2, dtype=np.float32), np.ones((2, 3), dtype=bool)
    estimate, penalised = submission.kl_estimate, submission.kl_penalised_rewards
    loss, controller = submission.kl_loss, submission.AdaptiveKLController
    calls = [
        ("ref_logits", lambda: submission.kl_categorical(good, wide)),
        ("ref_log_probs", lambda: estimate(good, wide, "k3")),
        ("kind", lambda: estimate(good, good, "k4")),
        ("mask", lambda: loss(good, good, mask[:, :1], kind="k1")),
        ("mask", lambda: penalised(scores, good, good, mask[:, :1], beta=1.0)),
        ("rewards", lambda: penalised(scores[:1], good, good, mask, beta=1.0)),
        ("target", lambda: controller(0.1, target=0.0, horizon=10.0)),
        ("horizon", lambda: controller(0.1, target=1.0, horizon=0.0)),
        ("rewards", lambda: penalised(scores[:, None], good, good, mask, beta=1.0)),
        ("kind", lambda: estimate(good, good - 1, "K1")),
        ("kind", lambda: loss(good, good, mask, kind="KL")),
        ("ref_log_probs", lambda: penalised(scores, good, wide, mask, beta=1.0)),
        ("target", lambda: controller(0.1, target=-2.0, horizon=10.0)),
        ("horizon", lambda: controller(0.1, target=1.0, horizon=-10.0)),
    ]
    naming, call = calls[case]
    with expect_raises(ValueError, naming=naming):
        call()
