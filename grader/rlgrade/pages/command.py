"""What `rlgrade report` does."""

from __future__ import annotations

from pathlib import Path

from rlgrade.learner.desk import open_desk
from rlgrade.outcome import UsageError
from rlgrade.pages.contents import Contents, contents_of
from rlgrade.report import harmless

HERE = Path(__file__).parent
NAME = "report.html"


def report_command(course: str | None, out: str | None) -> Path:
    """Write the page; where it is.

    Raises:
        UsageError: this is no workspace, or the page cannot be written.
    """
    from rlgrade.store import write_whole

    desk = open_desk(course)
    workspace = desk.own_workspace()
    page = contents_of(desk.chosen, desk.keeper.read(), workspace.state, desk.keeper.now().date())
    path = Path(out) if out is not None else workspace.state / NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, rendered(page).encode())
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}; name another place with --out FILE"
        ) from None
    return path


def rendered(page: Contents) -> str:
    """The page as HTML: one file that loads nothing; all that is shown is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from rlgrade.pages.figures import chart_svg, training_svg

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: harmless(value) if type(value) is str else value,
    )
    return environment.get_template("page.html.j2").render(
        page=page,
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        chart_svg=chart_svg,
        training_svg=training_svg,
    )
