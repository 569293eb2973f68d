"""Off-policy corrections, memory and throughput of RL for language models, in plain numbers."""

from math import exp


def truncated(ratios, cap):
    """The mean of min(ratio, cap)."""
    return sum(min(r, cap) for r in ratios) / len(ratios)


def masked(ratios, cap):
    """The slip of dropping what exceeds the cap, kept in the denominator."""
    return sum(r for r in ratios if r <= cap) / len(ratios)


def untruncated(ratios):
    """The mean of the ratios themselves."""
    return sum(ratios) / len(ratios)


def ratios(random, count, cap):
    """Importance ratios of which the last exceeds the cap."""
    low = [round(random.uniform(0.6, cap - 0.2), 2) for _ in range(count - 1)]
    return [*low, round(random.uniform(cap + 0.5, cap + 4), 2)]


def decoupled(behaviour, proximal, current, advantage, eps=0.2):
    """(prox / behaviour) min(u A, clip(u) A) with u = current / prox."""
    u = current / proximal
    inside = min(max(u, 1 - eps), 1 + eps)
    return proximal / behaviour * min(u * advantage, inside * advantage)


def coupled(behaviour, current, advantage, eps=0.2):
    """The slip of clipping around the behaviour policy."""
    return decoupled(behaviour, behaviour, current, advantage, eps)


def unweighted(proximal, current, advantage, eps=0.2):
    """The slip of leaving out the weight prox / behaviour."""
    return decoupled(proximal, proximal, current, advantage, eps)


def decoupled_near(behaviour, proximal, current, advantage):
    """Whether a slip lands near the right objective."""
    right = decoupled(behaviour, proximal, current, advantage)
    slips = (coupled(behaviour, current, advantage), unweighted(proximal, current, advantage))
    return min(abs(right - slip) for slip in slips) < 0.03


def geometric(log_ratios):
    """exp of the mean log-ratio."""
    return exp(sum(log_ratios) / len(log_ratios))


def sequence_ratio(log_ratios):
    """The product of the ratios."""
    return exp(sum(log_ratios))


def arithmetic(log_ratios):
    """The mean of the ratios."""
    return sum(exp(x) for x in log_ratios) / len(log_ratios)


def log_ratio_draw(random, count):
    """Log-ratios of the tokens of a short completion."""
    return [round(random.uniform(-1.2, 0.8), 2) for _ in range(count)]


def geometric_near(log_ratios):
    """Whether a slip lands near the geometric mean."""
    right = geometric(log_ratios)
    slips = (sequence_ratio(log_ratios), arithmetic(log_ratios))
    return min(abs(right - slip) for slip in slips) < 0.03


def relative_error_percent(spacing):
    """By how many percent e^logit is off at most when a logit is rounded to a grid."""
    return 100 * (exp(spacing / 2) - 1)


def utilisation(lengths):
    """Percent of the decoding slots in use while a batch waits for its longest sequence."""
    return 100 * sum(lengths) / (len(lengths) * max(lengths))


def idle(lengths):
    """The complement."""
    return 100 - utilisation(lengths)


def median_share(lengths):
    """The slip of using the median for the mean."""
    ordered = sorted(lengths)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return 100 * middle / max(lengths)


def length_draw(random, count):
    """Rollout lengths in hundreds of tokens, with one straggler."""
    return [random.randint(4, 20) for _ in range(count - 1)] + [random.randint(40, 80)]


def lengths_near(lengths):
    """Whether a slip lands near the utilisation."""
    right = utilisation(lengths)
    return min(abs(right - idle(lengths)), abs(right - median_share(lengths))) < 2


def kv_cache_gb(layers, kv_heads, head_dim, tokens, samples, bytes_each=2):
    """GB (10^9 bytes) of keys and values, without sharing of the prompt."""
    return 2 * layers * kv_heads * head_dim * bytes_each * tokens * samples / 1e9


def kv_cache_thousands(layers, kv_heads, head_dim, thousands, samples):
    """The same with the tokens in thousands."""
    return kv_cache_gb(layers, kv_heads, head_dim, 1000 * thousands, samples)


def kv_cache_keys_only(layers, kv_heads, head_dim, thousands, samples):
    """The slip of forgetting the values."""
    return kv_cache_thousands(layers, kv_heads, head_dim, thousands, samples) / 2


def kv_cache_one(layers, kv_heads, head_dim, thousands):
    """The slip of one sample."""
    return kv_cache_thousands(layers, kv_heads, head_dim, thousands, 1)


def resident(billions, trained, frozen):
    """GB for `trained` sets of weights at 16 bytes a parameter and `frozen` ones at 2."""
    return billions * (16 * trained + 2 * frozen)


def counted(billions, models):
    """The slip of counting 2 bytes for each model."""
    return billions * 2 * models


def sync_seconds(billions, gigabytes_per_second):
    """Seconds to send bf16 weights once over a link."""
    return billions * 2 / gigabytes_per_second


def accumulated(sums, counts):
    """The token mean over all micro-batches."""
    return sum(sums) / sum(counts)


def mean_of_means(sums, counts):
    """The slip of averaging the micro-batches' token means."""
    return sum(s / c for s, c in zip(sums, counts, strict=True)) / len(sums)


def two_sums(random):
    """Summed losses of two micro-batches."""
    return [round(random.uniform(20, 60), 0), round(random.uniform(2, 20), 0)]


def two_counts(random):
    """Token counts of two micro-batches, of different size."""
    return [random.choice([60, 80, 100]), random.choice([5, 10, 20])]


def means_near(sums, counts):
    """Whether the two ways of averaging agree."""
    return abs(accumulated(sums, counts) - mean_of_means(sums, counts)) < 0.03


def lora_thousands(rows, columns, rank):
    """Thousands of trained parameters of one adapted matrix."""
    return rank * (rows + columns) / 1000


def lora_product(rows, columns, rank):
    """The slip of counting the whole matrix."""
    return rows * columns / 1000


def lora_one_factor(rows, columns, rank):
    """The slip of counting one of the two factors."""
    return rank * rows / 1000


def cheapest(options, billions):
    """The ids of the options (trained, frozen) that save most against (2, 2)."""
    memory = {name: resident(billions, *models) for name, models in options.items()}
    least = min(memory.values())
    return [name for name, gigabytes in memory.items() if gigabytes == least]
