"""`precept-train fit`: from data to a core."""

from pathlib import Path
from typing import Annotated, Any

import typer

from training.terminal import error_console, progress_bar, require


def register(root: typer.Typer) -> None:
    """Add this command to the root."""
    root.command()(fit)


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
        require(bool(paths), "name at least one dialogue file with --data")
        missing = [path for path in paths if not path.is_file()]
        require(not missing, f"there is no data file {missing[0] if missing else ''}: check --data")
        require((minutes is None) != (steps is None), "give either --minutes or --steps")
        require(precision in ("bf16", "fp32"), f"unknown precision {precision!r}: use bf16 or fp32")
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
    error_console().print(
        f"{trainer.model.config.num_parameters:,} parameters, {len(trainer.rows):,} dialogues, "
        f"vocabulary {trainer.tokenizer.vocabulary_size:,}"
    )
    with progress_bar() as bar:
        task = bar.add_task("training", total=None, note="")

        def show(step: Any) -> None:
            note = f"loss {step.loss:.3f}  {step.tokens_per_second:,.0f} tokens/s"
            bar.update(task, completed=step.step, total=step.num_steps, note=note)

        core = trainer.fit(show, save_every_steps=save_every)
    typer.echo(str(core))
