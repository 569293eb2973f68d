"""Numbers of the critic-free variants since 2025: clips, sequence ratios, gates, schedules."""

import math


def ceiling(old, high):
    """The probability up to which a token of positive advantage still gets gradient."""
    return old * (1 + high)


def shifted_ceiling(old, high):
    """The slip of adding the bound to the probability."""
    return old + high


def gained(old, high):
    """How much probability the token may gain."""
    return old * high


def prompts_needed(batch, rate, size):
    """Prompts to sample on average until `batch` groups are mixed, all with one solve rate."""
    return batch / (1 - rate**size - (1 - rate) ** size)


def prompts_needed_right_only(batch, rate, size):
    """The slip of dropping only the groups that are all right."""
    return batch / (1 - rate**size)


def prompts_product(batch, rate, size):
    """The slip of multiplying by the share of mixed groups instead of dividing by it."""
    return batch * (1 - rate**size - (1 - rate) ** size)


def one_sided(rate, size):
    """Whether hardly any group is all wrong, or hardly any tied."""
    return (1 - rate) ** size < 0.02


def overlong(length, cap, cache):
    """DAPO's soft punishment, added to the reward."""
    start = cap - cache
    if length <= start:
        return 0.0
    return max(-1.0, (start - length) / cache)


def overlong_from_cap(length, cap, cache):
    """The slip of measuring from the cap."""
    return (length - cap) / cache


def overlong_of_cap(length, cap, cache):
    """The slip of dividing by the cap."""
    return (cap - cache - length) / cap


def mid_cache(length, cap, cache):
    """Whether the punishment is near the middle, where counting from either end agrees."""
    return abs(overlong(length, cap, cache) + 0.5) < 0.02


def sequence_ratio(a, b, c, d):
    """GSPO's ratio of an answer of four tokens with these log-ratios."""
    return math.exp((a + b + c + d) / 4)


def product_ratio(a, b, c, d):
    """The ratio of the whole answer, without the root."""
    return math.exp(a + b + c + d)


def mean_ratio(a, b, c, d):
    """The arithmetic mean of the token ratios."""
    return sum(math.exp(value) for value in (a, b, c, d)) / 4


def ratios_alike(a, b, c, d):
    """Whether geometric and arithmetic mean, or root and product, are hard to tell apart."""
    root = sequence_ratio(a, b, c, d)
    return abs(mean_ratio(a, b, c, d) - root) < 0.03 or abs(a + b + c + d) < 0.2


def product_of(ratio, tokens):
    """The same ratio at every token, multiplied up."""
    return ratio**tokens


def ppo_coefficient(ratio, advantage, low=0.2, high=0.2):
    """What multiplies ∇ log π of a token in PPO's surrogate: ratio·A, or 0 where it is flat."""
    flat = (advantage > 0 and ratio > 1 + high) or (advantage < 0 and ratio < 1 - low)
    return 0.0 if flat else ratio * advantage


def cispo_coefficient(ratio, advantage, cap):
    """What multiplies ∇ log π in CISPO: the weight, capped and detached, times A."""
    return min(ratio, cap) * advantage


def shifted_cispo(ratio, advantage, cap):
    """The slip of taking the larger of ratio and cap."""
    return max(ratio, cap) * advantage


def below_cap(ratio, advantage, cap):
    """Whether the cap does not matter or the advantage is too small to tell."""
    return abs(ratio - cap) < 0.2 or abs(advantage) < 0.3


def coefficient_options(ratio, advantage, cap, options):
    """The ids of the pairs (PPO with ε = 0.2, CISPO)."""
    truth = (ppo_coefficient(ratio, advantage), cispo_coefficient(ratio, advantage, cap))
    return [n for n, pair in options.items() if _near(pair, truth)]


def gate_weight(ratio, temperature):
    """SAPO's f'(ratio) for f(x) = σ(τ(x − 1))·4/τ."""
    gate = 1 / (1 + math.exp(-temperature * (ratio - 1)))
    return 4 * gate * (1 - gate)


