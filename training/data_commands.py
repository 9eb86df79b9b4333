"""`precept-train rules`: from rulebooks to dialogues."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.terminal import progress_bar, require

if TYPE_CHECKING:
    from training.instructions import Dialogue


def register(root: typer.Typer) -> None:
    """Add these commands to the root."""
    root.command()(rules)


def rules(
    rulebooks: Annotated[list[Path] | None, typer.Argument(help="Rulebook YAML files; none means our own.")] = None,
    *,
    out: Annotated[Path | None, typer.Option(help="The JSONL file to write.")] = None,
    dialogues: Annotated[int, typer.Option(min=1, help="How many dialogues to generate.")] = 1000,
    seed: Annotated[int, typer.Option(help="Same seed, same dialogues.")] = 0,
    split: Annotated[str, typer.Option(help="train, or the name of a held-out suite.")] = "train",
    auxiliary: Annotated[
        float, typer.Option(min=0, max=1, help="Share of easy lookups and comparisons in the split train.")
    ] = 0.07,
    more_questions: Annotated[
        int, typer.Option(min=0, max=12, help="Up to so many more questions about the same passages than usual.")
    ] = 0,
    background: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of Markdown or text files: irrelevant text among the passages (repeatable)."),
    ] = None,
    preview: Annotated[int, typer.Option(min=0, help="Print this many dialogues to read, and write nothing.")] = 0,
) -> None:
    """Generate labelled dialogues from rulebooks."""
    from training.background import load_background  # noqa: PLC0415 - keeps --help quick
    from training.generator import Recipe, generate  # noqa: PLC0415
    from training.rulebook import load_rulebooks  # noqa: PLC0415

    require((out is None) == (preview > 0), "give either --out FILE to write dialogues or --preview N to read some")
    known = load_rulebooks(rulebooks or None)
    found = load_background(background) if background else None
    if out is None:
        # Lookups and drills are not the rulebook's: its author reads what is.
        _print(
            generate(
                known,
                preview,
                seed,
                split,
                Recipe(more_questions=more_questions, auxiliary_share=0.0, background=found),
            )
        )
        return
    recipe = Recipe(more_questions=more_questions, auxiliary_share=auxiliary, background=found)
    _write(out, generate(known, dialogues, seed, split, recipe), dialogues)
    _write_lineage(out, rulebooks, background or [], split, seed)


def _print(dialogues: Iterable["Dialogue"]) -> None:
    from rich.console import Console  # noqa: PLC0415 - keeps --help quick

    from training.preview import preview  # noqa: PLC0415

    preview(dialogues, Console())


def _write(path: Path, dialogues: Iterable["Dialogue"], count: int) -> None:
    from training.instructions import write_dialogues  # noqa: PLC0415 - keeps --help quick

    with progress_bar() as bar:
        task = bar.add_task("generating", total=count, note="")
        write_dialogues(path, bar.track(dialogues, task_id=task))


def _write_lineage(
    path: Path, rulebooks: Sequence[Path] | None, background: Sequence[Path], split: str, seed: int
) -> None:
    from training.lineage import Source, licence_of, rulebook_sources, write_lineage  # noqa: PLC0415 - keeps --help quick

    texts = [Source(folder.name, "background", licence_of(folder), folder.name) for folder in background]
    sources = [*rulebook_sources(rulebooks), *texts]
    write_lineage(path, made_by="precept-train rules", sources=sources, split=split, seed=seed)
