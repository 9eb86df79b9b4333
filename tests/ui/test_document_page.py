"""A cited span is shown in its place, in the version that was cited, to whoever may read it and to nobody else."""

import re
from html import unescape

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ui.conftest import PASSWORD, TRAVEL
from ui.document_page import document_pages
from ui.document_text import document_html
from ui.shell import SESSION_COOKIE

PLACE = "/documents/travel.md?version=1&start={}&end={}"


@pytest.fixture
def ada(services):
    """The pages of documents alone, with Ada signed in."""
    application = FastAPI()
    application.include_router(document_pages(services))
    with TestClient(application, follow_redirects=False) as client:
        sign_in(client, services, "ada@example.com")
        yield client


def sign_in(client, services, email):
    client.cookies.set(SESSION_COOKIE, services.identity.sign_in(email, PASSWORD, "127.0.0.1"))


@pytest.fixture
def cited() -> tuple[int, int]:
    start = TRAVEL.encode().index(b"up to $60")
    return start, start + len(b"up to $60 per day")


def marked(html: str) -> list[str]:
    return [unescape(part) for part in re.findall(r"<mark[^>]*>(.*?)</mark>", html, re.S)]


def test_the_cited_version_is_shown_when_a_newer_one_exists(ada, services, tmp_path, cited):
    (tmp_path / "travel.md").write_text(TRAVEL.replace("$60", "$75"), "utf-8")
    services.documents.ingest(services.identity.operator(), [tmp_path / "travel.md"])
    old = ada.get(PLACE.format(*cited)).text
    assert marked(old) == ["up to $60 per day"] and "Version 1 of 2" in old
    assert "A newer version is in force" in old and 'href="/documents/travel.md"' in old
    new = ada.get("/documents/travel.md").text
    assert "$75" in new and "$60" not in new and "Version 2 of 2" in new and "newer version" not in new
    missing = ada.get("/documents/travel.md?version=3")
    assert missing.status_code == 404 and "has no version 3" in missing.text


def test_no_version_is_shown_after_removal_or_to_who_may_not_read_it(ada, services, cited):
    operator = services.identity.operator()
    services.documents.share(operator, "company", everyone=False)
    ada.cookies.clear()
    sign_in(ada, services, "bob@example.com")
    hidden = ada.get(PLACE.format(*cited))
    services.documents.share(operator, "company", everyone=True)
    assert ada.get(PLACE.format(*cited)).status_code == 200
    services.documents.remove(operator, "travel.md")
    removed = ada.get(PLACE.format(*cited))
    assert hidden.status_code == removed.status_code == 404
    assert hidden.text == removed.text and "$60" not in removed.text


def test_text_is_drawn_as_headings_paragraphs_items_and_rows():
    text = "# Title\n\nOne\ntwo <b>\n\n- first\n- second\n\n| a | b |\n| 1 | 2 |\n"
    assert document_html(text.encode(), (0, 0)) == (
        '<h2>Title</h2><p class="paragraph">One&#10;two &lt;b&gt;</p><p class="item">- first</p>'
        '<p class="item">- second</p><pre class="rows">| a | b |&#10;| 1 | 2 |</pre>'
    )


LINES = st.lists(st.sampled_from(["# Größe", "", "a <i>b</i>", "- é item", "| ä | 2 |", "plain words", "2) two", "  "]))


@given(lines=LINES, ends=st.tuples(st.integers(0, 80), st.integers(0, 80)))
@settings(max_examples=200, deadline=None)
def test_every_word_is_drawn_once_and_just_the_span_is_marked(lines, ends):
    text = "\n".join(lines)
    start, end = (len(text[:place].encode()) for place in sorted(ends))
    html = document_html(text.encode(), (start, end))
    assert solid(unescape(re.sub(r"<[^>]+>", "", html))) == solid(text)
    assert solid("".join(marked(html))) == solid(text.encode()[start:end].decode())


def solid(text: str) -> str:
    """Return text without white space and the signs of headings."""
    return "".join(text.replace("#", "").split())
