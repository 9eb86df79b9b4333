"""What every command shares: where the home is, how results and refusals are written, how services are opened.

Results go to stdout (with `--json`, as exactly one JSON document); progress, logs and refusals go to stderr.
"""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler

from app.errors import InvalidRequest

if TYPE_CHECKING:
    from app.services import Services
    from app.settings import Settings

Home = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="Folder of everything Precept writes (or PRECEPT_HOME)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Collection = Annotated[str | None, typer.Option("--collection", metavar="NAME", help="Only this collection.")]


def settings_of(home: Path | None, **overrides: Any) -> "Settings":
    """Read the settings of a home; what is None is left to the environment and the defaults."""
    from pydantic import ValidationError  # noqa: PLC0415

    from app.settings import Settings  # noqa: PLC0415 - `precept --help` stays fast

    given = {"home": home, **overrides}
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(f"The setting {name} is {first['input']!r}: {first['msg'].lower()}.") from error


@contextmanager
def opened(home: Path | None) -> Iterator["Services"]:
    """Open the services of a home for one command."""
    from app.services import open_services  # noqa: PLC0415 - `precept --help` stays fast

    with open_services(settings_of(home)) as services:
        yield services


def result_console() -> Console:
    return Console(highlight=False, soft_wrap=True)


def error_console() -> Console:
    return Console(stderr=True, highlight=False)


def print_json(document: Mapping[str, Any]) -> None:
    """Write one JSON document and nothing else on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=_as_text) + "\n")


def _as_text(value: object) -> str:
    """Times as ISO 8601, paths and enumerations as their text."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def write_raw(data: bytes) -> None:
    """Write bytes on stdout unchanged."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def log_to_stderr(level: int = logging.WARNING) -> None:
    """Send log records to stderr, our own from `level` on, other libraries' warnings; called by commands alone."""
    console = error_console()
    handler = RichHandler(console=console, show_path=False) if console.is_terminal else logging.StreamHandler()
    form = "%(message)s" if console.is_terminal else "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.WARNING, format=form, datefmt="%H:%M:%S", handlers=[handler], force=True)
    for package in ("ui", "app", "retrieval", "reasoning_core"):
        logging.getLogger(package).setLevel(level)
