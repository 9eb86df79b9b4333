"""`precept-train convert`: from open data sets on disk to dialogues."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.terminal import error_console, progress_bar, require

if TYPE_CHECKING:
    from training.instructions import Dialogue
    from training.open_sets.open_set import OpenSet


def register(root: typer.Typer) -> None:
    """Add this command to the root."""
    root.command()(convert)


def convert(
    name: Annotated[str, typer.Argument(help="The set: gsm8k, tatqa, squad2, ...; a wrong name lists them all.")],
    path: Annotated[Path, typer.Argument(help="The folder that holds its files; nothing is fetched.")],
    *,
    out: Annotated[Path, typer.Option(help="The JSONL file to write.")],
    split: Annotated[str | None, typer.Option(help="Default: the set's first.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many dialogues.")] = None,
) -> None:
    """Convert an open data set to dialogues, and count what cannot be said exactly."""
    from training.instructions import write_dialogues  # noqa: PLC0415 - keeps --help quick
    from training.open_sets.catalogue import open_set_named  # noqa: PLC0415

    chosen = open_set_named(name)
    part = split or next(iter(chosen.splits))
    require(path.is_dir(), f"there is no folder {path}: give the folder of {chosen.name} ({chosen.source})")
    chosen.files(path, part)
    left_out: Counter[str] = Counter()
    converted = 0
    with progress_bar() as bar:
        task = bar.add_task(f"{chosen.name} {part}", total=limit, note="")

        def counted() -> Iterator["Dialogue"]:
            nonlocal converted
            for dialogue in _converted(chosen, path, part, limit, left_out):
                converted += 1
                bar.update(task, completed=converted, note=f"{left_out.total():,} left out")
                yield dialogue

        write_dialogues(out, counted())
    require(converted > 0, f"{path} gave no dialogue: {dict(left_out) or 'its files are empty'}")
    _write_lineage(out, chosen, path, part, left_out)
    error_console().print(f"{converted:,} dialogues, {left_out.total():,} left out", highlight=False)
    for reason, count in left_out.most_common():
        error_console().print(f"  {count:>7,}  {reason}", highlight=False, markup=False)


def _converted(
    chosen: "OpenSet", path: Path, split: str, limit: int | None, left_out: Counter[str]
) -> Iterator["Dialogue"]:
    from training.open_sets.open_set import LeftOut  # noqa: PLC0415 - keeps --help quick

    given = 0
    for each in chosen.convert(path, split):
        if isinstance(each, LeftOut):
            left_out[each.reason] += 1
            continue
        yield each
        given += 1
        if given == limit:
            return


def _write_lineage(out: Path, chosen: "OpenSet", path: Path, split: str, left_out: Counter[str]) -> None:
    from training.lineage import Source, digest_of, write_lineage  # noqa: PLC0415 - keeps --help quick

    licence, digest = chosen.splits[split].licence, digest_of(chosen.files(path, split))
    source = Source(chosen.name, "open set", licence.name, chosen.source, licence.share_alike, digest)
    write_lineage(out, made_by="precept-train convert", sources=[source], split=split, left_out=left_out)
