"""The whole product as a person meets it: a fresh home, a real server, a real browser."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect, sync_playwright

from reasoning_core.checkpoint import default_core_folder, save_checkpoint
from tests.reasoning_core.tiny import tiny_config, tiny_model, tiny_tokenizer

CHROMIUM = Path("/usr/bin/chromium")
QUIET_CHROMIUM = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
START_S, PAGE_MS, ANSWER_MS = 180, 60_000, 120_000
PASSWORD = "a long enough sentence"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed: apt-get install chromium"),
]

TRAVEL = """# Business travel

## Meals

Meals on business travel are reimbursed up to $60 per day. <img src="http://elsewhere.example/pixel.png">
![pixel](http://elsewhere.example/other.png) <script>document.title = "broken into"</script>

## Hotels

Hotels are reimbursed up to $180 per night, breakfast included.
"""
LEAVE = """# Annual leave

Each employee has 25 days of annual leave per year. Up to 5 days may be carried over into the next year.
"""


def precept(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ui.command_line", *arguments, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=START_S)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("journey")
    for name, text in (("travel.md", TRAVEL), ("leave.md", LEAVE)):
        (folder / name).write_text(text, "utf-8")
    precept(folder / "home", "ingest", str(folder / "travel.md"), str(folder / "leave.md"))
    if not default_core_folder().is_dir():
        model = tiny_model(tiny_config(max_position_embeddings=4096))
        save_checkpoint(folder / "tiny", model, tiny_tokenizer(), lineage={}, card="Random weights.")
        precept(folder / "home", "cores", "import", str(folder / "tiny"))
        precept(folder / "home", "cores", "promote", "tiny")
    return folder / "home"


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """Start the server as an operator does, and yield the first-run link that it prints."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = home.parent / "serve.log"
    command = [sys.executable, "-m", "ui.command_line", "serve", "--home", str(home), "--port", str(port)]
    with log.open("w") as stream:
        server = subprocess.Popen(command, stderr=stream, stdin=subprocess.DEVNULL, env=os.environ | {"COLUMNS": "200"})
    try:
        deadline = time.monotonic() + START_S
        while not (link := re.search(r"http://\S+/first-run\?token=\S+", log.read_text())):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield link[0]
    finally:
        server.terminate()
        assert server.wait(90) == 0, log.read_text()


@pytest.fixture(scope="module")
def first_run_link(home) -> Iterator[str]:
    with serving(home) as link:
        yield link


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET_CHROMIUM)
        yield browser
        browser.close()


def ask(page: Page, question: str) -> None:
    page.get_by_role("textbox", name="Question").fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()


def answered(page: Page, number: int) -> None:
    """Wait until the answer with this number has its verdict and the next question can be asked."""
    expect(page.locator("#chat .answer .note")).to_have_count(number, timeout=ANSWER_MS)
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible(timeout=ANSWER_MS)


def assert_accessible(page: Page) -> None:
    """No critical or serious violation; the page repairs what Gradio leaves unnamed, so nothing is allowed."""
    found = Axe().run(page).response["violations"]
    bad = {(each["id"], node["html"][:120]) for each in found for node in each["nodes"]
           if each["impact"] in ("critical", "serious")}  # fmt: skip
    assert not bad


def make_first_account(page: Page, link: str) -> None:
    page.goto(f"http://{urlsplit(link).netloc}/")
    expect(page.get_by_role("heading", name="Almost there")).to_be_visible()
    page.goto(link)
    assert_accessible(page)
    page.get_by_label("Your name").fill("Ada Lindqvist")
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_label("Password").fill("too short")
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("alert")).to_contain_text("9 characters")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create the account").click()
    expect(page.locator("#person")).to_contain_text("Ada Lindqvist", timeout=PAGE_MS)


def sign_in(page: Page) -> None:
    assert_accessible(page)
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#person")).to_contain_text("Ada Lindqvist", timeout=PAGE_MS)


def open_the_document(page: Page) -> None:
    """It opens at the passage, as text and not as markup; passages that no answer cites are folded."""
    link = page.get_by_role("link", name="Open document").first
    if not link.is_visible():
        page.locator("#evidence-column .passage summary").first.click()
    with page.context.expect_page() as opened:
        link.click()
    document = opened.value
    expect(document.locator("mark").first).to_be_visible(timeout=PAGE_MS)
    assert document.locator("main img, main script").count() == 0
    document.close()


def stop_one(page: Page, answers: int) -> None:
    """An answer may be quicker than the hand, so it may take several."""
    for number in range(answers + 1, answers + 7):
        ask(page, "How many days of annual leave may be carried over, and how many are there per year?")
        page.get_by_role("button", name="Stop the answer").click()
        answered(page, number)
        if page.locator("#chat .note.stopped").count():
            break
    expect(page.locator("#chat .note.stopped").first).to_contain_text("Stopped")


def test_from_a_fresh_home_to_cited_answers(first_run_link, chromium):
    netloc = urlsplit(first_run_link).netloc
    hosts: set[str] = set()
    errors: list[str] = []
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    context.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))

    make_first_account(page, first_run_link)
    page.get_by_role("link", name="Sign out").click()
    page.wait_for_url("**/sign-in", timeout=PAGE_MS)
    sign_in(page)
    assert_accessible(page)

    ask(page, "How much are meals on business travel reimbursed per day?")
    expect(page.locator("#chat .stage")).to_be_visible(timeout=PAGE_MS)
    answered(page, 1)
    expect(page.locator("#evidence-column .passage").first).to_contain_text("Business travel")
    expect(page.locator("h1")).to_contain_text("How much are meals")
    assert "?c=" in page.url
    assert_accessible(page)

    conversation = page.url
    ask(page, "And hotels?")
    answered(page, 2)
    assert page.url == conversation
    page.reload()
    expect(page.locator("#chat .answer")).to_have_count(2, timeout=PAGE_MS)

    open_the_document(page)
    stop_one(page, answers=2)
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360, "a phone has no sideways scroll"

    assert "broken into" not in page.title()
    assert not errors
    assert hosts <= {netloc, ""}, "a page asked another host for something"
    context.close()


def test_a_session_that_ended_leads_back_to_the_door(first_run_link, chromium):
    netloc = urlsplit(first_run_link).netloc
    context = chromium.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(f"http://{netloc}/sign-in")
    sign_in(page)
    assert_accessible(page)
    context.clear_cookies()
    ask(page, "How much are meals reimbursed per day?")
    page.wait_for_url("**/sign-in?next=**", timeout=PAGE_MS)
    context.close()
