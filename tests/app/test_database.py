"""The database: its schema, its migrations, its transactions, its refusals."""

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from app.database import Database, sqlite_url
from app.errors import InvalidRequest, Unavailable
from app.generation import generation, next_generation
from app.services import open_services
from app.settings import Settings, prepare_home


@pytest.fixture
def database(database_url: str):
    opened = Database(database_url)
    yield opened
    opened.close()


def test_the_migrations_make_the_schema_that_the_code_knows(database: Database):
    database.check_schema()


def test_migrating_twice_or_at_once_changes_nothing(database: Database, tmp_path: Path):
    fresh = sqlite_url(tmp_path / "fresh") if database.is_sqlite else None
    if fresh:
        (tmp_path / "fresh").mkdir()
    refusals: list[BaseException] = []

    def migrate() -> None:
        own = Database(fresh) if fresh else database
        try:
            own.migrate()
        except Exception as error:  # noqa: BLE001 - carried to the assertion
            refusals.append(error)

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refusals == []


def test_a_database_of_a_newer_version_is_refused_with_one_sentence(database: Database):
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match=r"made by a newer version of Precept \(schema 9999\)"):
        database.migrate()


def test_writers_take_turns_and_lose_nothing(database: Database):
    def count_up() -> None:
        for _ in range(20):
            with database.write() as session:
                next_generation(session)

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert generation(session) == 80


def test_an_exception_rolls_everything_back(database: Database):
    with pytest.raises(KeyError), database.write() as session:
        next_generation(session)
        raise KeyError("something else")
    with database.read() as session:
        assert generation(session) == 0


def test_a_locked_database_is_said_so(tmp_path: Path, sqlite_template: Path):
    path = tmp_path / "precept.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(sqlite_url(tmp_path), wait_s=0.05)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(Unavailable, match="held by another process"), database.write() as session:
            next_generation(session)
        with database.read() as session:  # readers wait for nobody
            assert generation(session) == 0
    finally:
        holder.close()
        database.close()


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/name", "oracle+thing://x"])
def test_an_address_that_is_no_database_is_refused_with_one_sentence(url: str):
    with pytest.raises(InvalidRequest, match="PRECEPT_DATABASE_URL"):
        Database(url)


def test_a_server_that_is_not_there_is_said_so(tmp_path: Path):
    database = Database(f"postgresql://nobody@/precept?host={tmp_path}")
    with pytest.raises(Unavailable, match="cannot be reached"):
        database.migrate()
    database.close()


def test_a_home_that_cannot_be_written_is_refused_with_one_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(InvalidRequest, match=r"The home .* cannot be written .*--home or PRECEPT_HOME"),
        open_services(Settings(home=tmp_path / "file" / "home")),
    ):
        pass


def test_a_home_is_its_owners_alone(tmp_path: Path):
    home = prepare_home(Settings(home=tmp_path / "deep" / "home"))
    assert home.stat().st_mode & 0o077 == 0


def test_settings_come_from_arguments_then_environment_then_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "precept.toml").write_text('port = 1001\nhost = "10.0.0.1"\nquestion_chars = 50\n')
    monkeypatch.setenv("PRECEPT_HOST", "10.0.0.2")
    monkeypatch.setenv("PRECEPT_QUESTION_CHARS", "60")
    settings = Settings(home=tmp_path, question_chars=70)
    assert (settings.port, settings.host, settings.question_chars) == (1001, "10.0.0.2", 70)
    monkeypatch.setenv("PRECEPT_HOME", str(tmp_path))
    assert Settings().port == 1001
