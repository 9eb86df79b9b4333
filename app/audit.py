"""The audit log: one row for everything that changes state, written in the transaction that changes it."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access import require
from app.database import Database, utc_now
from app.records import AuditEntry, Permission, User
from app.schema import AuditEvent


def record(session: Session, actor: User | None, action: str, subject: str, **detail: Any) -> None:
    """Add a row; `actor` is None for what nobody signed in did. No text of documents or chats belongs in `detail`."""
    session.add(
        AuditEvent(
            at=utc_now(),
            user_id=actor.id if actor else None,
            who=actor.email if actor else "",
            action=action,
            subject=subject[:500],
            detail=detail,
        )
    )


class AuditLog:
    """Reading the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, actor: User, limit: int = 200) -> list[AuditEntry]:
        """Return the newest entries, newest first."""
        require(actor, Permission.READ_AUDIT)
        with self._database.read() as session:
            rows = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(limit))
            return [AuditEntry(row.at, row.who, row.action, row.subject, row.detail) for row in rows]
