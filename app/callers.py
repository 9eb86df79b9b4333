"""Who calls the API: the owner of the Bearer key, if the key has the route's scope."""

from collections.abc import Callable

from fastapi import Request

from app.errors import NotSignedIn
from app.keys import Keys
from app.records import User


def caller_with(keys: Keys, scope: str) -> Callable[[Request], User]:
    """Return a dependency that gives the caller; synchronous, so that it runs beside the event loop."""

    def caller(request: Request) -> User:
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not secret:
            raise NotSignedIn("Send 'Authorization: Bearer KEY' with an API key.")
        return keys.user_of(secret.strip(), scope)

    return caller
