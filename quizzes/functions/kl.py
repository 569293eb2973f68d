"""What items about KL and reference policies compute. Conventions are those of ex09."""

import math


def divergence(first, second):
    """KL(first || second) of two categorical distributions, in nats."""
    return sum(p * math.log(p / q) for p, q in zip(first, second, strict=True) if p > 0)


def optimum(reference, rewards, beta):
    """The policy that maximises E[r] - beta KL(pi || reference)."""
    weights = [p * math.exp(r / beta) for p, r in zip(reference, rewards, strict=True)]
    return [w / sum(weights) for w in weights]


def soft_value(reference, rewards, beta):
    """The optimal objective: beta log E_ref exp(r / beta)."""
    return beta * math.log(
        sum(p * math.exp(r / beta) for p, r in zip(reference, rewards, strict=True))
    )


def mean_reward(reference, rewards):
    """E_ref r."""
    return sum(p * r for p, r in zip(reference, rewards, strict=True))


def best_reward(rewards):
    """max r."""
    return max(rewards)


def two_answer_optimum(reference, margin, beta):
    """Probability of the better of two answers at the optimum, whose reward is larger by margin."""
    return optimum([reference, 1 - reference], [margin, 0.0], beta)[0]


def two_answer_no_reference(margin, beta):
    """The slip of sigma(margin / beta)."""
    return 1 / (1 + math.exp(-margin / beta))


def two_answer_inverted(reference, margin, beta):
    """The slip of exp(beta margin)."""
    return optimum([reference, 1 - reference], [margin * beta, 0.0], 1.0)[0]


def beta_for(start, wanted, margin):
    """The beta at which two answers' optimum has probability `wanted` of the better one."""
    return margin / (log_odds(wanted) - log_odds(start))


def log_odds(p):
    """log p / (1 - p)."""
    return math.log(p / (1 - p))


def beta_from_log_prob(start, wanted, margin):
    """The slip of using log-probabilities instead of log-odds."""
    return margin / math.log(wanted / start)


def k1(log_prob, ref_log_prob):
    """log pi - log pi_ref of one sample of pi."""
    return log_prob - ref_log_prob


def k2(log_prob, ref_log_prob):
    """Half the square of the log-ratio."""
    return (log_prob - ref_log_prob) ** 2 / 2


def k3(log_prob, ref_log_prob):
    """exp(d) - 1 - d with d = log pi_ref - log pi."""
    d = ref_log_prob - log_prob
    return math.expm1(d) - d


def k3_inverted(log_prob, ref_log_prob):
    """The slip of exchanging policy and reference in k3."""
    return k3(ref_log_prob, log_prob)


def expected_k2(policy, reference):
    """E_pi of k2."""
    return sum(p * math.log(p / q) ** 2 / 2 for p, q in zip(policy, reference, strict=True))


def k3_of_probabilities(policy, reference):
    """k3 of one token, from its two probabilities."""
    return k3(math.log(policy), math.log(reference))


def k1_of_probabilities(policy, reference):
    """k1 of one token, from its two probabilities."""
    return math.log(policy / reference)


def k2_of_probabilities(policy, reference):
    """k2 of one token, from its two probabilities."""
    return math.log(policy / reference) ** 2 / 2


def loss_gradient(kind, policy, reference):
    """E_pi of the estimator's gradient in the logits of pi, the sample held fixed."""
    size = len(policy)
    gradient = [0.0] * size
    for x in range(size):
        log_ratio = math.log(policy[x] / reference[x])
        weight = {"k1": 1.0, "k2": log_ratio, "k3": 1 - reference[x] / policy[x]}[kind]
        for v in range(size):
            gradient[v] += policy[x] * weight * ((v == x) - policy[v])
    return gradient


def reverse_gradient(policy, reference):
    """The gradient of KL(pi || ref) in the logits of pi."""
    total = divergence(policy, reference)
    return [p * (math.log(p / q) - total) for p, q in zip(policy, reference, strict=True)]


def forward_gradient(policy, reference):
    """The gradient of KL(ref || pi) in the logits of pi."""
    return [p - q for p, q in zip(policy, reference, strict=True)]


def kinds_with_gradient(direction, policy, reference):
    """Which of k1, k2 and k3, as losses on samples of pi, have this expected gradient."""
    targets = {
        "reverse": reverse_gradient(policy, reference),
        "forward": forward_gradient(policy, reference),
        "zero": [0.0] * len(policy),
    }
    same = []
    for kind in ("k1", "k2", "k3"):
        gradient = loss_gradient(kind, policy, reference)
        if all(abs(g - t) < 1e-12 for g, t in zip(gradient, targets[direction], strict=True)):
            same.append(kind)
    return same


def reverse_component(policies, references):
    """First logit's component of the gradient of KL(pi || ref)."""
    return reverse_gradient(policies, references)[0]


