"""What a quiz file may say. One YAML file a topic; every struct here is one mapping in it.

Text is plain Markdown with mathematics in Unicode (γ, Σ, ∇ log π, Â_t, ≤), never LaTeX, so that a
terminal shows it as it is. `${name}` in a stem stands for a drawn parameter. A *call* names a
function as `module.function`: it lives in `quizzes/functions/module.py`, is plain Python, and gets
its arguments by name; an argument `$name` is the drawn parameter of that name, and `$answer` the
key. Nothing in a YAML file is ever evaluated as code, but for snippets that say so.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Bloom = Literal["remember", "understand", "apply", "analyze", "evaluate", "create"]
Level = Literal["screen", "mid", "senior", "research"]
Dimension = Literal["correctness", "derivation", "diagnosis", "trade-offs", "communication"]
Stage = Literal["warm-up", "concept", "derivation", "debugging", "design"]


class Call(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call of a function in `quizzes/functions/`: what it returns is used."""

    call: str
    args: dict[str, Any] = {}
    select: list[int | str] = []  # indexes into what it returns, outermost first


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A drawn parameter: exactly one of `choice`, `int`, `float` and `call`.

    choice: one of these values. int: a whole number from the first to the second, both included.
    float: a number from the first to the second, rounded to so many digits after the point.
    call: what a function returns; it gets `random`, a `random.Random`, beside its `args`.
    """

    choice: list[Any] | None = None
    whole: tuple[int, int] | None = msgspec.field(default=None, name="int")
    decimal: tuple[float, float, int] | None = msgspec.field(default=None, name="float")
    call: str = ""
    args: dict[str, Any] = {}


class Objective(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something a learner can do afterwards."""

    id: str
    text: str
    bloom: Bloom


class Misconception(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wrong belief that distractors stand for: `says` completes "you may believe that ..."."""

    id: str
    says: str


class Option(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing to choose. `why` says why it is right, or why it tempts and is wrong."""

    id: str
    text: str
    why: str
    correct: bool = False
    misconception: str | None = None


class WrongNumber(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number that a known slip leads to: `call`'s result, and what went wrong."""

    call: Call
    why: str
    misconception: str | None = None


class WrongOutput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody who misreads the code expects it to print."""

    output: str
    why: str
    misconception: str | None = None


class Block(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One part of a sequence."""

    text: str
    why: str = ""


class Pair(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What belongs together."""

    left: str
    right: str
    why: str = ""


class Fix(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the faulty lines might become. Exactly one is right, and the test must prove it."""

    id: str
    text: str  # the lines that replace `buggy_lines`, in order, as one text
    why: str
    correct: bool = False
    misconception: str | None = None


class Blank(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a derivation, left open: an expression, or a choice."""

    prompt: str
    why: str
    expression: str = ""  # Python arithmetic; an answer is right if it agrees on random numbers
    variables: dict[str, tuple[float, float]] = {}  # the range in which each is drawn
    options: list[Option] = []


class RubricPoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that a good answer says: with a formula, a symbol or a named failure in it."""

    id: str
    point: str
    weight: int = 1
    must: bool = False
    dimension: Dimension = "correctness"


class RedFlag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that a good answer never says, and why."""

    text: str
    why: str


class FollowUp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The next question: `when` is `always`, `missing:ID` or `got:ID` of a rubric point."""

    when: str
    ask: str
    expects: list[str]


class ModelAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer in a minute (100 to 170 words when spoken), and one with everything."""

    short: str
    long: str


class ItemBase(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"
):
    """What every item has.

    id: `topic.sub.name`, unique over all files and never used again.
    rev: grows by one with every edit. meaning: grows only where the question or the key changed in
    meaning; the learner's schedule then begins anew.
    seconds: how long an able candidate takes. covers: T001 to T320, S4-QC1, E17, F31 and so on.
    sources: where the fact can be looked up. as_of: a date, where it can age.
    """

    id: str
    objective: str
    bloom: Bloom
    difficulty: Literal[1, 2, 3, 4, 5]
    level: Level
    seconds: int
    stem: str
    explain: str
    sources: list[str]
    covers: list[str]
    rev: int = 1
    meaning: int = 1
    code: str = ""
    hints: list[str] = []
    as_of: str = ""
    status: Literal["draft", "reviewed", "retired"] = "reviewed"
    exercise: str | None = None  # where it is another than the file's
    stage: Stage | None = None  # of an interview; without it `rlgrade interview` chooses by Bloom


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A proof of the marked options: the call must return the ids of exactly those.

    `lint` makes the call, so a key that is proved cannot drift from the mathematics.
    """

    call: str
    args: dict[str, Any] = {}


class Single(ItemBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="single"):
    """One of three to five options is right."""

    options: list[Option]
    order: Literal["shuffle", "fixed"] = "shuffle"  # fixed where options are numbers that ascend
    key: Key | None = None
    length_exempt: str = ""


class Multi(ItemBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="multi"):
    """Several of five to seven options are right; how many is not told."""

    options: list[Option]
    key: Key | None = None


class Numeric(ItemBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="numeric"):
    """A number, computed from parameters that differ with every seed."""

    params: dict[str, Parameter]
    answer: Call
    wrong: list[WrongNumber]
    reject_if: Call | None = None  # draw again where this returns True
    abs: float = 1e-3
    rel: float = 1e-3  # right within abs + rel * |answer|
    unit: str = ""


class Order(ItemBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="order"):
    """Blocks to be put in order; distractors belong nowhere."""

    blocks: list[Block]
    distractors: list[Block] = []


class Match(ItemBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="match"):
    """Pairs to be found; spare right-hand sides belong to nothing."""

    pairs: list[Pair]
    spare: list[Block] = []


class Predict(ItemBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="predict"):
    """What does `code` print? The key is what it prints when it is run; nobody types it."""

    wrong: list[WrongOutput] = []
    needs_torch: bool = False


class Bug(ItemBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="bug"):
    """Which lines of `code` (counted from 1) are wrong, and which fix is right?

    `test` is Python that runs after the code, in the same namespace, and raises where the code is
    wrong: it must fail with the code as it is and with every wrong fix, and pass with the right
    one.
    """

    buggy_lines: list[int]
    fixes: list[Fix]
    test: str
    needs_torch: bool = False


class Claim(ItemBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="claim"):
    """True, false, or true only if one of the conditions holds: which?"""

    verdict: Literal["true", "false", "conditional"]
    conditions: list[Option] = []  # with `conditional`: one is right


class Estimate(ItemBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="estimate"):
    """An order of magnitude: right within a factor."""

    answer: Call
    factor: float = 2.0
    unit: str = ""


class Derive(ItemBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="derive"):
    """A derivation with blanks, one after the other."""

    blanks: list[Blank]


class Open(ItemBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="open"):
    """A question that is answered aloud or in writing, and marked by oneself with a rubric."""

    rubric: list[RubricPoint]
    red_flags: list[RedFlag]
    follow_ups: list[FollowUp]
    model_answer: ModelAnswer


Simple = Single | Multi | Numeric | Order | Match | Predict | Bug | Claim | Estimate | Derive | Open


class Case(ItemBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="case"):
    """One situation (in `stem`) and questions about it; a log table or a curve goes into `code`."""

    items: list[Simple]


Item = Simple | Case


class QuizFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One YAML file: a topic."""

    schema: Literal["rlgrade.quiz/1"]
    id: str  # the file's name without .yaml
    title: str
    exercise: str | None  # the exercise that it belongs to, such as ex05_gae
    objectives: list[Objective]
    items: list[Item]
    misconceptions: list[Misconception] = []
