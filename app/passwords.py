"""Passwords and tokens: argon2 for what people choose, SHA-256 for what we draw at random."""

import hashlib
import secrets
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import InvalidRequest

MIN_CHARS, MAX_CHARS = 12, 200
_PARALLEL_HASHES = 2  # each takes 64 MiB by default: a flood of sign-ins must not take the machine


class Passwords:
    """Hashes and verifies; one for the whole process, because it limits how many run at once."""

    def __init__(self, memory_kib: int = 65536) -> None:
        self._hasher = PasswordHasher(memory_cost=memory_kib)
        self._turn = threading.Semaphore(_PARALLEL_HASHES)
        self._dummy: str | None = None

    def hash(self, password: str) -> str:
        """Raises InvalidRequest where the password is too short or too long."""
        if not MIN_CHARS <= len(password) <= MAX_CHARS:
            raise InvalidRequest(
                f"The password has {len(password)} characters: choose one of {MIN_CHARS} to {MAX_CHARS}, "
                "a sentence for instance."
            )
        with self._turn:
            return self._hasher.hash(password)

    def verify(self, stored: str | None, password: str) -> bool:
        """Check a password; without a stored hash it takes as long and fails, so that nobody learns who exists."""
        if len(password) > MAX_CHARS:
            return False
        if stored is None and self._dummy is None:
            self._dummy = self.hash(secrets.token_urlsafe(24))
        with self._turn:
            try:
                matches = self._hasher.verify(stored or self._dummy or "", password)
            except (VerificationError, InvalidHashError):
                return False
        return matches and stored is not None

    def is_outdated(self, stored: str) -> bool:
        return self._hasher.check_needs_rehash(stored)


def new_token() -> str:
    """Return 32 random bytes as text that fits a link and a cookie."""
    return secrets.token_urlsafe(32)


def token_sha256(token: str) -> str:
    """Return what is stored of a random token: it has the entropy that a slow hash would have to make up for."""
    return hashlib.sha256(token.encode()).hexdigest()
