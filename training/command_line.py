"""The `precept-train` command line: rules to data, data to a core, and the core's measured quality."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from typer.exceptions import Abort, TyperException

app = typer.Typer(no_args_is_help=True, add_completion=False, help="From rules and instruction data to a core.")
_stderr = Console(stderr=True)


@app.command()
def rules(
    rulebooks: Annotated[list[Path] | None, typer.Argument(help="Rulebook YAML files; none means our own.")] = None,
    *,
    out: Annotated[Path, typer.Option(help="The JSONL file to write.")],
    dialogues: Annotated[int, typer.Option(min=1, help="How many dialogues to generate.")] = 1000,
    seed: Annotated[int, typer.Option(help="Same seed, same dialogues.")] = 0,
    split: Annotated[str, typer.Option(help="train, or the name of a held-out suite.")] = "train",
) -> None:
    """Generate labelled dialogues from rulebooks."""
    from training.generator import generate  # noqa: PLC0415 - keeps --help quick
    from training.instructions import write_dialogues  # noqa: PLC0415
    from training.rulebook import load_rulebooks  # noqa: PLC0415

    with _bar() as bar:
        task = bar.add_task("generating", total=dialogues, note="")
        produced = generate(load_rulebooks(rulebooks or None), dialogues, seed, split)
        write_dialogues(out, bar.track(produced, task_id=task))


@app.command()
def fit(
    *,
    out: Annotated[Path, typer.Option(help="The folder of the run.")],
    data: Annotated[list[Path] | None, typer.Option(help="Dialogue JSONL files.")] = None,
    size: Annotated[str, typer.Option(help="nano, micro, mini, small, medium, L or XL.")] = "mini",
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Train for about this long.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Train for exactly this many steps.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out.")] = False,
    start_from: Annotated[Path | None, typer.Option("--from", help="Start from this core's weights.")] = None,
    seed: int = 0,
    vocabulary_size: int = 2048,
    row_tokens: int = 512,
    batch_rows: int = 8,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.1,
    ema_decay: float = 0.999,
    precision: Annotated[str, typer.Option(help="bf16 or fp32 compute; masters are fp32.")] = "bf16",
    warmup_steps: int = 100,
    cooldown_fraction: float = 0.2,
    grad_warmup_fraction: float = 0.2,
    save_every: Annotated[int, typer.Option(min=1, help="Steps between resumable states.")] = 200,
) -> None:
    """Train a core, or resume a run that was stopped."""
    from reasoning_core.checkpoint import file_sha256  # noqa: PLC0415
    from training.run import RunFolder, RunOptions  # noqa: PLC0415
    from training.trainer import Trainer  # noqa: PLC0415

    folder = RunFolder(out)
    if resume:
        trainer = Trainer(folder, folder.options())
        trainer.resume()
    else:
        paths = data or []
        _require(bool(paths), "name at least one dialogue file with --data")
        missing = [path for path in paths if not path.is_file()]
        _require(not missing, f"there is no data file {missing[0] if missing else ''}: check --data")
        _require((minutes is None) != (steps is None), "give either --minutes or --steps")
        _require(precision in ("bf16", "fp32"), f"unknown precision {precision!r}: use bf16 or fp32")
        options = RunOptions(
            data=tuple(map(str, paths)),
            data_sha256=tuple(map(file_sha256, paths)),
            size=size,
            vocabulary_size=vocabulary_size,
            seed=seed,
            row_tokens=row_tokens,
            batch_rows=batch_rows,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            ema_decay=ema_decay,
            precision=precision,
            warmup_steps=warmup_steps,
            cooldown_fraction=cooldown_fraction,
            grad_warmup_fraction=grad_warmup_fraction,
            num_steps=steps,
            minutes=minutes,
            start_from=str(start_from) if start_from else None,
        )
        trainer = Trainer(folder.create(options), options)
    _stderr.print(
        f"{trainer.model.config.num_parameters:,} parameters, {len(trainer.rows):,} dialogues, "
        f"vocabulary {trainer.tokenizer.vocabulary_size:,}"
    )
    with _bar() as bar:
        task = bar.add_task("training", total=None, note="")

        def show(step: Any) -> None:
            note = f"loss {step.loss:.3f}  {step.tokens_per_second:,.0f} tokens/s"
            bar.update(task, completed=step.step, total=step.num_steps, note=note)

        core = trainer.fit(show, save_every_steps=save_every)
    typer.echo(str(core))


@app.command()
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
    with _bar() as bar:
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


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}  {task.fields[note]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=_stderr,
    )


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise ValueError(sentence)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a refusal is one sentence on stderr and exit code 2."""
    try:
        code = app(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except TyperException as error:
        return _refused(error.format_message(), error.exit_code)
    except Abort:
        return _refused("stopped", 130)
    except (ValueError, FileNotFoundError) as error:
        return _refused(str(error), 2)
    return code if isinstance(code, int) else 0


def _refused(sentence: str, code: int) -> int:
    _stderr.print(f"precept-train: {sentence}", style="red", markup=False)
    return code


if __name__ == "__main__":
    sys.exit(main())
