"""The same session for programs: one JSON object a line out, one answer a line in.

    {"event": "question", "id": ..., "text": ..., "how": ..., "options": [...]}
    <- {"answer": "b", "confidence": "sure"}        (or the bare answer: b)
    {"event": "verdict", "right": false, "final": false, "message": ...}
    <- {"answer": "c"}
    {"event": "verdict", "right": true, "final": true, "key": ..., "solution": ..., ...}
    {"event": "answered", "right": false, "due": "2026-11-21"}
    {"event": "end", "asked": 1, "right": 0}

`{"hint": true}`, `{"reveal": true}`, `{"flag": "why"}` and `{"quit": true}` are commands. An open
question is answered with the ids of the points that were said: `{"got": [...], "red_flags": [0]}`.
The questions of a case come one by one, with `case` set. What cannot be read gives
`{"event": "unreadable"}`, and the answer is awaited again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from rlgrade.quiz import presenting, schema
from rlgrade.quiz.answers import AnswerError
from rlgrade.quiz.asking import TRIES, together
from rlgrade.quiz.bank import Entry
from rlgrade.quiz.choosing import kind_of
from rlgrade.quiz.drawing import Instance
from rlgrade.quiz.marking import Marked, mark, mark_open
from rlgrade.quiz.schedule import Answered, Confidence, due_day
from rlgrade.quiz.session import Manner, Table, Tally, drawn, keep, take_down
from rlgrade.quiz.talk import Leaves

NOT_SAID: Confidence = ""


def run_wire(table: Table, entries: Sequence[Entry], manner: Manner) -> Tally:
    """Ask these questions over the standard streams."""
    tally = Tally()
    try:
        for number, entry in enumerate(entries, 1):
            instance = drawn(table, entry, manner)
            about = {"number": number, "of": len(entries), "topic": entry.quiz.id}
            answered = _ask(table, entry, instance, about)
            card = keep(table, entry, answered, manner)
            tally.asked += 1
            tally.right += answered.right
            by = table.notes.read().by
            day = due_day(card, entry.item.id, by, table.today) if card is not None else None
            send("answered", id=entry.item.id, right=answered.right, score=answered.score, due=day)
    except Leaves:
        pass
    send("end", asked=tally.asked, right=tally.right)
    return tally


def send(event: str, **fields: Any) -> None:
    """Print one object on one line, in UTF-8 whatever the terminal has."""
    sys.stdout.buffer.write(msgspec.json.encode({"event": event} | fields) + b"\n")
    sys.stdout.buffer.flush()


def _ask(table: Table, entry: Entry, instance: Instance, about: dict[str, Any]) -> Answered:
    if instance.children:
        both = f"{instance.stem.strip()}\n\n{presenting.code(instance.item)}".strip()
        about = about | {"case": instance.item.id, "situation": both}
        return together([_ask(table, entry, child, about) for child in instance.children])
    send("question", **about, **asked(instance))
    hints, confidence = list(instance.hints), NOT_SAID
    first: Marked | None = None
    for number in range(1, TRIES + 1):
        given, marked = _answer(table, instance, hints)
        if first is None:
            first, confidence = marked, _confidence(given)
        final = marked.right or number == TRIES or "got" in given or "reveal" in given
        more = solved(instance, entry) if final else {}
        send("verdict", id=instance.item.id, final=final, **verdict(marked), **more)
        if final:
            break
    assert first is not None
    used = len(instance.hints) - len(hints)
    faults = isinstance(instance.item, schema.Open) and bool(first.message)
    return Answered(
        right=first.right,
        score=first.score,
        tries=number,
        hints=used,
        confidence=confidence,
        misconceptions=first.misconceptions,
        faults=faults,
    )


def asked(instance: Instance) -> dict[str, Any]:
    """A question as a program needs it."""
    item = instance.item
    fields: dict[str, Any] = {
        "id": item.id,
        "kind": kind_of(item),
        "rev": item.rev,
        "seed": instance.seed,
        "level": item.level,
        "seconds": item.seconds,
        "text": presenting.question(instance),
        "how": presenting.how_to_answer(item),
        "hints": len(instance.hints),
        "options": [o.text for o in instance.options if not isinstance(item, schema.Claim)]
        or [block.text for block in instance.blocks],
    }
    if isinstance(item, schema.Open):
        fields["rubric"] = [
            {"id": point.id, "point": point.point, "must": point.must} for point in item.rubric
        ]
        fields["red_flags"] = [flag.text for flag in item.red_flags]
    return fields


def verdict(marked: Marked) -> dict[str, Any]:
    """A mark as a program needs it."""
    return {
        "right": marked.right,
        "score": round(marked.score, 6),
        "message": marked.message,
        "misconceptions": list(marked.misconceptions),
    }


def solved(instance: Instance, entry: Entry) -> dict[str, Any]:
    """What is shown once nothing more can be tried."""
    return {
        "key": presenting.key(instance),
        "solution": presenting.solution(instance),
        "exercise": entry.exercise,
    }


def _answer(table: Table, instance: Instance, hints: list[str]) -> tuple[dict[str, Any], Marked]:
    """The next answer that can be read, and its mark."""
    while True:
        given = receive()
        if given.get("quit"):
            raise Leaves
        if given.get("reveal"):
            return given, Marked(0.0, False)
        if given.get("hint"):
            send("hint", id=instance.item.id, hint=hints.pop(0) if hints else None)
            continue
        if "flag" in given:
            kept = take_down(table, instance.item, str(given["flag"]))
            send("flagged", id=instance.item.id, kept=kept)
            continue
        try:
            return given, _marked(instance, given)
        except AnswerError as error:
            send("unreadable", id=instance.item.id, message=str(error))


def _marked(instance: Instance, given: dict[str, Any]) -> Marked:
    item = instance.item
    if isinstance(item, schema.Open):
        if not isinstance(given.get("got"), list):
            raise AnswerError('answer with the points that were said: {"got": ["id", ...]}')
        flags = given.get("red_flags", [])
        whole = isinstance(flags, list) and all(type(n) is int for n in flags)
        if not whole or not all(0 <= n < len(item.red_flags) for n in flags):
            raise AnswerError(f"red_flags are numbers below {len(item.red_flags)}")
        return mark_open(item, [str(name) for name in given["got"]], flags)
    if not isinstance(given.get("answer"), str):
        raise AnswerError('answer with a text: {"answer": "b"}')
    return mark(instance, given["answer"])


def receive() -> dict[str, Any]:
    """The next line: an object, or a bare answer.

    Raises:
        Leaves: there is none.
    """
    line = sys.stdin.buffer.readline()
    if not line:
        raise Leaves
    bare = line.decode("utf-8", "replace").strip()
    try:
        given = msgspec.json.decode(bare)
    except (msgspec.DecodeError, RecursionError):
        return {"answer": bare}
    if isinstance(given, dict):
        return given
    return {"answer": given if isinstance(given, str) else bare}


def _confidence(given: dict[str, Any]) -> Confidence:
    said = given.get("confidence", "")
    return said if said in ("sure", "unsure", "guess") else ""
