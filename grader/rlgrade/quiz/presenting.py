"""A drawn question as plain text, and its solution: what a terminal shows, and exports begin with.

question(instance)   the stem, the code, what to choose from
how_to_answer(item)  one line that says what to type
key(instance)        the right answer, as it would be typed
solution(instance)   the right answer, every option's reason, the explanation, the sources
ending(instance)     the last two of these
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rlgrade.quiz import schema
from rlgrade.quiz.answers import LETTERS
from rlgrade.quiz.drawing import Instance, fill, shown
from rlgrade.quiz.snippets import printed

HOW = {
    "single": "one letter",
    "multi": "all letters that are right, such as `a c`",
    "numeric": "a number, or arithmetic such as `3/8`",
    "order": "the letters of the blocks that belong, in order, such as `c a d`",
    "match": "a letter for each number in turn, such as `b a c`",
    "predict": "what it prints, line by line",
    "bug": "the faulty lines and the letter of the fix, such as `3 5 b`",
    "claim": "true as it stands, false whatever holds, or `if` under a condition left out",
    "estimate": "a number; right within a factor of {factor}",
    "derive": "{blanks} answers, divided by ;",
    "open": "say or write your answer, then tick what it had",
    "case": "answer each question",
}


def question(instance: Instance) -> str:
    """What the learner is asked, without a trace of the key."""
    item = instance.item
    parts = [instance.stem.strip(), code(item), *_given(instance)]
    return "\n\n".join(part for part in parts if part)


def how_to_answer(item: schema.Item) -> str:
    """One line that says what to type."""
    text = HOW[str(item.__struct_config__.tag)]
    if isinstance(item, schema.Estimate):
        return text.format(factor=shown(item.factor)) + unit(item)
    if isinstance(item, schema.Derive):
        return text.format(blanks=len(item.blanks)) if len(item.blanks) > 1 else "one answer"
    return text + unit(item)


def unit(item: schema.Item) -> str:
    """`, in nats` where the item has a unit."""
    if isinstance(item, schema.Numeric | schema.Estimate) and item.unit:
        return f", in {item.unit}"
    return ""


def code(item: schema.Item) -> str:
    """The item's code, indented; with line numbers where lines are asked for."""
    lines = item.code.strip("\n").splitlines()
    if isinstance(item, schema.Bug):
        return "\n".join(f"{n:4d}  {line}".rstrip() for n, line in enumerate(lines, 1))
    return "\n".join(f"    {line}".rstrip() for line in lines)


def lettered(texts: Sequence[str]) -> str:
    """Texts as `a) ...`, further lines aligned."""
    rows = zip(LETTERS, texts, strict=False)
    return "\n".join(f"{sign}) " + text.strip("\n").replace("\n", "\n   ") for sign, text in rows)


def key(instance: Instance) -> str:
    """The right answer, as it would be typed; that of an open question is its short model."""
    item = instance.item
    match item:
        case schema.Numeric() | schema.Estimate():
            return f"{instance.value:.5g}" + (f" {item.unit}" if item.unit else "")
        case schema.Predict():
            return printed(item.code).rstrip()
        case schema.Order():
            return " ".join(_letter(instance, block.text) for block in item.blocks)
        case schema.Match():
            return " ".join(_letter(instance, pair.right) for pair in item.pairs)
        case schema.Bug():
            lines = " ".join(str(line) for line in sorted(item.buggy_lines))
            return f"{lines} {_right(instance.options)}"
        case schema.Claim():
            conditional = item.verdict == "conditional"
            return f"if {_right(instance.options)}" if conditional else item.verdict
        case schema.Derive():
            return "; ".join(blank.expression or _right(blank.options) for blank in instance.blanks)
        case schema.Open():
            return item.model_answer.short.strip()
    return _right(instance.options)


