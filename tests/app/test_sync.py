"""A synced folder: its documents are its files, whatever happens to them, and only the difference is worked on."""

import os
import shutil
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import update

from app.errors import InvalidRequest, NotAllowed, NotFound
from app.file_content import Signature
from app.folder_scan import FolderScan
from app.keywords import Keywords
from app.records import User
from app.schema import SyncedFolder
from app.services import Services, open_services
from app.settings import Settings
from app.sync import Sync
from app.sync_plan import KnownFile, plan_sync
from app.synced_folders import SyncedFolders
from tests.app.counting_embedder import CountingEmbedder
from tests.app.quoting_reader import QuotingReader


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


@pytest.fixture
def services(settings: Settings, embedder: CountingEmbedder) -> Iterator[Services]:
    with open_services(settings, reader=QuotingReader(), embedder=embedder) as opened:
        yield opened


@pytest.fixture
def sync(services: Services) -> Sync:
    """A sync that takes a file as soon as it is there."""
    return patient(services, 0.0)


def patient(services: Services, settle_s: float) -> Sync:
    database = services.database
    return Sync(database, SyncedFolders(database), services.documents, Keywords(database), settle_s)


def statuses(sync: Sync, operator: User, folder: Path, **options: bool) -> dict[str, str]:
    report = sync.sync(operator, folder, **options)
    return {str(Path(each.path).relative_to(folder)): each.status for each in report.files}


def stored(services: Services, operator: User) -> dict[str, bytes]:
    return {each.name: services.documents.text(operator, each.name) for each in services.documents.list(operator)}


def on_disk(folder: Path) -> dict[str, bytes]:
    return {f"{folder.name}/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*.*")}


def test_the_first_sync_adds_all_and_the_second_reads_nothing(
    services: Services, sync: Sync, operator: User, folder: Path, embedder: CountingEmbedder
):
    assert set(statuses(sync, operator, folder).values()) == {"added"}
    assert stored(services, operator) == on_disk(folder)
    embedder.texts.clear()
    again = sync.sync(operator, folder)
    assert again.files == [] and again.unchanged == 3 and embedder.texts == []


def test_only_what_differs_is_embedded(
    services: Services, sync: Sync, operator: User, folder: Path, embedder: CountingEmbedder
):
    statuses(sync, operator, folder)
    embedder.texts.clear()
    meals = folder / "travel" / "meals.md"
    meals.write_text(meals.read_text(encoding="utf-8").replace("$60", "$75"), encoding="utf-8")
    (folder / "new.md").write_text("# New\n\nA desk may be booked two weeks ahead.\n")
    (folder / "retention.txt").unlink()
    os.utime(folder / "leave.md", (1, 1))
    assert statuses(sync, operator, folder) == {
        "travel/meals.md": "updated",
        "new.md": "added",
        "retention.txt": "removed",
    }
    assert stored(services, operator) == on_disk(folder)
    assert len(embedder.texts) == 2 and "$75" in "".join(embedder.texts)  # the hotels' section was embedded before
    assert all("Invoices" not in hit.text for hit in services.documents.search(operator, "invoices", 10))


def test_a_move_keeps_the_document_and_embeds_nothing(
    services: Services, sync: Sync, operator: User, folder: Path, embedder: CountingEmbedder
):
    statuses(sync, operator, folder)
    before = services.documents.search(operator, "annual leave", 1)[0]
    embedder.texts.clear()
    (folder / "people").mkdir()
    (folder / "leave.md").rename(folder / "people" / "holidays.md")
    assert statuses(sync, operator, folder) == {"people/holidays.md": "moved"}
    assert embedder.texts == [] and stored(services, operator) == on_disk(folder)
    after = services.documents.search(operator, "annual leave", 1)[0]
    assert (after.document, after.version_id) == ("policies/people/holidays.md", before.version_id)
    with pytest.raises(NotFound):
        services.documents.text(operator, "policies/leave.md")


def test_files_with_the_same_content_stay_two_documents(
    services: Services, sync: Sync, operator: User, folder: Path, embedder: CountingEmbedder
):
    statuses(sync, operator, folder)
    embedder.texts.clear()
    shutil.copy(folder / "leave.md", folder / "copy.md")
    assert statuses(sync, operator, folder) == {"copy.md": "added"}
    assert embedder.texts == []
    (folder / "leave.md").unlink()
    assert statuses(sync, operator, folder) == {"leave.md": "removed"}
    assert services.documents.search(operator, "annual leave", 1)[0].document == "policies/copy.md"


