"""API keys: for programs that act for a person, within scopes."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select

from app import audit
from app.database import Database, utc_now
from app.errors import InvalidRequest, NotAllowed, NotFound, NotSignedIn
from app.identity import as_user, current_user
from app.names import plain_line
from app.passwords import new_token, token_sha256
from app.records import KeyEntry, User
from app.schema import ApiKey, UserAccount

SCOPES = ("chat", "search", "documents.read", "documents.write", "core")
_PREFIX = "precept_"
_MAX_DAYS = 3650


class Keys:
    """Making, checking and revoking keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, actor: User, name: str, scopes: Sequence[str], days: int | None = 365) -> tuple[KeyEntry, str]:
        """Make a key that acts for `actor`, and return it with its secret, which is never shown again."""
        if unknown := sorted(set(scopes) - set(SCOPES)):
            raise InvalidRequest(f"There is no scope {unknown[0]!r}: choose from {', '.join(SCOPES)}.")
        if not scopes or (days is not None and not 1 <= days <= _MAX_DAYS):
            raise InvalidRequest(f"A key needs at least one scope, and lives 1 to {_MAX_DAYS} days.")
        secret, now = _PREFIX + new_token(), utc_now()
        row = ApiKey(
            user_id=actor.id,
            name=plain_line(name, "key name", 100),
            prefix=secret[:14],
            sha256=token_sha256(secret),
            scopes=sorted(set(scopes)),
            created_at=now,
            expires_at=now + timedelta(days=days) if days is not None else None,
        )
        with self._database.write() as session:
            current_user(session, actor)
            session.add(row)
            audit.record(session, actor, "key.create", row.name, scopes=row.scopes)
        return _entry(row), secret

    def list(self, actor: User) -> list[KeyEntry]:
        with self._database.read() as session:
            rows = session.scalars(select(ApiKey).where(ApiKey.user_id == actor.id).order_by(ApiKey.id))
            return [_entry(row) for row in rows]

    def revoke(self, actor: User, key_id: int) -> None:
        with self._database.write() as session:
            row = session.get(ApiKey, key_id)
            if row is None or row.user_id != actor.id:
                raise NotFound(f"There is no key {key_id}.")
            row.revoked_at = row.revoked_at or utc_now()
            audit.record(session, actor, "key.revoke", row.name)

    def user_of(self, secret: str, scope: str) -> User:
        """Return the person a key acts for.

        Raises:
            NotSignedIn: the key is unknown, revoked or expired, or the account is closed.
            NotAllowed: the key has not this scope.
        """
        with self._database.read() as session:
            found = session.execute(
                select(ApiKey, UserAccount)
                .join(UserAccount, UserAccount.id == ApiKey.user_id)
                .where(ApiKey.sha256 == token_sha256(secret))
            ).one_or_none()
        if found is None:
            raise NotSignedIn("This API key is not known: send 'Authorization: Bearer KEY' with a valid key.")
        key, account = found
        is_expired = key.expires_at is not None and key.expires_at <= utc_now()
        if key.revoked_at is not None or is_expired or account.disabled_at is not None:
            raise NotSignedIn("This API key has ended: make a new one.")
        if scope not in key.scopes:
            raise NotAllowed(f"This API key has not the scope {scope!r}: make one that has it.")
        return as_user(account)


def _entry(row: ApiKey) -> KeyEntry:
    return KeyEntry(
        row.id, row.name, row.prefix, tuple(row.scopes), row.created_at, row.expires_at, row.revoked_at is not None
    )
