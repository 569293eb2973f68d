"""The groups of commands: one module a group, imported when one of its commands is called."""

from __future__ import annotations

import importlib
from typing import Any

import click


class Commands(click.Group):
    """A group that turns our exceptions into one sentence and the right exit code.

    `elsewhere` maps the name of a command to the module in this folder that defines it; the module
    is imported when the command is called.
    """

    def __init__(self, *args: Any, elsewhere: dict[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.elsewhere = elsewhere or {}

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted([*super().list_commands(context), *self.elsewhere])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.elsewhere:
            return super().get_command(context, name)
        module = importlib.import_module(f"rlgrade.commands.{self.elsewhere[name]}")
        commands = [each for each in vars(module).values() if isinstance(each, click.Command)]
        return next(command for command in commands if command.name == name)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0].startswith("ex") and self.get_command(context, args[0]) is None:
            names = f"`rlgrade check {args[0]}`, or `rlgrade watch {args[0]}`"
            context.fail(f"{args[0]!r} is no command, but it may be an exercise: {names}")
        return super().resolve_command(context, args)

    def invoke(self, context: click.Context) -> Any:
        from rlgrade.outcome import ExitCode, GraderError, UsageError

        try:
            return super().invoke(context)
        except UsageError as error:
            click.echo(f"rlgrade: {error}", err=True)
            context.exit(ExitCode.USAGE)
        except GraderError as error:
            click.echo(f"rlgrade: {error} (the grader's fault, not your code's)", err=True)
            context.exit(ExitCode.BROKEN)
        except click.Abort as error:
            if not isinstance(error.__context__, KeyboardInterrupt):
                raise
            _say_interrupted(context)
        except (click.exceptions.Exit, click.ClickException, SystemExit):
            raise
        except BrokenPipeError:  # who read our output has seen enough; click ends quietly
            raise
        except Exception as error:
            import traceback

            traceback.print_exception(error)
            click.echo("rlgrade: this is a fault of the grader; please report it", err=True)
            context.exit(ExitCode.BROKEN)
        except KeyboardInterrupt:
            _say_interrupted(context)


def _say_interrupted(context: click.Context) -> None:
    from rlgrade.outcome import ExitCode

    click.echo("\nrlgrade: interrupted; nothing is left running", err=True)
    context.exit(ExitCode.INTERRUPTED)
