"""`precept ask` and `precept evaluate`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from app.errors import Unavailable
from app.records import Answered, AnswerRecord, Stage
from ui.live_answers import STAGES
from ui.progress import progress_of_files
from ui.terminal import AsJson, Collection, Home, error_console, opened, print_json, result_console

if TYPE_CHECKING:
    from app.services import Services


def register(root: typer.Typer) -> None:
    """Add these commands to the root."""
    root.command()(ask)
    root.command()(evaluate)


def ask(
    question: Annotated[str, typer.Argument(metavar="QUESTION")],
    conversation: Annotated[str | None, typer.Option("--conversation", metavar="ID", help="Follow up.")] = None,
    collection: Collection = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Ask the documents a question."""
    with opened(home) as services:
        record = _answer(services, question, conversation, collection)
    if as_json:
        print_json(answer_document(record))
    else:
        _print_answer(result_console(), record)
    return 0


def evaluate(
    questions: Annotated[str, typer.Argument(metavar="QUESTIONS.jsonl|sample", help="A file, or the sample’s.")],
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Ask every question of a file through the whole application and score the answers."""
    from app.sample import ingest_sample  # noqa: PLC0415
    from ui.evaluation import SAMPLE, ask_and_score, figures, load_questions  # noqa: PLC0415 - imports the trainer's metrics

    cases = load_questions(questions)[:limit]
    with opened(home) as services:
        operator = services.identity.operator()
        if questions == SAMPLE:
            with progress_of_files() as on_progress:
                ingest_sample(services.documents, operator, on_progress)
        progress = track(cases, "Asking", console=error_console(), transient=True)
        asked = [ask_and_score(services, operator, case) for case in progress]
    report = figures(questions, asked)
    if as_json:
        print_json(report)
    else:
        _print_figures(result_console(), report)


def answer_document(record: AnswerRecord) -> dict[str, Any]:
    """The JSON of `precept ask --json`."""
    return {
        "answer": record.text,
        "kind": record.kind,
        "refused": record.refused,
        "verified": record.verified,
        "problems": list(record.problems),
        "citations": [asdict(citation) for citation in record.citations],
        "working": [asdict(line) for line in record.working],
        "conversation": record.conversation,
        "core": record.core,
        "index_generation": record.index_generation,
        "timings_ms": record.timings_ms,
    }


def _answer(services: "Services", question: str, conversation: str | None, collection: str | None) -> AnswerRecord:
    console = error_console()
    with console.status(STAGES["searching"]) as status:
        for event in services.chat.ask(services.identity.operator(), question, conversation, collection):
            if isinstance(event, Stage):
                status.update(STAGES.get(event.name, event.name))
            elif isinstance(event, Answered):
                return event.record
    raise Unavailable("The answer ended before it was complete; ask again.")


def _print_answer(console: Console, record: AnswerRecord) -> None:
    if record.kind == "quotation":
        console.print("[yellow]Quoted from the documents, not an answer:[/]")
    console.print(escape(record.text))
    for line in record.working:
        verdict = "[green]✓ holds[/]" if line.holds else f"[red]✗ does not hold[/] {escape(line.reason)}"
        console.print(f"  {escape(line.line)}  {verdict}")
    for citation in record.citations:
        place = f"{citation.document} v{citation.version}, bytes {citation.start}-{citation.end}"
        console.print(f"  [dim]\\[{citation.n}] {escape(place)}:[/] “{escape(citation.quote.strip())}”")
    if record.kind == "answer" and not record.verified:
        console.print(f"[red]Not verified:[/] {escape('; '.join(record.problems))}")
    console.print(f"[dim]To follow up: --conversation {escape(record.conversation)}[/]")


def _print_figures(console: Console, figures: dict[str, Any], indent: str = "") -> None:
    for name, value in figures.items():
        if isinstance(value, dict):
            console.print(f"{indent}[bold]{escape(str(name))}[/]")
            _print_figures(console, value, indent + "  ")
        elif name == "table":
            for row in value:
                _print_figures(console, {f"{row['low']:.1f} to {row['high']:.1f}": row}, indent)
        else:
            console.print(f"{indent}{escape(str(name))}: {escape(_figure(value))}")


def _figure(value: object) -> str:
    """A share with three decimals, an interval as its two ends."""
    if isinstance(value, list):
        return " to ".join(map(_figure, value))
    return f"{value:.3f}" if isinstance(value, float) else str(value)
