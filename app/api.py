"""The HTTP API: `create_api` builds it, and whatever has pages mounts them on it.

Callers under /v1 show an API key; every route acts as the key's owner, and another person's object is not found.
Errors are JSON in the shape that OpenAI's clients read, with an id where the log has more to say.
"""

import logging
import secrets
from ipaddress import ip_address

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from app.api_chat import chat_routes
from app.api_core import core_routes
from app.api_documents import document_routes
from app.errors import AppError, NotAllowed
from app.event_stream import error_body
from app.metrics import registry_of
from app.services import Services

log = logging.getLogger(__name__)


def create_api(services: Services) -> FastAPI:
    """Return the application with the routes under /v1, /healthz, /readyz and /metrics."""
    api = FastAPI(title="Precept", openapi_url=None, docs_url=None, redoc_url=None)
    api.include_router(chat_routes(services))
    api.include_router(core_routes(services))
    api.include_router(document_routes(services))
    _add_health(api, services)
    api.add_exception_handler(AppError, _refused)
    api.add_exception_handler(RequestValidationError, _malformed)
    api.add_exception_handler(HTTPException, _unroutable)
    api.add_exception_handler(Exception, _unforeseen)
    return api


def _add_health(api: FastAPI, services: Services) -> None:
    registry = registry_of(services.database, lambda: services.core.load)

    @api.get("/healthz")
    def alive() -> dict[str, str]:
        return {"status": "ok"}

    @api.get("/readyz")
    def ready() -> JSONResponse:
        """Ready to answer: the database can be read and a core is there."""
        parts: dict[str, str] = {}
        for name, check in (("database", services.database.ping), ("core", services.core.check)):
            try:
                check()
                parts[name] = "ok"
            except AppError as error:
                parts[name] = str(error)
        is_ready = all(state == "ok" for state in parts.values())
        return JSONResponse({"ready": is_ready, **parts}, 200 if is_ready else 503)

    @api.get("/metrics")
    def metrics(request: Request) -> Response:
        """Figures for Prometheus, for this machine or for who has the token of the settings."""
        token = services.settings.metrics_token
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        has_token = token is not None and secrets.compare_digest(given.encode(), token.get_secret_value().encode())
        if not has_token and not (token is None and _is_local(request)):
            raise NotAllowed("The metrics are for this machine: set PRECEPT_METRICS_TOKEN and send it as Bearer.")
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def error_document(
    status: int,
    code: str,
    message: str,
    *,
    error_id: str | None = None,
    param: str | None = None,
    retry_after_s: int | None = None,
) -> JSONResponse:
    """Return an error in OpenAI's shape; `id` finds it in the log."""
    body = error_body(status, code, message, param)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    return JSONResponse({"error": body | ({"id": error_id} if error_id else {})}, status, headers=headers)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)
    return error_document(error.status, error.code, str(error), retry_after_s=error.retry_after_s)


async def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    reason = first["msg"].removeprefix("Value error, ").rstrip(".")
    return error_document(400, "invalid_request", f"{place or 'The request'}: {reason}.", param=place or None)


async def _unroutable(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}."
    return error_document(error.status_code, "invalid_request", message)


async def _unforeseen(request: Request, error: Exception) -> Response:
    error_id = secrets.token_hex(4)
    log.error("%s %s failed", request.method, request.url.path, exc_info=error, extra={"error_id": error_id})
    return error_document(
        500, "error", f"Something went wrong (error {error_id}); the log says more.", error_id=error_id
    )


def _is_local(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
