"""`precept-train evaluate`: the measured quality of a core, and whether it may take another's place."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Table

from training.terminal import progress_bar, require

if TYPE_CHECKING:
    from reasoning_core.reader import ReaderOptions
    from training.gate import Judgement
    from training.measurement import MeasuredCore, Suites
    from training.scoring import ScoredCase


def register(root: typer.Typer) -> None:
    """Add this command to the root."""
    root.command()(evaluate)


def evaluate(
    core: Annotated[Path, typer.Argument(help="A checkpoint folder.")],
    *,
    suite: Annotated[list[str], typer.Option(help="A suite's name or a JSONL file; repeat for several, or `all`.")],
    against: Annotated[Path | None, typer.Option(metavar="CORE", help="The core that serves: ask the gate.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Questions of each suite.")] = 200,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report, complete in one file.")] = None,
    cases: Annotated[Path | None, typer.Option(help="Keep each case in this JSONL file, and go on from it.")] = None,
    card: Annotated[bool, typer.Option("--card", help="Write the figures into the core's card.")] = False,
    unguided: Annotated[bool, typer.Option("--unguided", help="Without the working guide, in one try.")] = False,
) -> int:
    """Ask a core the held-out questions of suites, through the reader that serves.

    With --against the exit code is 0 if the gate lets the core pass, and 1 if it does not.
    """
    from reasoning_core.reader import ReaderOptions  # noqa: PLC0415 - keeps --help quick
    from training.gate import judge  # noqa: PLC0415
    from training.measurement import document  # noqa: PLC0415
    from training.report import write_report  # noqa: PLC0415
    from training.suites import load_suite  # noqa: PLC0415

    for file in (report, cases):
        require(
            file is None or file.absolute().parent.is_dir(), f"the folder of {file} does not exist: create it first"
        )
    suites = {name: load_suite(name, limit) for name in _names(suite)}
    options = ReaderOptions(tries=1, guided=False) if unguided else ReaderOptions()
    measured = _measured([core, against] if against else [core], suites, options, cases)
    judgement = judge(measured[0].cases, measured[1].cases) if against else None
    if as_json:
        typer.echo(json.dumps(document(measured, judgement)))
    else:
        _print(measured, judgement)
    if card:
        _write_card(core, document(measured[:1], None))
    if report:
        write_report(report, measured, suites, judgement)
    return 1 if judgement and not judgement.passed else 0


def _names(suite: Sequence[str]) -> list[str]:
    from training.suites import SUITES  # noqa: PLC0415

    return list(dict.fromkeys(name for given in suite for name in (SUITES if given == "all" else (given,))))


def _measured(
    folders: Sequence[Path], suites: "Suites", options: "ReaderOptions", kept_in: Path | None
) -> list["MeasuredCore"]:
    """Measure the cores one after the other, with a bar for each suite."""
    from reasoning_core.checkpoint import load_checkpoint  # noqa: PLC0415
    from training.measurement import measure  # noqa: PLC0415

    checkpoints = [load_checkpoint(folder) for folder in folders]
    with progress_bar() as bar:
        try:
            return [measure(each, suites, options, kept_in, _Bars(bar, suites, each.name)) for each in checkpoints]
        except KeyboardInterrupt:
            left = (
                f"answers are kept in {kept_in}: run the same command again to go on"
                if kept_in
                else ("nothing is kept: with --cases FILE the next run would go on from here")
            )
            bar.console.print(f"precept-train: stopped; {left}", markup=False, soft_wrap=True)
            raise


class _Bars:
    """A progress bar for each suite of one core, with the share that is right so far."""

    def __init__(self, bar: Progress, suites: "Suites", core: str) -> None:
        self._bar, self._suites, self._core = bar, suites, core
        self._tasks: dict[str, TaskID] = {}
        self._right: dict[str, int] = {}

    def __call__(self, suite: str, case: "ScoredCase") -> None:
        if suite not in self._tasks:
            total = sum(len(dialogue.exchanges) for dialogue in self._suites[suite])
            label = f"{self._core}: {Path(suite).name}"
            self._tasks[suite] = self._bar.add_task(escape(label), total=total, note="")
            self._right[suite] = 0
        self._right[suite] += case.right
        self._bar.update(self._tasks[suite], advance=1, note=f"{self._right[suite]} right")


def _write_card(core: Path, figures: dict[str, Any]) -> None:
    from reasoning_core.checkpoint import load_checkpoint, replace_card  # noqa: PLC0415
    from training.model_card import model_card  # noqa: PLC0415

    checkpoint = load_checkpoint(core)
    require("run" in checkpoint.lineage, f"{core} does not say how it was trained: only a core of ours has a card")
    replace_card(core, model_card(checkpoint.lineage, checkpoint.model.config.num_parameters, figures))


def _print(measured: Sequence["MeasuredCore"], judgement: "Judgement | None") -> None:
    console = Console(highlight=False)
    console.print(_table(measured))
    if judgement:
        verdict = "[green]The gate says yes[/]" if judgement.passed else "[red]The gate says no[/]"
        console.print(f"{verdict}: {escape(measured[0].label)} against {escape(measured[1].label)}")
        for reason in judgement.reasons:
            console.print(f"  {escape(reason)}")


def _table(measured: Sequence["MeasuredCore"]) -> Table:
    """Return the shares in whole percent, for 80 columns; the serving core's stand below the candidate's.

    `ref F1` is of refusals, `wrong` of what is shown as verified; the document and the report say more.
    """
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("suite, %", no_wrap=True)
    for name in ("cases", "exact", "95 %", "verdict", "cited", "lines", "ref F1", "verified", "wrong"):
        table.add_column(name, justify="right", no_wrap=True)
    figures = [core.figures() for core in measured]
    for suite in measured[0].cases:
        for place, reports in enumerate(figures):
            table.add_row("  serving" if place else escape(Path(suite).name), *_cells(reports[suite]))
    return table


def _cells(report: dict[str, Any]) -> list[str]:
    low, high = report["intervals"].get("exact_match", (0, 0))
    return [
        str(report["cases"]),
        _percent(report["exact_match"]),
        f"{100 * low:.0f}-{100 * high:.0f}",
        *(_percent(report[key]) for key in ("verdict_accuracy", "citation_precision", "working_holds")),
        _percent(report["refusal"]["f1"]),
        str(report["verified"]["cases"]),
        str(report["verified"]["wrong"]),
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f}"
