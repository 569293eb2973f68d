"""Numbers of GRPO and its relatives: advantages of one group, weights of tokens, bytes of models.

The three advantage functions follow exercise 10: a tied group gives exactly zero, the standard
deviation divides by G - 1, and eps is added to it. `population_advantages` divides by G.
"""

import math


def dr_grpo_advantages(rewards):
    """Reward minus the mean of its group."""
    relative = [reward - rewards[0] for reward in rewards]
    mean = sum(relative) / len(relative)
    return [reward - mean for reward in relative]


def leave_one_out_advantages(rewards):
    """Reward minus the mean of the others in its group."""
    factor = len(rewards) / (len(rewards) - 1)
    return [factor * centred for centred in dr_grpo_advantages(rewards)]


def group_advantages(rewards, eps=1e-4):
    """Centred reward over (std + eps), with the divisor G - 1."""
    centred = dr_grpo_advantages(rewards)
    std = math.sqrt(sum(value**2 for value in centred) / (len(centred) - 1))
    return [value / (std + eps) for value in centred]


def population_advantages(rewards):
    """Centred reward over the std with the divisor G; the group must not be tied."""
    centred = dr_grpo_advantages(rewards)
    std = math.sqrt(sum(value**2 for value in centred) / len(centred))
    return [value / std for value in centred]


KINDS = {
    "centred": dr_grpo_advantages,
    "loo": leave_one_out_advantages,
    "sample": group_advantages,
    "population": population_advantages,
}


def binary_advantage(correct, size, kind, of="right"):
    """The advantage of a right or a wrong answer where `correct` of `size` rewards are 1."""
    advantages = KINDS[kind]([1.0] * correct + [0.0] * (size - correct))
    return advantages[0] if of == "right" else advantages[-1]


def square_root_of(size):
    """√G."""
    return math.sqrt(size)


def evenly_spaced_top(size, low, high, kind):
    """The largest advantage of `size` rewards spread evenly from `low` to `high`."""
    step = (high - low) / (size - 1)
    rewards = [low + index * step for index in range(size)]
    if kind == "sample":  # the spread is so small that eps would show
        return max(group_advantages(rewards, eps=0.0))
    return max(KINDS[kind](rewards))


def raw_top(low, high):
    """The distance from the middle to the top."""
    return (high - low) / 2


def pair_options(correct, size, kind, options):
    """The ids of the pairs (right, wrong) that agree with the advantages to two digits."""
    truth = [binary_advantage(correct, size, kind, of) for of in ("right", "wrong")]
    return [name for name, pair in options.items() if _close(truth, pair, 0.006)]


def estimator_options(correct, size, right, options):
    """The ids of the estimators whose advantage of a right answer is `right` to three digits."""
    return [
        name
        for name, kind in options.items()
        if abs(binary_advantage(correct, size, kind) - right) < 0.002
    ]


def scale_options(factor, shift, options):
    """The ids of the pairs (growth of GRPO's, of Dr. GRPO's advantages) when rewards change."""
    before, after = [0.2, 0.9, 0.4, 0.1], [factor * r + shift for r in (0.2, 0.9, 0.4, 0.1)]
    growth = [f(after)[1] / f(before)[1] for f in (population_advantages, dr_grpo_advantages)]
    return [name for name, pair in options.items() if _close(growth, pair, 0.01)]


def batch_std_options(first, second, options):
    """The ids of the pairs: each group's largest advantage over the std of the whole batch."""
    centred = [dr_grpo_advantages(group) for group in (first, second)]
    raw = first + second
    mean = sum(raw) / len(raw)
    std = math.sqrt(sum((reward - mean) ** 2 for reward in raw) / (len(raw) - 1))
    truth = [max(group) / std for group in centred]
    return [name for name, pair in options.items() if _close(truth, pair, 0.1)]


def tied_probability(solve_rate, size):
    """How probably all of a group's 0/1 rewards are equal."""
    return solve_rate**size + (1 - solve_rate) ** size


def all_right_probability(solve_rate, size):
    """How probably all answers of a group are right."""
    return solve_rate**size


def mixed_probability(solve_rate, size):
    """How probably a group has both rewards."""
    return 1 - tied_probability(solve_rate, size)


def one_sided_tie(solve_rate, size):
    """Whether one of the two kinds of tie hardly adds anything, or ties are as likely as not."""
    rare = min(solve_rate**size, (1 - solve_rate) ** size) < 0.004
    return rare or abs(tied_probability(solve_rate, size) - 0.5) < 0.01


def mixed_options(solve_rate, small, large, budget, options):
    """The ids of the pairs: group size with the larger share of mixed groups, and with more."""
    shares = {size: mixed_probability(solve_rate, size) for size in (small, large)}
    share = max(shares, key=shares.get)
    number = max(shares, key=lambda size: shares[size] * budget / size)
    return [name for name, pair in options.items() if list(pair) == [share, number]]


def same_sum_options(options):
    """The ids of the pairs of (accuracy, format) whose sums agree."""
    return [name for name, (one, other) in options.items() if sum(one) == sum(other)]


def token_loss(ratio, advantage, epsilon, gap, beta):
    """-min(ratio·A, clip(ratio)·A) + β·k3, of one token."""
    clipped = min(max(ratio, 1 - epsilon), 1 + epsilon)
    k3 = math.exp(gap) - gap - 1
    return -min(ratio * advantage, clipped * advantage) + beta * k3


def token_loss_slip(ratio, advantage, epsilon, gap, beta, slip):
    """What a slip makes of `token_loss`: "sign" subtracts the KL, "k1" takes −gap for k3."""
    right = token_loss(ratio, advantage, epsilon, gap, 0.0)
    k3 = math.exp(gap) - gap - 1
    return right - beta * (k3 if slip == "sign" else gap)


def token_loss_ambiguous(ratio, advantage, epsilon, gap):
    """Whether the ratio lies inside the band or the penalty is too small to see."""
    inside = 1 - epsilon <= ratio <= 1 + epsilon
    return inside or abs(advantage) < 0.3 or math.exp(gap) - gap - 1 < 0.05


def copies_total(copies, size):
    """The sum of the centred advantages of `copies` right answers among `size`."""
    return copies * (1 - copies / size)


def one_copy(copies, size):
    """The centred advantage of one of them."""
    return 1 - copies / size


def whole_copies(copies):
    """What they would add up to without a baseline."""
    return float(copies)


def rollout_tokens(prompts, size, length):
    """Tokens that one step samples."""
    return prompts * size * length


def bad_count(correct, size):
    """Whether so many cannot be right, or right and wrong answers mirror each other."""
    return correct >= size or 2 * correct == size


def bad_copies(copies, size):
    """Whether so many copies do not fit into the group beside another answer."""
    return copies >= size


def kept(tied):
    """The share of groups that are not tied."""
    return 1 - tied


def dropped(tied):
    """The share of groups that are tied."""
    return tied


def half_tied(tied):
    """Whether tied and mixed groups are about as many."""
    return abs(tied - 0.5) < 0.01


def inverse_kept(tied):
    """One over the share of groups that are not tied."""
    return 1 / (1 - tied)


def _close(truth, pair, tolerance):
    return all(abs(one - other) <= tolerance for one, other in zip(truth, pair, strict=True))
