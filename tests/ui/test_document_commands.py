"""`precept sync`, `precept documents` and `precept work`: what they print, as sentences and as JSON."""

import json

import pytest

from ui.command_line import main


@pytest.fixture
def run(capsysbinary, tmp_path, monkeypatch):
    """Run one command in a home of its own, without a model; return its exit code, its stdout and its stderr."""
    monkeypatch.setattr("app.services.find_embedder", lambda *_: None)

    def command(*arguments):
        code = main([*arguments, "--home", str(tmp_path / "home")])
        out, err = capsysbinary.readouterr()
        return code, out.decode(), err.decode()

    return command


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "policies"
    root.mkdir()
    (root / "leave.md").write_text("# Leave\n\nEmployees receive 25 days of annual leave.\n")
    (root / "desks.md").write_text("# Desks\n\nDesks are booked two weeks ahead.\n")
    return root


def test_sync_prints_the_difference_and_changes_nothing_in_a_dry_run(run, folder):
    code, out, _ = run("sync", str(folder), "--dry-run", "--json")
    assert code == 0 and json.loads(out)["dry_run"] is True
    assert [file["status"] for file in json.loads(out)["files"]] == ["added", "added"]
    assert json.loads(run("documents", "list", "--json")[1])["documents"] == []
    assert run("sync", str(folder))[0] == 0
    (folder / "leave.md").rename(folder / "holidays.md")
    (folder / "empty.md").touch()
    code, out, err = run("sync", str(folder))
    assert code == 1 and "moved" in out and "is empty" in out and "1 failed, 1 moved, 1 unchanged." in err
    code, out, _ = run("sync", "--json")
    assert code == 0 and json.loads(out)["folders"][0]["documents"] == 2


def test_an_empty_folder_is_refused_in_one_sentence(run, folder):
    run("sync", str(folder), "--watch")
    for path in folder.iterdir():
        path.unlink()
    code, _, err = run("sync", str(folder))
    assert code == 2 and len(err.strip().splitlines()) == 1 and "--allow-empty" in err
    assert run("sync", str(folder), "--allow-empty")[0] == 0
    code, _, err = run("sync", str(folder), "--forget")
    assert code == 0 and "synced no more" in err
    code, _, err = run("sync", "--dry-run")
    assert code == 2 and "Name the folder" in err


def test_queued_work_is_listed_cancelled_retried_and_done(run, folder):
    code, out, _ = run("ingest", str(folder), "--later", "--json")
    assert code == 0 and {file["status"] for file in json.loads(out)["files"]} == {"queued"}
    jobs = json.loads(run("documents", "jobs", "--json")[1])["jobs"]
    assert [job["state"] for job in jobs] == ["queued", "queued"]
    (cancelled,) = json.loads(run("documents", "cancel", str(jobs[0]["id"]), "--json")[1])["jobs"]
    assert cancelled["state"] == "cancelled" and cancelled["error"].endswith(".")
    code, out, _ = run("work", "--once", "--json")
    assert code == 0 and [job["status"] for job in json.loads(out)["jobs"]] == ["added"]
    run("documents", "retry", str(jobs[0]["id"]))
    code, out, _ = run("work", "--once")
    assert code == 0 and "policies/leave.md" in out and "added" in out
    assert "done" in run("documents", "jobs")[1]
    code, _, err = run("documents", "cancel")
    assert code == 2 and "Name one JOB, or give --all." in err


def test_a_failed_job_is_shown_with_its_reason(run, tmp_path):
    (tmp_path / "empty.md").touch()
    run("ingest", str(tmp_path / "empty.md"))
    out = run("documents", "jobs", "--state", "failed")[1]
    assert "load" in out and "empty.md is empty" in out
    assert "queued" in run("documents", "retry", "--failed")[1]


def test_versions_are_listed_and_searched_as_of_a_date(run, folder):
    run("sync", str(folder))
    (folder / "leave.md").write_text("# Leave\n\nEmployees receive 28 days of annual leave.\n")
    run("sync", str(folder))
    versions = json.loads(run("documents", "versions", "policies/leave.md", "--json")[1])["versions"]
    assert [version["version"] for version in versions] == [2, 1]
    then = versions[1]["created_at"]
    found = json.loads(run("search", "annual leave", "--as-of", then, "--json")[1])["passages"]
    assert found[0]["version"] == 1 and "25 days" in found[0]["text"]
    now = json.loads(run("search", "annual leave", "--json")[1])["passages"]
    assert now[0]["version"] == 2
    code, _, err = run("search", "annual leave", "--as-of", "soon")
    assert code == 2 and "'soon' is no date" in err
