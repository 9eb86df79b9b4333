import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from ui.shell import PAGE_BODY_BYTES, Guard, safe_next, session_token


async def echo(scope, receive, send):
    """Answers with the length of the body it could read."""
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    await PlainTextResponse(str(length))(scope, receive, send)


@pytest.fixture
def browser():
    return TestClient(Guard(echo, lambda token: token == "good"), base_url="http://precept.example")


def test_every_response_carries_the_security_headers(browser):
    for path in ("/", "/chat/", "/v1/models"):
        headers = browser.get(path, follow_redirects=False).headers
        assert "unsafe-eval" not in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_post_that_another_site_started_is_refused(browser, site):
    assert browser.post("/sign-in", headers={"sec-fetch-site": site}).status_code == 403


def test_a_post_with_a_foreign_origin_is_refused_where_fetch_metadata_is_missing(browser):
    assert browser.post("/sign-in", headers={"origin": "http://evil.example"}).status_code == 403
    assert browser.post("/sign-in", headers={"origin": "null"}).status_code == 403
    assert browser.post("/sign-in", headers={"origin": "http://precept.example"}).status_code == 200


def test_the_chat_page_sends_a_stranger_to_the_door_and_back(browser):
    response = browser.get("/chat/?c=1", headers={"accept": "text/html"}, follow_redirects=False)
    assert response.status_code == 303
    assert response.headers["location"] == "/sign-in?next=/chat/%3Fc%3D1"


@pytest.mark.parametrize(
    "path",
    ["/chat/gradio_api/cancel", "/chat/gradio_api/reset", "/chat/gradio_api/queue/join", "/chat/config", "/chat"],
)
def test_no_function_of_the_chat_page_is_open_to_a_stranger(browser, path):
    assert browser.post(path, json={}).status_code == 401
    assert browser.get(path).status_code == 401
    assert browser.post(path, json={}, headers={"cookie": "precept_session=bad"}).status_code == 401
    assert browser.post(path, json={}, headers={"cookie": "precept_session=good"}).status_code == 200


def test_a_body_larger_than_the_limit_is_refused_with_its_declared_length(browser):
    assert browser.post("/sign-in", content=b"x" * (PAGE_BODY_BYTES + 1)).status_code == 413


def test_a_body_without_a_declared_length_stops_at_the_limit():
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"x" * 2**20, "more_body": True}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/sign-in", "headers": []}
    asyncio.run(asyncio.wait_for(Guard(echo, lambda token: False)(scope, receive, send), 5))
    assert sent == []


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\nb", ""]
)
def test_signing_in_never_leads_to_another_host(target):
    assert safe_next(target) == "/chat/"


@settings(deadline=None)
@given(st.text())
def test_whatever_comes_after_signing_in_is_a_path_here(target):
    assert safe_next(target).startswith("/")
    assert not safe_next(target).startswith(("//", "/\\"))


@settings(deadline=None)
@given(st.text())
def test_any_cookie_header_is_read_without_an_error(header):
    assert isinstance(session_token(header), str)


def test_the_bound_cookie_wins_over_the_plain_one():
    assert session_token("precept_session=a; __Host-precept_session=b") == "b"
