"""Public corpora as passages and questions, read from where they lie; nothing of them is in this repository."""

import ast
import csv
import gzip
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from retrieval.chunking import chunk, indexed_text
from retrieval.evaluation import Span
from retrieval.query import Query, conversation_query


@dataclass(frozen=True, slots=True)
class Passages:
    """Passages in order, each with what the indexes see of it."""

    spans: Sequence[Span]
    texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what answers it; `alone` is the same without the conversation before it."""

    query: Query
    relevant: tuple[Span, ...]
    alone: Query


def scifact(data: Path) -> tuple[Passages, list[Asked], list[Asked]]:
    """Return the abstracts, each one passage; the test claims as BEIR judges them; the claims of the train split."""
    with zipfile.ZipFile(data / "scifact" / "scifact.zip") as archive:
        articles = list(_csv(archive, "corpus_train.csv"))
        claims = {row["id"]: row for row in _csv(archive, "claims_train.csv")}
    texts = [f"{row['title']} {' '.join(_listed(row['abstract']))}" for row in articles]
    spans = {
        row["doc_id"]: Span(row["doc_id"], 0, len(text.encode())) for row, text in zip(articles, texts, strict=True)
    }
    cited = {key: re.findall(r"\d+", row["cited_doc_ids"]) for key, row in claims.items()}
    train = [_asked(claims[key]["claim"], [spans[doc] for doc in docs if doc in spans]) for key, docs in cited.items()]
    judged: dict[str, list[Span]] = {}
    for line in (data / "scifact/qrels/qrels.beir-v1.0.0-scifact.test.txt").read_text().splitlines():
        claim, _, document, _ = line.split()
        judged.setdefault(claim, []).append(spans[document])
    with gzip.open(data / "scifact/topics/topics.beir-v1.0.0-scifact.test.tsv.gz", "rt") as file:
        topics = dict(line.rstrip("\n").split("\t", 1) for line in file)
    test = [_asked(claim, judged[key]) for key, claim in topics.items()]
    return Passages(list(spans.values()), texts), test, [asked for asked in train if asked.relevant]


def doc2dial(data: Path) -> tuple[Mapping[str, str], list[Asked], list[Asked]]:
    """Return the pages by title; the turns of four fifths of the dialogues; those of the fifth for development."""
    csv.field_size_limit(1 << 30)
    pages: dict[str, str] = {}
    rest: list[Asked] = []
    development: list[Asked] = []
    with zipfile.ZipFile(data / "doc2dial_rc_val" / "doc2dial_rc_val.csv.zip") as archive:
        for row in _csv(archive, archive.namelist()[0]):
            page, title = row["context"], row["title"]
            pages[title] = page
            answer = ast.literal_eval(row["answers"])
            start = len(page[: answer["answer_start"][0]].encode())
            span = Span(title, start, start + len(answer["text"][0].encode()))
            question, earlier = _turns(row["question"])
            asked = Asked(conversation_query(question, earlier), (span,), Query(question))
            (development if int(row["id"][:4], 16) % 5 == 1 else rest).append(asked)
    return pages, rest, development


def squad(path: Path) -> tuple[Passages, list[Asked]]:
    """Return the paragraphs, each one passage of its article, and every question, its paragraph relevant."""
    spans: list[Span] = []
    texts: list[str] = []
    questions: list[Asked] = []
    for article in json.loads(path.read_text())["data"]:
        title = article["title"].replace("_", " ")
        end = 0
        for paragraph in article["paragraphs"]:
            span = Span(title, end, end + len(paragraph["context"].encode()))
            end = span.end
            spans.append(span)
            texts.append(f"{title}\n{paragraph['context']}")
            questions += [_asked(each["question"], [span]) for each in paragraph["qas"]]
    return Passages(spans, texts), questions


def structured(pages: Mapping[str, str]) -> Passages:
    """Cut pages as Precept does."""
    cut = [(title, part) for title, text in pages.items() for part in chunk(text, title)]
    spans = [Span(title, part.start, part.end) for title, part in cut]
    return Passages(spans, [indexed_text(title.partition("#")[0], part) for title, part in cut])


def fixed(pages: Mapping[str, str], size: int = 900, overlap: int = 150) -> Passages:
    """Cut pages every `size` characters, as most tools do by default."""
    spans: list[Span] = []
    texts: list[str] = []
    for title, text in pages.items():
        for start in range(0, max(1, len(text) - overlap), size - overlap):
            piece = text[start : start + size]
            first = len(text[:start].encode())
            spans.append(Span(title, first, first + len(piece.encode())))
            texts.append(piece)
    return Passages(spans, texts)


def _asked(question: str, relevant: Sequence[Span]) -> Asked:
    return Asked(Query(question), tuple(relevant), Query(question))


def _turns(history: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the newest question, and the (question, answer) pairs before it, from lines that start with the newest."""
    said = [part.strip().partition(":") for part in history.split("\t")]
    pairs: list[tuple[str, str]] = []
    for who, _, text in reversed(said[1:]):
        if who == "user":
            pairs.append((text, ""))
        elif pairs:
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]} {text}".strip())
    return said[0][2], pairs


def _csv(archive: zipfile.ZipFile, name: str) -> Iterator[dict[str, str]]:
    with archive.open(name) as file:
        yield from csv.DictReader(TextIOWrapper(file, "utf-8"))


def _listed(printed: str) -> list[str]:
    """Read a printed array of sentences, which has no commas between them."""
    sentences: list[str] = ast.literal_eval(re.sub(r"(?<=['\"])\s*\n\s*(?=['\"])", ", ", printed))
    return sentences
