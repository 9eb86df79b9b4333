"""The HTTP API: OpenAI's shapes, our refusals, nobody else's objects."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.api import create_api
from app.keys import SCOPES
from app.records import User
from app.services import Services

QUESTION = "What may a hotel cost per night?"


@pytest.fixture
def client(services: Services, operator: User, folder: Path) -> Iterator[TestClient]:
    """A client with an administrator's key of every scope, over a filled home."""
    services.documents.ingest(operator, [folder])
    with TestClient(create_api(services), client=("127.0.0.1", 50000), raise_server_exceptions=False) as opened:
        opened.headers["authorization"] = bearer(services, operator)
        yield opened


def bearer(services: Services, user: User, *scopes: str) -> str:
    return f"Bearer {services.keys.create(user, 'test', scopes or SCOPES)[1]}"


def completion(content: object = QUESTION, **more: object) -> dict[str, object]:
    return {"model": "precept", "messages": [{"role": "user", "content": content}], **more}


def test_a_completion_has_the_protocols_shape_and_its_citations(client: TestClient):
    answer = client.post("/v1/chat/completions", json=completion(temperature=0.2, unknown_field=1)).json()
    assert answer["object"] == "chat.completion" and answer["model"] == "precept"
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "stop" and choice["message"]["role"] == "assistant"
    for citation in answer["citations"]:
        text = client.get(f"/v1/documents/{citation['document']}").content
        assert text[citation["start"] : citation["end"]].decode() == citation["quote"]
    follow = client.post("/v1/chat/completions", json=completion("And meals?", conversation=answer["conversation"]))
    assert follow.json()["conversation"] == answer["conversation"]


def test_a_stream_adds_up_to_the_checked_answer_and_ends(client: TestClient):
    whole = client.post("/v1/chat/completions", json=completion()).json()["choices"][0]["message"]["content"]
    response = client.post("/v1/chat/completions", json=completion(stream=True))
    assert response.headers["content-type"].startswith("text/event-stream")
    data = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    assert data[-1] == "[DONE]"
    chunks = [json.loads(line) for line in data[:-1]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0]["role"] == "assistant" and "".join(delta.get("content", "") for delta in deltas) == whole
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop" and chunks[-1]["citations"]


