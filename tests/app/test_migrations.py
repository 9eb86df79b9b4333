"""Homes of older versions are brought up to date in place, with everything they hold."""

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Boolean, Connection, DateTime, MetaData, select

from app.database import Database, _alembic
from app.records import User
from app.schema import DocumentVersion, Job
from app.services import Services, open_services
from app.settings import Settings
from retrieval.embedding import HashingEmbedder
from tests.app.quoting_reader import QuotingReader

OLDER = Path(__file__).parent / "older_homes"
LEAVE = "policies/leave.md"


@pytest.fixture
def older(settings: Settings, database_url: str, tmp_path: Path) -> Settings:
    """A home as the first schema left it: documents, one with three versions, jobs, an account, an answer."""
    source = tmp_path / "older.sqlite"
    with sqlite3.connect(source) as rows:
        rows.executescript((OLDER / "0001.sql").read_text(encoding="utf-8"))
    rows.close()
    if database_url.startswith("sqlite"):
        source.replace(tmp_path / "precept.sqlite")
        return settings
    database = Database(database_url)
    with database.engine.begin() as connection:
        command.downgrade(_alembic(connection), "0001")
    with database.engine.begin() as connection:
        _copy(source, connection)
    database.close()
    return settings


@pytest.fixture
def services(older: Settings) -> Iterator[Services]:
    with open_services(older, reader=QuotingReader(), embedder=HashingEmbedder(dim=16)) as opened:
        yield opened


def test_an_older_home_has_the_schema_of_this_version_and_all_its_rows(services: Services, operator: User):
    services.database.check_schema()
    assert [(document.name, document.version) for document in services.documents.list(operator)] == [
        (LEAVE, 3),
        ("policies/meals.md", 1),
        ("policies/retention.txt", 1),
    ]
    for version, days in ((1, b"25"), (2, b"28"), (3, b"30")):
        assert days in services.documents.text(operator, LEAVE, version)
    with services.database.read() as session:
        assert len(session.scalars(select(Job)).all()) == 12
    assert services.documents.search(operator, "annual leave", 1)[0].version == 3


def test_versions_of_an_older_home_know_when_they_were_superseded(services: Services):
    with services.database.read() as session:
        rows = session.scalars(select(DocumentVersion).order_by(DocumentVersion.version)).all()
        leave = [row for row in rows if row.title == "Leave"]
        assert [row.superseded_at for row in leave] == [leave[1].created_at, leave[2].created_at, None]
        assert all(row.superseded_at is None for row in rows if row.title != "Leave")


def test_answers_of_an_older_home_still_show_what_they_cite(services: Services, operator: User):
    conversation = services.conversations.list(operator)[0]
    (message,) = services.conversations.messages(operator, conversation.id)
    assert message.answer is not None and message.answer.citations[0].version == 3
    assert "30 days" in message.answer.citations[0].quote


def test_a_migration_that_is_cut_off_is_done_anew(older: Settings):
    assert older.database_url is not None
    database = Database(older.database_url.get_secret_value())
    with pytest.raises(ZeroDivisionError), database.engine.begin() as connection:
        command.upgrade(_alembic(connection), "head")
        raise ZeroDivisionError("the power fails before the commit")
    database.migrate()
    database.check_schema()
    database.close()


def _copy(source: Path, target: Connection) -> None:
    """Copy rows from a SQLite database into empty tables of the same names."""
    tables = MetaData()
    tables.reflect(target)
    rows = sqlite3.connect(source)
    rows.row_factory = sqlite3.Row
    for table in tables.sorted_tables:
        if table.name == "alembic_version" or table.name.startswith("keyword"):
            continue
        values = [
            {column.name: _value(column.type, row[column.name]) for column in table.columns}
            for row in rows.execute(f'SELECT * FROM "{table.name}"')
        ]
        target.execute(table.delete())
        if values:
            target.execute(table.insert(), values)
    rows.close()


def _value(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, DateTime):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    if isinstance(kind, Boolean):
        return bool(value)
    return json.loads(value) if type(kind).__name__ == "JSONB" else value
