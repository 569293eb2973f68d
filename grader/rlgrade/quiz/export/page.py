"""One HTML page that asks, marks and explains by itself: no network, nothing to install."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from rlgrade.quiz import presenting, schema
from rlgrade.quiz.choosing import kind_of
from rlgrade.quiz.export.anki import back
from rlgrade.quiz.export.markup import plain, to_html, to_line
from rlgrade.quiz.export.sheets import (
    Choices,
    Essay,
    Form,
    Formula,
    Gaps,
    Line,
    Loss,
    Number,
    Ordered,
    Pairs,
    Sheet,
)

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def write_page(sheets: Sequence[Sheet]) -> tuple[bytes, list[Loss]]:
    """The page, and what got lost."""
    topics: dict[str, list[Sheet]] = {}
    losses: list[Loss] = []
    for sheet in sheets:
        topics.setdefault(sheet.entry.quiz.id, []).append(sheet)
        losses += sheet.losing(*_more_losses(sheet.form))
    contents = "".join(
        f'<li><a href="#{topic}">{escape(mine[0].entry.quiz.title)}</a> ({len(mine)})</li>'
        for topic, mine in topics.items()
    )
    page = (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>rlgrade quizzes</title>\n<style>\n{_file('page.css')}</style></head>\n<body>\n"
        f"<header><h1>rlgrade quizzes</h1><p>{len(sheets)} questions. Two tries, then the answer "
        "with every reason; the first try counts. Nothing leaves this page.</p>"
        f"<nav><ol>{contents}</ol></nav></header>\n"
        + "".join(_topic(topic, mine) for topic, mine in topics.items())
        + '<div id="score" role="status">nothing answered yet</div>\n'
        + f"<script>\n{_file('page.js')}</script>\n</body></html>\n"
    )
    return page.encode(), losses


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _more_losses(form: Form) -> list[str]:
    if isinstance(form, Essay):
        return ["you mark yourself, with the rubric"]
    return []


def _topic(topic: str, sheets: Sequence[Sheet]) -> str:
    title = escape(sheets[0].entry.quiz.title)
    articles = "".join(_article(sheet) for sheet in sheets)
    return f'<section id="{topic}"><h2>{title}</h2>\n{articles}</section>\n'


def _article(sheet: Sheet) -> str:
    key = _key(sheet.form)
    data = f' data-key="{escape(json.dumps(key, ensure_ascii=False))}"' if key else ""
    check = '<button class="check">Check</button>' if key else ""
    unit = presenting.unit(sheet.item)
    about = f"{sheet.item.id} · {kind_of(sheet.item)} · {sheet.item.level}{escape(unit)}"
    return (
        f'<article id="{sheet.item.id}"{data}><h3>{about}</h3>{sheet.asked}'
        f"{_controls(sheet.form, sheet.item.id)}"
        f'{check}<button class="show">Show the answer</button>'
        f'<div class="verdict" role="status"></div>'
        f'<div class="answer" hidden>{_rest(sheet)}</div></article>\n'
    )


def _rest(sheet: Sheet) -> str:
    """What is shown at the end: for choices the reasons already stand beside them."""
    if isinstance(sheet.form, Choices):
        return sheet.explained
    if isinstance(sheet.item, schema.Open):
        return _rubric(sheet.item) + sheet.explained
    return back(sheet)


def _key(form: Form | Formula) -> dict[str, Any]:
    """What the script marks by; empty where only the learner can."""
    match form:
        case Choices():
            return {"form": "choices", "right": [n for n, c in enumerate(form.choices) if c.right]}
        case Number():
            slips = [list(slip) for slip in form.slips]
            return {"form": "number", "range": [form.low, form.high], "slips": slips}
        case Pairs():
            return {"form": "pairs", "rights": [right for _, right in form.pairs]}
        case Ordered():
            return {"form": "order", "blocks": list(form.blocks)}
        case Line():
            return {"form": "line", "text": form.text}
        case Formula():
            return {"form": "formula", "points": list(form.points), "values": list(form.values)}
        case Gaps():
            return {"form": "gaps", "gaps": [_key(gap.form) for gap in form.gaps]}
    return {}


def _controls(form: Form | Formula, name: str) -> str:
    match form:
        case Choices():
            return _choices(form, name)
        case Number():
            return '<p><input type="text" inputmode="text" aria-label="your number"></p>'
        case Line():
            return '<p><input type="text" aria-label="what it prints"></p>'
        case Formula():
            hint = "such as exp(-x) * (1 - y**2)"
            return f'<p><input type="text" aria-label="a formula" placeholder="{hint}"></p>'
        case Pairs():
            rights = sorted({right for _, right in form.pairs} | set(form.spare))
            return "".join(_select(left, rights) for left, _ in form.pairs)
        case Ordered():
            texts = sorted([*form.blocks, *form.strangers])
            return "".join(_place(text, len(texts)) for text in texts)
        case Gaps():
            return "".join(
                f'<div class="gap"><p>Step {n}: {to_line(gap.prompt)}</p>'
                f"{_controls(gap.form, f'{name}.{n}')}</div>"
                for n, gap in enumerate(form.gaps, 1)
            )
        case Essay():
            return '<p><textarea aria-label="answer" placeholder="Write, or speak."></textarea></p>'
    raise AssertionError(form)


def _choices(form: Choices, name: str) -> str:
    kind = "checkbox" if form.several else "radio"
    rows = [
        f'<label class="row"><input type="{kind}" name="{name}" value="{n}">'
        f"<div>{choice.html}</div></label>"
        f'<div class="why" hidden><span class="{"good" if choice.right else "bad"}">'
        f"{'✓' if choice.right else '✗'}</span> {choice.why}</div>"
        for n, choice in enumerate(form.choices)
    ]
    return "".join(rows)


def _select(left: str, rights: Sequence[str]) -> str:
    options = "".join(f'<option value="{escape(r)}">{escape(plain(r))}</option>' for r in rights)
    return (
        f'<label class="pair"><div>{to_line(left)}</div>'
        f'<select><option value="">–</option>{options}</select></label>'
    )


def _place(text: str, count: int) -> str:
    options = "".join(f'<option value="{n}">{n}</option>' for n in range(1, count + 1))
    return (
        f'<label class="pair"><select data-text="{escape(text)}"><option value="">–</option>'
        f"{options}</select><div>{to_line(text)}</div></label>"
    )


def _rubric(item: schema.Open) -> str:
    """The model answers, and the rubric with boxes to tick."""
    rows = "".join(
        f'<label class="row"><input type="checkbox" data-weight="{point.weight}"'
        f"{' data-must=yes' if point.must else ''}><div>{to_line(point.point)} "
        f"({point.weight}{', must' if point.must else ''})</div></label>"
        for point in item.rubric
    )
    flags = "".join(f"<li>{to_line(f.text)}: {to_line(f.why)}</li>" for f in item.red_flags)
    asks = "".join(
        f"<li>{to_line(each.ask)} <em>{to_line('; '.join(each.expects))}</em></li>"
        for each in item.follow_ups
    )
    return (
        f"<h4>In a minute</h4>{to_html(item.model_answer.short)}"
        f'<h4>Tick what you said</h4><div class="rubric">{rows}</div>'
        f"<h4>A good answer never says</h4><ul>{flags}</ul>"
        f"<h4>Follow-ups</h4><ul>{asks}</ul>"
        f"<details><summary>With everything</summary>{to_html(item.model_answer.long)}</details>"
    )
