"""The database: SQLite in the home, or PostgreSQL, behind short transactions.

`write` opens a transaction that takes the write lock at once. On SQLite the driver's own transactions leave SELECT
outside, and two processes then claim one job twice; so they are switched off and BEGIN IMMEDIATE is sent instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, select, text
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql import func

from app.errors import InvalidRequest, Unavailable

_READ_ONLY = "precept_read_only"
_MIGRATION_LOCK = 7_265_101_112  # any number, the same in every version


class Database:
    """One engine; safe to use from many threads."""

    def __init__(self, url: str, wait_s: float = 10.0) -> None:
        self.engine = _engine(url, wait_s)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._reader = self.engine.execution_options(**{_READ_ONLY: True})

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back by any exception.

        Raises:
            Unavailable: another process held the database for too long, or the server cannot be reached.
        """
        with _sentences(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One consistent view of the rows that waits for nobody."""
        with _sentences(), Session(self._reader, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self) -> None:
        """Bring the schema to this version; several processes may do so at once.

        Raises:
            Unavailable: a newer version of Precept has made this database.
        """
        with _sentences():
            with self._reader.begin() as connection:
                if _is_current(connection):
                    return
            with self.engine.begin() as connection:
                if not self.is_sqlite:
                    connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
                if not _is_current(connection):
                    command.upgrade(_alembic(connection), "head")

    def check_schema(self) -> None:
        """Fail where tables and `app.schema` differ; for tests."""
        with self.engine.begin() as connection:
            command.check(_alembic(connection))

    def now(self, session: Session) -> datetime:
        """The clock that leases are measured by: the server's, because machines' clocks differ."""
        if self.is_sqlite:
            return utc_now()
        instant: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
        return instant.astimezone(UTC)

    def ping(self) -> None:
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        self.engine.dispose()


def utc_now() -> datetime:
    return datetime.now(UTC)


def sqlite_url(home: Path) -> str:
    return f"sqlite:///{home / 'precept.sqlite'}"


def _engine(url: str, wait_s: float) -> Engine:
    try:
        engine = create_engine(_with_driver(url), pool_pre_ping=not url.startswith("sqlite"))
    except (ArgumentError, ModuleNotFoundError) as error:
        raise InvalidRequest(
            "PRECEPT_DATABASE_URL is not a database that Precept knows: write postgresql://user@host/name, "
            "or leave it away for SQLite in the home."
        ) from error
    if engine.dialect.name == "sqlite":
        _set_up_sqlite(engine, wait_s)
    return engine


def _with_driver(url: str) -> str:
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return f"postgresql+psycopg://{url.removeprefix(prefix)}"
    return url


def _set_up_sqlite(engine: Engine, wait_s: float) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: PoolProxiedConnection) -> None:
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {int(wait_s * 1000)}",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "foreign_keys = ON",
            "journal_size_limit = 67108864",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get(_READ_ONLY, False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


@contextmanager
def _sentences() -> Iterator[None]:
    """Say in one sentence what an operator can do something about."""
    try:
        yield
    except OperationalError as error:
        reason = str(error.orig)
        if "database is locked" in reason:
            raise Unavailable("The database is held by another process; try again in a moment.") from error
        if "connection" in reason or "connect" in reason:
            raise Unavailable(
                "The database server cannot be reached; check PRECEPT_DATABASE_URL and the server."
            ) from error
        if "unable to open" in reason or "readonly" in reason or "disk" in reason:
            raise Unavailable(f"The database cannot be written ({reason}); check the home's disk.") from error
        raise


def _is_current(connection: Connection) -> bool:
    revision = MigrationContext.configure(connection).get_current_revision()
    scripts = ScriptDirectory.from_config(_alembic(connection))
    known = {script.revision for script in scripts.walk_revisions()}
    if revision is not None and revision not in known:
        raise Unavailable(
            f"This database was made by a newer version of Precept (schema {revision}): start that version, "
            "or another home."
        )
    return revision == scripts.get_current_head()


def _alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "app:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
