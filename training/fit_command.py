"""`precept-train fit`: from data to a core."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from training.terminal import error_console, progress_bar, require

if TYPE_CHECKING:
    from training.run import RunFolder, RunOptions

_SHAPE, _DATA, _RATE, _MACHINE = "Shape", "Data", "Optimisation", "Machine"


def register(root: typer.Typer) -> None:
    """Add this command to the root."""
    root.command()(fit)


def fit(
    *,
    out: Annotated[Path, typer.Option(help="The folder of the run.")],
    data: Annotated[list[Path] | None, typer.Option(help="Dialogue JSONL files.")] = None,
    size: Annotated[str, typer.Option(help="The one dial: nano to XL; `precept-train sizes` lists them.")] = "mini",
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Train for about this long.")] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Train for this many steps; also changes a resumed run.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out.")] = False,
    start_from: Annotated[Path | None, typer.Option("--from", help="Start from this core's weights.")] = None,
    seed: Annotated[int, typer.Option(rich_help_panel=_DATA)] = 0,
    row_tokens: Annotated[int | None, typer.Option(min=16, rich_help_panel=_DATA)] = None,
    batch_rows: Annotated[int | None, typer.Option(min=1, help="Rows of one step.", rich_help_panel=_DATA)] = None,
    allow_contaminated: Annotated[
        bool,
        typer.Option(
            "--allow-contaminated", help="Do not look for the suites' cases in the data.", rich_help_panel=_DATA
        ),
    ] = False,
    accumulate: Annotated[
        int, typer.Option(min=1, help="Take the rows of a step in so many parts.", rich_help_panel=_DATA)
    ] = 1,
    curriculum: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the first epoch that is short dialogues.", rich_help_panel=_DATA),
    ] = 0.0,
    vocabulary_size: Annotated[int | None, typer.Option(min=300, rich_help_panel=_SHAPE)] = None,
    hidden_size: Annotated[
        int | None, typer.Option(min=64, help="Width instead of the size's.", rich_help_panel=_SHAPE)
    ] = None,
    layers: Annotated[
        int | None, typer.Option(min=1, help="Layers of each stack instead of the size's.", rich_help_panel=_SHAPE)
    ] = None,
    architecture: Annotated[
        str, typer.Option(help="hrm, or the baselines transformer, transformer-deep.", rich_help_panel=_SHAPE)
    ] = "hrm",
    layout: Annotated[
        str, typer.Option(help="turn_blocks; single_prefix and causal are baselines.", rich_help_panel=_SHAPE)
    ] = "turn_blocks",
    optimiser: Annotated[str, typer.Option(help="adam-atan2 or muon.", rich_help_panel=_RATE)] = "adam-atan2",
    learning_rate: Annotated[
        float | None, typer.Option(min=0, help="Also changes a resumed run.", rich_help_panel=_RATE)
    ] = None,
    weight_decay: Annotated[float, typer.Option(min=0, rich_help_panel=_RATE)] = 0.1,
    ema_decay: Annotated[float | None, typer.Option(min=0, max=1, rich_help_panel=_RATE)] = None,
    warmup_steps: Annotated[int | None, typer.Option(min=0, rich_help_panel=_RATE)] = None,
    cooldown_fraction: Annotated[float, typer.Option(min=0, max=1, rich_help_panel=_RATE)] = 0.2,
    grad_warmup_fraction: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the run in which K grows.", rich_help_panel=_RATE)
    ] = 0.2,
    precision: Annotated[
        str, typer.Option(help="bf16 or fp32 compute; auto measures.", rich_help_panel=_MACHINE)
    ] = "auto",
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.", rich_help_panel=_MACHINE)] = "auto",
    compiled: Annotated[
        bool | None,
        typer.Option("--compile/--no-compile", help="Default: where the run is long.", rich_help_panel=_MACHINE),
    ] = None,
    cpu_time: Annotated[
        bool,
        typer.Option(
            "--cpu-time",
            help="Minutes of this process's CPU time.",
            rich_help_panel=_MACHINE,
        ),
    ] = False,
    save_every: Annotated[int, typer.Option(min=1, help="Steps between states.", rich_help_panel=_MACHINE)] = 200,
) -> None:
    """Train a core, or resume a run that was stopped. Under torchrun several processes share each step."""
    from training.run import RunFolder  # noqa: PLC0415 - keeps --help quick

    folder = RunFolder(out)
    if resume:
        options = _resumed(folder, steps, learning_rate)
    else:
        require((minutes is None) != (steps is None), "give either --minutes or --steps")
        options = _options(
            data or [],
            size=size,
            minutes=minutes,
            num_steps=steps,
            start_from=start_from,
            seed=seed,
            row_tokens=row_tokens,
            batch_rows=batch_rows,
            accumulate=accumulate,
            curriculum=curriculum,
            vocabulary_size=vocabulary_size,
            hidden_size=hidden_size,
            layers=layers,
            architecture=architecture,
            layout=layout,
            optimiser=optimiser,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            ema_decay=ema_decay,
            warmup_steps=warmup_steps,
            cooldown_fraction=cooldown_fraction,
            grad_warmup_fraction=grad_warmup_fraction,
            precision=precision,
            device=device,
            compiled=compiled,
            cpu_time=cpu_time,
        )
        # The first of several processes looks for all of them; torchrun ends the others if it refuses.
        if not allow_contaminated and os.environ.get("RANK", "0") == "0":
            _refuse_contaminated(data or [])
    core = _train(folder, options, resume=resume, save_every=save_every)
    typer.echo(str(core))


def _train(folder: "RunFolder", options: "RunOptions", *, resume: bool, save_every: int) -> Path:
    from training.distributed import World  # noqa: PLC0415
    from training.trainer import Trainer  # noqa: PLC0415

    world = World.join(options.device)
    try:
        if not resume and world.is_first:
            folder.create(options)
        world.barrier()
        trainer = Trainer(folder, options, world)
        if resume:
            trainer.resume()
        if world.is_first:
            error_console().print(
                f"{trainer.model.config.num_parameters:,} parameters, {len(trainer.rows):,} dialogues, "
                f"vocabulary {trainer.tokenizer.vocabulary_size:,}, {options.precision} on {options.device}"
                f"{', compiled' if options.compiled else ''}"
            )
        with progress_bar(disable=not world.is_first) as bar, _stopping_on_signals() as stopped:
            task = bar.add_task("training", total=None, note="")

            def show(step: Any) -> None:
                note = f"loss {step.loss:.3f}  {step.tokens_per_second:,.0f} tokens/s"
                bar.update(task, completed=step.step, total=step.num_steps, note=note)

            return trainer.fit(show, save_every_steps=save_every, should_stop=lambda: bool(stopped))
    finally:
        world.leave()


def _options(paths: list[Path], **given: Any) -> "RunOptions":
    """Check what was asked and fill in what was left to the size and to the machine."""
    from reasoning_core.checkpoint import file_sha256  # noqa: PLC0415
    from reasoning_core.layout import Layout  # noqa: PLC0415
    from training import machine  # noqa: PLC0415
    from training.run import RunOptions  # noqa: PLC0415
    from training.sizes import reshaped, size_named  # noqa: PLC0415

    require(bool(paths), "name at least one dialogue file with --data")
    missing = [path for path in paths if not path.is_file()]
    require(not missing, f"there is no data file {missing[0] if missing else ''}: check --data")
    require(
        given["precision"] in ("auto", "bf16", "fp32"), f"unknown precision {given['precision']!r}: use bf16 or fp32"
    )
    require(given["device"] in ("auto", "cpu", "cuda"), f"unknown device {given['device']!r}: use cpu or cuda")
    require(given["layout"] in tuple(Layout), f"unknown layout {given['layout']!r}: use one of {', '.join(Layout)}")
    chosen = size_named(given["size"])
    reshaped(chosen.config(), given["hidden_size"], given["layers"])
    for name in ("row_tokens", "batch_rows", "vocabulary_size", "learning_rate", "ema_decay", "warmup_steps"):
        if given[name] is None:
            given[name] = getattr(chosen, name)
    if given["device"] == "auto":
        given["device"] = machine.best_device()
    if given["precision"] == "auto":
        given["precision"] = machine.best_precision(given["device"])
    if given["compiled"] is None:
        is_long = (given["minutes"] or 0) >= 10 or (given["num_steps"] or 0) >= 1000
        given["compiled"] = is_long and machine.can_compile(given["device"])
    start_from = given.pop("start_from")
    return RunOptions(
        data=tuple(map(str, paths)),
        data_sha256=tuple(map(file_sha256, paths)),
        start_from=str(start_from) if start_from else None,
        **given,
    )


def _refuse_contaminated(paths: list[Path]) -> None:
    from training.contamination_guard import refuse_contaminated  # noqa: PLC0415

    error_console().print("looking for the suites' cases in the data")
    refuse_contaminated(paths)


def _resumed(folder: "RunFolder", steps: int | None, learning_rate: float | None) -> "RunOptions":
    options = changed = folder.options()
    if steps is not None:
        changed = replace(changed, num_steps=steps)
    if learning_rate is not None:
        changed = replace(changed, learning_rate=learning_rate)
    return folder.change(changed) if changed != options else options


@contextmanager
def _stopping_on_signals() -> Iterator[list[int]]:
    """Collect the first signal to stop instead of dying of it, so that the state of the last step is written."""
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda n, _: received.append(n)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
