"""Our text as HTML: Markdown without raw HTML, and code as it stands."""

from __future__ import annotations

import html
import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

CODE_SPAN = re.compile(r"(`[^`]*`)")
TIMES = re.compile(r"(?<=[\w)\]])(\*{1,2})(?=[\w(\[])")


def to_html(text: str) -> str:
    """Paragraphs, lists, emphasis and code; a star between two factors stays a star."""
    return str(_markdown().render(_escaped(text.strip()))).strip()


def to_line(text: str) -> str:
    """The same without the paragraph around it, where the text is a single one."""
    rendered = to_html(text)
    inner = rendered.removeprefix("<p>").removesuffix("</p>")
    return inner if "<p>" not in inner and rendered.startswith("<p>") else rendered


def code(text: str) -> str:
    """Code, or a log, as a block."""
    lines = text.strip("\n")
    return f"<pre><code>{html.escape(lines, quote=False)}</code></pre>" if lines.strip() else ""


def plain(text: str) -> str:
    """A text that is shown as it is, without emphasis."""
    return re.sub(r"\*\*?(\S(?:.*?\S)?)\*\*?", r"\1", _escaped(text)).replace("\\*", "*").strip()


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    ours = MarkdownIt("commonmark", {"html": False}).enable("table")
    return ours.disable(["link", "image", "autolink", "reference"])  # f[i](x) is mathematics


def _escaped(text: str) -> str:
    parts = CODE_SPAN.split(text)
    escaped = [
        part if n % 2 else TIMES.sub(lambda found: "\\*" * len(found[1]), part)
        for n, part in enumerate(parts)
    ]
    return "".join(escaped)
