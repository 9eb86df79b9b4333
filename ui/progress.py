"""How files that are taken in are followed and reported on the terminal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ui.terminal import error_console, result_console

if TYPE_CHECKING:
    from app.documents import OnProgress
    from app.records import FileReport

_COLOURS = {"failed": "red", "cancelled": "yellow", "added": "green", "updated": "green", "moved": "green"}


@contextmanager
def progress_of_files() -> "Iterator[OnProgress]":
    """A bar on stderr that follows files as they are taken in; drawn only on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = error_console()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Reading", total=None)

        def on_progress(report: "FileReport", done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, description=escape(Path(report.path).name[:40]))

        yield on_progress


def print_reports(reports: Sequence["FileReport"]) -> None:
    """One line for each file on stdout: what became of it, and why."""
    console = result_console()
    for report in reports:
        detail = report.error or (f"{report.chunks} passages" if report.chunks else "")
        colour = _COLOURS.get(report.status, "dim")
        console.print(f"[{colour}]{report.status:>9}[/]  {escape(str(report.path))}  [dim]{escape(detail)}[/]")
