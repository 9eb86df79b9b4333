"""The sample company: an invented firm's handbook that ships with the package."""

from pathlib import Path

from app.documents import COMPANY, Documents, OnProgress
from app.records import FileReport, User
from app.sources import named_source

_FOLDER = Path(__file__).parent / "sample_company"


def sample_documents() -> list[Path]:
    folder = _FOLDER / "documents"
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def sample_questions() -> Path:
    """Return the question set over the sample company."""
    return _FOLDER / "questions.jsonl"


def ingest_sample(documents: Documents, actor: User, on_progress: OnProgress | None = None) -> list[FileReport]:
    """Take the sample company in; a second time changes nothing."""
    folder = _FOLDER / "documents"
    sources = [named_source(path, str(path.relative_to(folder))) for path in sample_documents()]
    return documents.ingest(actor, sources, COMPANY, on_progress)
