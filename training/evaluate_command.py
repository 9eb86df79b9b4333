"""`precept-train evaluate`: the measured quality of a core."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from training.terminal import progress_bar


def register(root: typer.Typer) -> None:
    """Add this command to the root."""
    root.command()(evaluate)


def evaluate(
    core: Annotated[Path, typer.Argument(help="A checkpoint folder.")],
    *,
    suite: Annotated[list[str], typer.Option(help="A suite's name or a JSONL file; repeat for several, or `all`.")],
    limit: Annotated[int, typer.Option(min=1, help="Questions of each suite.")] = 200,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    unguided: Annotated[bool, typer.Option("--unguided", help="Without the working guide, in one try.")] = False,
) -> None:
    """Ask a core the held-out questions of suites, through the reader that serves."""
    from reasoning_core.checkpoint import load_checkpoint  # noqa: PLC0415
    from reasoning_core.engine import Engine  # noqa: PLC0415
    from reasoning_core.reader import Reader, ReaderOptions  # noqa: PLC0415
    from training import evaluation  # noqa: PLC0415
    from training.scoring import score  # noqa: PLC0415

    names = list(evaluation.SUITES) if suite == ["all"] else suite
    options = ReaderOptions(tries=1, guided=False) if unguided else ReaderOptions()
    reader = Reader(Engine(load_checkpoint(core)), options)
    reports: list[dict[str, Any]] = []
    with progress_bar() as bar:
        for name in names:
            dialogues = evaluation.load_suite(name, limit)
            task = bar.add_task(name, total=sum(len(dialogue.exchanges) for dialogue in dialogues), note="")
            cases = evaluation.evaluate(reader, dialogues, lambda case, task=task: bar.advance(task))  # type: ignore[misc]
            reports.append(score(name, cases))
    if as_json:
        typer.echo(json.dumps(reports[0] if len(reports) == 1 else {"suites": reports}))
    else:
        Console().print(_figures_table(reports))


def _figures_table(reports: Sequence[dict[str, Any]]) -> Table:
    table = Table("suite", "cases", "exact match", "verdicts", "citations", "lines hold", "refusal P / R", "verified")
    for report in reports:
        refusal, verified = report["refusal"], report["verified"]
        table.add_row(
            report["suite"],
            str(report["cases"]),
            *(
                _percent(report[key])
                for key in ("exact_match", "verdict_accuracy", "citation_precision", "working_holds")
            ),
            f"{_percent(refusal['precision'])} / {_percent(refusal['recall'])}",
            f"{verified['cases']}, {_percent(verified['precision'])} right",
        )
    return table


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
