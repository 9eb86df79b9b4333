"""The `precept` command line: the root of its commands, and the one place where errors become sentences.

Exit codes: 0 done, 1 failed, 2 asked for something that cannot be done.
"""

import os
import sys
from collections.abc import Sequence

import typer
from rich.markup import escape
from typer.exceptions import Abort, TyperException

from app.errors import AppError
from ui import core_commands, document_commands, people_commands, question_commands, serve_command
from ui.terminal import Home, error_console, log_to_stderr

USAGE_ERROR = 2
_REFUSED_INPUT = frozenset({400, 413, 415, 422})


def command_line() -> typer.Typer:
    """Return the whole command line as one typer application."""
    root = typer.Typer(
        name="precept",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    root.callback()(choose_home)
    serve_command.register(root)
    document_commands.register(root)
    question_commands.register(root)
    people_commands.register(root)
    core_commands.register(root)
    return root


def choose_home(home: Home = None) -> None:
    """A company’s own reasoning core with a chat in front of it. Nothing leaves this machine."""
    if home is not None:
        os.environ["PRECEPT_HOME"] = str(home)  # where the settings of every command look


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    log_to_stderr()
    try:
        code = command_line()(args=None if argv is None else list(argv), standalone_mode=False)
    except TyperException as error:
        return _refused(error.format_message(), error.exit_code)
    except Abort:
        return _refused("Stopped.", 130)
    except AppError as error:
        return _refused(str(error), USAGE_ERROR if error.status in _REFUSED_INPUT else 1)
    except ValueError as error:
        return _refused(str(error), USAGE_ERROR)
    except OSError as error:
        return _refused(f"{error.filename}: {error.strerror}." if error.filename else str(error), 1)
    return code if isinstance(code, int) else 0


def _refused(sentence: str, code: int) -> int:
    error_console().print(f"[bold red]precept:[/] {escape(sentence.strip())}", soft_wrap=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
