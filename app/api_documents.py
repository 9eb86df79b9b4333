"""The API's routes for documents: search, list, read, take in, remove."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, UploadFile
from fastapi.responses import Response
from pydantic import BaseModel

from app.access import require
from app.api_jobs import job_routes
from app.callers import caller_with
from app.documents import COMPANY
from app.errors import InvalidRequest
from app.records import Permission, User
from app.services import Services
from app.sources import expand

MAX_K = 100


class Query(BaseModel):
    query: str
    k: int = 10
    collection: str | None = None
    as_of: str | None = None


def document_routes(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/v1")
    searcher = Annotated[User, Depends(caller_with(services.keys, "search"))]
    reader = Annotated[User, Depends(caller_with(services.keys, "documents.read"))]
    writer = Annotated[User, Depends(caller_with(services.keys, "documents.write"))]

    @routes.post("/search")
    def search(request: Query, user: searcher) -> dict[str, Any]:
        if request.k > MAX_K:
            raise InvalidRequest(f"k is {request.k}: ask for at most {MAX_K} passages.")
        hits = services.documents.search(user, request.query, request.k, request.collection, request.as_of)
        keys = ("document", "version", "start", "end", "score", "text")
        return {"passages": [{key: getattr(hit, key) for key in keys} for hit in hits]}

    @routes.get("/documents")
    def documents(user: reader) -> dict[str, Any]:
        return {"documents": [asdict(document) for document in services.documents.list(user)]}

    @routes.get("/documents/{name:path}")
    def text(name: str, user: reader, version: int | None = None) -> Response:
        data = services.documents.text(user, name, version)
        return Response(data, media_type="text/plain; charset=utf-8", headers={"X-Content-Type-Options": "nosniff"})

    @routes.get("/versions/{name:path}")
    def versions(name: str, user: reader) -> dict[str, Any]:
        return {"versions": [asdict(version) for version in services.documents.versions(user, name)]}

    @routes.post("/documents")
    def ingest(
        user: writer,
        files: Annotated[list[UploadFile], File()],
        collection: Annotated[str, Form()] = COMPANY,
        wait: Annotated[bool, Form()] = True,
    ) -> dict[str, Any]:
        """Take files in; without `wait` the jobs are left to a worker, and their numbers returned."""
        require(user, Permission.MANAGE_DOCUMENTS)
        sources = expand(services.uploads.keep(upload.file, upload.filename or "") for upload in files)
        if not wait:
            ids = services.documents.queue(user, sources, collection)
            named = zip(sources, ids, strict=True)
            return {"files": [{"path": each.shown, "job": job, "error": each.error or None} for each, job in named]}
        reports = services.documents.ingest(user, sources, collection)
        for source, report in zip(sources, reports, strict=True):
            if report.status not in ("failed", "cancelled"):  # these may be tried again
                services.uploads.drop(source.path)
        return {"files": [asdict(report) for report in reports]}

    @routes.delete("/documents/{name:path}", status_code=204)
    def remove(name: str, user: writer) -> None:
        services.documents.remove(user, name)

    routes.include_router(job_routes(services))
    return routes
