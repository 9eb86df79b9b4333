"""The guard in front of every page and route.

It adds the security headers, refuses requests that another site started, refuses bodies that are too large, and lets
nobody without a session past the door of a page. Gradio leaves `/cancel` and `/reset` open and its handlers callable
by index, so the door stands here, before Gradio; each handler still checks whose object it touches.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

SESSION_COOKIE = "precept_session"
SECURE_SESSION_COOKIE = "__Host-precept_session"
"""Used over HTTPS, where browsers bind it to this host alone."""

PAGE_BODY_BYTES = 4 * 2**20
API_BODY_BYTES = 64 * 2**20
GUARDED_PAGES = ("/chat",)
_OPEN_FILES = ("/assets/", "/static/", "/theme.css")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "frame-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)


class Guard:
    """ASGI wrapper; `signed_in` says whether a session token belongs to somebody who may come in."""

    def __init__(self, app: ASGIApp, signed_in: Callable[[str], bool]) -> None:
        self._app = app
        self._signed_in = signed_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded_send = _with_headers(send)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        limit = _body_limit(scope["path"])
        declared = headers.get("content-length", "")
        if scope["method"] not in _SAFE_METHODS and _comes_from_elsewhere(headers):
            await _refuse(guarded_send, 403, "This request was started by another site.")
        elif declared.isdecimal() and int(declared) > limit:
            await _refuse(guarded_send, 413, f"The request is larger than {limit} bytes.")
        elif _needs_session(scope["path"]) and not await self._has_session(headers):
            await _send_to_the_door(guarded_send, scope, headers)
        else:
            await self._app(scope, _limited(receive, limit), guarded_send)

    async def _has_session(self, headers: dict[str, str]) -> bool:
        token = session_token(headers.get("cookie", ""))
        return bool(token) and await run_in_threadpool(self._signed_in, token)


def session_token(cookie_header: str) -> str:
    """Return the session token that the browser sent, or an empty string."""
    try:
        cookies = SimpleCookie(cookie_header)
    except CookieError:
        return ""
    for name in (SECURE_SESSION_COOKIE, SESSION_COOKIE):
        if name in cookies:
            return cookies[name].value
    return ""


def safe_next(path: str) -> str:
    """Return `path` if it is a path on this server, else the chat page: nobody is led elsewhere by a link."""
    here = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if here and path.isprintable() else "/chat/"


def _comes_from_elsewhere(headers: dict[str, str]) -> bool:
    """Fetch Metadata first (OWASP's complete alternative to tokens), the Origin header for browsers without it."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is not None and origin.rpartition("://")[2].lower() != headers.get("host", "").lower()


def _body_limit(path: str) -> int:
    return API_BODY_BYTES if path.startswith("/v1/") else PAGE_BODY_BYTES


def _needs_session(path: str) -> bool:
    page = next((page for page in GUARDED_PAGES if path == page or path.startswith(f"{page}/")), None)
    return page is not None and not path.removeprefix(page).startswith(_OPEN_FILES)


async def _send_to_the_door(send: Send, scope: Scope, headers: dict[str, str]) -> None:
    if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        query = scope.get("query_string", b"").decode("latin-1")
        here = f"{scope['path']}?{query}" if query else scope["path"]
        location = f"/sign-in?next={quote(here)}".encode()
        await send({"type": "http.response.start", "status": 303, "headers": [(b"location", location)]})
        await send({"type": "http.response.body", "body": b""})
    else:
        await _refuse(send, 401, "Sign in first.")


async def _refuse(send: Send, status: int, sentence: str) -> None:
    body = json.dumps({"detail": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _limited(receive: Receive, limit: int) -> Receive:
    """Stop reading a body of undeclared length once it passes the limit: the application sees a closed connection."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        return {"type": "http.disconnect"} if received > limit else message

    return limited


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message.get("headers", [])}
            added = [header for header in SECURITY_HEADERS if header[0] not in present]
            message = {**message, "headers": [*message.get("headers", []), *added]}
        await send(message)

    return sending
