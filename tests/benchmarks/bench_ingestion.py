"""Measures ingestion: the 18F handbook into a new home, beside two peers on the same texts in the same run.

- The bare `encode` of sentence-transformers over all chunks at once, which is what any ingestion must at least do.
- LangChain's FAISS store filled from its recursive splitter (900 characters, 150 of overlap), which keeps no versions,
  offsets, permissions or keyword index; measured where langchain-community and langchain-text-splitters are installed.

Every round measures each once, in turn; the figures are medians of rounds, in seconds of processor time, which other
work on the machine changes little. Set OMP_NUM_THREADS=1 to compare single threads.
"""

import importlib.util
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import typer
from rich.console import Console

from app.services import open_services
from app.settings import Settings
from app.sources import Source, named_source
from retrieval.chunking import chunk, indexed_text
from retrieval.embedding import Embedder, MiniLMEmbedder, find_embedder
from retrieval.loading import load
from tests.benchmarks.measurement import Measurement, print_table

_PEER = ("langchain_community", "langchain_text_splitters")


def measure(data: Path, every: int = 3, rounds: int = 3) -> list[Measurement]:
    """Ingest every so many files of the handbook."""
    embedder = find_embedder()
    if not isinstance(embedder, MiniLMEmbedder):
        raise typer.BadParameter("the embedder's files are not installed")
    paths = sorted((data / "handbook_18f" / "pages").rglob("*.md"))[::every]
    embedder.embed(["opens the model"])
    chunks = _chunks(paths)
    has_peer = all(importlib.util.find_spec(name) for name in _PEER)
    times: dict[str, list[float]] = {}
    for number in range(rounds):
        ours, again = _ingest_twice(paths, embedder)
        found = {"ours": ours, "again": again}
        found["bare"] = _seconds(lambda: embedder._model.encode(chunks, show_progress_bar=False))
        if has_peer:
            found["langchain"] = _seconds(lambda: _langchain(paths, embedder))
        for name, each in found.items():
            times.setdefault(name, []).append(each)
        told = ", ".join(f"{name} {each:.2f} s" for name, each in found.items())
        Console(stderr=True).print(f"Round {number + 1}, {len(chunks)} chunks: {told}")
    seconds = {name: median(each) for name, each in times.items()}
    name = f"handbook_18f, {len(paths)} files into a new home"
    mine, bare = len(chunks) / seconds["ours"], len(chunks) / seconds["bare"]
    measured = [
        Measurement(name, "chunks/CPU s", mine, bare, "bare encode of the same chunks", mine / bare, rounds),
        Measurement("the same files again", "files/CPU s", len(paths) / seconds["again"], None, None, None, rounds),
    ]
    if has_peer:
        theirs = len(paths) / seconds["langchain"]
        files = len(paths) / seconds["ours"]
        measured.append(
            Measurement(name, "files/CPU s", files, theirs, "LangChain FAISS and splitter", files / theirs, rounds)
        )
    return measured


def _sources(paths: Sequence[Path]) -> list[Source]:
    """Name files by their number: some of different folders are called the same."""
    return [named_source(path, f"{number:03}-{path.name}") for number, path in enumerate(paths)]


def _ingest_twice(paths: Sequence[Path], embedder: Embedder) -> tuple[float, float]:
    """Return the seconds of taking the files into a new home, from opening it on, and of doing so again."""
    with tempfile.TemporaryDirectory() as home:
        started = time.process_time()
        with open_services(Settings(home=Path(home)), embedder=embedder) as services:
            operator = services.identity.operator()
            reports = services.documents.ingest(operator, _sources(paths))
            assert {report.status for report in reports} == {"added"}, reports
            first = time.process_time() - started
            return first, _seconds(lambda: services.documents.ingest(operator, _sources(paths)))


def _chunks(paths: Sequence[Path]) -> list[str]:
    """Return what an embedder sees of each chunk."""
    documents = map(load, paths)
    return [indexed_text(each.title, part) for each in documents for part in chunk(each.text, each.title)]


def _langchain(paths: Sequence[Path], embedder: MiniLMEmbedder) -> None:
    from langchain_community.vectorstores import FAISS
    from langchain_core.embeddings import Embeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    class Same(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return embedder.embed(texts).tolist()

        def embed_query(self, text: str) -> list[float]:
            return embedder.embed([text])[0].tolist()

    splitter = RecursiveCharacterTextSplitter(chunk_size=900, chunk_overlap=150)
    pieces = splitter.create_documents([path.read_text(encoding="utf-8") for path in paths])
    with tempfile.TemporaryDirectory() as folder:
        FAISS.from_documents(pieces, Same()).save_local(folder)


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def main(data: Path = Path("../shared/data"), every: int = 3, rounds: int = 3) -> None:
    print_table(measure(data, every, rounds))


if __name__ == "__main__":
    typer.run(main)
