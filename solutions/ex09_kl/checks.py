"""The promises of ex09_kl. Expectations are sums over a small vocabulary, in float64."""

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
def samples(draw: Draw, rows: tuple[int, int] = (1, 4)) -> tuple[Array, Array, Array]:
    """Log-probs, reference log-probs and a mask, [B, T], differences of both signs."""
    b, t = draw(distinct_sizes(rows, (2, 5)))
    log_probs = draw(tensors(b, t, low=-3.0, high=-0.1))
    ref_log_probs = (log_probs + draw(tensors(b, t, low=-1.5, high=1.5))).astype(np.float32)
    return log_probs, ref_log_probs, draw(masks(b, t))


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
    kl = submission.kl_categorical(logits, ref_logits)
    expect_shape("kl", kl, logits.shape[:-1])
    expect_close("kl", kl, true_kl(log_softmax(logits), log_softmax(ref_logits)), rtol=1e-3)


@check("kl_categorical is finite and right for logits of hundreds")
@given(
    pair=pairs(),
    size=one_of(100.0, -100.0, 300.0, 0.0),
    where=integers(0, 1),
    rare=one_of(0.0, 30.0, -30.0),
    examples=60,
)
def survives_large_logits(submission, pair, size, where, rare):
    """The policy may be all but certain, the reference may find a token all but impossible."""
    logits, ref_logits = pair
    logits[where] += size
    ref_logits += size
    ref_logits[1 - where] += rare
    expected = true_kl(log_softmax(logits), log_softmax(ref_logits))
    expect_close("kl", submission.kl_categorical(logits, ref_logits), expected, rtol=1e-3)


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
@given(sample=samples(), kind=KINDS)
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
@given(sample=samples(), kind=KINDS, examples=60)
def has_the_right_slope(submission, sample, kind):
    log_probs, ref_log_probs, _ = sample
    result = submission.kl_estimate.gradients(
        "log_probs", log_probs=log_probs, ref_log_probs=ref_log_probs, kind=kind
    )
    x = log_probs.astype(float) - ref_log_probs.astype(float)
    expected = {"k1": np.ones_like(x), "k2": x, "k3": 1 - np.exp(-x)}[kind]
    expect_close(f"slope of {kind}", result.gradients["log_probs"], expected, rtol=1e-3)


@check(
    "kl_penalised_rewards charges beta for each nat and pays the score on the last counted token"
)
@given(sample=samples(), beta=BETAS, data=tensors(4))
def pays_and_charges(submission, sample, beta, data):
    log_probs, ref_log_probs, mask = sample
    scores = data[: len(mask)]
    got = submission.kl_penalised_rewards(scores, log_probs, ref_log_probs, mask, beta=beta)
    expected = np.zeros(mask.shape)
    for b, t in np.argwhere(mask):
        expected[b, t] = -beta * (float(log_probs[b, t]) - float(ref_log_probs[b, t]))
        if not mask[b, t + 1 :].any():
            expected[b, t] += scores[b]
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
@given(sample=samples(rows=(2, 4)), kind=KINDS, garbage=one_of(0.0, 30.0, -30.0))
def averages_counted_tokens(submission, sample, kind, garbage):
    log_probs, ref_log_probs, mask = sample
    mask[0] = True
    mask[1, 1:] = False
    spoilt = np.where(mask, ref_log_probs, np.float32(garbage))
    loss = submission.kl_loss(log_probs, spoilt, mask, kind=kind)
    expected = true_estimate(log_probs, ref_log_probs, kind)[mask].mean()
    expect_close(f"loss with {kind}", loss, np.asarray(expected), rtol=1e-3)


@check("kl_loss sends each counted token its slope over their number, and the others nothing")
@given(sample=samples(rows=(2, 4)), kind=KINDS, examples=60)
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
    x = log_probs.astype(float) - ref_log_probs.astype(float)
    slope = {"k1": np.ones_like(x), "k2": x, "k3": 1 - np.exp(-x)}[kind]
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
    steps=one_of(256, 64),
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


@check("takes integer scores, answers float64 with float64, and leaves its inputs alone")
@given(sample=samples(), examples=20)
def is_a_good_guest(submission, sample):
    log_probs, ref_log_probs, mask = sample
    wide, ref_wide = log_probs.astype("float64"), ref_log_probs.astype("float64")
    scores = np.arange(1, len(mask) + 1)
    got = submission.kl_penalised_rewards(scores, wide, ref_wide, mask, beta=0.1)
    expect_shape("token rewards", got, mask.shape)
    expect_dtype("token rewards", got, "float64")
    total = scores - 0.1 * np.where(mask, wide - ref_wide, 0.0).sum(axis=1)
    expect_close("sum of token rewards", got.sum(axis=1), total, rtol=1e-9, atol=1e-9)
    expect_dtype("kl", submission.kl_categorical(wide, ref_wide), "float64")
    expect_dtype("loss", submission.kl_loss(wide, ref_wide, mask, kind="k3"), "float64")
    (_, after, ref_after, mask_after), _ = submission.kl_penalised_rewards.arguments_after(
        scores, log_probs, ref_log_probs, mask, beta=0.1
    )
    expect_equal("log_probs after the call", after, log_probs)
    expect_equal("ref_log_probs after the call", ref_after, ref_log_probs)
    expect_equal("mask after the call", mask_after, mask)


@check("refuses an argument of another shape, an unknown kind, and a target or horizon of 0")
@given(case=integers(0, 7))
def refuses_what_cannot_be(submission, case):
    good, wide = np.zeros((2, 3), dtype=np.float32), np.zeros((2, 1), dtype=np.float32)
    scores, mask = np.zeros(2, dtype=np.float32), np.ones((2, 3), dtype=bool)
    calls = [
        ("ref_logits", lambda: submission.kl_categorical(good, wide)),
        ("ref_log_probs", lambda: submission.kl_estimate(good, wide, "k3")),
        ("kind", lambda: submission.kl_estimate(good, good, "k4")),
        ("mask", lambda: submission.kl_loss(good, good, mask[:, :1], kind="k1")),
        (
            "mask",
            lambda: submission.kl_penalised_rewards(scores, good, good, mask[:, :1], beta=1.0),
        ),
        (
            "rewards",
            lambda: submission.kl_penalised_rewards(scores[:1], good, good, mask, beta=1.0),
        ),
        ("target", lambda: submission.AdaptiveKLController(0.1, target=0.0, horizon=10.0)),
        ("horizon", lambda: submission.AdaptiveKLController(0.1, target=1.0, horizon=0.0)),
    ]
    naming, call = calls[case]
    with expect_raises(ValueError, naming=naming):
        call()
