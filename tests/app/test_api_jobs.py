"""Jobs over the API: uploads that are left to a worker, what became of them, cancelling and trying again."""

import os
import threading
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.api import create_api
from app.keys import SCOPES
from app.records import User
from app.services import Services
from app.uploads import Uploads

UPLOAD = {"files": ("visitors.md", b"# Visitors\n\nVisitors sign in at the desk.\n")}


@pytest.fixture
def client(services: Services, operator: User) -> TestClient:
    return client_of(services, operator)


def client_of(services: Services, user: User) -> TestClient:
    _, secret = services.keys.create(user, "tests", SCOPES)
    return TestClient(create_api(services), headers={"Authorization": f"Bearer {secret}"})


def inbox(services: Services) -> list[Path]:
    return list((services.settings.folder / "inbox").rglob("upload"))


def test_an_upload_that_nobody_waits_for_is_taken_in_by_a_worker(client: TestClient, services: Services):
    (file,) = client.post("/v1/documents", files=UPLOAD, data={"wait": "false"}).json()["files"]
    assert client.get(f"/v1/jobs/{file['job']}").json()["state"] == "queued" and len(inbox(services)) == 1
    services.work(threading.Event(), once=True)
    assert client.get(f"/v1/jobs/{file['job']}").json()["status"] == "added"
    assert client.get("/v1/documents/visitors.md").content.endswith(b"at the desk.\n")
    assert [version["version"] for version in client.get("/v1/versions/visitors.md").json()["versions"]] == [1]


def test_jobs_are_cancelled_and_retried_and_listed_by_state(client: TestClient, services: Services):
    (file,) = client.post("/v1/documents", files=UPLOAD, data={"wait": "false"}).json()["files"]
    assert client.post(f"/v1/jobs/{file['job']}/cancel").json()["state"] == "cancelled"
    assert client.post(f"/v1/jobs/{file['job']}/cancel").status_code == 409
    again = client.post(f"/v1/jobs/{file['job']}/retry").json()
    services.work(threading.Event(), once=True)
    assert [job["id"] for job in client.get("/v1/jobs?state=done").json()["jobs"]] == [again["id"]]
    assert client.get("/v1/jobs?state=lost").status_code == 400
    assert client.get("/v1/jobs/999").status_code == 404


def test_an_upload_that_was_taken_in_leaves_no_file_behind(client: TestClient, services: Services):
    assert client.post("/v1/documents", files=UPLOAD).json()["files"][0]["status"] == "added"
    assert inbox(services) == []
    empty = {"files": ("empty.md", b"")}
    assert client.post("/v1/documents", files=empty).json()["files"][0]["status"] == "failed"
    assert len(inbox(services)) == 1  # it may be tried again


def test_a_search_as_of_a_date_is_a_parameter(client: TestClient):
    client.post("/v1/documents", files=UPLOAD)
    asked = {"query": "visitors", "as_of": "2020-01-01"}
    assert client.post("/v1/search", json=asked).json()["passages"] == []
    assert client.post("/v1/search", json=asked | {"as_of": "2999-01-01"}).json()["passages"]
    assert client.post("/v1/search", json=asked | {"as_of": "soon"}).status_code == 400


def test_jobs_and_uploads_are_for_those_who_manage_documents(services: Services, employee: User, client: TestClient):
    (file,) = client.post("/v1/documents", files=UPLOAD, data={"wait": "false"}).json()["files"]
    theirs = client_of(services, employee)
    for method, path in (("GET", ""), ("GET", f"/{file['job']}"), ("POST", f"/{file['job']}/cancel")):
        assert theirs.request(method, f"/v1/jobs{path}").status_code == 403
    assert theirs.post("/v1/documents", files=UPLOAD).status_code == 403
    assert len(inbox(services)) == 1


def test_a_file_is_swept_once_no_job_will_read_it(client: TestClient, services: Services):
    client.post("/v1/documents", files=UPLOAD, data={"wait": "false"})
    (path,) = inbox(services)
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))
    Uploads(services.database, services.settings.folder / "inbox").sweep()
    assert inbox(services) == [path]
    services.work(threading.Event(), once=True)
    Uploads(services.database, services.settings.folder / "inbox").sweep()
    assert inbox(services) == []