def test_a_dry_run_says_the_same_and_changes_nothing(
    services: Services, sync: Sync, operator: User, folder: Path, embedder: CountingEmbedder
):
    assert set(statuses(sync, operator, folder, dry_run=True).values()) == {"added"}
    assert services.documents.list(operator) == [] and sync.folders.list(operator) == []
    statuses(sync, operator, folder)
    before = stored(services, operator)
    (folder / "leave.md").rename(folder / "holidays.md")
    (folder / "retention.txt").unlink()
    (folder / "travel" / "meals.md").write_text("# Travel\n\nNothing is reimbursed.\n")
    planned = statuses(sync, operator, folder, dry_run=True)
    assert stored(services, operator) == before
    assert planned == {"holidays.md": "moved", "retention.txt": "removed", "travel/meals.md": "updated"}
    assert statuses(sync, operator, folder) == planned


def test_an_empty_or_absent_folder_removes_nothing_unless_told(
    services: Services, sync: Sync, operator: User, folder: Path
):
    statuses(sync, operator, folder)
    aside = folder.with_name("aside")
    folder.rename(aside)
    with pytest.raises(InvalidRequest, match="is not there"):
        sync.sync(operator, folder)
    folder.mkdir()
    with pytest.raises(InvalidRequest, match=r"holds no files now, but 3 documents came from it.*--allow-empty"):
        sync.sync(operator, folder)
    assert len(services.documents.list(operator)) == 3
    assert set(statuses(sync, operator, folder, allow_empty=True).values()) == {"removed"}
    assert services.documents.list(operator) == []


def test_links_and_unreadable_files_are_said_and_stop_nothing(
    services: Services, sync: Sync, operator: User, folder: Path, tmp_path: Path
):
    (tmp_path / "secret.md").write_text("# Secret\n\nNot in the folder.\n")
    (folder / "link.md").symlink_to(tmp_path / "secret.md")
    (folder / "loop").symlink_to(folder)
    (folder / "binary.md").write_bytes(bytes(range(256)) * 20)
    os.mkfifo(folder / "pipe.md")
    found = statuses(sync, operator, folder)
    assert {path: found[path] for path in ("link.md", "loop", "pipe.md", "binary.md")} == {
        "link.md": "skipped",
        "loop": "skipped",
        "pipe.md": "skipped",
        "binary.md": "failed",
    }
    assert len(services.documents.list(operator)) == 3
    (folder / "binary.md").write_text("# Text now\n\nIt can be read.\n")
    assert statuses(sync, operator, folder)["binary.md"] == "added"


def test_a_folder_that_cannot_be_read_keeps_its_documents():
    known = {path: KnownFile(Signature(1, 1), "a", 1, None) for path in ("travel/meals.md", "travels.md")}
    plan = plan_sync(FolderScan(unreadable=["travel"]), known, lambda _: None, lambda _: False, again=False)
    assert plan.removed == ["travels.md"]


def test_names_that_differ_in_case_are_two_and_in_unicode_form_are_one(
    services: Services, sync: Sync, operator: User, folder: Path
):
    (folder / "LEAVE.md").write_text("# Other\n\nAnother file.\n")
    for form in ("NFC", "NFD"):
        (folder / unicodedata.normalize(form, "café.md")).write_text(f"# Café\n\nWritten in {form}.\n")
    report = sync.sync(operator, folder)
    (refused,) = [each for each in report.files if each.status == "failed"]
    assert "in other Unicode characters" in (refused.error or "")
    names = set(stored(services, operator))
    assert {"policies/leave.md", "policies/LEAVE.md", "policies/café.md"} <= names and len(names) == 5


def test_a_file_that_is_being_written_is_left_for_later(services: Services, operator: User, folder: Path):
    patient(services, 0.0).sync(operator, folder, watch=True)
    (folder / "leave.md").write_text("# Leave\n\nEmploy")
    look(services, patient(services, 3600.0))
    assert b"25 days" in services.documents.text(operator, "policies/leave.md")
    look(services, patient(services, 0.0))
    assert services.documents.text(operator, "policies/leave.md").endswith(b"Employ\n")


def test_a_document_removed_by_hand_stays_away_until_its_file_changes(
    services: Services, sync: Sync, operator: User, folder: Path
):
    statuses(sync, operator, folder)
    services.documents.remove(operator, "policies/leave.md")
    assert statuses(sync, operator, folder) == {}
    assert "policies/leave.md" not in stored(services, operator)
    (folder / "leave.md").write_text("# Leave\n\nEmployees receive 28 days.\n")
    assert statuses(sync, operator, folder) == {"leave.md": "added"}
    assert b"28 days" in stored(services, operator)["policies/leave.md"]


