"""`precept-train rules`: from rulebooks to dialogues."""

from pathlib import Path
from typing import Annotated

import typer

from training.terminal import progress_bar


def register(root: typer.Typer) -> None:
    """Add these commands to the root."""
    root.command()(rules)


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

    with progress_bar() as bar:
        task = bar.add_task("generating", total=dialogues, note="")
        produced = generate(load_rulebooks(rulebooks or None), dialogues, seed, split)
        write_dialogues(out, bar.track(produced, task_id=task))
