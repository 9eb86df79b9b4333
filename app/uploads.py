"""Uploaded files on their way in: kept in the home until their job is over, whoever does it and when."""

import secrets
import shutil
import time
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import select

from app.database import Database
from app.schema import Job
from app.sources import Source, named_source

_KEPT_S = 7 * 24 * 3600.0  # a failed or cancelled one may be tried again so long
_SWEEP_EVERY_S = 600.0


class Uploads:
    """The folder `inbox` of a home."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self._swept_at = 0.0

    def keep(self, file: BinaryIO, name: str) -> Source:
        """Write an upload where its job finds it; the name it came with is a name and never a path."""
        path = self._folder / secrets.token_hex(8) / "upload"
        path.parent.mkdir(parents=True)
        with path.open("wb") as target:
            shutil.copyfileobj(file, target)
        source = named_source(path, name)
        if source.error:
            self.drop(path)
        return Source(source.path, name, source.name, source.error)

    def drop(self, path: Path) -> None:
        shutil.rmtree(path.parent, ignore_errors=True)

    def sweep(self) -> None:
        """From time to time, drop what no job will read any more."""
        now = time.time()
        if now - self._swept_at < _SWEEP_EVERY_S or not self._folder.is_dir():
            return
        self._swept_at = now
        with self._database.read() as session:
            payloads = session.scalars(select(Job.payload).where(Job.state != "done"))
            wanted = {payload.get("path") for payload in payloads}
        for path in self._folder.glob("*/upload"):
            age_s = now - path.stat().st_mtime
            if age_s > _KEPT_S or (age_s > _SWEEP_EVERY_S and str(path) not in wanted):
                self.drop(path)
