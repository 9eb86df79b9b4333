"""`precept ingest`, `precept search` and `precept documents`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ui.terminal import AsJson, Collection, Home, error_console, opened, print_json, result_console, write_raw

if TYPE_CHECKING:
    from app.documents import OnProgress
    from app.records import FileReport

Version = Annotated[int | None, typer.Option("--version", metavar="V", help="An earlier version.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A document’s name, as `documents list` shows it.")]


def register(root: typer.Typer) -> None:
    """Add these commands to the root."""
    root.command()(ingest)
    root.command()(search)
    documents = typer.Typer(no_args_is_help=True, help="List, show and remove documents.")
    documents.command("list")(list_documents)
    documents.command("show")(show)
    documents.command("remove")(remove)
    root.add_typer(documents, name="documents")


def ingest(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, or folders with all they hold.")],
    collection: Annotated[str, typer.Option("--collection", metavar="NAME", help="Where they go.")] = "company",
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Read documents: new ones are added, changed ones become a new version, unchanged ones are left alone."""
    with opened(home) as services, progress_of_files() as on_progress:
        reports = services.documents.ingest(services.identity.operator(), paths, collection, on_progress)
    if as_json:
        print_json({"files": [{**asdict(report), "path": str(report.path)} for report in reports]})
    else:
        _print_reports(reports)
    return 1 if any(report.status == "failed" for report in reports) else 0


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


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY")],
    k: Annotated[int, typer.Option("--k", min=1, max=200, help="How many passages.")] = 10,
    collection: Collection = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the passages nearest to a query, without asking the core."""
    with opened(home) as services:
        hits = services.documents.search(services.identity.operator(), query, k, collection)
    keys = ("document", "version", "start", "end", "score", "text")
    if as_json:
        print_json({"passages": [{key: getattr(hit, key) for key in keys} for hit in hits]})
        return
    console = result_console()
    for hit in hits:
        place = " › ".join(hit.headings)
        console.print(f"[bold]{escape(hit.document)}[/] v{hit.version} [dim]{escape(place)}  {hit.score:.3f}[/]")
        console.print(escape(hit.text.strip()) + "\n")
    if not hits:
        error_console().print("No passage was found.")


def list_documents(home: Home = None, as_json: AsJson = False) -> None:
    """List the documents."""
    with opened(home) as services:
        documents = services.documents.list(services.identity.operator())
    if as_json:
        print_json({"documents": [asdict(document) for document in documents]})
        return
    table = Table("Name", "Version", "Collection", "Title", box=None, header_style="bold")
    for document in documents:
        table.add_row(escape(document.name), str(document.version), escape(document.collection), escape(document.title))
    result_console().print(table)


def show(
    name: Name,
    version: Version = None,
    raw: Annotated[bool, typer.Option("--raw", help="The stored UTF-8 bytes, which citations count.")] = False,
    home: Home = None,
) -> None:
    """Show the text of a document."""
    with opened(home) as services:
        data = services.documents.text(services.identity.operator(), name, version)
    write_raw(data if raw or data.endswith(b"\n") else data + b"\n")


def remove(name: Name, home: Home = None) -> None:
    """Remove a document from everywhere, at once."""
    with opened(home) as services:
        services.documents.remove(services.identity.operator(), name)
    error_console().print(f"Removed {escape(name)}.")


def _print_reports(reports: "list[FileReport]") -> None:
    console = result_console()
    for report in reports:
        colour = "red" if report.status == "failed" else "green" if report.status in ("added", "updated") else "dim"
        detail = report.error if report.error else f"{report.chunks} passages"
        console.print(f"[{colour}]{report.status:>9}[/]  {escape(str(report.path))}  [dim]{escape(str(detail))}[/]")
    counts = {status: sum(report.status == status for report in reports) for status in ("added", "updated", "failed")}
    error_console().print(", ".join(f"{count} {status}" for status, count in counts.items()) + f" of {len(reports)}.")
