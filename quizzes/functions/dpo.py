"""Numbers of direct preference optimisation: margins, losses, weights, optima.

Log-probs are sums over the tokens of an answer, in nats. The margin is
β·((log π(w) − log π_ref(w)) − (log π(l) − log π_ref(l))), w the chosen, l the rejected answer.
"""

import math


def sigmoid(x):
    """The logistic function."""
    return 1 / (1 + math.exp(-x))


def margin(chosen, rejected, ref_chosen, ref_rejected, beta):
    """The implicit reward of the chosen answer minus that of the rejected one."""
    return beta * ((chosen - ref_chosen) - (rejected - ref_rejected))


def loss(chosen, rejected, ref_chosen, ref_rejected, beta):
    """−log σ(margin)."""
    return math.log1p(math.exp(-margin(chosen, rejected, ref_chosen, ref_rejected, beta)))


def loss_without_reference(chosen, rejected, beta):
    """The slip of leaving the reference out."""
    return loss(chosen, rejected, 0.0, 0.0, beta)


def loss_flipped(chosen, rejected, ref_chosen, ref_rejected, beta):
    """The slip of interchanging chosen and rejected."""
    return loss(rejected, chosen, ref_rejected, ref_chosen, beta)


def loss_alike(chosen, rejected, ref_chosen, ref_rejected, beta):
    """Whether the margin is near 0 or near that without a reference."""
    m = margin(chosen, rejected, ref_chosen, ref_rejected, beta)
    return abs(m) < 0.1 or abs(m - beta * (chosen - rejected)) < 0.1


def weight(beta, m):
    """β·σ(−m): what multiplies ∇ log π(w) − ∇ log π(l) in the descent direction."""
    return beta * sigmoid(-m)


def weight_without_beta(m):
    """σ(−m) alone."""
    return sigmoid(-m)


def weight_flipped(beta, m):
    """β·σ(m), the slip in the sign."""
    return beta * sigmoid(m)


def margin_small(m):
    """Whether σ(m) and σ(−m) are hard to tell apart."""
    return abs(m) < 0.15


def start_options(beta, options):
    """The ids of the pairs (loss, weight) at the start, where policy and reference agree."""
    truth = (math.log(2), weight(beta, 0.0))
    return [
        name
        for name, pair in options.items()
        if all(abs(one - other) < 2e-3 for one, other in zip(pair, truth, strict=True))
    ]


def kl_at_optimum(beta, win):
    """KL to a uniform reference over two answers, one of which wins with probability `win`."""
    p = sigmoid(math.log(win / (1 - win)) / beta)
    return p * math.log(2 * p) + (1 - p) * math.log(2 * (1 - p))


def kl_order_options(win, options):
    """The ids of the rankings of β by the KL at the optimum, largest first."""
    found = []
    for name, betas in options.items():
        kls = [kl_at_optimum(beta, win) for beta in betas]
        if kls == sorted(kls, reverse=True):
            found.append(name)
    return found


def needed_gap(beta, m):
    """The difference of log-ratios, in nats, that makes the margin m."""
    return m / beta


def gap_times_beta(beta, m):
    """The slip of multiplying."""
    return m * beta


def plain_gap(m):
    """The slip of leaving β out."""
    return m


def optimal_odds(odds, difference, beta):
    """π*(w)/π*(l) = π_ref(w)/π_ref(l)·exp(difference/β)."""
    return odds * math.exp(difference / beta)


def odds_without_reference(difference, beta):
    """The slip of a uniform reference."""
    return math.exp(difference / beta)


def odds_times_beta(odds, difference, beta):
    """The slip of multiplying by β."""
    return odds * math.exp(difference * beta)


def odds_plain(odds, difference, beta):
    """Whether the reference's odds are near 1, β is near 1 or the numbers get too large."""
    return abs(odds - 1) < 0.15 or abs(beta - 1) < 0.1 or difference / beta > 5


def ipo_loss(chosen, rejected, ref_chosen, ref_rejected, tau):
    """(log-ratio difference − 1/(2τ))²."""
    return (margin(chosen, rejected, ref_chosen, ref_rejected, 1.0) - 1 / (2 * tau)) ** 2


def ipo_loss_full(chosen, rejected, ref_chosen, ref_rejected, tau):
    """The slip of the target 1/τ."""
    return (margin(chosen, rejected, ref_chosen, ref_rejected, 1.0) - 1 / tau) ** 2


def ipo_loss_untargeted(chosen, rejected, ref_chosen, ref_rejected):
    """The slip of leaving the target out."""
    return margin(chosen, rejected, ref_chosen, ref_rejected, 1.0) ** 2


def ipo_alike(chosen, rejected, ref_chosen, ref_rejected, tau):
    """Whether two of the three agree nearly."""
    pair = (chosen, rejected, ref_chosen, ref_rejected)
    right = ipo_loss(*pair, tau)
    slips = (ipo_loss_full(*pair, tau), ipo_loss_untargeted(*pair))
    return min(abs(right - slip) for slip in slips) < 0.2


def simpo_margin(chosen, rejected, long, short, beta, gamma):
    """β·(log π(w)/|w| − log π(l)/|l|) − γ."""
    return beta * (chosen / long - rejected / short) - gamma


def simpo_summed(chosen, rejected, beta, gamma):
    """The slip of using sums."""
    return beta * (chosen - rejected) - gamma


def simpo_no_target(chosen, rejected, long, short, beta):
    """The slip of leaving out the target margin."""
    return simpo_margin(chosen, rejected, long, short, beta, 0.0)


def smoothed_optimum(flip):
    """The margin at which cDPO's loss with flip probability `flip` is least: log((1 − ε)/ε)."""
    return math.log((1 - flip) / flip)


def smoothed_confidence(flip):
    """The slip of giving σ(margin)."""
    return 1 - flip


def smoothed_inverse(flip):
    """The sign slip."""
    return -smoothed_optimum(flip)


def memory_gb(billions):
    """A trained policy with Adam at 16 and a frozen reference at 2 bytes a parameter."""
    return 18 * billions


def displaced(chosen, rejected, other, options):
    """The ids of the pairs of signs (chosen, rejected) of the probability changes in one step.

    Each answer has a feature vector; logits are linear in it and start at 0. One small step along
    the gradient of log π(w) − log π(l).
    """
    step = [1e-3 * (a - b) for a, b in zip(chosen, rejected, strict=True)]
    logits = [sum(s * f for s, f in zip(step, x, strict=True)) for x in (chosen, rejected, other)]
    total = sum(math.exp(value) for value in logits)
    truth = ["up" if math.exp(value) / total > 1 / 3 else "down" for value in logits[:2]]
    return [name for name, pair in options.items() if list(pair) == truth]


def same_loss_options(options):
    """The ids of the policies over (A, B, C) with DPO's loss of (0.6, 0.2, 0.2) on the pair A > B.

    The reference is uniform.
    """
    target = math.log(0.6 / 0.2)
    return [n for n, p in options.items() if abs(math.log(p[0] / p[1]) - target) < 1e-6]


def simpo_close(chosen, rejected, long, short, beta, gamma):
    """Whether sums and means give nearly the same."""
    means = simpo_margin(chosen, rejected, long, short, beta, gamma)
    return abs(means - simpo_summed(chosen, rejected, beta, gamma)) < 0.1


def smoothed_close(flip):
    """Whether margin and confidence are nearly the same number."""
    return abs(smoothed_optimum(flip) - smoothed_confidence(flip)) < 0.05
