import asyncio
import json
import logging

import pytest
from starlette.testclient import TestClient

from tests.ui.conftest import PASSWORD
from ui.shell import SECURE_SESSION_COOKIE, SESSION_COOKIE
from ui.web import web_application


@pytest.fixture
def web(services):
    """Built inside a running loop: outside of one Gradio makes its own loops and leaves them unclosed."""

    async def build():
        return web_application(services)

    return asyncio.run(build())


@pytest.fixture
def stranger(web):
    with TestClient(web, base_url="http://precept.example", follow_redirects=False) as client:
        yield client


@pytest.fixture
def ada(stranger):
    sign_in(stranger)
    return stranger


def sign_in(client, email="ada@example.com", password=PASSWORD, **more):
    return client.post("/sign-in", data={"email": email, "password": password, **more})


def event(client, function, data, session="s"):
    """Call a handler of the chat page through Gradio's queue and return its messages."""
    joined = client.post(
        "/chat/gradio_api/queue/join", json={"data": data, "fn_index": function, "session_hash": session}
    )
    assert joined.status_code == 200, joined.text
    messages = []
    with client.stream("GET", f"/chat/gradio_api/queue/data?session_hash={session}") as stream:
        for line in stream.iter_lines():
            if line.startswith("data:"):
                messages.append(json.loads(line.removeprefix("data:")))
                if messages[-1]["msg"] in ("process_completed", "close_stream"):
                    break
    return messages


def page_load(client):
    """The index of the handler that runs when the page is opened."""
    functions = client.get("/chat/config").json()["dependencies"]
    return next(each["id"] for each in functions if ["load"] in [target[1:] for target in each["targets"]])


def test_the_root_leads_to_the_chat_and_a_stranger_from_there_to_the_door(stranger):
    assert stranger.get("/").headers["location"] == "/chat/"
    there = stranger.get("/chat/", headers={"accept": "text/html"}).headers["location"]
    assert there == "/sign-in?next=/chat/"
    page = stranger.get(there)
    assert page.status_code == 200
    assert '<label for="password">' in page.text


def test_a_wrong_password_gets_one_sentence_and_no_cookie(stranger):
    response = sign_in(stranger, password="a wrong sentence")
    assert response.status_code == 401
    assert 'role="alert">Email and password do not match an account.' in response.text
    assert "set-cookie" not in response.headers


def test_signing_in_sets_a_cookie_that_scripts_cannot_read(stranger):
    response = sign_in(stranger, next="/chat/?c=abc")
    assert response.headers["location"] == "/chat/?c=abc"
    cookie = response.headers["set-cookie"]
    assert cookie.startswith(f"{SESSION_COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_over_https_the_cookie_is_bound_to_the_host(web):
    with TestClient(web, base_url="https://precept.example", follow_redirects=False) as client:
        cookie = sign_in(client).headers["set-cookie"]
    assert cookie.startswith(f"{SECURE_SESSION_COOKIE}=")
    assert "Secure" in cookie
    assert "Domain" not in cookie


def test_signing_out_ends_the_session_itself_and_not_only_the_cookie(ada):
    cookie = f"{SESSION_COOKIE}={ada.cookies[SESSION_COOKIE]}"
    assert ada.get("/chat/config").status_code == 200
    assert ada.get("/sign-out").status_code == 200, "a link from elsewhere asks first"
    assert ada.get("/chat/config").status_code == 200
    assert ada.get("/sign-out", headers={"sec-fetch-site": "same-origin"}).status_code == 303
    assert ada.get("/chat/config", headers={"cookie": cookie}).status_code == 401


def test_a_disabled_person_is_out_at_once(web, services):
    with TestClient(web, base_url="http://precept.example", follow_redirects=False) as client:
        sign_in(client, "bob@example.com")
        assert client.get("/chat/config").status_code == 200
        services.identity.disable_user(services.identity.operator(), "bob@example.com")
        assert client.get("/chat/config").status_code == 401


def test_the_first_run_page_is_closed_once_there_is_an_account(stranger):
    assert stranger.get("/first-run?token=x").headers["location"] == "/sign-in"
    form = {"token": "x", "name": "Eve", "email": "eve@example.com", "password": PASSWORD}
    assert stranger.post("/first-run", data=form).status_code == 401


def test_a_document_is_shown_as_text_with_the_cited_bytes_marked(ada):
    response = ada.get("/documents/travel.md?version=1&start=20&end=47")
    assert response.status_code == 200
    assert '<mark id="cited">Meals on business travel ar</mark>' in response.text
    assert "&lt;b&gt;Größe&lt;/b&gt;" in response.text


def test_a_document_that_is_not_there_and_one_that_may_not_be_read_look_alike(ada, services):
    missing = ada.get("/documents/nope.md")
    assert missing.status_code == 404
    assert "nope.md" in missing.text
    services.documents.share(services.identity.operator(), "company", everyone=False)
    ada.cookies.clear()
    sign_in(ada, "bob@example.com")
    hidden = ada.get("/documents/travel.md")
    assert hidden.status_code == 404
    assert hidden.text.replace("travel.md", "nope.md") == missing.text


def test_a_document_is_not_for_strangers(stranger):
    response = stranger.get("/documents/travel.md")
    assert response.status_code == 303
    assert response.headers["location"].startswith("/sign-in")


def test_opening_the_page_through_the_queue_greets_the_person_of_the_cookie(ada):
    messages = event(ada, page_load(ada), [])
    assert messages[-1]["msg"] == "process_completed"
    assert messages[-1]["success"] is True
    assert "<b>Ada</b>" in json.dumps(messages)


def test_gradio_describes_no_function_and_keeps_no_history(ada):
    assert ada.get("/chat/gradio_api/info").json() == {"named_endpoints": {}, "unnamed_endpoints": {}}
    assert ada.get("/chat/openapi.json").status_code == 404
    assert ada.get("/chat/gradio_api/runs").status_code == 404
    config = ada.get("/chat/config").json()
    assert not config.get("run_history")
    assert config["analytics_enabled"] is False


def test_no_file_of_the_machine_is_served(ada, caplog):
    caplog.set_level(logging.CRITICAL)
    for path in ("/etc/passwd", "http://127.0.0.1:1/x", str(__file__)):
        assert ada.get(f"/chat/gradio_api/file={path}").status_code in (403, 404)


def test_the_api_stands_behind_the_same_guard(stranger):
    assert stranger.get("/healthz").json() == {"status": "ok"}
    assert stranger.get("/v1/models").status_code == 401
    assert "content-security-policy" in stranger.get("/healthz").headers
