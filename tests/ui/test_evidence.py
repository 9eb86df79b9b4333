import re
from html import unescape
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from app.records import AnswerRecord, Citation, EvidencePassage, WorkedLine
from ui.evidence import answer_html, document_url, evidence_html, marked_html, plain, streaming_html

TEXT = "## Meals\n\nMeals are reimbursed up to $60 per day. Größe <b>zählt</b>.\n"
HOSTILE = '<img src=x onerror=alert(1)>\n\n![x](http://evil/x)\n<script>alert(1)</script> "&amp;" [a](javascript:b)'


class Reader(HTMLParser):
    """Collects the elements, and the text, that a browser would see."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.text, self.marked, self._marking = [], "", [], False

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "mark":
            self.marked.append("")
        self._marking = tag == "mark"

    def handle_endtag(self, tag):
        self._marking = False

    def handle_data(self, data):
        self.text += data
        if self._marking:
            self.marked[-1] += data


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def passage(n=1, text=TEXT, start=100):
    end = start + len(text.encode())
    return EvidencePassage(n, "travel.md", 2, "Travel", ("Travel", "Meals"), start, end, text, start, end)


def citation(quote, n=1, start=100):
    at = start + TEXT.encode().index(quote.encode())
    return Citation(n, "travel.md", 2, at, at + len(quote.encode()), quote)


def record(text="No. 75 is more than 60 [1].", kind="answer", **changes):
    fields = {
        "id": 7, "conversation": "c", "question": "q", "text": text, "kind": kind, "refused": kind == "refusal",
        "verified": kind == "answer", "problems": (), "citations": (citation("up to $60 per day"),),
        "working": (WorkedLine("75 > 60", True), WorkedLine("75 - 60 = 25", False, "it is 15")),
        "passages": (passage(),), "core": "small", "index_generation": 1, "timings_ms": {"total": 1500.0},
    }  # fmt: skip
    return AnswerRecord(**(fields | changes))


@settings(deadline=None)
@given(st.text())
def test_escaped_text_is_one_line_that_a_browser_reads_back_unchanged(text):
    html = plain(text)
    assert not re.search(r"[<\r\n]", html)
    assert unescape(html).replace("\r", "\n") == text.replace("\r\n", "\n").replace("\r", "\n") or "\0" in text


@settings(deadline=None)
@given(st.text(), st.lists(st.tuples(st.integers(-5, 80), st.integers(-5, 80)), max_size=5))
def test_marking_changes_no_text_and_marks_exactly_the_bytes_asked_for(text, spans):
    data = text.replace("\r", "").replace("\0", "").encode("utf-8", "replace")
    wanted = {i for start, end in spans for i in range(max(0, start), min(len(data), end))}
    ascii_only = all(byte < 128 for byte in data)
    reader = read(marked_html(data, spans))
    if ascii_only:
        assert reader.text == data.decode()
        assert sum(map(len, reader.marked)) == len(wanted)
    assert set(reader.tags) <= {"mark"}


def test_a_cited_span_is_marked_in_its_whole_passage():
    reader = read(evidence_html(record()))
    assert reader.marked == ["up to $60 per day"]
    assert TEXT.rstrip() in reader.text
    assert "cited words verified" in reader.text


def test_each_line_of_the_working_has_its_verdict_in_words():
    text = read(evidence_html(record())).text
    assert "75 > 60✓ holds" in text
    assert "75 - 60 = 25✗ does not hold: it is 15" in text


def test_turns_that_no_longer_fit_are_told():
    assert "not read again" not in evidence_html(record())
    assert "The first question of this conversation no longer fit" in evidence_html(record(turns_left_out=1))
    assert "The first 3 questions of this conversation no longer fit" in evidence_html(record(turns_left_out=3))


def test_a_citation_of_a_shown_passage_is_a_link_and_any_other_number_stays_text():
    html = answer_html(record("Yes [1]. See also [9]."))
    assert 'href="#passage-1"' in html
    assert "passage-9" not in html
    assert "[9]" in html


def test_nothing_hostile_becomes_an_element():
    hostile = record(
        HOSTILE,
        passages=(EvidencePassage(1, HOSTILE, 1, HOSTILE, (HOSTILE,), 0, len(HOSTILE), HOSTILE, 0, 10),),
        citations=(Citation(1, HOSTILE, 1, 0, 9, HOSTILE[:9]),),
        working=(WorkedLine(HOSTILE, False, HOSTILE),),
        problems=(HOSTILE,), verified=False, core=HOSTILE,
    )  # fmt: skip
    for html in (answer_html(hostile), evidence_html(hostile), streaming_html("Reading", HOSTILE)):
        reader = read(html)
        assert not {"img", "script"} & set(reader.tags)
        assert "\n" not in html


def test_a_quotation_says_that_it_is_not_an_answer():
    assert "Quoted from the documents, not an answer" in answer_html(record(kind="quotation"))


def test_a_refusal_says_that_the_documents_do_not_say():
    html = answer_html(record("The documents do not say.", kind="refusal", citations=(), working=()))
    assert "The documents do not say." in html
    assert "nearest passages" in html
    assert "holds" not in html


def test_an_unverified_answer_is_never_shown_as_checked():
    html = answer_html(record(verified=False, problems=("$61 stands in no cited passage",)))
    assert "Not verified: $61 stands in no cited passage" in html
    assert "✓" not in html


def test_the_address_of_a_document_survives_odd_names():
    assert document_url("a b/ü?#.md", 3, 1, 2) == "/documents/a%20b/%C3%BC%3F%23.md?version=3&start=1&end=2#cited"
