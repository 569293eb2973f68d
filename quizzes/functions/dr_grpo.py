"""What lengths and solve rates do to GRPO's gradient, and what its models weigh in memory."""

import math

TRAINED = 16  # bytes a parameter: half-precision weight and gradient, float32 weight, two moments
FROZEN = 2  # bytes a parameter: a half-precision weight


def token_weight(own, other, batch, aggregation, constant=1000):
    """What one token of an answer of `own` tokens weighs; the others have `other` in all."""
    if aggregation == "sequence_mean":
        return 1 / (batch * own)
    if aggregation == "token_mean":
        return 1 / (own + other)
    return 1 / (batch * constant)


def inverse_token_weight(own, other, batch, aggregation, constant=1000):
    """One over `token_weight`: the divisor of one token's loss."""
    return 1 / token_weight(own, other, batch, aggregation, constant)


def same_divisor(batch, own, other):
    """Whether the mean of means and the token mean happen to divide alike."""
    return abs(batch * own - own - other) < 5


def share(own, other):
    """An answer's share of all tokens."""
    return own / (own + other)


def even_share(rest):
    """One answer of `rest` + 1."""
    return 1 / (rest + 1)


def ratio_share(own, other):
    """The slip of comparing with the other tokens."""
    return own / other


def share_is_even(own, other, rest):
    """Whether the answer happens to be as long as the average."""
    return abs(share(own, other) - even_share(rest)) < 0.02


def push_ratio(short, long):
    """How much stronger a token of the short answer is pushed under the mean of means."""
    return long / short


def equal_push():
    """The ratio where lengths do not matter."""
    return 1.0


def push_options(short, long, aggregation, options):
    """The ids of the pairs: push of the long over the short answer, by token and by answer."""
    lengths = {"own": short, "other": long, "batch": 2}
    one = token_weight(**lengths, aggregation=aggregation)
    lengths = {"own": long, "other": short, "batch": 2}
    other = token_weight(**lengths, aggregation=aggregation)
    truth = (other / one, other * long / (one * short))
    return [name for name, pair in options.items() if _alike(truth, pair)]


def std_weight(rate):
    """1/√(p(1 − p)): by what division by the std multiplies a prompt's centred rewards."""
    return 1 / math.sqrt(rate * (1 - rate))


def relative_weight(rate):
    """`std_weight` relative to p = 1/2."""
    return 0.5 * std_weight(rate)


def inverse_relative_weight(rate):
    """The inverse: how much smaller the std is."""
    return 1 / relative_weight(rate)


def variance_weight(rate):
    """The slip of dividing by the variance, relative to p = 1/2."""
    return 0.25 / (rate * (1 - rate))


def near_half(rate):
    """Whether p is so near to 1/2 that all weights agree."""
    return abs(rate - 0.5) < 0.08


def heaviest_rate(options):
    """The ids of the solve rates with the largest weight."""
    best = max(std_weight(rate) for rate in options.values())
    return [name for name, rate in options.items() if std_weight(rate) == best]


def mean_size_options(rate, options):
    """The ids of the pairs: mean |A| at p over that at 1/2, for GRPO and for Dr. GRPO."""
    truth = (2 * math.sqrt(rate * (1 - rate)), 4 * rate * (1 - rate))
    return [name for name, pair in options.items() if _alike(truth, pair)]


def loo_factor_options(size, options):
    """The ids of the factors that turn centred into leave-one-out advantages."""
    return [name for name, factor in options.items() if _close(size / (size - 1), factor)]


def memory_gb(billions, trained, frozen):
    """Gigabytes of models of one size, `trained` of them with Adam and `frozen` for inference."""
    return billions * (TRAINED * trained + FROZEN * frozen)


def memory_saved_gb(billions):
    """Gigabytes that PPO's four models need beyond GRPO's policy, reference and reward model."""
    return memory_gb(billions, 2, 2) - memory_gb(billions, 1, 2)


def quarter_of_ppo(billions):
    """The slip of counting models: a quarter of the four."""
    return memory_gb(billions, 2, 2) / 4


def frozen_critic(billions):
    """The slip of counting the critic as if it were frozen."""
    return billions * FROZEN


def saving_options(trained, frozen, options):
    """The ids of the savings in per cent against PPO's two trained and two frozen models."""
    truth = 100 * (1 - memory_gb(1, trained, frozen) / memory_gb(1, 2, 2))
    return [name for name, saving in options.items() if abs(truth - saving) < 0.6]


def _close(one, other):
    return abs(one - other) <= 0.006 * max(1, abs(one))


def _alike(truth, pair):
    return all(_close(one, other) for one, other in zip(truth, pair, strict=True))
