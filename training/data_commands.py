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
    auxiliary: Annotated[
        float, typer.Option(min=0, max=1, help="Share of easy lookups and comparisons in the split train.")
    ] = 0.07,
    background: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of Markdown or text files: irrelevant text among the passages (repeatable)."),
    ] = None,
) -> None:
    """Generate labelled dialogues from rulebooks."""
    from training.background import load_background  # noqa: PLC0415 - keeps --help quick
    from training.generator import Recipe, generate  # noqa: PLC0415
    from training.instructions import write_dialogues  # noqa: PLC0415
    from training.rulebook import load_rulebooks  # noqa: PLC0415

    recipe = Recipe(auxiliary_share=auxiliary, background=load_background(background) if background else None)
    with progress_bar() as bar:
        task = bar.add_task("generating", total=dialogues, note="")
        produced = generate(load_rulebooks(rulebooks or None), dialogues, seed, split, recipe)
        write_dialogues(out, bar.track(produced, task_id=task))
