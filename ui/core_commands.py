"""`precept cores`: which core answers, and the ones beside it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from ui.terminal import AsJson, Home, error_console, opened, print_json, result_console

if TYPE_CHECKING:
    from app.records import CoreEntry


def register(root: typer.Typer) -> None:
    """Add these commands to the root."""
    cores = typer.Typer(no_args_is_help=True, help="List, import, promote and roll back reasoning cores.")
    cores.command("list")(list_cores)
    cores.command("import")(import_core)
    cores.command("promote")(promote)
    cores.command("rollback")(rollback)
    root.add_typer(cores, name="cores")


def list_cores(home: Home = None, as_json: AsJson = False) -> None:
    """List the cores; one of them serves."""
    with opened(home) as services:
        entries = services.cores.list()
    if as_json:
        print_json({"cores": [core_document(entry) for entry in entries]})
        return
    table = Table("Name", "Serving", "Parameters", "SHA-256", box=None, header_style="bold")
    for entry in entries:
        serving = "✓ serving" if entry.serving else ""
        table.add_row(escape(entry.name), serving, f"{entry.parameters:,}", entry.sha256[:12])
    result_console().print(table)


def import_core(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A checkpoint folder.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Check a checkpoint folder and keep a copy of it; it does not serve until it is promoted."""
    with opened(home) as services:
        entry = services.cores.import_(folder)
    _report("Imported", entry, as_json=as_json)


def promote(name: Annotated[str, typer.Argument(metavar="NAME")], home: Home = None, as_json: AsJson = False) -> None:
    """Let this core answer from now on."""
    with opened(home) as services:
        entry = services.cores.promote(name)
    _report("Now serving", entry, as_json=as_json)


def rollback(home: Home = None, as_json: AsJson = False) -> None:
    """Let the core that served before answer again."""
    with opened(home) as services:
        entry = services.cores.rollback()
    _report("Now serving", entry, as_json=as_json)


def core_document(entry: "CoreEntry") -> dict[str, Any]:
    """One core as JSON."""
    return {
        "name": entry.name,
        "path": str(entry.path),
        "serving": entry.serving,
        "parameters": entry.parameters,
        "sha256": entry.sha256,
    }


def _report(deed: str, entry: "CoreEntry", *, as_json: bool) -> None:
    if as_json:
        print_json({"cores": [core_document(entry)]})
    else:
        error_console().print(f"{deed} {escape(entry.name)}.")
