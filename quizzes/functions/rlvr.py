"""Verifiable rewards, pass@k, step labels and entropy, in plain numbers."""

from math import comb, exp, log


def pass_at_k(n, c, k):
    """1 - C(n - c, k) / C(n, k): the unbiased estimate from n samples, c of them right."""
    return 1.0 - comb(n - c, k) / comb(n, k)


def plug_in(n, c, k):
    """The biased estimate 1 - (1 - c / n)^k."""
    return 1 - (1 - c / n) ** k


def rate(n, c):
    """The share of right samples."""
    return c / n


def pass_slips_near(n, c, k):
    """Whether the estimate is trivial or the plug-in estimate lies near it."""
    return k > n - c or abs(pass_at_k(n, c, k) - plug_in(n, c, k)) < 0.012


def plug_in_ids(options, n, c, k):
    """The ids of the options that order plug-in and unbiased estimate rightly."""
    order = "below" if plug_in(n, c, k) < pass_at_k(n, c, k) else "above"
    return [name for name, claim in options.items() if claim == order]


def overtakes(base, share):
    """The least k at which 1 - (1 - base)^k exceeds a share of problems."""
    k = 1
    while 1 - (1 - base) ** k <= share:
        k += 1
    return k


def expected_reward(right, formatted, weight):
    """Of the rule 'right earns 1, else the weight if the format holds'."""
    return right + (1 - right) * formatted * weight


def expected_sum(right, formatted, weight):
    """The slip of paying the format on top of a right answer."""
    return right + formatted * weight


def expected_accuracy(right):
    """The slip of leaving the format out."""
    return right


def missed(solve, rollouts):
    """Percent of good prefixes from which no rollout reaches the answer; solve in percent."""
    return 100 * (1 - solve / 100) ** rollouts


def missed_once(solve):
    """The slip of using one rollout."""
    return 100 - solve


def found(solve, rollouts):
    """The complement of `missed`."""
    return 100 - missed(solve, rollouts)


def all_equal(solve, group):
    """Percent of groups without signal: all right or all wrong; solve in percent."""
    p = solve / 100
    return 100 * (p**group + (1 - p) ** group)


def all_right(solve, group):
    """The slip of counting groups with all answers right only."""
    return 100 * (solve / 100) ** group


def all_wrong(solve, group):
    """The slip of counting groups with all answers wrong only."""
    return 100 * (1 - solve / 100) ** group


def equal_near(solve, group):
    """Whether one of the two terms is negligible."""
    return min(all_right(solve, group), all_wrong(solve, group)) < 1.5


def majority_of_three(solve):
    """Percent right by a vote of three where all errors agree; solve in percent."""
    p = solve / 100
    return 100 * (3 * p**2 - 2 * p**3)


def any_of_three(solve):
    """pass@3 in percent."""
    return 100 * (1 - (1 - solve / 100) ** 3)


def identity(x):
    """The number itself."""
    return x


def vote_near(solve):
    """Whether the vote hardly differs from a single answer."""
    return abs(majority_of_three(solve) - solve) < 1.5


def slope(h1, r1, h2, r2):
    """a of R = -a e^H + b through two points."""
    return (r2 - r1) / (exp(h1) - exp(h2))


def offset(h1, r1, h2, r2):
    """b of the same."""
    return r1 + slope(h1, r1, h2, r2) * exp(h1)


def entropy_ceiling(h1, r1, h2, r2):
    """R at H = 0, which is b - a."""
    return offset(h1, r1, h2, r2) - slope(h1, r1, h2, r2)


def linear_ceiling(h1, r1, h2, r2):
    """The slip of a straight line in H."""
    return r2 + (r2 - r1) / (h1 - h2) * h2


def covariance(p, q, a, c):
    """Cov of log pi and A under pi = (p, q, 1 - p - q) with A = (a, 0, c)."""
    probs, advantages = (p, q, 1 - p - q), (a, 0.0, c)
    mean_log = sum(x * log(x) for x in probs)
    mean_adv = sum(x * y for x, y in zip(probs, advantages, strict=True))
    pairs = zip(probs, advantages, strict=True)
    return sum(x * (log(x) - mean_log) * (y - mean_adv) for x, y in pairs)


def entropy_change(p, q, a, c, step):
    """-step times that covariance: the first-order change of entropy of a natural step."""
    return -step * covariance(p, q, a, c)


def entropy_change_flipped(p, q, a, c, step):
    """The slip of the sign."""
    return step * covariance(p, q, a, c)


def entropy_change_uncentred(p, q, a, c, step):
    """The slip of a mean product instead of a covariance."""
    r = 1 - p - q
    return -step * (p * log(p) * a + r * log(r) * c)


def entropy_near(p, q, a, c, step):
    """Whether a slip is near, or the change is negligible."""
    right = entropy_change(p, q, a, c, step)
    other = entropy_change_uncentred(p, q, a, c, step)
    return abs(right) < 0.004 or abs(right - other) < 0.004


def raises_entropy(options, probs):
    """The ids of the options (probability, advantage) whose increase raises entropy.

    A natural step on a single token with advantage A moves entropy by about
    -A p (log p + H), so that it rises where A and log p + H have opposite signs.
    """
    entropy = -sum(p * log(p) for p in probs)
    return [name for name, (p, a) in options.items() if a * p * (log(p) + entropy) < 0]
