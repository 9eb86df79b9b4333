"""`precept sync`: keep the documents of a folder equal to its files."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.errors import InvalidRequest
from ui.progress import print_reports, progress_of_files
from ui.terminal import AsJson, Collection, Home, error_console, opened, print_json, result_console

if TYPE_CHECKING:
    from app.records import Folder
    from app.sync import SyncReport


def register(root: typer.Typer) -> None:
    """Add this command to the root."""
    root.command()(sync)


def sync(
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Left away: list the folders.")] = None,
    collection: Collection = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="What the documents' names begin with [DIR].")
    ] = None,
    watch: Annotated[
        bool | None, typer.Option("--watch/--no-watch", help="Let the worker of this home look at it from now on.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    allow_empty: Annotated[bool, typer.Option("--allow-empty", help="Remove all where no file is left.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Sync it no more; its documents stay.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Make the documents of a folder equal to its files: added, changed, moved and deleted ones; only the difference.

    A file that was moved keeps its document and is not read again; one that is being written is left for later.
    """
    with opened(home) as services:
        operator = services.identity.operator()
        if folder is None:
            if name or watch is not None or dry_run or allow_empty or forget:
                raise InvalidRequest("Name the folder: precept sync DIR.")
            _list(services.sync.folders.list(operator), as_json)
            return 0
        if forget:
            services.sync.folders.forget(operator, folder)
            error_console().print(f"{escape(str(folder))} is synced no more; its documents stay.")
            return 0
        with progress_of_files() as on_progress:
            report = services.sync.sync(
                operator,
                folder,
                collection,
                name=name,
                dry_run=dry_run,
                allow_empty=allow_empty,
                watch=watch,
                on_progress=on_progress,
            )
    _print(report, dry_run, as_json)
    return 1 if any(file.status == "failed" for file in report.files) else 0


def _print(report: "SyncReport", dry_run: bool, as_json: bool) -> None:
    if as_json:
        files = [asdict(file) for file in report.files]
        print_json({"dry_run": dry_run, "files": files, "unchanged": report.unchanged})
        return
    print_reports(report.files)
    counts = Counter(file.status for file in report.files)
    done = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    told = f"{done + ', ' if done else ''}{report.unchanged} unchanged."
    error_console().print(f"Nothing was done; it would be: {told}" if dry_run else told)


def _list(folders: Sequence["Folder"], as_json: bool) -> None:
    if as_json:
        print_json({"folders": [asdict(folder) for folder in folders]})
        return
    table = Table("Folder", "Name", "Collection", "Watched", "Documents", "Problem", box=None, header_style="bold")
    for each in folders:
        watched = "yes" if each.watched else "no"
        cells = (each.path, each.prefix, each.collection, watched, str(each.documents), each.problem or "")
        table.add_row(*map(escape, cells))
    result_console().print(table)
