"""The refusals of the application, each with the HTTP status it becomes.

    AppError
    ├── InvalidRequest        400  the request says something that cannot be done
    │   └── TooLarge          413  it says too much
    ├── NotSignedIn           401  nobody, or nobody any more
    ├── NotAllowed            403  somebody, but not this
    ├── NotFound              404  not there, or not yours
    ├── Conflict              409  true already, or changed meanwhile
    ├── TooManyAttempts       429  come back later
    └── Unavailable           503  a part that is needed is not there
        └── Busy              503  the queue is full

A message is one sentence that names the value and the remedy; it is shown to the person as it is.
"""


class AppError(Exception):
    """A refusal with a reason for the person who asked."""

    status = 500
    code = "error"
    retry_after_s: int | None = None
    """When to try again, where that may help."""


class InvalidRequest(AppError):
    status = 400
    code = "invalid_request"


class TooLarge(InvalidRequest):
    status = 413
    code = "too_large"


class NotSignedIn(AppError):
    status = 401
    code = "not_signed_in"


class NotAllowed(AppError):
    status = 403
    code = "not_allowed"


class NotFound(AppError):
    status = 404
    code = "not_found"


class Conflict(AppError):
    status = 409
    code = "conflict"


class TooManyAttempts(AppError):
    status = 429
    retry_after_s = 5
    code = "too_many_attempts"


class Unavailable(AppError):
    status = 503
    retry_after_s = 5
    code = "unavailable"


class Busy(Unavailable):
    code = "busy"

    def __init__(self, message: str, retry_after_s: int = 5) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
