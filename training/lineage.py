"""Where training data come from: sources, licences, counts and digests, in a file beside each data file.

DATA.jsonl.lineage.json is written by whatever writes DATA.jsonl and names the data by their SHA-256, so that it counts
for nothing once they change. A core's manifest and its card list what the files it was trained on say; data without
such a file, and data of a core that was trained on further, are listed as what is known of them.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from reasoning_core.checkpoint import MANIFEST, WEIGHTS, file_sha256
from training.instructions import read_dialogues

_SUFFIX = ".lineage.json"
_FORMAT = 1
_OWN_LICENCE = "Apache-2.0"
_LICENCE_CHARACTERS = 2000
# The stricter ones first: the text of CC-BY-SA holds the words of CC-BY.
_LICENCES = {
    "CC-BY-SA-4.0": re.compile(r"Attribution-ShareAlike 4\.0", re.I),
    "CC-BY-4.0": re.compile(r"Attribution 4\.0", re.I),
    "CC0-1.0": re.compile(r"CC0 1\.0", re.I),
    "Apache-2.0": re.compile(r"Apache License\s+Version 2\.0", re.I),
    "MIT": re.compile(r"\bMIT License\b|Permission is hereby granted, free of charge", re.I),
}


@dataclass(frozen=True, slots=True)
class Source:
    """One thing that data were made from.

    `kind` is rulebook, background, open set or reviewed answers; `location` an address or a file's name; `share_alike`
    says that the licence asks for the same licence on what is made of the source.
    """

    name: str
    kind: str
    licence: str
    location: str
    share_alike: bool = False
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class DataLineage:
    """What one data file holds and was made from; `left_out` counts by reason what a source had and it has not."""

    data: str
    sha256: str
    dialogues: int | None
    questions: int | None
    made_by: str
    split: str | None
    seed: int | None
    sources: tuple[Source, ...]
    left_out: Mapping[str, int]
    note: str = ""

    @property
    def share_alike(self) -> tuple[Source, ...]:
        return tuple(source for source in self.sources if source.share_alike)


def write_lineage(
    path: Path,
    *,
    made_by: str,
    sources: Iterable[Source],
    split: str | None = None,
    seed: int | None = None,
    left_out: Mapping[str, int] | None = None,
) -> Path:
    """Write the lineage of a finished data file beside it and return where; `made_by` is the command that made it.

    Raises:
        ValueError: the data are malformed.
    """
    counts = [sum(exchange.supervised for exchange in dialogue.exchanges) for dialogue in read_dialogues(path)]
    digest = file_sha256(path)
    lineage = DataLineage(
        path.name, digest, len(counts), sum(counts), made_by, split, seed, tuple(sources), dict(left_out or {})
    )
    target = path.with_name(path.name + _SUFFIX)
    partial = target.with_name(target.name + ".partial")
    text = json.dumps({"format": _FORMAT} | asdict(lineage), indent=2, ensure_ascii=False)
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(target)
    return target


def read_lineage(path: Path) -> DataLineage:
    """Return the lineage that lies beside a data file.

    Raises:
        ValueError: there is none, it is damaged, or the data have changed since.
    """
    file = path.with_name(path.name + _SUFFIX)
    if not file.is_file():
        raise ValueError(f"{path.name} has no {file.name} beside it: where the data come from is not known")
    try:
        lineage = _lineage(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file.name} is not a lineage ({error}): make the data again") from error
    if not path.is_file() or file_sha256(path) != lineage.sha256:
        raise ValueError(f"{path.name} is not the file that {file.name} was written for: make the data again")
    return lineage


def known_lineage(path: Path, sha256: str) -> DataLineage:
    """Return the lineage of a data file that had this digest, or, with a note that says why, an empty one."""
    try:
        lineage = read_lineage(path)
        if lineage.sha256 != sha256:
            raise ValueError(f"{path.name} has changed since the core was trained on it")
    except ValueError as error:
        return _unknown(path.name, sha256, str(error))
    return lineage


def rulebook_sources(rulebooks: Sequence[Path] | None) -> list[Source]:
    """Return one source for each rulebook file; None means those that come with Precept."""
    if rulebooks:
        return file_sources("rulebook", rulebooks, licence="the company's own")
    folder = Path(str(resources.files("training") / "rulebooks"))
    return file_sources("rulebook", sorted(folder.glob("*.yaml")), licence=_OWN_LICENCE)


def file_sources(kind: str, files: Iterable[Path], *, licence: str) -> list[Source]:
    """Return one source for each file."""
    return [Source(file.stem, kind, licence, file.name, sha256=file_sha256(file)) for file in files]


def digest_of(files: Sequence[Path]) -> str:
    """Return the SHA-256 of a file or, of several, that of their names and digests in order."""
    if len(files) == 1:
        return file_sha256(files[0])
    lines = "".join(f"{file_sha256(file)}  {file.name}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def licence_of(folder: Path) -> str:
    """Return the licence that a LICENSE file in the folder or above it opens with, as far as it is a known one."""
    places = [place for place in (folder, folder.parent) if any(place.glob("LICENSE*"))]
    files = sorted(places[0].glob("LICENSE*")) if places else []
    opening = files[0].read_text(encoding="utf-8", errors="replace")[:_LICENCE_CHARACTERS] if files else ""
    return next((name for name, words in _LICENCES.items() if words.search(opening)), "not stated")


def starting_core(folder: Path) -> dict[str, Any]:
    """Return what is known of the core that a run started from: its digest, and the lineage in its manifest."""
    weights, manifest = folder / WEIGHTS, folder / MANIFEST
    lineage = json.loads(manifest.read_text(encoding="utf-8")).get("lineage", {}) if manifest.is_file() else {}
    return {"name": folder.name, "sha256": file_sha256(weights) if weights.is_file() else "", "lineage": lineage}


def data_of(core_lineage: Mapping[str, Any]) -> tuple[DataLineage, ...]:
    """Return all data that went into a core, those of the cores before it included; of older cores only the names.

    Raises:
        ValueError: not the lineage of a core as a run writes it.
    """
    before = core_lineage.get("started_from")
    inherited = data_of(before["lineage"]) if before else ()
    try:
        if "data" in core_lineage:
            own = [_lineage(record) for record in core_lineage["data"]]
        else:
            run = core_lineage.get("run", {"data": (), "data_sha256": ()})
            files = zip(run["data"], run["data_sha256"], strict=True)
            own = [_unknown(Path(path).name, digest, "") for path, digest in files]
    except (KeyError, TypeError) as error:
        raise ValueError(f"the lineage of the core names its data in another way: {error}") from error
    return tuple({lineage.sha256: lineage for lineage in (*inherited, *own)}.values())


def _unknown(data: str, sha256: str, note: str) -> DataLineage:
    return DataLineage(data, sha256, None, None, "unknown", None, None, (), {}, note)


def _lineage(record: object) -> DataLineage:
    if not isinstance(record, dict):
        raise TypeError("it is not a JSON object")
    fields = {name: value for name, value in record.items() if name != "format"}
    return DataLineage(**fields | {"sources": tuple(Source(**source) for source in record["sources"])})
