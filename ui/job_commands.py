"""`precept documents jobs`, `cancel` and `retry`: the durable work on documents."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.errors import InvalidRequest
from ui.terminal import AsJson, Home, error_console, opened, print_json, result_console

if TYPE_CHECKING:
    from app.records import JobEntry

COLOURS = {"failed": "red", "cancelled": "yellow", "done": "green", "running": "bold"}

JobNumber = Annotated[int | None, typer.Argument(metavar="[JOB]", help="A job's number, as `documents jobs` shows it.")]


def register(documents: typer.Typer) -> None:
    """Add these commands to `precept documents`."""
    documents.command("jobs")(jobs)
    documents.command("cancel")(cancel)
    documents.command("retry")(retry)


def jobs(
    state: Annotated[
        str | None, typer.Option("--state", metavar="STATE", help="queued, running, done, failed or cancelled.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many, newest first.")] = 30,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what is being read, at which stage, and what failed and why."""
    with opened(home) as services:
        entries = services.jobs.list(services.identity.operator(), state, limit)
    _show(entries, as_json)


def cancel(
    job: JobNumber = None,
    every: Annotated[bool, typer.Option("--all", help="Everything that is queued or running.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """End a job, also in the middle of embedding; nothing of it is kept."""
    with opened(home) as services:
        operator = services.identity.operator()
        if every == (job is not None):
            raise InvalidRequest("Name one JOB, or give --all.")
        entries = services.jobs.cancel_all(operator) if job is None else [services.jobs.cancel(operator, job)]
    _show(entries, as_json)


def retry(
    job: JobNumber = None,
    failed: Annotated[bool, typer.Option("--failed", help="Everything that failed and was not tried again.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Queue the work of a failed or cancelled job anew; `serve` or `work` does it."""
    with opened(home) as services:
        operator = services.identity.operator()
        if failed == (job is not None):
            raise InvalidRequest("Name one JOB, or give --failed.")
        entries = services.jobs.retry_failed(operator) if job is None else [services.jobs.retry(operator, job)]
    _show(entries, as_json)


def job_line(entry: "JobEntry") -> str:
    """One ended job as a line of markup."""
    colour = COLOURS.get(entry.state, "dim")
    told = entry.error or entry.status or ""
    return f"[{colour}]{entry.state:>9}[/]  {escape(entry.name)}  [dim]{escape(told)}[/]"


def _show(entries: Sequence["JobEntry"], as_json: bool) -> None:
    if as_json:
        print_json({"jobs": [asdict(entry) for entry in entries]})
        return
    if not entries:
        error_console().print("No jobs.")
        return
    table = Table("Job", "State", "Stage", "Document", "What came of it", box=None, header_style="bold")
    for entry in entries:
        state = f"[{COLOURS.get(entry.state, 'dim')}]{entry.state}[/]"
        table.add_row(
            str(entry.id), state, _stage(entry), escape(entry.name), escape(entry.error or entry.status or "")
        )
    result_console().print(table)


def _stage(entry: "JobEntry") -> str:
    count = f" {entry.done}/{entry.total}" if entry.total else ""
    return f"{entry.stage or ''}{count}"
