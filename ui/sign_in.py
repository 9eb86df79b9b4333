"""The doors: signing in, signing out, and making the first account with the token printed on the terminal."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi import Form as FormValue
from fastapi.responses import FileResponse, RedirectResponse

from app.errors import AppError
from app.services import Services
from ui.plain_page import Field, Form, card
from ui.shell import SECURE_SESSION_COOKIE, SESSION_COOKIE, safe_next, session_token
from ui.theme import ASSETS

Value = Annotated[str, FormValue()]


def door_pages(services: Services) -> APIRouter:
    """The routes `/`, `/sign-in`, `/sign-out`, `/first-run` and the mark."""
    doors = APIRouter(include_in_schema=False)
    identity = services.identity

    @doors.get("/")
    def home() -> Response:
        return RedirectResponse("/chat/", 303)

    @doors.get("/sign-in")
    def show_sign_in(request: Request, next: str = "/chat/") -> Response:
        if identity.first_run_needed():
            return _no_account_yet()
        if identity.user_of(session_token(request.headers.get("cookie", ""))):
            return RedirectResponse(safe_next(next), 303)
        return _sign_in_card(next)

    @doors.post("/sign-in")
    def sign_in(request: Request, email: Value = "", password: Value = "", next: Value = "/chat/") -> Response:
        address = request.client.host if request.client else ""
        try:
            token = identity.sign_in(email.strip(), password, address)
        except AppError as error:
            return _sign_in_card(next, email=email, refusal=str(error), status=error.status)
        return _signed_in(request, token, safe_next(next))

    @doors.get("/first-run")
    def show_first_run(token: str = "") -> Response:
        if not identity.first_run_needed():
            return RedirectResponse("/sign-in", 303)
        return _first_run_card(token) if token else _no_account_yet()

    @doors.post("/first-run")
    def first_run(
        request: Request, token: Value = "", name: Value = "", email: Value = "", password: Value = ""
    ) -> Response:
        try:
            identity.create_first_admin(token, name.strip(), email.strip(), password)
            session = identity.sign_in(email.strip(), password, request.client.host if request.client else "")
        except (AppError, ValueError) as error:
            status = error.status if isinstance(error, AppError) else 400
            return _first_run_card(token, name=name, email=email, refusal=str(error), status=status)
        return _signed_in(request, session, "/chat/")

    @doors.get("/sign-out")
    def confirm_sign_out(request: Request) -> Response:
        """A link on our own page signs out at once; any other way here asks first."""
        if request.headers.get("sec-fetch-site") == "same-origin":
            return sign_out(request)
        return card("Sign out?", "Your conversations stay as they are.", Form("/sign-out", (), "Sign out"))

    @doors.post("/sign-out")
    def sign_out(request: Request) -> Response:
        if token := session_token(request.headers.get("cookie", "")):
            identity.sign_out(token)
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(SESSION_COOKIE)
        response.delete_cookie(SECURE_SESSION_COOKIE, secure=True)
        return response

    @doors.get("/favicon.svg")
    @doors.get("/favicon.ico")
    def icon() -> Response:
        return FileResponse(ASSETS / "mark.svg", media_type="image/svg+xml")

    return doors


def _signed_in(request: Request, token: str, target: str) -> Response:
    secure = request.url.scheme == "https"
    response = RedirectResponse(quote(target, safe="/?&=%#"), 303)
    name = SECURE_SESSION_COOKIE if secure else SESSION_COOKIE
    response.set_cookie(name, token, httponly=True, samesite="lax", secure=secure, path="/")
    return response


def _sign_in_card(target: str, *, email: str = "", refusal: str = "", status: int = 200) -> Response:
    fields = (
        Field("email", "Email", "email", "username", email),
        Field("password", "Password", "password", "current-password"),
    )
    form = Form("/sign-in", fields, "Sign in", (("next", safe_next(target)),))
    return card("Sign in", "Ask your company’s documents.", form, refusal=refusal, status=status)


def _first_run_card(token: str, *, name: str = "", email: str = "", refusal: str = "", status: int = 200) -> Response:
    fields = (
        Field("name", "Your name", "text", "name", name),
        Field("email", "Email", "email", "username", email),
        Field("password", "Password", "password", "new-password", hint="At least 12 characters. A sentence is fine."),
    )
    form = Form("/first-run", fields, "Create the account", (("token", token),))
    lead = "The first account is an administrator’s. It can add everybody else."
    return card("Welcome to Precept", lead, form, refusal=refusal, status=status)


def _no_account_yet() -> Response:
    lead = "There is no account yet. Open the first-run link that “precept serve” printed on its terminal."
    return card("Almost there", lead)
