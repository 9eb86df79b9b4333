"""The report: complete in one file, nothing of a document taken for markup, every verdict and difference in it."""

import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from reasoning_core.prompt import Passage
from reasoning_core.working import Verdict
from training.gate import GateRule, judge
from training.instructions import Dialogue, Exchange
from training.intervals import Bootstrap
from training.measurement import MeasuredCore
from training.report import render
from training.report_cases import LIMIT, shown_cases
from training.report_charts import DifferenceChart, reliability_diagram
from training.scoring import ScoredCase

HOSTILE = "</title></style><script>alert(1)</script><img src=http://elsewhere.example/x onerror=alert(2)>{{ 7 * 6 }}"
CASE = ScoredCase("", "meals", "answer", ("No",), "answer", "No", 1, 1, 1, 1, True, confidence=0.8, num_tokens=9)
RULE = GateRule(bootstrap=Bootstrap(resamples=200))
CHROMIUM = Path("/usr/bin/chromium")


def dialogues(suite: str, count: int, words: str) -> list[Dialogue]:
    passages = (Passage(f"Meals {words}", f"Up to 60. {words}"),)
    first = Exchange(passages, f"Is 75 allowed? {words}", ('"Up to 60" [1]',), f"No [1]. {words}", "answer", words)
    second = replace(first, passages=(), question="And 50?")
    return [Dialogue(f"{suite}-{n}", "meals", suite, (), (first, second)) for n in range(count)]


def core(name: str, suites: dict[str, list[Dialogue]], right_every: int, words: str) -> MeasuredCore:
    """Return a core that is right in every so many cases."""
    line = Verdict(f"75 > 60 {words}", True, words)
    cases = {
        suite: [
            replace(
                CASE,
                id=f"{dialogue.id}#{turn}",
                group=dialogue.exchanges[0].family,
                dialogue=dialogue.id,
                turn=turn,
                short_answer="no" if (place + turn) % right_every == 0 else "yes",
                text=f"{name} says {words}",
                working=(line, replace(line, holds=False)),
                problems=(words,),
            )
            for place, dialogue in enumerate(members)
            for turn in (1, 2)
        ]
        for suite, members in suites.items()
    }
    return MeasuredCore(name, "ab" * 32, 2_700_000, "turn_blocks", 2048, {"run": {"data": [words]}}, cases)


def page(words: str = "plain", count: int = 6, *, alone: bool = False) -> str:
    suites = {name: dialogues(name, count, words) for name in ("values", "turns", f"folder/{words[:5]}.jsonl")}
    candidate = core(f"candidate {words}", suites, 1, words)
    if alone:
        return render([core("alone", suites, 2, words)], suites)
    serving = core("serving", suites, 2, words)
    return render([candidate, serving], suites, judge(candidate.cases, serving.cases, replace(RULE, min_cases=10)))