def solution(instance: Instance) -> str:
    """The right answer and every reason."""
    if instance.children:
        both = [f"{n}. {solution(child)}" for n, child in enumerate(instance.children, 1)]
        return "\n\n".join([*both, ending(instance)])
    multiline = isinstance(instance.item, schema.Predict | schema.Open)
    answer = ("\n" if multiline else " ") + key(instance)
    return "\n\n".join(filter(None, [f"answer:{answer}", *_reasons(instance), ending(instance)]))


def _given(instance: Instance) -> Iterator[str]:
    item = instance.item
    match item:
        case schema.Single() | schema.Multi() | schema.Bug():
            yield lettered([option.text for option in instance.options])
        case schema.Order():
            yield lettered([block.text for block in instance.blocks])
        case schema.Match():
            yield "\n".join(f"{n}. {pair.left}" for n, pair in enumerate(item.pairs, 1))
            yield lettered([block.text for block in instance.blocks])
        case schema.Derive():
            for n, blank in enumerate(instance.blanks, 1):
                choices = "\n" + lettered([option.text for option in blank.options])
                yield f"step {n}: {blank.prompt}" + (choices if blank.options else names(blank))
        case schema.Case():
            for n, child in enumerate(instance.children, 1):
                yield f"{n}. {question(child)}"


def names(blank: schema.Blank) -> str:
    """Which names an expression may use."""
    return f" (in {', '.join(blank.variables)})" if blank.variables else " (a number)"


def conditions(instance: Instance) -> str:
    """What a claim may depend on; shown only after the verdict, which it would give away."""
    return lettered([option.text for option in instance.options])


def _reasons(instance: Instance) -> Iterator[str]:
    item = instance.item
    if instance.options:
        yield lettered(
            [f"{_sign(option)} {option.text}\n{option.why}" for option in instance.options]
        )
    match item:
        case schema.Numeric() if instance.wrong:
            yield "\n".join(
                f"{value:.5g}: {fill(wrong.why, instance.parameters)}"
                for value, wrong in instance.wrong
            )
        case schema.Predict() if item.wrong:
            yield "\n".join(f"✗ {_hanging(w.output)}\n   {w.why}" for w in item.wrong)
        case schema.Order():
            yield "\n".join(_step(n, block) for n, block in enumerate(item.blocks, 1))
            if item.distractors:
                yield "\n".join(f"✗ {block.text}\n   {block.why}" for block in item.distractors)
        case schema.Match():
            yield "\n".join(f"{pair.left}: {pair.right}. {pair.why}".strip() for pair in item.pairs)
        case schema.Derive():
            yield "\n".join(f"step {n}: {b.why}" for n, b in enumerate(item.blanks, 1))
        case schema.Open():
            yield from _open(item)


def _open(item: schema.Open) -> Iterator[str]:
    yield item.model_answer.long.strip()
    yield lettered([f"{point.point}{' (must)' if point.must else ''}" for point in item.rubric])
    yield "\n".join(f"✗ {flag.text}: {flag.why}" for flag in item.red_flags)


def _hanging(output: str) -> str:
    return output.strip("\n").replace("\n", "\n  ")


def ending(instance: Instance) -> str:
    """The explanation and the sources."""
    item = instance.item
    dated = f" (as of {item.as_of})" if item.as_of else ""
    return f"{instance.explain.strip()}\n\nsources: {'; '.join(item.sources)}{dated}"


def _step(n: int, block: schema.Block) -> str:
    return f"{n}. {block.text}" + (f"\n   {block.why}" if block.why else "")


def _sign(option: schema.Option | schema.Fix) -> str:
    return "✓" if option.correct else "✗"


def _right(options: Sequence[schema.Option | schema.Fix]) -> str:
    pairs = zip(LETTERS, options, strict=False)
    return " ".join(sign for sign, option in pairs if option.correct)


def _letter(instance: Instance, text: str) -> str:
    return LETTERS[[block.text for block in instance.blocks].index(text)]
