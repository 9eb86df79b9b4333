"""The index generation: a number that grows with every change of the chunks.

Every process compares it before a search, so what was ingested is found and what was removed is gone at once. Its row
is also the lock that makes publishing transactions take turns.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.schema import Setting

_NAME = "index_generation"


def generation(session: Session) -> int:
    return int(session.scalar(select(Setting.value).where(Setting.name == _NAME)) or 0)


def lock_publishing(session: Session) -> Setting:
    """Wait until no other transaction changes collections, documents or chunks; then be the one that may."""
    return session.scalars(select(Setting).where(Setting.name == _NAME).with_for_update()).one()


def next_generation(session: Session) -> int:
    """Count the generation up, in the transaction that changes the chunks."""
    row = lock_publishing(session)
    row.value = str(int(row.value) + 1)
    return int(row.value)
