"""From the paths that somebody names to the files that are ingested, each with its document name."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.errors import InvalidRequest
from app.names import document_name, printable


@dataclass(frozen=True, slots=True)
class Source:
    """A file, how it is called in reports, and the name its document gets; `error` says why it is not ingested."""

    path: Path
    shown: str
    name: str = ""
    error: str = ""


def named_source(path: Path, name: str) -> Source:
    """Return the source of a file that is to be called `name`."""
    try:
        return Source(path.absolute(), str(path), document_name(name))
    except InvalidRequest as refusal:
        return Source(path, printable(str(path)), error=str(refusal))


def expand(paths: Iterable[Path | Source]) -> list[Source]:
    """Return every file under `paths`, in order; two files never share a name.

    A relative path is a document's name as given. Where the path is absolute or climbs, a file is called by its own
    name, and the files of a folder by the folder's name and their way inside it.
    """
    sources: list[Source] = []
    taken: dict[str, Path] = {}
    for path in paths:
        for source in [path] if isinstance(path, Source) else _files(Path(path)):
            if not source.error and taken.setdefault(source.name, source.path) != source.path:
                text = f"Another file of this batch is called {source.name} too; ingest the folder that holds both."
                source = Source(source.path, source.shown, error=text)  # noqa: PLW2901
            sources.append(source)
    return sources


def _files(path: Path) -> Iterator[Source]:
    as_given = not path.is_absolute() and ".." not in path.parts
    if path.is_dir():
        root = path if as_given else Path(path.resolve().name)
        found = False
        for file in _walk(path):
            found = True
            yield named_source(file, str(root / file.relative_to(path)))
        if not found:
            yield Source(path, str(path), error=f"{printable(str(path))} holds no files.")
    elif path.exists():
        yield named_source(path, str(path) if as_given else path.name)
    else:
        yield Source(path, str(path), error=f"{printable(str(path))} is not there; check the path.")


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in order, without hidden ones; links to folders are not followed."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(files) if not name.startswith("."))
