"""The API's routes for documents: search, list, read, take in, remove."""

import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, UploadFile
from fastapi.responses import Response
from pydantic import BaseModel

from app.callers import caller_with
from app.documents import COMPANY
from app.errors import InvalidRequest
from app.records import User
from app.services import Services
from app.sources import Source, named_source

MAX_K = 100


class Query(BaseModel):
    query: str
    k: int = 10
    collection: str | None = None


def document_routes(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/v1")
    searcher = Annotated[User, Depends(caller_with(services.keys, "search"))]
    reader = Annotated[User, Depends(caller_with(services.keys, "documents.read"))]
    writer = Annotated[User, Depends(caller_with(services.keys, "documents.write"))]

    @routes.post("/search")
    def search(request: Query, user: searcher) -> dict[str, Any]:
        if request.k > MAX_K:
            raise InvalidRequest(f"k is {request.k}: ask for at most {MAX_K} passages.")
        hits = services.documents.search(user, request.query, request.k, request.collection)
        keys = ("document", "version", "start", "end", "score", "text")
        return {"passages": [{key: getattr(hit, key) for key in keys} for hit in hits]}

    @routes.get("/documents")
    def documents(user: reader) -> dict[str, Any]:
        return {"documents": [asdict(document) for document in services.documents.list(user)]}

    @routes.get("/documents/{name:path}")
    def text(name: str, user: reader, version: int | None = None) -> Response:
        data = services.documents.text(user, name, version)
        return Response(data, media_type="text/plain; charset=utf-8", headers={"X-Content-Type-Options": "nosniff"})

    @routes.post("/documents")
    def ingest(
        user: writer, files: Annotated[list[UploadFile], File()], collection: Annotated[str, Form()] = COMPANY
    ) -> dict[str, Any]:
        inbox = services.settings.folder / "inbox"
        inbox.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=inbox) as folder:
            sources = [_kept(upload, Path(folder, str(number))) for number, upload in enumerate(files)]
            reports = services.documents.ingest(user, sources, collection)
        return {"files": [asdict(report) for report in reports]}

    @routes.delete("/documents/{name:path}", status_code=204)
    def remove(name: str, user: writer) -> None:
        services.documents.remove(user, name)

    return routes


def _kept(upload: UploadFile, path: Path) -> Source:
    """Write an upload where the ingestion job finds it; the name it came with is a name and never a path."""
    with path.open("wb") as file:
        shutil.copyfileobj(upload.file, file)
    source = named_source(path, upload.filename or "")
    return Source(source.path, upload.filename or "", source.name, source.error)
