"""One version of a stored document with the cited bytes marked, behind the same access check as everything else."""

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from app.errors import AppError
from app.records import Version
from app.services import Services
from ui.document_text import document_html
from ui.evidence import marked_html
from ui.plain_page import card, page
from ui.shell import session_token

_LAID_OUT = (".txt", ".text", ".log", ".csv", ".eml")  # their line ends and spaces are all the structure they have


def document_pages(services: Services) -> APIRouter:
    """The route `/documents/NAME?version=V&start=S&end=E`; offsets count bytes of the version's stored UTF-8 text."""
    documents = APIRouter(include_in_schema=False)

    @documents.get("/documents/{name:path}")
    def show(request: Request, name: str, version: int | None = None, start: int = 0, end: int = 0) -> Response:
        user = services.identity.user_of(session_token(request.headers.get("cookie", "")))
        if user is None:
            here = f"{request.url.path}?{request.url.query}"
            return RedirectResponse(f"/sign-in?next={quote(here)}", 303)
        try:
            versions = services.documents.versions(user, name)
            shown = versions[0].version if version is None else version
            data = services.documents.text(user, name, shown)
        except AppError as error:
            return card("Not here", str(error), status=error.status)
        return page(name, _body(name, _facts(name, versions, shown, len(data)), data, (start, end)))

    return documents


def _body(name: str, facts: str, data: bytes, span: tuple[int, int]) -> str:
    if name.lower().endswith(_LAID_OUT):
        marked = marked_html(data, [span]).replace("<mark>", '<mark id="cited">', 1)
        text = f"<pre>{marked}</pre>"
    else:
        text = f'<div class="text">{document_html(data, span)}</div>'
    return f'<main class="document"><header><h1>{escape(name)}</h1>{facts}</header>{text}</main>'


def _facts(name: str, versions: Sequence[Version], shown: int, size_bytes: int) -> str:
    """Say which version this is, when it was in force, and where the newest one is."""
    newest = versions[0].version
    this = next(each for each in versions if each.version == shown)
    facts = f'<p class="facts">Version {shown} of {newest} · in force from {this.created_at:%Y-%m-%d %H:%M}'
    if this.superseded_at is None:
        return f"{facts} · {size_bytes:,} bytes of text</p>"
    link = f'<a href="/documents/{escape(quote(name))}">Open version {newest}</a>'
    return (
        f"{facts} until {this.superseded_at:%Y-%m-%d %H:%M} (UTC)</p>"
        f'<p class="facts" role="note">A newer version is in force. {link}</p>'
    )
