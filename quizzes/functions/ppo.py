"""What items about PPO compute. Conventions are those of ex06: losses are minimised."""

import math


def term(advantage, ratio, epsilon):
    """min(r A, clip(r) A), and its derivative with respect to r."""
    clipped = min(max(ratio, 1 - epsilon), 1 + epsilon) * advantage
    unclipped = ratio * advantage
    return (clipped, 0.0) if clipped < unclipped else (unclipped, float(advantage))


def loss(advantages, ratios, epsilon):
    """PPO's policy loss: minus the mean of the terms."""
    terms = [term(a, r, epsilon)[0] for a, r in zip(advantages, ratios, strict=True)]
    return -sum(terms) / len(terms)


def objective(advantages, ratios, epsilon):
    """The loss with its sign forgotten."""
    return -loss(advantages, ratios, epsilon)


def loss_unclipped(advantages, ratios):
    """The loss without any clip."""
    return -sum(a * r for a, r in zip(advantages, ratios, strict=True)) / len(ratios)


def loss_clip_only(advantages, ratios, epsilon):
    """The loss with the clipped ratio everywhere and no minimum."""
    clipped = [min(max(r, 1 - epsilon), 1 + epsilon) for r in ratios]
    return loss_unclipped(advantages, clipped)


def effect(advantage, ratio, epsilon):
    """What one descent step on the loss does to this action: "up", "down" or "flat"."""
    slope = term(advantage, ratio, epsilon)[1]
    return ["flat" if slope == 0 else "up" if slope > 0 else "down"]


def flat_ids(samples, epsilon):
    """The ids of the samples, {id: [advantage, ratio]}, that have no gradient."""
    return [name for name, (a, r) in samples.items() if term(a, r, epsilon)[1] == 0]


def differs_without_minimum(samples, epsilon):
    """The ids of the samples that clip(r) A alone treats otherwise than the minimum does."""
    clip = lambda r: min(max(r, 1 - epsilon), 1 + epsilon)  # noqa: E731
    return [name for name, (a, r) in samples.items() if clip(r) * a > term(a, r, epsilon)[0]]


def ratio(log_prob, old_log_prob):
    """exp(log pi - log pi_old)."""
    return math.exp(log_prob - old_log_prob)


def log_prob_quotient(log_prob, old_log_prob):
    """The slip of dividing log-probs."""
    return log_prob / old_log_prob


def log_ratio(log_prob, old_log_prob):
    """The slip of forgetting the exponential."""
    return log_prob - old_log_prob


def ratio_after_step(probability, advantage, step):
    """Two actions: the ratio of the taken one after one ascent step on A log pi, in its logit.

    The other action's logit moves by the opposite amount, as the softmax gradient says.
    """
    change = step * advantage * (1 - probability)
    return 1 / (probability + (1 - probability) * math.exp(-2 * change))


def ratio_after_step_one_logit(probability, advantage, step):
    """The same, with the other logit left where it was."""
    change = step * advantage * (1 - probability)
    return 1 / (probability + (1 - probability) * math.exp(-change))


def clipped(value, epsilon):
    """clip(value, 1 - epsilon, 1 + epsilon)."""
    return min(max(value, 1 - epsilon), 1 + epsilon)


def dual_clip_term(advantage, ratio, epsilon, cap):
    """Dual-clip PPO: for A < 0 the term is at least cap * A."""
    plain = term(advantage, ratio, epsilon)[0]
    return max(plain, cap * advantage) if advantage < 0 else plain


def plain_term(advantage, ratio, epsilon):
    """The term of ordinary PPO-clip."""
    return term(advantage, ratio, epsilon)[0]


def clip_only_term(advantage, ratio, epsilon):
    """The clipped half of the term by itself."""
    return clipped(ratio, epsilon) * advantage


def sequence_ratio(token_ratio, tokens):
    """The product of equal token ratios."""
    return token_ratio**tokens


def updates(rollouts, minibatch, epochs, accumulate):
    """Optimiser steps for one batch of rollouts."""
    return rollouts // (minibatch * accumulate) * epochs


def mean_k3(log_ratios):
    """Mean of (r - 1) - log r, ex06's approximate KL, from log pi - log pi_old."""
    return sum(math.expm1(x) - x for x in log_ratios) / len(log_ratios)


def mean_k1(log_ratios):
    """Mean of -log r."""
    return -sum(log_ratios) / len(log_ratios)


def mean_k2(log_ratios):
    """Mean of half the squared log-ratio."""
    return sum(x * x for x in log_ratios) / (2 * len(log_ratios))


def log_ratios(random, count):
    """Log-ratios of two digits, between -0.4 and 0.4."""
    return [round(-0.4 + 0.8 * random.random(), 2) for _ in range(count)]


def ratios(random, count):
    """Ratios of one digit from 0.4 to 2, never on an edge of 0.8 or 1.2."""
    pool = [0.4, 0.5, 0.6, 0.7, 0.9, 1.0, 1.1, 1.3, 1.4, 1.5, 1.7, 2.0]
    return [pool[int(random.random() * len(pool))] for _ in range(count)]


def advantages(random, count):
    """Advantages of one digit, none 0."""
    pool = [-2.0, -1.5, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0]
    return [pool[int(random.random() * len(pool))] for _ in range(count)]


def close(answer, others, gap):
    """Whether the answer is within `gap` of one of the others."""
    return any(abs(answer - other) <= gap for other in others)


