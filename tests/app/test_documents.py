"""Documents come in whole, once, under their names, and leave at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import InvalidRequest, NotAllowed, NotFound
from app.records import User
from app.services import Services, open_services
from app.settings import Settings
from app.sources import expand, named_source
from retrieval.embedding import HashingEmbedder


def test_a_folder_becomes_one_document_for_each_file(services: Services, operator: User, folder: Path):
    reports = services.documents.ingest(operator, [folder])
    assert [report.status for report in reports] == ["added"] * 3
    assert all(report.chunks > 0 for report in reports)
    listed = services.documents.list(operator)
    assert [document.name for document in listed] == [
        "policies/leave.md",
        "policies/retention.txt",
        "policies/travel/meals.md",
    ]
    assert {document.version for document in listed} == {1}


def test_the_stored_text_is_what_every_hit_counts_bytes_of(services: Services, operator: User, folder: Path):
    services.documents.ingest(operator, [folder])
    hits = services.documents.search(operator, "hotel per night", 10)
    assert hits[0].document == "policies/travel/meals.md"
    for hit in hits:
        assert services.documents.text(operator, hit.document, hit.version)[hit.start : hit.end].decode() == hit.text


def test_the_same_content_changes_nothing_and_new_content_is_a_new_version(
    services: Services, operator: User, folder: Path
):
    services.documents.ingest(operator, [folder])
    again = services.documents.ingest(operator, [folder])
    assert [report.status for report in again] == ["unchanged"] * 3
    assert all(report.chunks > 0 for report in again)
    (folder / "leave.md").write_text("# Leave\n\nEmployees receive 28 days of annual leave per year.\n")
    changed = services.documents.ingest(operator, [folder])
    assert sorted(report.status for report in changed) == ["unchanged", "unchanged", "updated"]
    name = "policies/leave.md"
    assert b"28 days" in services.documents.text(operator, name)
    assert b"25 days" in services.documents.text(operator, name, 1)
    found = [hit.text for hit in services.documents.search(operator, "annual leave days", 10) if hit.document == name]
    assert len(found) == 1 and "28 days" in found[0]


def test_a_removed_document_is_gone_from_everywhere_at_once(services: Services, operator: User, folder: Path):
    services.documents.ingest(operator, [folder])
    services.documents.search(operator, "annual leave", 10)
    services.documents.remove(operator, "policies/leave.md")
    assert all(hit.document != "policies/leave.md" for hit in services.documents.search(operator, "annual leave", 10))
    with pytest.raises(NotFound):
        services.documents.text(operator, "policies/leave.md")
    assert services.documents.ingest(operator, [folder])[0].status == "added"


def test_a_file_that_cannot_be_read_stops_no_other(services: Services, operator: User, folder: Path):
    (folder / "binary.md").write_bytes(bytes(range(256)) * 20)
    (folder / "empty.txt").write_bytes(b"")
    (folder / "report.pdf").write_bytes(b"%PDF-1.7\n1 0 obj\n")
    reports = services.documents.ingest(operator, [folder, folder / "not-there.md"])
    failed = {Path(report.path).name: report.error or "" for report in reports if report.status == "failed"}
    assert set(failed) == {"binary.md", "empty.txt", "report.pdf", "not-there.md"}
    assert all(name in error and error.endswith(".") and "\n" not in error for name, error in failed.items())
    assert sum(report.status == "added" for report in reports) == 3


def test_progress_is_told_for_each_file(services: Services, operator: User, folder: Path):
    told: list[tuple[str, int, int]] = []
    services.documents.ingest(
        operator, [folder], on_progress=lambda report, done, total: told.append((report.status, done, total))
    )
    assert told == [("added", 1, 3), ("added", 2, 3), ("added", 3, 3)]


def test_a_second_process_sees_what_the_first_takes_in_and_removes(
    services: Services, settings: Settings, folder: Path
):
    with open_services(settings, embedder=HashingEmbedder()) as other:
        operator = services.identity.operator()
        assert other.documents.search(operator, "invoices", 3) == []
        services.documents.ingest(operator, [folder])
        assert other.documents.search(operator, "invoices", 3)[0].document == "policies/retention.txt"
        services.documents.remove(operator, "policies/retention.txt")
        assert all(hit.document != "policies/retention.txt" for hit in other.documents.search(operator, "invoices", 3))


def test_a_collection_is_read_by_its_readers_alone(services: Services, operator: User, employee: User, folder: Path):
    services.documents.ingest(operator, [folder / "leave.md"], "people")
    services.documents.ingest(operator, [folder / "retention.txt"])
    assert [document.name for document in services.documents.list(employee)] == ["retention.txt"]
    assert all(hit.document == "retention.txt" for hit in services.documents.search(employee, "annual leave", 10))
    for read in _readings("leave.md"):
        with pytest.raises(NotFound):
            read(services, employee)
    services.documents.share(operator, "people", everyone=False, readers=[employee.email])
    assert services.documents.search(employee, "annual leave", 10)[0].document == "leave.md"
    services.documents.share(operator, "people", everyone=False)
    assert all(hit.document == "retention.txt" for hit in services.documents.search(employee, "annual leave", 10))


def _readings(name: str) -> list[Callable[[Services, User], object]]:
    return [
        lambda services, user: services.documents.text(user, name),
        lambda services, user: services.documents.search(user, "annual leave", 3, "people"),
    ]


def test_only_administrators_change_documents(services: Services, employee: User, folder: Path):
    with pytest.raises(NotAllowed, match="Ada may not manage documents"):
        services.documents.ingest(employee, [folder])
    with pytest.raises(NotAllowed):
        services.documents.remove(employee, "policies/leave.md")
    with pytest.raises(NotAllowed):
        services.documents.share(employee, "company", everyone=True)


def test_a_document_stays_in_its_collection(services: Services, operator: User, folder: Path):
    services.documents.ingest(operator, [folder / "leave.md"])
    report = services.documents.ingest(operator, [folder / "leave.md"], "people")[0]
    assert report.status == "failed" and "is in the collection 'company'" in (report.error or "")


@pytest.mark.parametrize(("query", "k"), [("", 10), ("   ", 10), ("\x00\x07", 10), ("leave", 0), ("x" * 5000, 10)])
def test_a_query_that_asks_nothing_is_refused(services: Services, operator: User, query: str, k: int):
    with pytest.raises(InvalidRequest):
        services.documents.search(operator, query, k)


@pytest.mark.parametrize(
    "query", ['"', "a AND NOT (b OR", "'; DROP TABLE chunk; --", "*", "col:", "& | !", "ünïcödé 日本", "%_\\"]
)
def test_no_query_is_read_as_syntax(services: Services, operator: User, folder: Path, query: str):
    services.documents.ingest(operator, [folder])
    services.documents.search(operator, query, 3)


@pytest.mark.parametrize(
    "name", ["../up.md", "/etc/passwd", "a/../../b", "", "bell\x07.md", "right\u202eto-left.md", "x" * 500]
)
def test_a_name_that_is_no_relative_path_is_refused(tmp_path: Path, name: str):
    source = named_source(tmp_path / "file.md", name)
    assert source.error and not source.name and "\x07" not in source.shown


def test_relative_paths_are_names_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for parent in ("a", "b/c"):
        (tmp_path / parent).mkdir(parents=True)
        (tmp_path / parent / "same.md").write_text(parent)
    (tmp_path / ".hidden").write_text("no")
    monkeypatch.chdir(tmp_path)
    assert [source.name for source in expand([Path("a/same.md"), Path("./b")])] == ["a/same.md", "b/c/same.md"]
    assert [source.name for source in expand([Path()])] == ["a/same.md", "b/c/same.md"]


def test_two_files_of_a_batch_never_share_a_name(tmp_path: Path):
    for parent in ("a", "b"):
        (tmp_path / parent).mkdir()
        (tmp_path / parent / "same.md").write_text(parent)
    first, second = expand([tmp_path / "a" / "same.md", tmp_path / "b" / "same.md"])
    assert first.name == "same.md" and not first.error
    assert "called same.md too" in second.error
