"""The registry of cores: which checkpoint folders there are, which one serves, and which one did before.

The core that ships with the package is called `default` and serves until another is promoted. Imported folders are
verified and copied into the home. A promotion takes effect with the next question, in every process.
"""

import json
import re
import shutil
import tempfile
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.access import require
from app.database import Database, utc_now
from app.errors import Conflict, InvalidRequest, NotFound, Unavailable
from app.records import CoreEntry, Permission, User
from app.schema import ImportedCore, Promotion
from reasoning_core.checkpoint import CheckpointDamaged, default_core_folder, file_sha256, load_checkpoint

DEFAULT = "default"
_WEIGHTS = "model.safetensors"
_NAME = re.compile(r"[\w.-]{1,60}")


class Cores:
    """The cores of one home. Where no actor is named, the local operator acts."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    @property
    def serving(self) -> CoreEntry:
        """The core that answers.

        Raises:
            Unavailable: there is none.
        """
        entry = next((entry for entry in self.list() if entry.serving), None)
        if entry is None:
            raise Unavailable("There is no reasoning core: train one, and bring it in with 'precept cores import DIR'.")
        return entry

    def list(self) -> list[CoreEntry]:
        with self._database.read() as session:
            serving = _serving_name(session)
            rows = session.scalars(select(ImportedCore).order_by(ImportedCore.name)).all()
        shipped = _shipped(serving)
        return [
            *([shipped] if shipped else []),
            *(CoreEntry(r.name, Path(r.folder), r.name == serving, r.parameters, r.sha256) for r in rows),
        ]

    def import_(self, folder: Path, actor: User | None = None) -> CoreEntry:
        """Verify a checkpoint folder and keep a copy; it does not serve until it is promoted.

        Raises:
            InvalidRequest: the folder holds no core, or its name cannot be one.
            Conflict: another core has this name.
        """
        _require(actor)
        name = folder.resolve().name
        if not _NAME.fullmatch(name) or name == DEFAULT:
            raise InvalidRequest(f"{name!r} cannot be the name of a core: rename the folder, letters and digits only.")
        try:
            checkpoint = load_checkpoint(folder)
        except (CheckpointDamaged, OSError) as error:
            raise InvalidRequest(f"This core cannot be imported: {error}.") from error
        kept = self._folder / f"{name}-{checkpoint.sha256[:12]}"
        row = ImportedCore(
            name=name,
            folder=str(kept),
            sha256=checkpoint.sha256,
            parameters=sum(weights.numel() for weights in checkpoint.model.parameters()),
            imported_at=utc_now(),
        )
        with self._database.write() as session:
            existing = session.scalar(select(ImportedCore).where(ImportedCore.name == name).with_for_update())
            if existing is not None and existing.sha256 != row.sha256:
                raise Conflict(f"There is a core {name!r} already, with other weights: rename the folder.")
            _copy(folder, kept)
            if existing is None:
                session.add(row)
                audit.record(session, actor, "core.import", name, sha256=row.sha256)
        return self._entry(name)

    def promote(self, name: str, actor: User | None = None) -> CoreEntry:
        """Let a core answer from now on."""
        _require(actor)
        self._entry(name)
        with self._database.write() as session:
            if _serving_name(session) != name:
                session.add(Promotion(core=name, at=utc_now()))
                audit.record(session, actor, "core.promote", name)
        return self._entry(name)

    def rollback(self, actor: User | None = None) -> CoreEntry:
        """Let the core that served before answer again."""
        _require(actor)
        with self._database.write() as session:
            newest = _newest(session)
            if newest is None:
                raise Conflict("No core was promoted yet: there is nothing to roll back.")
            newest.rolled_back_at = utc_now()
            session.flush()
            name = _serving_name(session)
            audit.record(session, actor, "core.rollback", name, was=newest.core)
        return self._entry(name)

    def _entry(self, name: str) -> CoreEntry:
        entry = next((entry for entry in self.list() if entry.name == name), None)
        if entry is None:
            raise NotFound(f"There is no core {name!r}: 'precept cores list' names them.")
        return entry


def _require(actor: User | None) -> None:
    if actor is not None:
        require(actor, Permission.MANAGE_CORES)


def _newest(session: Session) -> Promotion | None:
    query = select(Promotion).where(Promotion.rolled_back_at.is_(None)).order_by(Promotion.id.desc()).limit(1)
    return session.scalar(query)


def _serving_name(session: Session) -> str:
    newest = _newest(session)
    return newest.core if newest else DEFAULT


def _shipped(serving: str) -> CoreEntry | None:
    folder = default_core_folder()
    if not (folder / _WEIGHTS).is_file():
        return None
    return CoreEntry(
        DEFAULT, folder, serving == DEFAULT, _parameters(folder / _WEIGHTS), file_sha256(folder / _WEIGHTS)
    )


def _parameters(weights: Path) -> int:
    """Count from the header of a safetensors file: its length in 8 bytes, then JSON with every tensor's shape."""
    with weights.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    total = 0
    for name, tensor in header.items():
        if name != "__metadata__":
            size = 1
            for length in tensor["shape"]:
                size *= length
            total += size
    return total


def _copy(source: Path, target: Path) -> None:
    """Copy a folder so that it is there whole or not at all."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=target.parent))
    shutil.copytree(source, partial, dirs_exist_ok=True)
    partial.rename(target)
