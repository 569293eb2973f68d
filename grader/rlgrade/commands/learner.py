"""The commands of a learner's day, beside `check`."""

from __future__ import annotations

import sys

import click

from rlgrade.commands.names import complete_exercise

exercise_argument = click.argument("exercise", required=False, shell_complete=complete_exercise)


@click.command()
@exercise_argument
@click.option("--manual", is_flag=True, help="Check when you press c, not when you save.")
@click.option("-v", "--verbose", is_flag=True, help="Explain every failure, not only the first.")
@click.pass_obj
def watch(course: str | None, exercise: str | None, manual: bool, verbose: bool) -> None:
    """Check EXERCISE, or the current one, whenever you save it.

    Single keys do the rest: `?` lists them, `q` quits.
    """
    from rlgrade.watch.command import watch_command

    sys.exit(watch_command(course, exercise, manual=manual, verbose=verbose))


@click.command("next")
@click.pass_obj
def next_(course: str | None) -> None:
    """Say which exercise is next, and make it the current one."""
    from rlgrade.learner.desk import open_desk, short_path
    from rlgrade.learner.progress import upcoming_exercise

    desk = open_desk(course)
    found = upcoming_exercise(desk.chosen.exercises, desk.keeper.read())
    if found is None:
        click.echo("Nothing is left: every exercise is passed or given up.")
        return
    desk.keeper.begin(found)
    about = found.metadata
    click.echo(f"{found.id}: {about.title}, about {about.minutes} minutes")
    if desk.workspace is not None:
        file = desk.workspace.file_of(found)
        click.echo(f"read {short_path(file.with_name('README.md'))}, then edit {short_path(file)}")
    click.echo(f"next: rlgrade check {found.short}, or rlgrade to check at every save")


@click.command()
@exercise_argument
@click.option("--level", type=click.IntRange(1, 3), help="This hint, whatever was shown before.")
@click.pass_obj
def hint(course: str | None, exercise: str | None, level: int | None) -> None:
    """Show the next hint for EXERCISE: first a question, at last nearly the answer."""
    from rlgrade.learner.desk import open_desk
    from rlgrade.learner.hints import hint_of_level, next_hint
    from rlgrade.learner.progress import Work
    from rlgrade.learner.reading import show_hint
    from rlgrade.render import make_console

    desk = open_desk(course)
    found = desk.exercise(exercise)
    work = desk.keeper.read().exercises.get(found.id, Work())
    if level is None:
        shown = next_hint(found, work, desk.keeper.now())
    else:
        shown = hint_of_level(found, work, level, desk.keeper.now())
    desk.keeper.record_hint(found, shown.level)
    forgotten = not desk.keeper.keeps and shown.level < len(found.hints)
    more = f"{shown.more} --level {shown.level + 1}" if forgotten else shown.more
    show_hint(make_console(), shown.text, more)


@click.command()
@exercise_argument
@click.option("--give-up", is_flag=True, help="Show it before you have passed; it is recorded.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def solution(course: str | None, exercise: str | None, give_up: bool, yes: bool) -> None:
    """Show our solution of EXERCISE beside yours, and why it is as it is: after a pass."""
    from rlgrade.learner.desk import open_desk
    from rlgrade.learner.solution import show_solution
    from rlgrade.outcome import UsageError
    from rlgrade.render import make_console

    desk = open_desk(course)
    found = desk.exercise(exercise)
    if not desk.keeper.read().is_done_with(found):
        if not give_up:
            raise UsageError(
                f"{found.short} is not passed yet; `rlgrade hint {found.short}` helps, "
                f"`rlgrade solution {found.short} --give-up` shows the solution all the same"
            )
        if not yes and not confirmed(f"Give {found.short} up and see the solution?", "--yes"):
            return
    own = desk.workspace.file_of(found) if desk.workspace is not None else None
    show_solution(make_console(), found, own)
    desk.keeper.record_solution(found)


@click.command()
@exercise_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def reset(course: str | None, exercise: str | None, yes: bool) -> None:
    """Give the stub of EXERCISE back; your file is kept as a backup."""
    from rlgrade.learner.desk import open_desk, short_path
    from rlgrade.learner.reset import reset_exercise

    desk = open_desk(course)
    found = desk.exercise(exercise)
    workspace = desk.own_workspace()
    path = workspace.file_of(found)
    if path.exists() and not yes:
        question = f"Put the stub in the place of {short_path(path)}? Yours is kept as a backup."
        if not confirmed(question, "--yes"):
            return
    backup = reset_exercise(workspace, found, desk.keeper.now())
    kept = f"; yours is {short_path(backup)}" if backup is not None else ""
    click.echo(f"{short_path(path)} is the stub again{kept}")


@click.command()
@click.pass_obj
def progress(course: str | None) -> None:
    """Show how far you are, chapter by chapter."""
    from rlgrade.folding import terminal_width
    from rlgrade.learner.desk import open_desk
    from rlgrade.learner.overview import overview
    from rlgrade.plain import say
    from rlgrade.quiz.links import due_count

    desk = open_desk(course)
    due = due_count(desk.workspace.state if desk.workspace is not None else None)
    today, width = desk.keeper.now().date(), terminal_width(sys.stdout)
    for line in overview(desk.chosen, desk.keeper.read(), today, due, width):
        say(line)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("exercise", shell_complete=complete_exercise)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def run(course: str | None, exercise: str, arguments: tuple[str, ...]) -> None:
    """Run your file of EXERCISE as a program, with ARGUMENTS: what stands under `__main__`."""
    import subprocess

    from rlgrade.learner.desk import open_desk, short_path

    desk = open_desk(course)
    found = desk.exercise(exercise)
    path = desk.file_of(found)
    desk.keeper.begin(found)
    if "__main__" not in path.read_text(encoding="utf-8", errors="replace"):
        click.echo(
            f"rlgrade: {short_path(path)} prints nothing unless you write "
            '`if __name__ == "__main__":` at its end, and calls of your functions under it',
            err=True,
        )
    sys.exit(subprocess.run([sys.executable, str(path), *arguments], check=False).returncode)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands and exercises.

    \b
    bash  rlgrade completion bash > ~/.local/share/bash-completion/completions/rlgrade
    zsh   rlgrade completion zsh > ~/.zfunc/_rlgrade     (with ~/.zfunc in fpath)
    fish  rlgrade completion fish > ~/.config/fish/completions/rlgrade.fish
    """
    from click.shell_completion import get_completion_class

    from rlgrade.cli import cli

    kind = get_completion_class(shell)
    assert kind is not None  # these three come with click
    click.echo(kind(cli, {}, "rlgrade", "_RLGRADE_COMPLETE").source())


def confirmed(question: str, option: str) -> bool:
    """Whether the learner says yes.

    Raises:
        UsageError: nobody is there to ask; `option` answers instead.
    """
    from rlgrade.outcome import UsageError

    if not sys.stdin.isatty():
        raise UsageError(f"this asks first, and there is no terminal to ask on; add {option}")
    return click.confirm(question)
