"""`precept ingest`, `precept search` and `precept documents`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ui import job_commands, sync_command
from ui.progress import print_reports, progress_of_files
from ui.search_command import search
from ui.terminal import AsJson, Home, error_console, opened, print_json, result_console, write_raw

if TYPE_CHECKING:
    from app.records import FileReport

Version = Annotated[int | None, typer.Option("--version", metavar="V", help="An earlier version.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A document’s name, as `documents list` shows it.")]


def register(root: typer.Typer) -> None:
    """Add these commands to the root."""
    root.command()(ingest)
    root.command()(search)
    sync_command.register(root)
    documents = typer.Typer(
        no_args_is_help=True, help="List, show and remove documents; see and steer the work on them."
    )
    documents.command("list")(list_documents)
    documents.command("show")(show)
    documents.command("versions")(versions)
    documents.command("remove")(remove)
    job_commands.register(documents)
    root.add_typer(documents, name="documents")


def ingest(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, or folders with all they hold.")],
    collection: Annotated[str, typer.Option("--collection", metavar="NAME", help="Where they go.")] = "company",
    later: Annotated[bool, typer.Option("--later", help="Queue the work for `serve` or `work`, and return.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Read documents: new ones are added, changed ones become a new version, unchanged ones are left alone."""
    if later:
        return _queue(paths, collection, home, as_json)
    with opened(home) as services, progress_of_files() as on_progress:
        reports = services.documents.ingest(services.identity.operator(), paths, collection, on_progress)
    _report(reports, as_json)
    return 1 if any(report.status == "failed" for report in reports) else 0


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


def versions(name: Name, home: Home = None, as_json: AsJson = False) -> None:
    """List a document's versions and when each was in force."""
    with opened(home) as services:
        found = services.documents.versions(services.identity.operator(), name)
    if as_json:
        print_json({"versions": [asdict(version) for version in found]})
        return
    table = Table("Version", "From", "Until", "Title", box=None, header_style="bold")
    for version in found:
        until = f"{version.superseded_at:%Y-%m-%d %H:%M}" if version.superseded_at else "in force"
        table.add_row(str(version.version), f"{version.created_at:%Y-%m-%d %H:%M}", until, escape(version.title))
    result_console().print(table)


def remove(name: Name, home: Home = None) -> None:
    """Remove a document from everywhere, at once."""
    with opened(home) as services:
        services.documents.remove(services.identity.operator(), name)
    error_console().print(f"Removed {escape(name)}.")


def _queue(paths: list[Path], collection: str, home: Path | None, as_json: bool) -> int:
    """Store the jobs and leave them to a worker."""
    from app.records import FileReport  # noqa: PLC0415 - `precept --help` stays fast
    from app.sources import expand  # noqa: PLC0415

    sources = expand(paths)
    with opened(home) as services:
        ids = services.documents.queue(services.identity.operator(), sources, collection)
    reports = [
        FileReport(each.shown, "failed" if number is None else "queued", 0, each.error or None)
        for each, number in zip(sources, ids, strict=True)
    ]
    _report(reports, as_json)
    return 1 if None in ids else 0


def _report(reports: "list[FileReport]", as_json: bool) -> None:
    if as_json:
        print_json({"files": [asdict(report) for report in reports]})
        return
    print_reports(reports)
    statuses = [report.status for report in reports]
    counts = {status: statuses.count(status) for status in dict.fromkeys(["added", "updated", "failed", *statuses])}
    error_console().print(", ".join(f"{count} {status}" for status, count in counts.items()) + f" of {len(reports)}.")