def test_two_folders_never_share_a_documents_name(services: Services, sync: Sync, operator: User, folder: Path):
    statuses(sync, operator, folder)
    other = folder.parent / "elsewhere" / "policies"
    shutil.copytree(folder, other)
    with pytest.raises(InvalidRequest, match="--name"):
        sync.sync(operator, other)
    sync.sync(operator, other, name="second")
    assert len(services.documents.list(operator)) == 6
    with pytest.raises(InvalidRequest, match="'company'"):
        sync.sync(operator, other, "people")


def test_a_watched_folder_is_kept_by_the_worker(services: Services, sync: Sync, operator: User, folder: Path):
    sync.sync(operator, folder, watch=True)
    (folder / "leave.md").unlink()
    (folder / "retention.txt").rename(folder / "kept.txt")
    (folder / "new.md").write_text("# New\n\nDesks are booked ahead.\n")
    for _ in range(2):  # what is gone twice is removed
        look(services, sync)
    assert stored(services, operator) == on_disk(folder)
    shutil.rmtree(folder)
    for _ in range(2):
        look(services, sync)
    (listed,) = sync.folders.list(operator)
    assert listed.problem and "is not there" in listed.problem and listed.documents == 3
    sync.folders.forget(operator, folder)
    assert len(services.documents.list(operator)) == 3 and sync.folders.list(operator) == []


def test_a_cancelled_or_failed_file_is_not_tried_at_every_look(
    services: Services, sync: Sync, operator: User, folder: Path
):
    sync.sync(operator, folder, watch=True)
    (folder / "new.md").write_text("# New\n\nDesks are booked ahead.\n")
    (folder / "empty.txt").write_bytes(b"")
    make_due(services)
    sync.look_at_watched()
    (job,) = [each for each in services.jobs.list(operator, "queued") if each.name == "policies/new.md"]
    assert services.jobs.cancel(operator, job.id).state == "cancelled"
    for _ in range(3):
        look(services, sync)
    assert "policies/new.md" not in stored(services, operator)
    assert len([each for each in services.jobs.list(operator) if each.name == "policies/empty.txt"]) == 1
    assert statuses(sync, operator, folder) == {"new.md": "added", "empty.txt": "failed"}


def test_only_administrators_sync(services: Services, sync: Sync, employee: User, folder: Path):
    for deed in (lambda: sync.sync(employee, folder), lambda: sync.folders.list(employee)):
        with pytest.raises(NotAllowed):
            deed()


def look(services: Services, sync: Sync) -> None:
    make_due(services)
    sync.look_at_watched()
    services.worker.all_queued({"ingest": services.ingestion.handle})


def make_due(services: Services) -> None:
    with services.database.write() as session:
        session.execute(update(SyncedFolder).values(looked_at=None))


DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["write", "move", "copy", "delete", "touch", "sync"]), st.integers(0, 4), st.integers(0, 4)
    ),
    min_size=3,
    max_size=12,
)


@given(deeds=DEEDS)
@hypothesis_settings(max_examples=15, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
def test_after_any_changes_a_sync_makes_documents_and_files_equal(
    services: Services, sync: Sync, operator: User, deeds: list[tuple[str, int, int]]
):
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / Path(parent).name
        folder.mkdir()
        for step, (deed, a, b) in enumerate(deeds):
            do(folder, deed, a, b, step)
            if deed == "sync" and any(folder.iterdir()):
                sync.sync(operator, folder)
        if any(folder.iterdir()):
            sync.sync(operator, folder)
            mine = {name: text for name, text in stored(services, operator).items() if name.startswith(folder.name)}
            assert mine == on_disk(folder)
            hits = services.documents.search(operator, "allowance", 100)
            names = Counter(hit.document for hit in hits if hit.document.startswith(folder.name))
            assert set(names) == set(mine)
        else:
            sync.sync(operator, folder, allow_empty=True)
            assert not any(name.startswith(folder.name) for name in stored(services, operator))


def do(folder: Path, deed: str, a: int, b: int, step: int) -> None:
    one, other = folder / f"policy-{a}.md", folder / f"policy-{b}.md"
    if deed == "write":
        one.write_text(f"# Allowance {b}\n\nThe allowance is {b} days since step {step}.\n")
    elif one.exists() and deed == "move":
        one.rename(other)
    elif one.exists() and deed == "copy" and a != b:
        shutil.copy(one, other)
    elif deed == "delete":
        one.unlink(missing_ok=True)
    elif one.exists() and deed == "touch":
        os.utime(one, ns=(step, step))
