"""`precept-train export`: a core for other engines."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from training.terminal import error_console


def register(root: typer.Typer) -> None:
    """Add this command to the root."""
    root.command()(export)


def export(
    core: Annotated[Path, typer.Argument(help="A checkpoint folder.")],
    *,
    out: Annotated[Path, typer.Option(help="The folder to write; it must not hold anything.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write a copy that transformers, vLLM and SGLang load, after comparing it with the core."""
    import transformers  # noqa: PLC0415 - keeps --help quick

    from training import export as exporting  # noqa: PLC0415 - keeps --help quick

    transformers.utils.logging.disable_progress_bar()
    comparison = exporting.export(core, out)
    if as_json:
        typer.echo(json.dumps({"out": str(out), **asdict(comparison)}))
        return
    typer.echo(
        f"{out}: transformers computes the same logits over a prompt of {comparison.prompt_tokens} and a response of "
        f"{comparison.response_tokens} tokens; they differ by {comparison.max_relative_difference:.1e} of the largest"
    )
    error_console().print("Others serve the first turn exactly; for later turns see README.md in the folder.")
