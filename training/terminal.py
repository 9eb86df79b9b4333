"""What the `precept-train` commands share: where results and progress go, and how a refusal is said."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def error_console() -> Console:
    return Console(stderr=True)


def progress_bar(*, disable: bool = False) -> Progress:
    """Return a progress display on stderr; every task has a `note`."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}  {task.fields[note]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=error_console(),
        disable=disable,
    )


def require(condition: bool, sentence: str) -> None:
    """Refuse what cannot be done.

    Raises:
        ValueError: with the sentence, if the condition is false.
    """
    if not condition:
        raise ValueError(sentence)
