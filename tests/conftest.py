"""Databases for the tests: a SQLite file, and a PostgreSQL server of our own where its binaries are installed.

`--db sqlite` or `--db postgres` runs the tests that are parametrised over both on one of them.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.database import Database, sqlite_url
from app.records import Role, User
from app.services import Services, open_services
from app.settings import Settings
from retrieval.embedding import HashingEmbedder
from tests.app.quoting_reader import QuotingReader

PASSWORD = "a sentence that is long enough"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--db", choices=("sqlite", "postgres"), help="run the database tests on one database only")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" in metafunc.fixturenames:
        only = metafunc.config.getoption("--db")
        metafunc.parametrize("database_kind", [only] if only else ["sqlite", "postgres"], scope="session")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite database, to be copied."""
    folder = tmp_path_factory.mktemp("template")
    _migrate(sqlite_url(folder))
    return folder / "precept.sqlite"


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[Path | None]:
    """A running server's socket folder, with a migrated database `template_precept`; None where it is not installed."""
    binaries = _postgres_binaries()
    if binaries is None:
        yield None
        return
    base = Path(tempfile.mkdtemp(prefix="precept-pg-"))
    options: dict[str, object] = {"cwd": base, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if os.geteuid() == 0:  # the server refuses to run as root
        account = pwd.getpwnam("postgres")
        os.chown(base, account.pw_uid, account.pw_gid)
        options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    data = base / "data"
    initdb = [binaries / "initdb", "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run(initdb, check=True, **options)  # type: ignore[call-overload]
    fast = [f"-c{name}=off" for name in ("fsync", "synchronous_commit", "full_page_writes")]
    command = [binaries / "postgres", "-D", data, "-k", base, "-clisten_addresses=", *fast]
    server = subprocess.Popen(command, **options)  # type: ignore[call-overload]
    try:
        _create_database(base, "template_precept", wait_s=30)
        _migrate(_postgres_url(base, "template_precept"))
        yield base
    finally:
        server.send_signal(signal.SIGINT)  # SIGTERM would wait for connections in our own pools
        server.wait(30)
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh, migrated database of each kind."""
    if database_kind == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "precept.sqlite")
        yield sqlite_url(tmp_path)
        return
    base = request.getfixturevalue("postgres_folder")
    if base is None:
        pytest.skip("The PostgreSQL server's binaries are not installed here; .ci/run installs them.")
    name = f"test_{uuid.uuid4().hex}"
    _create_database(base, name, template="template_precept")
    yield _postgres_url(base, name)
    with psycopg.connect(dbname="postgres", user="tests", host=str(base), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """A home of its own; passwords are hashed with little memory, because tests make many accounts."""
    return Settings(home=tmp_path / "home", database_url=database_url, password_memory_kib=64)


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    """The whole application with a reader that quotes and an embedder that hashes."""
    with open_services(settings, reader=QuotingReader(), embedder=HashingEmbedder()) as opened:
        yield opened


@pytest.fixture
def operator(services: Services) -> User:
    return services.identity.operator()


@pytest.fixture
def employee(services: Services, operator: User) -> User:
    return services.identity.add_user(operator, "ada@company.example", "Ada", Role.EMPLOYEE, PASSWORD)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three short policies."""
    root = tmp_path / "policies"
    (root / "travel").mkdir(parents=True)
    (root / "travel" / "meals.md").write_text(
        "# Travel\n\n## Meals\n\nMeals on business travel are reimbursed up to $60 per day. "
        "Alcohol is never reimbursed.\n\n## Hotels\n\nA hotel may cost up to €180 per night – breakfast included.\n",
        encoding="utf-8",
    )
    (root / "leave.md").write_text("# Leave\n\nEmployees receive 25 days of annual leave per year.\n")
    (root / "retention.txt").write_text("Invoices are kept for ten years. Applications are deleted after six months.\n")
    return root


def _postgres_binaries() -> Path | None:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if installed:
        return installed[-1].parent
    return Path(on_path).resolve().parent if on_path and shutil.which("postgres") else None


def _create_database(base: Path, name: str, template: str = "template1", wait_s: float = 5) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            with psycopg.connect(dbname="postgres", user="tests", host=str(base), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _postgres_url(base: Path, name: str) -> str:
    return f"postgresql://tests@/{name}?host={base}"


def _migrate(url: str) -> None:
    database = Database(url)
    try:
        database.migrate()
    finally:
        database.close()