def gate_unscaled(ratio, temperature):
    """The slip of leaving out the factor 4."""
    return gate_weight(ratio, temperature) / 4


def near_one(ratio, temperature):
    """Whether the ratio is so near to 1, or so far, that the gate is 1 or 0."""
    return abs(ratio - 1) < 0.1 or gate_weight(ratio, temperature) < 0.05


def adaptive_lambda(length, alpha):
    """VAPO's λ for the policy: 1 − 1/(α·length)."""
    return 1 - 1 / (alpha * length)


def lambda_without_alpha(length):
    """The slip of leaving α out."""
    return 1 - 1 / length


def horizon(length, alpha):
    """The mean horizon 1/(1 − λ) = α·length, a slip for λ itself."""
    return alpha * length


def sigmoid_reward(start, top, middle, exponent, compute):
    """ScaleRL's curve: start + (top − start)/(1 + (middle/compute)^exponent)."""
    return start + (top - start) / (1 + (middle / compute) ** exponent)


def sigmoid_inverted(start, top, middle, exponent, compute):
    """The slip of compute over middle."""
    return start + (top - start) / (1 + (compute / middle) ** exponent)


def at_middle(middle, compute):
    """Whether compute is at the middle of the curve."""
    return compute == middle


def scale_options(first, second, small, large, options):
    """The ids of the pairs: which of two curves leads at small, and at large compute."""
    truth = []
    for compute in (small, large):
        scores = [sigmoid_reward(**curve, compute=compute) for curve in (first, second)]
        truth.append("XY"[scores.index(max(scores))])
    return [n for n, pair in options.items() if list(pair) == truth]


def distillation_reward(student, teacher):
    """Per-token reward against the reverse KL: log teacher − log student, in nats."""
    return math.log(teacher / student)


def distillation_flipped(student, teacher):
    """The sign slip."""
    return math.log(student / teacher)


def distillation_difference(student, teacher):
    """The slip of subtracting probabilities."""
    return teacher - student


def alike_probabilities(student, teacher):
    """Whether student and teacher agree too well to tell slips apart."""
    return abs(math.log(teacher / student)) < 0.15


def majority_options(answers, options):
    """The ids of the answers that TTRL rewards: the commonest one."""
    best = max(set(answers), key=answers.count)
    return [name for name, answer in options.items() if answer == best]


def segment_advantage(before, after, rollouts):
    """VinePPO: success rate after the step minus before it, from so many rollouts each."""
    return (after - before) / rollouts


def after_only(after, rollouts):
    """The slip of taking the value for the advantage."""
    return after / rollouts


def flipped_segment(before, after, rollouts):
    """The sign slip."""
    return (before - after) / rollouts


def no_change(before, after, rollouts):
    """Whether nothing changed, there are more successes than rollouts, or none before."""
    return before == after or max(before, after) > rollouts or before == 0


def replay_options(old, new, advantage, options):
    """The ids of the gradient coefficients of a replayed token under PPO's clip at 0.2."""
    truth = ppo_coefficient(new / old, advantage)
    return [name for name, value in options.items() if abs(value - truth) < 0.01]


def negative_push(wrong, others):
    """Logit changes of [wrong, *others] per unit step when the wrong answer gets A = −1."""
    probabilities = [wrong, *others]
    return [p - (1.0 if index == 0 else 0.0) for index, p in enumerate(probabilities)]


def negative_push_options(wrong, others, options):
    """The ids of the rankings of the other answers' logit gains, largest first."""
    gains = negative_push(wrong, others)[1:]
    order = sorted(range(len(gains)), key=lambda index: -gains[index])
    return [name for name, ranking in options.items() if list(ranking) == order]


def _near(one, other):
    return all(abs(a - b) < 0.01 for a, b in zip(one, other, strict=True))
