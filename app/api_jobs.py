"""The API's routes for jobs: what is going on, what failed and why, cancelling and trying again."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from app.callers import caller_with
from app.records import User
from app.services import Services


def job_routes(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/jobs")
    reader = Annotated[User, Depends(caller_with(services.keys, "documents.read"))]
    writer = Annotated[User, Depends(caller_with(services.keys, "documents.write"))]

    @routes.get("")
    def jobs(user: reader, state: str | None = None) -> dict[str, Any]:
        return {"jobs": [asdict(entry) for entry in services.jobs.list(user, state)]}

    @routes.get("/{job_id}")
    def job(job_id: int, user: reader) -> dict[str, Any]:
        return asdict(services.jobs.get(user, job_id))

    @routes.post("/{job_id}/cancel")
    def cancel(job_id: int, user: writer) -> dict[str, Any]:
        return asdict(services.jobs.cancel(user, job_id))

    @routes.post("/{job_id}/retry")
    def retry(job_id: int, user: writer) -> dict[str, Any]:
        return asdict(services.jobs.retry(user, job_id))

    return routes
