"""The sample company's handbook can be read, and its questions are answered by words that stand in it."""

import json
import re
from collections import Counter
from typing import Any

import pytest

from app.sample import sample_documents, sample_questions
from reasoning_core.response import REFUSAL, normalised
from retrieval.loading import LoadedDocument, load

FIELDS = {"id", "kind", "turns", "answer", "accept", "refuse", "ask_back", "evidence"}
AT_LEAST = {
    "lookup": 40,
    "rule": 35,
    "multi-hop": 15,
    "follow-up": 20,
    "unanswerable": 20,
    "underspecified": 12,
}


@pytest.fixture(scope="module")
def handbook() -> dict[str, LoadedDocument]:
    return {path.name: load(path) for path in sample_documents()}


@pytest.fixture(scope="module")
def questions() -> list[dict[str, Any]]:
    return [json.loads(line) for line in sample_questions().read_text("utf-8").splitlines()]


def test_the_handbook_has_30_to_40_documents_of_every_kind_that_can_be_read(handbook):
    assert 30 <= len(handbook) <= 40
    kinds = Counter(name.rpartition(".")[2] for name in handbook)
    assert kinds["pdf"] == kinds["docx"] == kinds["html"] == 1
    assert kinds["txt"] >= 1


def test_documents_are_as_long_as_real_ones(handbook):
    lengths = {name: len(document.text.split()) for name, document in handbook.items()}
    assert min(lengths.values()) >= 250, lengths
    assert max(lengths.values()) <= 1800, lengths
    assert sum(lengths.values()) >= 15_000


def test_a_document_refers_only_to_documents_that_exist(handbook):
    referred = {name for document in handbook.values() for name in re.findall(r"\b[\w-]+\.md\b", document.text)}
    assert referred <= set(handbook), referred - set(handbook)


def test_every_question_has_the_same_fields_and_an_id_of_its_own(questions):
    assert all(set(question) == FIELDS for question in questions)
    assert len({question["id"] for question in questions}) == len(questions)
    assert len({tuple(question["turns"]) for question in questions}) == len(questions)
    assert all(question["id"].rpartition("-")[0] == question["kind"] for question in questions)


def test_there_are_enough_questions_of_each_kind(questions):
    counts = Counter(question["kind"] for question in questions)
    assert set(counts) == set(AT_LEAST)
    assert all(counts[kind] >= least for kind, least in AT_LEAST.items()), counts
    assert sum(counts.values()) >= 150


def test_only_follow_ups_and_refused_ones_have_several_turns(questions):
    for question in questions:
        assert all(turn.strip() for turn in question["turns"]), question["id"]
        several = len(question["turns"]) > 1
        assert several == (question["kind"] == "follow-up") or question["refuse"], question["id"]


def test_what_is_refused_and_what_is_asked_back_follow_from_the_kind(questions):
    for question in questions:
        assert question["refuse"] == (question["kind"] == "unanswerable"), question["id"]
        assert question["ask_back"] == (question["kind"] == "underspecified"), question["id"]
        expected = REFUSAL if question["refuse"] else "" if question["ask_back"] else question["answer"]
        assert question["answer"] == expected, question["id"]
        assert question["ask_back"] or normalised(question["answer"]), question["id"]
        assert bool(question["evidence"]) != question["refuse"], question["id"]


def test_every_evidence_quote_stands_in_the_canonical_text_of_its_document(handbook, questions):
    for question in questions:
        for evidence in question["evidence"]:
            text = handbook[evidence["document"]].text
            assert text.count(evidence["quote"]) == 1, (question["id"], evidence)


def test_the_answer_to_a_lookup_stands_in_its_evidence(questions):
    for question in questions:
        if question["kind"] == "lookup":
            quotes = " ".join(normalised(evidence["quote"]) for evidence in question["evidence"])
            assert set(normalised(question["answer"]).split()) <= set(quotes.split()), question["id"]


def test_no_training_folder_holds_a_question_of_the_set(questions):
    training = sample_questions().parents[2] / "training"
    text = "\n".join(p.read_text("utf-8") for p in training.rglob("*") if p.suffix in {".py", ".yaml", ".jsonl", ".md"})
    assert not [turn for question in questions for turn in question["turns"] if len(turn) > 40 and turn in text]
