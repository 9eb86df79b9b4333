"""Who may do and read what.

Code asks for permissions, never for roles. Reading documents is decided for each collection: everyone, or its readers;
whoever manages documents reads them all.
"""

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.errors import NotAllowed, NotFound
from app.records import Permission, Role, User
from app.schema import CollectionReader, DocumentCollection

PERMISSIONS = {
    Role.EMPLOYEE: frozenset({Permission.CHAT}),
    Role.ENGINEER: frozenset({Permission.CHAT, Permission.MANAGE_CORES}),
    Role.ADMIN: frozenset(Permission),
}


def may(user: User, permission: Permission) -> bool:
    return not user.disabled and permission in PERMISSIONS[user.role]


def require(user: User, permission: Permission) -> None:
    """Raises NotAllowed where the person may not do this."""
    if not may(user, permission):
        raise NotAllowed(f"{user.name} may not {permission.value}; ask an administrator.")


def readable_collections(session: Session, user: User, only: str | None = None) -> Sequence[int]:
    """Return the ids of the collections that a person may read.

    Raises:
        NotFound: `only` names a collection that is not there, or not theirs to read.
    """
    query = select(DocumentCollection.id)
    if not may(user, Permission.MANAGE_DOCUMENTS):
        granted = select(CollectionReader.collection_id).where(CollectionReader.user_id == user.id)
        query = query.where(or_(DocumentCollection.everyone, DocumentCollection.id.in_(granted)))
    if only is not None:
        query = query.where(DocumentCollection.name == only)
    ids = session.scalars(query.order_by(DocumentCollection.id)).all()
    if only is not None and not ids:
        raise NotFound(f"There is no collection {only!r}.")
    return ids
