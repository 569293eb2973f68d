"""Reference numbers for the items on trust regions; closed forms, no torch."""

from __future__ import annotations

import math


def kl(p: list[float], q: list[float]) -> float:
    """KL(p || q) in nats."""
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def two(p: float) -> list[float]:
    """The distribution over two actions."""
    return [p, 1 - p]


def kl_old_new(old: float, new: float) -> float:
    """KL(old || new) of two-action policies, the direction of TRPO's constraint."""
    return kl(two(old), two(new))


def kl_new_old(old: float, new: float) -> float:
    """The other direction."""
    return kl(two(new), two(old))


def kl_first_term(old: float, new: float) -> float:
    """The first action's term alone."""
    return old * math.log(old / new)


def step_scale(delta: float, quadratic: float) -> float:
    """sqrt(2 delta / (g' F^-1 g))."""
    return math.sqrt(2 * delta / quadratic)


def step_scale_without_two(delta: float, quadratic: float) -> float:
    """The factor 2 of the quadratic model forgotten."""
    return math.sqrt(delta / quadratic)


def step_scale_no_root(delta: float, quadratic: float) -> float:
    """The root forgotten."""
    return 2 * delta / quadratic


def natural_step_in_logit(p: float, gap: float, delta: float) -> float:
    """The size of the TRPO step in one logit: sqrt(2 delta / F), whatever the gap is."""
    fisher = p * (1 - p)
    gradient = fisher * gap
    return math.sqrt(2 * delta / (gradient**2 / fisher)) * gradient / fisher


def vanilla_step_in_logit(p: float, gap: float, delta: float) -> float:
    """sqrt(2 delta) along the plain gradient."""
    return math.sqrt(2 * delta) * p * (1 - p) * gap


def natural_step_uninverted(p: float, gap: float, delta: float) -> float:
    """sqrt(2 delta * F)."""
    return math.sqrt(2 * delta * p * (1 - p))


def penalty_constant(epsilon: float, discount: float) -> float:
    """4 epsilon gamma / (1 - gamma)^2, the constant of the lower bound."""
    return 4 * epsilon * discount / (1 - discount) ** 2


def ratio_second_moment(old: float, new: float) -> float:
    """E_old[ratio^2] - 1, the variance of the ratio of two-action policies."""
    return new**2 / old + (1 - new) ** 2 / (1 - old) - 1


def ratio_first_moment_slip(old: float, new: float) -> float:
    """E_old[ratio^2], the square of the mean not taken off."""
    return new**2 / old + (1 - new) ** 2 / (1 - old)


def ratio_under_new(old: float, new: float) -> float:
    """The variance as seen under the new policy."""
    second = new**3 / old**2 + (1 - new) ** 3 / (1 - old) ** 2
    return second - (new**2 / old + (1 - new) ** 2 / (1 - old)) ** 2


def sequence_second_moment(per_token: float, length: int) -> float:
    """The second moment of a product of independent token ratios."""
    return (1 + per_token) ** length


def fisher_bytes(parameters: float) -> float:
    """Bytes of a dense Fisher matrix in float32, in terabytes."""
    return parameters**2 * 4 / 1e12


def improvement(visits: list[float], advantages: list[float]) -> float:
    """Sum over states of discounted visits times the expected old advantage."""
    return sum(v * a for v, a in zip(visits, advantages, strict=True))


def improvement_mean(visits: list[float], advantages: list[float]) -> float:
    """Visits turned into a distribution first."""
    return improvement(visits, advantages) / sum(visits)


def improvement_unweighted(visits: list[float], advantages: list[float]) -> float:
    """Every state counted once."""
    return sum(advantages)


def improvement_weak(answer: float, visits: list[float], advantages: list[float]) -> bool:
    """Whether a slip would give nearly the same number."""
    slips = (improvement_mean(visits, advantages), improvement_unweighted(visits, advantages))
    return any(abs(answer - slip) < 0.02 for slip in slips)


def three_visits(random: object) -> list[float]:
    """Discounted visits to three states."""
    draw = random.random  # type: ignore[attr-defined]
    return [round(0.5 + int(draw() * 8) / 2, 1) for _ in range(3)]


def three_advantages(random: object) -> list[float]:
    """Expected old advantages of three states, from -0.5 to 1."""
    draw = random.random  # type: ignore[attr-defined]
    return [round(-0.5 + int(draw() * 16) / 10, 1) for _ in range(3)]


def kl_weak(answer: float, old: float, new: float) -> bool:
    """Whether the directions are too near to tell, or a term would pass for the whole."""
    slips = (kl_new_old(old, new), kl_first_term(old, new))
    return any(abs(answer - slip) < 0.015 for slip in slips)


def step_weak(p: float, gap: float, delta: float) -> bool:
    """Whether a slip would give nearly the same step."""
    answer = natural_step_in_logit(p, gap, delta)
    slips = (vanilla_step_in_logit, natural_step_uninverted)
    return any(abs(answer - slip(p, gap, delta)) < 0.01 for slip in slips)


def ratio_weak_slips(answer: float, old: float, new: float) -> bool:
    """Whether the policies are too near, or the view of the new policy gives nearly the same."""
    return answer < 0.02 or abs(answer - ratio_under_new(old, new)) < 0.03


def product_of_ratios(ratio: float, length: int) -> list[str]:
    """The id of the ratio of a whole answer whose tokens all have the same ratio."""
    choices = {"a": 0.0066, "b": 0.1353, "c": 0.3679, "d": 0.99}
    return [min(choices, key=lambda name: abs(choices[name] - ratio**length))]
