"""`precept-train track`: the page with the charts of runs."""

import signal
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from training.terminal import error_console, require

_COPY_EVERY_SECONDS = 2.0


def register(root: typer.Typer) -> None:
    """Add this command to the root."""
    root.command()(track)


def track(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs, finished or going on.")],
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The page's port; 0 takes a free one.")] = 6006,
) -> None:
    """Serve a page with the charts of runs to this machine alone, until it is stopped."""
    require(find_spec("tensorboard") is not None, "the page needs TensorBoard: pip install 'precept[tracking]'")
    from training.tracking import RunMirror, names_of, serve  # noqa: PLC0415 - keeps --help quick

    # Ending it by its process id cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with TemporaryDirectory(prefix="precept-track-") as folder, suppress(KeyboardInterrupt):
        mirrors = [RunMirror(run, Path(folder) / name) for name, run in names_of(runs).items()]
        num_lines = sum(mirror.update() for mirror in mirrors)
        typer.echo(serve(Path(folder), port))
        error_console().print(f"{len(mirrors)} runs, {num_lines:,} lines of metrics; Ctrl-C stops the page")
        while True:
            time.sleep(_COPY_EVERY_SECONDS)
            for mirror in mirrors:
                mirror.update()
