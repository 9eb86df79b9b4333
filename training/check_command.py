"""`precept-train check`: what is wrong with instruction data, and whether suites stand in it."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from training.terminal import progress_bar, require

if TYPE_CHECKING:
    from training.check import CheckedSuite, CheckReport
    from training.contamination import Bucket
    from training.instructions import Dialogue

_SHOWN = 10
_QUESTIONS = 1000


def register(root: typer.Typer) -> None:
    """Add this command to the root."""
    root.command()(check)


def check(
    data: Annotated[list[Path], typer.Argument(help="Instruction data, JSONL files.")],
    *,
    suite: Annotated[list[str] | None, typer.Option(help="A suite's name; repeat for several. Default: all.")] = None,
    against: Annotated[list[Path] | None, typer.Option(help="More files that must not stand in the data.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Questions of each suite; 1000 of ours and all of a file by default.")
    ] = None,
    core: Annotated[Path | None, typer.Option(help="Ask this core the suites, for the published test.")] = None,
    scores: Annotated[
        Path | None, typer.Option(help="With --core: keep its cases in this file, as `evaluate --cases` does.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write the JSON document to this file.")] = None,
) -> int:
    """Validate instruction data; look for repetitions, leaks between splits, and suites that stand in it.

    The exit code is 0 for clean data, 1 if a whole case of a suite or of another split stands in it, and 2 for lines
    that are malformed or teach what is wrong.
    """
    from training.check import Check  # noqa: PLC0415 - keeps --help quick
    from training.suites import SUITES, load_suite  # noqa: PLC0415

    missing = [path for path in data if not path.is_file()]
    require(not missing, f"there is no data file {missing[0] if missing else ''}: name a JSONL file")
    require(scores is None or core is not None, "--scores keeps what a core answered: name it with --core")
    suites = {name: load_suite(name, limit or _QUESTIONS) for name in suite or SUITES}
    suites |= {str(path): load_suite(str(path), limit or sys.maxsize) for path in against or ()}
    checking = Check(suites)
    with progress_bar() as bar:
        for path in data:
            task = bar.add_task(escape(path.name), total=_num_lines(path), note="")
            checking.read(path, lambda task=task: bar.advance(task))  # type: ignore[misc]
    found = checking.report(_scores(core, suites, scores) if core else None)
    text = json.dumps(found.document(), ensure_ascii=False)
    if report:
        report.write_text(text + "\n", encoding="utf-8")
    if as_json:
        typer.echo(text)
    else:
        _print(found)
    return found.exit_code


def _num_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


def _scores(core: Path, suites: "Mapping[str, Sequence[Dialogue]]", kept_in: Path | None) -> dict[str, list[float]]:
    """Ask a core every question of the suites; 1 for each that it gets right."""
    from reasoning_core.checkpoint import load_checkpoint  # noqa: PLC0415
    from reasoning_core.reader import ReaderOptions  # noqa: PLC0415
    from training.measurement import measure  # noqa: PLC0415

    with progress_bar() as bar:
        total = sum(len(dialogue.exchanges) for dialogues in suites.values() for dialogue in dialogues)
        task = bar.add_task("asking the core", total=total, note="")
        asked = measure(load_checkpoint(core), suites, ReaderOptions(), kept_in, lambda *_: bar.advance(task))
    return {suite: [float(case.right) for case in cases] for suite, cases in asked.cases.items()}


def _print(report: "CheckReport") -> None:
    console = Console(highlight=False)
    files = Table("file", "dialogues", "questions", "reviews that teach nothing")
    for file in report.files:
        files.add_row(escape(file.path), f"{file.dialogues:,}", f"{file.questions:,}", f"{file.passed_over:,}")
    console.print(files)
    for title, lines in _listed(report):
        console.print(f"{title}: {len(lines):,}", style=None if not lines else "bold")
        for line in lines[:_SHOWN]:
            console.print(f"  {line}", markup=False)
    console.print(_suite_table(report.suites))
    console.print("Expected to be shared:")
    for line in _expectations(report.suites):
        console.print(f"  {line}", markup=False)
    words = "[red]contaminated[/]" if report.contaminated else "[green]not contaminated[/]"
    sound = "" if report.exit_code < 2 else "[red]not to be learned from as it is[/], "
    console.print(f"The data are {sound}{words}.")


def _listed(report: "CheckReport") -> Iterator[tuple[str, list[str]]]:
    yield "malformed lines", [f"{fault.place}: {fault.what}" for fault in report.malformed]
    yield "unsound responses", [f"{fault.place}: {fault.what}" for fault in report.unsound]
    yield "exact duplicates", [f"{pair.place} repeats {pair.of}" for pair in report.duplicates]
    near = [f"{pair.place} repeats {pair.of} ({pair.jaccard:.0%})" for pair in report.near_duplicates]
    yield "near-duplicates", near
    leaks = [
        (f"{leak.place} ({leak.split})", f"{leak.other} ({leak.other_split})", leak.question) for leak in report.leaks
    ]
    yield "questions in two splits", [f"{one} and {other}: {question}" for one, other, question in leaks]
    found = [case for suite in report.suites for case in suite.whole_cases]
    yield "whole cases of suites", [f"{case.suite} {case.case} at {case.place} ({case.share:.0%})" for case in found]


def _suite_table(suites: "Sequence[CheckedSuite]") -> Table:
    """Show the published test: in each group the number of cases and, where a core was asked, its mean and Z."""
    first = next((finding.buckets for suite in suites for finding in suite.ngrams), ())
    table = Table("suite", "cases", "n", "shared", *(bucket.name for bucket in first), "significant")
    table.columns[0].no_wrap = True
    for suite in suites:
        for finding in suite.ngrams:
            significant = {None: "-", True: "[red]yes[/]", False: "no"}[finding.significant]
            groups = [_group(bucket) for bucket in finding.buckets]
            name, cases = escape(Path(suite.name).name), f"{suite.cases:,}"
            table.add_row(name, cases, str(finding.n), _share(finding.mean_share), *groups, significant)
    return table


def _expectations(suites: "Sequence[CheckedSuite]") -> Iterator[str]:
    """Yield what is expected to be shared, once for all suites of which the same is expected."""
    for expected in dict.fromkeys(suite.expected for suite in suites):
        names = [Path(suite.name).name for suite in suites if suite.expected == expected]
        yield f"{', '.join(names)}: {expected}"


def _group(bucket: "Bucket") -> str:
    score = "" if bucket.mean_score is None else f"\n{_share(bucket.mean_score)} right"
    return f"{bucket.num_cases:,}{score}" + ("" if bucket.z is None else f"\nZ {bucket.z:+.1f}")


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