def loss_slips_close(answer, advantages, ratios, epsilon):
    """Whether a slip of the clipped loss gives nearly the same number."""
    others = [-answer, loss_unclipped(advantages, ratios)]
    others.append(loss_clip_only(advantages, ratios, epsilon))
    return close(answer, others, 0.02)


def share(counted, others):
    """The counted ones' share of all."""
    return sum(counted) / (sum(counted) + sum(others))


def share_slips_close(answer, counts):
    """Whether another pair of groups has nearly the same share."""
    inside, _up_high, up_low, down_high, _down_low = counts
    total = sum(counts)
    slips = [(total - inside) / total, (up_low + down_high) / total]
    return close(answer, slips, 0.01)


def adaptive_beta(beta, kls, target):
    """PPO-penalty: halve where KL < target / 1.5, double where KL > 1.5 target."""
    for kl in kls:
        beta *= 0.5 if kl < target / 1.5 else 2.0 if kl > target * 1.5 else 1.0
    return beta


def adaptive_beta_no_band(beta, kls, target):
    """The slip of having no band in which beta stays."""
    for kl in kls:
        beta *= 2.0 if kl > target else 0.5
    return beta


def adaptive_beta_inverted(beta, kls, target):
    """The slip of halving where KL is too large."""
    for kl in kls:
        beta *= 2.0 if kl < target / 1.5 else 0.5 if kl > target * 1.5 else 1.0
    return beta


def observed_kls(random, target):
    """Three KLs: one below the band, one in it but not at the target, one of any sort."""
    low = round(target * (0.2 + 0.4 * random.random()), 4)
    inside = round(target * (1.1 + 0.3 * random.random()), 4)
    other = round(target * (1.7 + random.random()), 4) if random.random() < 0.2 else low
    return [low, inside, other]


def adaptive_slips_close(answer, beta, kls, target):
    """Whether a slip leads to the same coefficient."""
    others = [adaptive_beta_no_band(beta, kls, target), adaptive_beta_inverted(beta, kls, target)]
    return close(answer, others, 1e-9)


def total_loss(policy, value, entropy, value_weight, entropy_weight):
    """policy + c_v value - c_e entropy."""
    return policy + value_weight * value - entropy_weight * entropy


def total_loss_entropy_added(policy, value, entropy, value_weight, entropy_weight):
    """The slip of adding the entropy to what is minimised."""
    return policy + value_weight * value + entropy_weight * entropy


def total_loss_value_unweighted(policy, value, entropy, value_weight, entropy_weight):
    """The slip of leaving out the value coefficient."""
    return policy + value - entropy_weight * entropy


def masked_standard(advantages, mask):
    """The first advantage, standardised with mean and population deviation of what counts."""
    kept = [a for a, m in zip(advantages, mask, strict=True) if m]
    mean = sum(kept) / len(kept)
    spread = math.sqrt(sum((a - mean) ** 2 for a in kept) / len(kept))
    return (advantages[0] - mean) / spread


def unmasked_standard(advantages, mask):
    """The slip of letting padding into mean and deviation."""
    return masked_standard(advantages, [1] * len(mask))


def centred(advantages, mask):
    """The slip of leaving out the division."""
    kept = [a for a, m in zip(advantages, mask, strict=True) if m]
    return advantages[0] - sum(kept) / len(kept)


def padded_advantages(random):
    """Four advantages that count, far from 0 in the mean, and four zeros of padding."""
    values = [round(1.0 + 3.0 * random.random(), 1) for _ in range(4)]
    return [*values, 0.0, 0.0, 0.0, 0.0]


def standard_bad(answer, advantages, mask):
    """Whether the spread is too small, or a slip too close."""
    kept = advantages[:4]
    if max(kept) - min(kept) < 1:
        return True
    others = [unmasked_standard(advantages, mask), centred(advantages, mask)]
    return close(answer, others, 0.05)


def n_step_advantage(rewards, value, bootstrap, gamma):
    """r_0 + ... + gamma^(n-1) r_(n-1) + gamma^n V(s_n) - V(s_0)."""
    total = sum(gamma**k * r for k, r in enumerate(rewards))
    return total + gamma ** len(rewards) * bootstrap - value


def n_step_no_baseline(rewards, value, bootstrap, gamma):
    """The slip of not subtracting V(s_0)."""
    return n_step_advantage(rewards, 0.0, bootstrap, gamma)


def n_step_undiscounted_bootstrap(rewards, value, bootstrap, gamma):
    """The slip of discounting the bootstrap once only."""
    total = sum(gamma**k * r for k, r in enumerate(rewards))
    return total + gamma * bootstrap - value


def bfloat_gap(value):
    """The distance between neighbouring bfloat16 numbers at this magnitude (8 significant bits)."""
    return 2.0 ** (math.floor(math.log2(abs(value))) - 7)


def shifted(random, start, change):
    """start + change, to two digits."""
    return round(start + change, 2)


def within(value, low, high):
    """Whether low <= value <= high."""
    return low <= value <= high


def times(random, first, second):
    """first * second."""
    return first * second


def kl_slips_close(answer, log_ratios):
    """Whether k1 or k2 gives nearly the same mean, or the mean is tiny."""
    others = [mean_k1(log_ratios), mean_k2(log_ratios)]
    return answer < 0.005 or close(answer, others, 0.0006 + 0.012 * answer)