class Elements(HTMLParser):
    """Collects the names and attributes of all elements, and what is open at the end."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_text_of_documents_cores_and_questions_is_never_markup():
    html = page(HOSTILE)
    plain = Elements(page("plain"))
    hostile = Elements(html)
    assert hostile.names == plain.names, "the same elements, whatever the text"
    assert not hostile.open
    assert escape(HOSTILE) in html.replace("&#34;", "&quot;").replace("&#39;", "&#x27;")
    assert "42" not in re.findall(r"elsewhere\.example/x onerror=alert\(2\)&gt;(.{0,5})", html)


@pytest.mark.parametrize("alone", [True, False])
def test_the_file_asks_for_nothing_and_runs_nothing(alone: bool):
    html = page(HOSTILE, alone=alone)
    elements = Elements(html)
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & set(elements.names)
    assert not {"src", "href", "action", "style", "srcset"} & {name for name, _ in elements.attributes}
    assert not [name for name, _ in elements.attributes if name.startswith("on")]
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in elements.attributes
    assert "url(" not in html


def test_the_verdict_its_reasons_and_both_sections_are_shown():
    html = page()
    assert "The gate says yes." in html
    assert re.search(r"<li>All suites: better by 50\.0 points \(95 % interval \+", html)
    assert ("Held-out suites" in html) and ("Real data" in html) and ("plain.jsonl" in html)
    alone = page(alone=True)
    assert "The gate says" not in alone
    assert "Real data" in alone


def test_cases_that_only_one_core_got_right_come_first_and_each_suite_has_its_turn():
    suites = {name: dialogues(name, 40, "x") for name in ("values", "turns")}
    ours, theirs = core("a", suites, 2, "x"), core("b", suites, 3, "x")
    lists = shown_cases([ours, theirs], suites)
    assert [each.title for each in lists] == ["Lost", "Won", "Both wrong, and not alike"]
    for each in lists:
        pairs = {(case.given[0].right, case.given[1].right) for case in each.cases}
        assert pairs == {{"Lost": (False, True), "Won": (True, False)}.get(each.title, (False, False))}
        assert len(each.cases) == min(LIMIT, len(each.cases) + each.left_out)
        assert [case.suite for case in each.cases[:2]] == ["values", "turns"]
    both = [pair for name in suites for pair in zip(ours.cases[name], theirs.cases[name], strict=True)]
    assert sum(len(each.cases) + each.left_out for each in lists[:2]) == sum(a.right != b.right for a, b in both)


def test_a_later_turn_is_shown_with_the_turns_before_it_and_their_passages():
    suites = {"values": dialogues("values", 1, "x")}
    (wrong,) = shown_cases([core("a", suites, 3, "x")], suites)
    second = next(case for case in wrong.cases if case.id == "values-0#2")
    assert [exchange.question for exchange in second.earlier] == ["Is 75 allowed? x"]
    assert second.passages == {1: Passage("Meals x", "Up to 60. x")}
    assert (second.asked.question, second.given[0].text) == ("And 50?", "a says x")


def test_a_core_alone_shows_first_what_was_wrong_and_verified():
    suites = {"values": dialogues("values", 2, "x")}
    alone = core("a", suites, 9, "x")
    cases = [replace(case, verified=case.turn == 2) for case in alone.cases["values"]]
    lists = shown_cases([replace(alone, cases={"values": cases})], suites)
    assert [(each.title, len(each.cases)) for each in lists] == [("Wrong, and shown as verified", 2), ("Wrong", 2)]


def test_differences_are_drawn_to_a_scale_that_few_questions_do_not_set():
    suites = {name: dialogues(name, count, "x") for name, count in (("values", 40), ("turns", 2))}
    verdict = judge(core("a", suites, 1, "x").cases, core("b", suites, 2, "x").cases, RULE)
    narrow = next(each for each in verdict.comparisons if each.suite == "values")
    chart = DifferenceChart.of([replace(narrow, difference=0.1, interval=(-0.15, 0.18)), verdict.comparisons[2]])
    assert chart.reach == 0.2
    assert chart.rows[0].at == pytest.approx(75)
    assert (chart.rows[0].low, chart.rows[0].high) == pytest.approx((12.5, 95))
    assert chart.rows[1].high == 100, "cut off at the end"


def test_a_reliability_diagram_puts_certain_and_right_in_the_upper_right_corner():
    row = {"cases": 4, "confidence": 1.0, "accuracy": 1.0}
    plot = reliability_diagram([row, row | {"cases": 1, "confidence": 0.0, "accuracy": 0.0}])
    assert (plot.dots[0].x, plot.dots[0].y) == (plot.left + plot.side, plot.top)
    assert (plot.dots[1].x, plot.dots[1].y) == (plot.left, plot.top + plot.side)
    assert plot.dots[0].radius == pytest.approx(2 * plot.dots[1].radius)


@pytest.fixture(scope="module")
def browser_page(tmp_path_factory: pytest.TempPathFactory):
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed: apt-get install chromium")
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(page(HOSTILE), encoding="utf-8")
    with sync_playwright() as playwright:
        quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=quiet)
        opened = browser.new_page(viewport={"width": 360, "height": 800})
        opened.goto(file.as_uri())
        yield opened
        browser.close()


@pytest.mark.browser
def test_a_phone_has_no_sideways_scroll(browser_page: Page):
    browser_page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert browser_page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible_in_both_palettes(browser_page: Page, scheme: str):
    browser_page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    results = Axe().run(browser_page)
    assert not results.response["violations"], results.generate_report()
