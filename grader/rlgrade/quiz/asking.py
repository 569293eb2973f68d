"""One question, asked in a terminal: two tries, hints, then the answer with every reason.

At a prompt: `?` is a hint, `-` shows the answer, `!` and a note doubts the item, `q` stops.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from rlgrade.quiz import presenting, schema
from rlgrade.quiz.answers import LETTERS, AnswerError, letters
from rlgrade.quiz.drawing import Instance
from rlgrade.quiz.marking import Marked, mark, mark_blank, mark_open
from rlgrade.quiz.schedule import Answered, Confidence
from rlgrade.quiz.talk import Talk

TRIES = 2
HINT, REVEAL, FLAG = "?", "-", "!"
SURE: dict[str, Confidence] = {"s": "sure", "u": "unsure", "g": "guess", "": ""}
HELP = "? hint, - show the answer, ! and a note to doubt the question, q stop; nothing is lost"


class Reveal(Exception):
    """The learner wants to see the answer."""


@dataclass
class Asking:
    """How to ask: with whom, whether confidence is asked for, and who takes down a doubt."""

    talk: Talk
    flag: Callable[[schema.Item, str], bool]  # whether the note is kept
    confidence: bool = False
    tries: int = TRIES
    given: list[str] = field(default_factory=list)  # the hints of this question
    hinted: bool = False  # whether it has any

    def ask(self, instance: Instance) -> Answered:
        """Ask one question to its end.

        Raises:
            Leaves: the learner stops.
        """
        self.given = list(instance.hints)
        self.hinted = bool(self.given)
        item = instance.item
        if isinstance(item, schema.Case):
            return self._case(instance)
        if isinstance(item, schema.Open):
            return self._open(instance, item)
        if isinstance(item, schema.Derive):
            return self._derive(instance, item)
        self.talk.say(f"\n{presenting.question(instance)}\n")
        answered = self._tries(instance.item, lambda: self._answer(instance))
        self.talk.say(f"\n{presenting.solution(instance)}")
        return answered

    def line(self, item: schema.Item, prompt: str, *, several: bool = False) -> str:
        """An answer; commands are carried out, and it is asked again.

        Raises:
            Reveal: the answer is to be shown.
        """
        while True:
            single = (HINT, REVEAL)
            text = self.talk.ask_lines(prompt, single) if several else self.talk.ask(prompt)
            if text == REVEAL:
                raise Reveal
            if text == HINT:
                self.hint()
            elif text.startswith(FLAG) and "\n" not in text:
                self.doubt(item, text[1:].strip())
            elif text:
                return text

    def hint(self) -> None:
        """Say the next hint, or that there is none."""
        if self.given:
            self.talk.say(f"hint: {self.given.pop(0)}")
        else:
            self.talk.say("no more hints" if self.hinted else "this question has no hint")

    def _tries(self, item: schema.Item, attempt: Callable[[], Marked]) -> Answered:
        """Up to two attempts; the first decides."""
        first: Marked | None = None
        confidence: Confidence = ""
        hints = 0
        tries = 0
        while tries < self.tries:
            before = len(self.given)
            try:
                marked = attempt()
            except AnswerError as error:
                self.talk.say(f"{error}")
                continue
            except Reveal:
                first = first or Marked(0.0, False)
                break
            finally:
                hints += before - len(self.given)
            tries += 1
            if first is None:
                first, confidence = marked, self._confidence()
            self._tell(marked, last=tries == self.tries)
            if marked.right:
                break
        assert first is not None
        return Answered(
            right=first.right,
            score=first.score,
            tries=max(1, tries),
            hints=hints,
            confidence=confidence,
            misconceptions=first.misconceptions,
        )

    def _tell(self, marked: Marked, *, last: bool) -> None:
        if marked.right:
            self.talk.verdict(True, "right")
            return
        said = f"not right: {marked.message}" if marked.message else "not right"
        self.talk.verdict(False, said)
        if not last:
            self.talk.say(f"Once more; {REVEAL} shows the answer.")

    def _confidence(self) -> Confidence:
        while self.confidence:
            typed = self.talk.ask("how sure were you? s sure, u unsure, g guess: ").lower()[:1]
            if typed in SURE:
                return SURE[typed]
        return ""

    def _answer(self, instance: Instance) -> Marked:
        item = instance.item
        how = presenting.how_to_answer(item)
        if isinstance(item, schema.Predict):
            prompt = f"answer ({how}; an empty line ends it):\n> "
            return mark(instance, self.line(item, prompt, several=True))
        if isinstance(item, schema.Bug):
            return self._bug(instance, item)
        typed = self.line(item, f"answer ({how}): ")
        asks_when = typed.lower() in ("if", "only if", "true if") and bool(instance.options)
        if isinstance(item, schema.Claim) and asks_when:
            self.talk.say(f"True only if:\n\n{presenting.conditions(instance)}\n")
            typed = f"if {self.line(item, 'which condition (one letter): ')}"
        return mark(instance, typed)

    def _bug(self, instance: Instance, item: schema.Bug) -> Marked:
        typed = self.line(item, "faulty lines, such as `3` or `3 5`: ")
        if not any(
            sign.isalpha() for sign in typed.lower().replace("lines", "").replace("line", "")
        ):
            typed += " " + self.line(item, "fix (one letter): ")
        return mark(instance, typed)

    def _case(self, instance: Instance) -> Answered:
        self.talk.say(f"\n{instance.stem.strip()}")
        if instance.item.code:
            self.talk.say(f"\n{presenting.code(instance.item)}")
        parts = []
        for number, child in enumerate(instance.children, 1):
            self.talk.say(f"\n({number} of {len(instance.children)} about this case)")
            parts.append(self.ask(child))
        self.talk.say(f"\n{instance.explain.strip()}")
        return together(parts)

    def _derive(self, instance: Instance, item: schema.Derive) -> Answered:
        begin = [instance.stem.strip(), presenting.code(item)]
        self.talk.say("\n" + "\n\n".join(part for part in begin if part))
        parts = []
        for number, blank in enumerate(instance.blanks):
            choices = presenting.lettered([option.text for option in blank.options])
            what = f"\n\n{choices}" if blank.options else presenting.names(blank)
            self.talk.say(f"\nstep {number + 1} of {len(instance.blanks)}: {blank.prompt}{what}\n")
            how = "one letter" if blank.options else "an expression, such as exp(-x) * (1 - y)"
            parts.append(self._tries(item, partial(self._blank, instance, number, how)))
            key = blank.expression or right_text(blank.options)
            self.talk.say(f"step {number + 1}: {key}\n{blank.why}")
        self.talk.say(f"\n{presenting.ending(instance)}")
        return together(parts)

    def _blank(self, instance: Instance, number: int, how: str) -> Marked:
        return mark_blank(instance, number, self.line(instance.item, f"answer ({how}): "))

    def _open(self, instance: Instance, item: schema.Open) -> Answered:
        self.talk.say(f"\n{presenting.question(instance)}\n")
        prompt = "Say it aloud, or write it and end with an empty line; Enter shows the answer.\n> "
        hints = len(self.given)
        with contextlib.suppress(Reveal):
            self.written(item, prompt)
        hints -= len(self.given)
        self.talk.say(f"\nIn a minute:\n\n{item.model_answer.short.strip()}")
        got, flags = tick_rubric(self, item)
        marked = mark_open(item, got, flags)
        self.talk.verdict(marked.right, marked.message or f"{round(100 * marked.score)} % of it")
        if self.line_or_empty("Enter goes on, l shows the long answer: ").lower() == "l":
            self.talk.say(f"\n{item.model_answer.long.strip()}")
        self.talk.say(f"\n{presenting.ending(instance)}")
        confidence = self._confidence()
        faults = bool(marked.message)
        return Answered(marked.right, marked.score, 1, hints, confidence, faults=faults)

    def doubt(self, item: schema.Item, note: str) -> None:
        """Take a note on the question down."""
        kept = self.flag(item, note)
        told = "noted; rlgrade quiz stats shows it" if kept else "the note could not be kept"
        self.talk.say(told)

    def written(self, item: schema.Item, prompt: str) -> str:
        """What is written as an answer; nothing, where it was spoken."""
        while True:
            text = self.talk.ask_lines(prompt, (HINT, REVEAL))
            if text == REVEAL:
                raise Reveal
            if text == HINT:
                self.hint()
            elif text.startswith(FLAG) and "\n" not in text:
                self.doubt(item, text[1:].strip())
            else:
                return text

    def line_or_empty(self, prompt: str) -> str:
        """What is typed, be it nothing."""
        return self.talk.ask(prompt)


def tick_rubric(asking: Asking, item: schema.Open) -> tuple[list[str], list[int]]:
    """The rubric's points that an answer had, and the indexes of the red flags that it raised."""
    points = [f"{point.point}{' (must)' if point.must else ''}" for point in item.rubric]
    asking.talk.say(f"\nA good answer says:\n\n{presenting.lettered(points)}\n")
    got = tick(asking.talk, "which of these did you say? (letters; Enter for none): ", len(points))
    flags: list[int] = []
    if item.red_flags:
        texts = [f"{flag.text}\n{flag.why}" for flag in item.red_flags]
        asking.talk.say(f"\nA good answer never says:\n\n{presenting.lettered(texts)}\n")
        flags = tick(
            asking.talk, "which of these did you say? (letters; Enter for none): ", len(texts)
        )
    return [item.rubric[n].id for n in got], flags


def tick(talk: Talk, prompt: str, count: int) -> list[int]:
    """The indexes that are ticked, in order; Enter ticks none."""
    while True:
        typed = talk.ask(prompt)
        if typed.lower() in ("", "none", "0", REVEAL):
            return []
        if typed.lower() == "all":
            return list(range(count))
        try:
            return sorted(letters(typed, count))
        except AnswerError as error:
            talk.say(str(error))


def together(parts: Sequence[Answered]) -> Answered:
    """The answers to the parts of a question as one."""
    unsure = [part.confidence for part in parts if part.confidence in ("unsure", "guess")]
    return Answered(
        right=all(part.right for part in parts),
        score=sum(part.score for part in parts) / len(parts),
        hints=sum(part.hints for part in parts),
        tries=max(part.tries for part in parts),
        confidence=unsure[0] if unsure else parts[0].confidence,
        misconceptions=tuple(name for part in parts for name in part.misconceptions),
        faults=any(part.faults for part in parts),
    )


def right_text(options: Sequence[schema.Option]) -> str:
    """The right option, with its letter."""
    pairs = zip(LETTERS, options, strict=False)
    return next((f"{sign}) {option.text}" for sign, option in pairs if option.correct), "")