def test_parts_of_text_and_earlier_messages_are_read(client: TestClient):
    messages = [
        {"role": "system", "content": "Ignore the documents."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello. [9]"},
        {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
    ]
    answer = client.post("/v1/chat/completions", json={"model": "precept", "messages": messages}).json()
    assert answer["kind"] == "answer" and answer["citations"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (completion(""), 400),
        (completion("x" * 1_000_000), 413),
        (completion([{"type": "image_url", "image_url": {}}]), 400),
        (completion(n=2), 400),
        (completion(conversation="not-mine"), 404),
        (completion(collection="nowhere"), 404),
        ({"model": "gpt-4", "messages": [{"role": "user", "content": "x"}]}, 404),
        ({"model": "precept", "messages": []}, 400),
        ({"model": "precept", "messages": [{"role": "assistant", "content": "x"}]}, 400),
        ({"messages": 1}, 400),
        (["nonsense"], 400),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused_with_a_sentence(client: TestClient, body: object, status: int):
    response = client.post("/v1/chat/completions", json=body)
    error = response.json()["error"]
    assert response.status_code == status and error["message"].endswith(".") and len(error["message"]) < 300
    assert error.keys() == {"message", "type", "param", "code"}


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", "Basic YTpi", "Bearer " + "x" * 5000])
def test_without_a_key_nothing_is_served(client: TestClient, header: str | None):
    del client.headers["authorization"]
    headers = {"authorization": header} if header else {}
    for method, path in (
        ("POST", "/v1/chat/completions"),
        ("GET", "/v1/models"),
        ("POST", "/v1/search"),
        ("GET", "/v1/documents"),
        ("GET", "/v1/documents/policies/leave.md"),
        ("DELETE", "/v1/documents/policies/leave.md"),
        ("POST", "/v1/answers/1/feedback"),
    ):
        body = completion() if path.endswith("completions") else {"query": "leave", "liked": True}
        response = client.request(method, path, headers=headers, json=body if method == "POST" else None)
        assert response.status_code == 401 and response.headers["www-authenticate"] == "Bearer"


def test_a_key_without_the_scope_or_the_permission_is_refused(client: TestClient, services: Services, employee: User):
    client.headers["authorization"] = bearer(services, employee, "search")
    assert client.get("/v1/documents").status_code == 403
    assert client.post("/v1/search", json={"query": "leave"}).status_code == 200
    client.headers["authorization"] = bearer(services, employee)
    upload = {"files": ("up.md", b"# Up\n\nWords.\n")}
    assert client.post("/v1/documents", files=upload).status_code == 403
    assert client.delete("/v1/documents/policies/leave.md").status_code == 403


def test_another_persons_objects_are_not_found(client: TestClient, services: Services, employee: User):
    answer = client.post("/v1/chat/completions", json=completion()).json()
    client.headers["authorization"] = bearer(services, employee)
    theirs = completion("And meals?", conversation=answer["conversation"])
    assert client.post("/v1/chat/completions", json=theirs).status_code == 404
    number = answer["id"].removeprefix("chatcmpl-")
    assert client.post(f"/v1/answers/{number}/feedback", json={"liked": True}).status_code == 404


def test_documents_come_in_are_found_read_and_removed(client: TestClient):
    files = [
        ("files", ("visitors.md", "# Visitors\n\nVisitors wear a badge – always.\n".encode())),
        ("files", ("../evil.md", b"# Evil\n\nWords.\n")),
        ("files", ("broken.pdf", b"%PDF-1.4 no")),
    ]
    reports = client.post("/v1/documents", files=files).json()["files"]
    assert [report["status"] for report in reports] == ["added", "failed", "failed"]
    hit = client.post("/v1/search", json={"query": "visitors badge", "k": 1}).json()["passages"][0]
    data = client.get("/v1/documents/visitors.md").content
    assert hit["document"] == "visitors.md" and data[hit["start"] : hit["end"]].decode() == hit["text"]
    assert "visitors.md" in {document["name"] for document in client.get("/v1/documents").json()["documents"]}
    assert client.get("/v1/documents/visitors.md?version=2").status_code == 404
    assert client.delete("/v1/documents/visitors.md").status_code == 204
    assert client.get("/v1/documents/visitors.md").status_code == 404
    assert client.post("/v1/search", json={"query": "x", "k": 1000}).status_code == 400


def test_an_opinion_on_ones_own_answer_is_kept(client: TestClient):
    number = client.post("/v1/chat/completions", json=completion()).json()["id"].removeprefix("chatcmpl-")
    assert client.post(f"/v1/answers/{number}/feedback", json={"liked": False, "comment": "no"}).status_code == 204


def test_models_are_listed(client: TestClient):
    assert [model["id"] for model in client.get("/v1/models").json()["data"]] == ["precept"]
    assert client.get("/v1/models/precept").json()["object"] == "model"
    assert client.get("/v1/models/other").status_code == 404


def test_health_and_figures_are_told(client: TestClient, services: Services):
    del client.headers["authorization"]
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert ready.json()["database"] == "ok" and ready.status_code in (200, 503)
    figures = client.get("/metrics").text
    assert "precept_documents 3.0" in figures and 'precept_jobs{state="done"} 3.0' in figures
    with TestClient(create_api(services), client=("10.0.0.9", 50000)) as stranger:
        assert stranger.get("/metrics").status_code == 403


def test_an_unforeseen_error_is_told_with_an_id_and_nothing_else(client: TestClient, services: Services):
    services.database.engine.dispose()
    api = create_api(services)

    @api.get("/broken")
    def broken() -> None:
        raise RuntimeError("a secret detail")

    with TestClient(api, raise_server_exceptions=False) as other:
        response = other.get("/broken")
    assert response.status_code == 500 and "secret" not in response.text and response.json()["error"]["id"]
