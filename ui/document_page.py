"""One stored document, as text, with the cited bytes marked: read through the same access check as everything else."""

from html import escape
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from app.errors import AppError
from app.services import Services
from ui.evidence import marked_html
from ui.plain_page import card, page
from ui.shell import session_token


def document_pages(services: Services) -> APIRouter:
    """The route `/documents/NAME?version=V&start=S&end=E`; offsets count bytes of the stored UTF-8 text."""
    documents = APIRouter(include_in_schema=False)

    @documents.get("/documents/{name:path}")
    def show(request: Request, name: str, version: int | None = None, start: int = 0, end: int = 0) -> Response:
        user = services.identity.user_of(session_token(request.headers.get("cookie", "")))
        if user is None:
            here = f"{request.url.path}?{request.url.query}"
            return RedirectResponse(f"/sign-in?next={quote(here)}", 303)
        try:
            data = services.documents.text(user, name, version)
        except AppError as error:
            return card("Not here", str(error), status=error.status)
        return page(name, _body(name, version, data, (start, end)))

    return documents


def _body(name: str, version: int | None, data: bytes, span: tuple[int, int]) -> str:
    text = marked_html(data, [span]).replace("<mark>", '<mark id="cited">', 1)
    which = f"Version {version}" if version is not None else "Current version"
    return (
        f'<main class="document"><header><h1>{escape(name)}</h1>'
        f'<p class="facts">{which} · {len(data):,} bytes of text</p></header><pre>{text}</pre></main>'
    )