def triple(random):
    """Three probabilities of two digits, each at least 0.1, that sum to 1."""
    first = round(0.1 + 0.5 * random.random(), 2)
    second = round(0.1 + (0.8 - first) * random.random(), 2)
    return [first, second, round(1 - first - second, 2)]


def slips_close(answer, others, gap):
    """Whether the answer is within `gap` of one of the others."""
    return any(abs(answer - other) <= gap for other in others)


def forward_bad(answer, policies, references):
    """Whether the two gradients nearly agree."""
    return abs(answer - reverse_component(policies, references)) < 0.02 or abs(answer) < 0.03


def difference(values, others, index):
    """values[index] - others[index]."""
    return values[index] - others[index]


def negative_difference(values, others, index):
    """others[index] - values[index]."""
    return others[index] - values[index]


def divergence_bad(answer, policy, reference):
    """Whether KL in the other direction, or its k2, is nearly the same."""
    others = [divergence(reference, policy), expected_k2(policy, reference)]
    return answer < 0.02 or slips_close(answer, others, 0.004 + 0.01 * answer)


def adaptive(beta, observed, target, steps, horizon):
    """ex09's controller: beta (1 + clip(observed / target - 1, -0.2, 0.2) steps / horizon)."""
    error = min(max(observed / target - 1, -0.2), 0.2)
    return beta * (1 + error * steps / horizon)


def adaptive_unclipped(beta, observed, target, steps, horizon):
    """The slip of leaving the error unclipped."""
    return beta * (1 + (observed / target - 1) * steps / horizon)


def adaptive_inverted(beta, observed, target, steps, horizon):
    """The slip of the wrong direction."""
    return adaptive(beta, target * 2 - observed, target, steps, horizon)


def best_of_n(n):
    """The usual formula for KL(best-of-n || reference): log n - (n - 1) / n."""
    return math.log(n) - (n - 1) / n


def log_n(n):
    """The slip of log n."""
    return math.log(n)


def shaped_return(log_ratios, score, beta):
    """Return of the first token at discount 1: the score minus beta times the log-ratios."""
    return score - beta * sum(log_ratios)


def shaped_return_mean(log_ratios, score, beta):
    """The slip of averaging the penalty over the tokens."""
    return score - beta * sum(log_ratios) / len(log_ratios)


def shaped_return_absolute(log_ratios, score, beta):
    """The slip of penalising the size of each log-ratio."""
    return score - beta * sum(abs(x) for x in log_ratios)


def signed_log_ratios(random):
    """Five log-ratios of one digit, the last but one negative."""
    values = [round(0.1 + 1.4 * random.random(), 1) for _ in range(5)]
    values[3] = -values[3]
    return values


def weighted_k1(weights, log_ratios):
    """Off-policy estimate of KL(pi || ref): mean of w (log pi - log pi_ref), w = pi / mu."""
    return sum(w * x for w, x in zip(weights, log_ratios, strict=True)) / len(weights)


def plain_k1(log_ratios):
    """The slip of leaving the weights out."""
    return sum(log_ratios) / len(log_ratios)


def normalised_k1(weights, log_ratios):
    """The self-normalised estimate, which is consistent and biased."""
    return sum(w * x for w, x in zip(weights, log_ratios, strict=True)) / sum(weights)


def four_weights(random):
    """Four importance weights of one digit, whose mean is not 1."""
    return [round(0.3 + 2.0 * random.random(), 1) for _ in range(4)]


def four_log_ratios(random):
    """Four log-ratios of one digit."""
    return [round(-0.5 + 2.0 * random.random(), 1) for _ in range(4)]


def weighted_bad(answer, weights, log_ratios):
    """Whether an easier estimate gives nearly the same."""
    others = [plain_k1(log_ratios), normalised_k1(weights, log_ratios)]
    return slips_close(answer, others, 0.03)


def closest(direction, target, candidates):
    """The id of the candidate, {id: probabilities}, with the smallest KL to the target."""

    def distance(name):
        candidate = candidates[name]
        pair = (candidate, target) if direction == "reverse" else (target, candidate)
        return divergence(*pair)

    return [min(candidates, key=distance)]


def gigabytes(billions, bytes_each):
    """Memory of so many billion parameters, in GB of 10^9 bytes."""
    return billions * bytes_each


def pair(random, first):
    """[first, 1 - first]."""
    return [first, round(1 - first, 2)]


def reward_pair(random, first):
    """[first, 0]."""
    return [first, 0.0]


def shifted(random, start, change):
    """start + change, to two digits."""
    return round(start + change, 2)


def small(value, bound):
    """Whether |value| < bound."""
    return abs(value) < bound


def log_n_minus_one_over(n):
    """The slip of log n - 1 / n."""
    return math.log(n) - 1 / n
