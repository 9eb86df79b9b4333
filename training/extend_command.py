"""`precept-train extend`: more characters in a core's vocabulary."""

from pathlib import Path
from typing import Annotated

import typer

from reasoning_core.tokenizer import COMMON_CHARACTERS
from training.terminal import require


def register(root: typer.Typer) -> None:
    """Add this command to the root."""
    root.command()(extend)


def extend(
    core: Annotated[Path, typer.Argument(help="A checkpoint folder.")],
    *,
    out: Annotated[Path, typer.Option(help="The folder to write; it must not hold anything.")],
    characters: Annotated[
        str, typer.Option(help="The characters that become whole tokens.", show_default=False)
    ] = COMMON_CHARACTERS,
) -> None:
    """Give a core more characters as whole tokens, so that it can quote them; train it further with `fit --from`."""
    from reasoning_core.checkpoint import CARD, load_checkpoint, save_checkpoint  # noqa: PLC0415 - keeps --help quick
    from training.vocabulary import extended  # noqa: PLC0415

    require(not out.exists() or not any(out.iterdir()), f"{out} holds something already: name another folder")
    checkpoint = load_checkpoint(core)
    model, tokenizer = extended(checkpoint, characters)
    card = (core / CARD).read_text(encoding="utf-8") if (core / CARD).exists() else ""
    save_checkpoint(out, model, tokenizer, lineage=checkpoint.lineage, card=card)
    more = tokenizer.vocabulary_size - checkpoint.tokenizer.vocabulary_size
    typer.echo(f"{out}: {more} tokens more, {tokenizer.vocabulary_size:,} in all; train it further before it serves")
