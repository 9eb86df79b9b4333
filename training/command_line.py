"""The `precept-train` command line: rules to data, data to a core, and the core's measured quality."""

import sys
from collections.abc import Sequence

import typer
from typer.exceptions import Abort, TyperException

from training import (
    check_command,
    convert_command,
    data_commands,
    evaluate_command,
    export_command,
    extend_command,
    fit_command,
    sizes_command,
    track_command,
)
from training.terminal import error_console


def command_line() -> typer.Typer:
    """Return the whole command line as one typer application."""
    root = typer.Typer(
        name="precept-train",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="From rules and instruction data to a core.",
    )
    data_commands.register(root)
    convert_command.register(root)
    check_command.register(root)
    sizes_command.register(root)
    extend_command.register(root)
    fit_command.register(root)
    track_command.register(root)
    evaluate_command.register(root)
    export_command.register(root)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a refusal is one sentence on stderr and exit code 2."""
    try:
        code = command_line()(args=None if arguments is None else list(arguments), standalone_mode=False)
    except TyperException as error:
        return _refused(error.format_message(), error.exit_code)
    except Abort:
        return _refused("stopped", 130)
    except (ValueError, FileNotFoundError) as error:
        return _refused(str(error), 2)
    return code if isinstance(code, int) else 0


def _refused(sentence: str, code: int) -> int:
    error_console().print(f"precept-train: {sentence}", style="red", markup=False)
    return code


if __name__ == "__main__":
    sys.exit(main())
