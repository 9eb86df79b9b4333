"""Accounts, sign-in and sessions.

A session is an opaque random token in the browser and its SHA-256 in the database, so it can be ended from here. The
first account is made with a one-time token that `precept serve` prints. On the command line the local operator acts:
an account without a password, whose authority is shell access to the home.
"""

import re
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app import audit
from app.access import require
from app.database import Database, utc_now
from app.errors import Conflict, InvalidRequest, NotFound, NotSignedIn, TooManyAttempts
from app.names import plain_line
from app.passwords import Passwords, new_token, token_sha256
from app.records import Permission, Role, User
from app.schema import Setting, SignInAttempt, SignInSession, UserAccount
from app.settings import Settings

OPERATOR_EMAIL = "local operator"  # no email address, so it can be nobody's
FIRST_RUN = "first_run_token_sha256"
ATTEMPTS_PER_ACCOUNT, ATTEMPTS_PER_ADDRESS = 8, 40
ATTEMPT_WINDOW = timedelta(minutes=10)
_SEEN_EVERY = timedelta(minutes=1)
_EMAIL = re.compile(r"[^\s@\x00-\x1f<>\"]+@[^\s@\x00-\x1f<>\"]+")


class Identity:
    """Who is who."""

    def __init__(self, database: Database, settings: Settings, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords
        self._idle = timedelta(hours=settings.session_idle_h)
        self._lifetime = timedelta(days=settings.session_days)

    def operator(self) -> User:
        """Return the local operator, made on first use."""
        with self._database.read() as session:
            row = _by_email(session, OPERATOR_EMAIL)
        if row is None:
            with self._database.write() as session:
                row = _by_email(session, OPERATOR_EMAIL) or _added(
                    session, OPERATOR_EMAIL, "Local operator", Role.ADMIN, None
                )
        return as_user(row)

    def first_run_needed(self) -> bool:
        """Say whether nobody can sign in yet."""
        with self._database.read() as session:
            return not _anybody(session)

    def first_run_token(self) -> str:
        """Draw the one-time token of the first-run page; one drawn before is void.

        Raises:
            Conflict: there is an account already.
        """
        token = new_token()
        with self._database.write() as session:
            if _anybody(session):
                raise Conflict("There is an account already: sign in.")
            session.merge(Setting(name=FIRST_RUN, value=token_sha256(token)))
        return token

    def create_first_admin(self, token: str, name: str, email: str, password: str) -> User:
        """Make the first account; the token is void afterwards."""
        hashed = self._passwords.hash(password)
        with self._database.write() as session:
            stored = session.get(Setting, FIRST_RUN, with_for_update=True)
            if _anybody(session) or stored is None or stored.value != token_sha256(token):
                raise NotSignedIn("This first-run link is not valid any more: use the newest one that serve printed.")
            row = _added(session, _valid_email(email), plain_line(name, "name", 200), Role.ADMIN, hashed)
            session.delete(stored)
            user = as_user(row)
            audit.record(session, user, "user.first", user.email)
        return user

    def sign_in(self, email: str, password: str, address: str) -> str:
        """Check a password and return a new session's token.

        Raises:
            NotSignedIn: no such account, wrong password, or a disabled account; which of them is not said.
            TooManyAttempts: too many failures of this account or address in a while.
        """
        email = email.strip().casefold()
        keys = {f"account {email[:254]}": ATTEMPTS_PER_ACCOUNT, f"address {address[:100]}": ATTEMPTS_PER_ADDRESS}
        with self._database.write() as session:
            _refuse_a_flood(session, keys)
            # Counted before the check: attempts sent at once must not all pass the count.
            session.add_all(SignInAttempt(key=key, at=utc_now()) for key in keys)
            row = _by_email(session, email)
        # Outside a transaction: hashing takes a fifth of a second.
        stored = row.password_hash if row and row.disabled_at is None else None
        if not self._passwords.verify(stored, password) or row is None:
            raise NotSignedIn("Email and password do not match an account.")
        rehashed = self._passwords.hash(password) if self._passwords.is_outdated(stored or "") else None
        return self._start_session(row.id, rehashed, f"account {email}")

    def user_of(self, session_token: str) -> User | None:
        """Return the person behind a session token, or None where it is unknown, expired or ended."""
        now = utc_now()
        with self._database.read() as session:
            found = session.execute(
                select(SignInSession, UserAccount)
                .join(UserAccount, UserAccount.id == SignInSession.user_id)
                .where(SignInSession.token_sha256 == token_sha256(session_token))
            ).one_or_none()
        if found is None or not self._is_alive(*found, now):
            return None
        signed_in, account = found
        if now - signed_in.seen_at > min(_SEEN_EVERY, self._idle / 10):
            with self._database.write() as session:
                session.execute(
                    update(SignInSession)
                    .where(SignInSession.token_sha256 == signed_in.token_sha256)
                    .values(seen_at=now)
                )
        return as_user(account)

    def sign_out(self, token: str) -> None:
        """End a session; an unknown token is as good as ended."""
        with self._database.write() as session:
            session.execute(
                update(SignInSession)
                .where(SignInSession.token_sha256 == token_sha256(token), SignInSession.ended_at.is_(None))
                .values(ended_at=utc_now())
            )

    def list_users(self, actor: User) -> list[User]:
        """Return everybody who may sign in, or might once more."""
        require(actor, Permission.MANAGE_USERS)
        with self._database.read() as session:
            rows = session.scalars(select(UserAccount).order_by(UserAccount.email)).all()
        return [as_user(row) for row in rows if row.email != OPERATOR_EMAIL]

    def add_user(self, actor: User, email: str, name: str, role: Role, password: str) -> User:
        require(actor, Permission.MANAGE_USERS)
        hashed = self._passwords.hash(password)
        email, name = _valid_email(email), plain_line(name, "name", 200)
        with self._database.write() as session:
            if _by_email(session, email):
                raise Conflict(f"{email} has an account already.")
            user = as_user(_added(session, email, name, role, hashed))
            audit.record(session, actor, "user.add", email, role=role.value)
        return user

    def disable_user(self, actor: User, email: str) -> None:
        """Close an account and end its sessions at once; what it wrote is kept."""
        require(actor, Permission.MANAGE_USERS)
        email = email.strip().casefold()
        with self._database.write() as session:
            row = _by_email(session, email)
            if row is None or email == OPERATOR_EMAIL:
                raise NotFound(f"There is no account {email!r}.")
            if row.id == actor.id:
                raise Conflict("You cannot disable your own account; another administrator can.")
            row.disabled_at = row.disabled_at or utc_now()
            session.execute(
                update(SignInSession)
                .where(SignInSession.user_id == row.id, SignInSession.ended_at.is_(None))
                .values(ended_at=utc_now())
            )
            audit.record(session, actor, "user.disable", email)

    def _start_session(self, user_id: int, rehashed: str | None, attempt_key: str) -> str:
        token, now = new_token(), utc_now()
        with self._database.write() as session:
            row = session.get_one(UserAccount, user_id)
            if row.disabled_at is not None:  # since the password was read
                raise NotSignedIn("Email and password do not match an account.")
            row.password_hash = rehashed or row.password_hash
            session.add(
                SignInSession(
                    token_sha256=token_sha256(token),
                    user_id=user_id,
                    created_at=now,
                    seen_at=now,
                    expires_at=now + self._lifetime,
                )
            )
            session.execute(delete(SignInAttempt).where(SignInAttempt.key == attempt_key))
            audit.record(session, as_user(row), "session.start", row.email)
        return token

    def _is_alive(self, signed_in: SignInSession, account: UserAccount, now: datetime) -> bool:
        return (
            signed_in.ended_at is None
            and account.disabled_at is None
            and now < signed_in.expires_at
            and now < signed_in.seen_at + self._idle
        )


def as_user(row: UserAccount) -> User:
    return User(row.id, row.email, row.name, Role(row.role), row.disabled_at is not None)


def current_user(session: Session, actor: User) -> User:
    """Read a person again: a role may have changed, an account may have been closed, since `actor` was made.

    Raises:
        NotSignedIn: the account is closed or gone.
    """
    row = session.get(UserAccount, actor.id)
    if row is None or row.disabled_at is not None:
        raise NotSignedIn("This account is closed; ask an administrator.")
    return as_user(row)


def _refuse_a_flood(session: Session, keys: dict[str, int]) -> None:
    since = utc_now() - ATTEMPT_WINDOW
    session.execute(delete(SignInAttempt).where(SignInAttempt.at < since))
    for key, limit in keys.items():
        count = session.scalar(select(func.count()).where(SignInAttempt.key == key, SignInAttempt.at >= since))
        if (count or 0) >= limit:
            minutes = int(ATTEMPT_WINDOW.total_seconds() // 60)
            raise TooManyAttempts(f"Too many failed sign-ins: wait {minutes} minutes and try again.")


def _anybody(session: Session) -> bool:
    return session.scalar(select(UserAccount.id).where(UserAccount.password_hash.is_not(None)).limit(1)) is not None


def _by_email(session: Session, email: str) -> UserAccount | None:
    return session.scalar(select(UserAccount).where(UserAccount.email == email))


def _added(session: Session, email: str, name: str, role: Role, password_hash: str | None) -> UserAccount:
    row = UserAccount(email=email, name=name, role=role.value, password_hash=password_hash, created_at=utc_now())
    session.add(row)
    session.flush()
    return row


def _valid_email(email: str) -> str:
    email = email.strip().casefold()
    if len(email) > 254 or not _EMAIL.fullmatch(email):
        raise InvalidRequest(f"{email[:80]!r} is not an email address: write it as name@company.example.")
    return email
