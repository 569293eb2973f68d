"""What items about debugging compute: losses at the first step, masked means, dead groups."""


def masked_mean(values, mask):
    """Mean over what counts."""
    return sum(v * m for v, m in zip(values, mask, strict=True)) / sum(mask)


def padded_mean(values, mask):
    """The slip of dividing by the padded length."""
    return sum(v * m for v, m in zip(values, mask, strict=True)) / len(mask)


def unmasked_mean(values, mask):
    """The slip of leaving the mask out."""
    return sum(values) / len(values)


def first_loss_token_mean(advantage, short, long):
    """-mean over tokens of r A at r = 1: A on `short` tokens, -A on `long` tokens."""
    return -(advantage * short - advantage * long) / (short + long)


def first_loss_sequence_mean(advantage):
    """The mean of sequence means at r = 1, for the same two responses."""
    return -(advantage - advantage) / 2


def first_loss_sum(advantage, short, long):
    """The slip of a sum over tokens, divided by the two responses."""
    return -(advantage * short - advantage * long) / 2


def negated_first_loss(advantage, short, long):
    """The slip of forgetting that a loss is minimised."""
    return -first_loss_token_mean(advantage, short, long)


def row(random, count, padded):
    """Losses of `count` tokens and of `padded` pad tokens, one digit each."""
    return [round(0.3 + 2.5 * random.random(), 1) for _ in range(count + padded)]


def dead_share(p, group):
    """The share of groups whose rewards are all equal at pass rate p."""
    return p**group + (1 - p) ** group


def live_prompts(p, group, prompts):
    """How many of the prompts are expected to give a gradient."""
    return prompts * (1 - dead_share(p, group))


def all_prompts(prompts):
    """The slip of counting every prompt."""
    return prompts


def live_only_failures(p, group, prompts):
    """The slip of taking out groups without success only."""
    return prompts * (1 - (1 - p) ** group)


def dead_bad(answer, p, group, prompts):
    """Whether the slip of forgetting one kind of dead group is too close."""
    return abs(answer - live_only_failures(p, group, prompts)) < 0.03 * prompts


def truncation_penalty(score_mean, share, penalty):
    """Mean reward when a share of responses is cut off and gets the penalty instead."""
    return (1 - share) * score_mean + share * penalty


def truncation_added(score_mean, share, penalty):
    """The slip of giving the score and the penalty to the cut-off ones."""
    return score_mean + share * penalty


def truncation_ignored(score_mean, share, penalty):
    """The slip of leaving the cut-off responses out of the mean."""
    return score_mean


def kl_per_token(total, length):
    """Sequence KL divided by the tokens."""
    return total / length


def mean_slips_close(answer, values, mask):
    """Whether the mean over everything is nearly the same."""
    return abs(answer - unmasked_mean(values, mask)) < 0.03


def outside(value, low, high):
    """Whether a value is outside a range."""
    return value < low or value > high


def product(first, second):
    """first * second."""
    return first * second


def same(value):
    """The value itself."""
    return value
