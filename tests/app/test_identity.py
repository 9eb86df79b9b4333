"""Accounts, sessions and keys: who is let in, and who not any more."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from app.database import utc_now
from app.errors import AppError, Conflict, InvalidRequest, NotAllowed, NotFound, NotSignedIn, TooManyAttempts
from app.identity import ATTEMPTS_PER_ACCOUNT, ATTEMPTS_PER_ADDRESS
from app.records import Permission, Role, User
from app.schema import ApiKey, AuditEvent, Setting, SignInSession, UserAccount
from app.services import Services
from tests.conftest import PASSWORD


def test_the_first_run_token_opens_once(services: Services):
    assert services.identity.first_run_needed()
    token = services.identity.first_run_token()
    admin = services.identity.create_first_admin(token, "Grace", "Grace@Company.example", PASSWORD)
    assert (admin.email, admin.role) == ("grace@company.example", Role.ADMIN)
    assert not services.identity.first_run_needed()
    with pytest.raises(NotSignedIn):
        services.identity.create_first_admin(token, "Mallory", "mallory@company.example", PASSWORD)
    with pytest.raises(Conflict):
        services.identity.first_run_token()


def test_only_the_newest_first_run_token_counts(services: Services):
    older, newer = services.identity.first_run_token(), services.identity.first_run_token()
    for wrong in (older, "", "x" * 43):
        with pytest.raises(NotSignedIn):
            services.identity.create_first_admin(wrong, "Mallory", "mallory@company.example", PASSWORD)
    assert services.identity.create_first_admin(newer, "Grace", "grace@company.example", PASSWORD)


def test_tokens_and_passwords_are_stored_as_hashes_alone(services: Services, operator: User, employee: User):
    token = services.identity.sign_in(employee.email, PASSWORD, "127.0.0.1")
    _, secret = services.keys.create(operator, "script", ["chat"])
    with services.database.read() as session:
        stored = [
            *session.scalars(select(SignInSession.token_sha256)),
            *session.scalars(select(ApiKey.sha256)),
            *(value or "" for value in session.scalars(select(UserAccount.password_hash))),
            *session.scalars(select(Setting.value)),
        ]
    assert all(plain not in value for value in stored for plain in (token, secret, PASSWORD))
    assert any(value.startswith("$argon2id$") for value in stored)


def test_signing_in_gives_a_session_that_ends_when_told(services: Services, employee: User):
    token = services.identity.sign_in("  ADA@company.example ", PASSWORD, "127.0.0.1")
    assert services.identity.user_of(token) == employee
    services.identity.sign_out(token)
    assert services.identity.user_of(token) is None
    assert services.identity.user_of("") is None and services.identity.user_of("made up") is None


def test_a_disabled_persons_sessions_and_keys_die_at_once(services: Services, operator: User, employee: User):
    token = services.identity.sign_in(employee.email, PASSWORD, "127.0.0.1")
    _, secret = services.keys.create(employee, "script", ["chat"])
    services.identity.disable_user(operator, employee.email)
    assert services.identity.user_of(token) is None
    with pytest.raises(NotSignedIn):
        services.keys.user_of(secret, "chat")
    with pytest.raises(NotSignedIn):
        services.identity.sign_in(employee.email, PASSWORD, "127.0.0.1")
    (listed,) = services.identity.list_users(operator)
    assert listed.disabled


@pytest.mark.parametrize("age", [{"seen_at": timedelta(hours=9)}, {"expires_at": timedelta(seconds=1)}])
def test_an_idle_or_old_session_is_over(services: Services, employee: User, age: dict[str, timedelta]):
    token = services.identity.sign_in(employee.email, PASSWORD, "127.0.0.1")
    with services.database.write() as session:
        session.execute(update(SignInSession).values({name: utc_now() - past for name, past in age.items()}))
    assert services.identity.user_of(token) is None


def test_nobody_learns_which_accounts_exist(services: Services, employee: User):
    refusals = set()
    for email, password in (
        (employee.email, "wrong password"),
        ("nobody@company.example", PASSWORD),
        ("local operator", ""),
    ):
        with pytest.raises(NotSignedIn) as caught:
            services.identity.sign_in(email, password, "127.0.0.1")
        refusals.add(str(caught.value))
    assert len(refusals) == 1


def test_guessing_is_slowed_by_account(services: Services, employee: User):
    for attempt in range(ATTEMPTS_PER_ACCOUNT):
        with pytest.raises(NotSignedIn):
            services.identity.sign_in(employee.email, "wrong password", f"10.0.0.{attempt}")
    with pytest.raises(TooManyAttempts):
        services.identity.sign_in(employee.email, PASSWORD, "10.0.1.1")


def test_guessing_is_slowed_by_address(services: Services, employee: User):
    for attempt in range(ATTEMPTS_PER_ADDRESS):
        with pytest.raises(NotSignedIn):
            services.identity.sign_in(f"p{attempt}@company.example", "wrong password", "10.0.0.1")
    with pytest.raises(TooManyAttempts):
        services.identity.sign_in(employee.email, PASSWORD, "10.0.0.1")
    assert services.identity.sign_in(employee.email, PASSWORD, "10.0.0.2")


@pytest.mark.parametrize(
    ("email", "name", "password"),
    [
        ("no address", "Ada", PASSWORD),
        ("a@b\n", "", PASSWORD),
        ("ada@company.example", "bell\x07", PASSWORD),
        ("ada@company.example", "Ada", "short"),
        ("ada@company.example", "Ada", "x" * 300),
        ("x" * 300 + "@company.example", "Ada", PASSWORD),
    ],
)
def test_an_account_that_cannot_be_is_refused(services: Services, operator: User, email: str, name: str, password: str):
    with pytest.raises(InvalidRequest):
        services.identity.add_user(operator, email, name, Role.EMPLOYEE, password)
    assert services.identity.list_users(operator) == []


def test_an_address_has_one_account(services: Services, operator: User, employee: User):
    with pytest.raises(Conflict):
        services.identity.add_user(operator, employee.email.upper(), "Other", Role.ADMIN, PASSWORD)


def test_employees_and_engineers_manage_nobody(services: Services, operator: User, employee: User):
    engineer = services.identity.add_user(operator, "e@company.example", "Edsger", Role.ENGINEER, PASSWORD)
    for person in (employee, engineer):
        for deed in (
            lambda person=person: services.identity.list_users(person),
            lambda person=person: services.identity.add_user(person, "n@c.example", "N", Role.ADMIN, PASSWORD),
            lambda person=person: services.identity.disable_user(person, employee.email),
            lambda person=person: services.audit.list(person),
        ):
            with pytest.raises(NotAllowed):
                deed()
    with pytest.raises(NotAllowed, match=str(Permission.MANAGE_CORES)):
        services.cores.rollback(employee)


def test_nobody_is_disabled_who_is_not_there(services: Services, operator: User):
    for email in ("nobody@company.example", operator.email):
        with pytest.raises(NotFound):
            services.identity.disable_user(operator, email)


def test_a_key_acts_within_its_scopes_until_it_ends(services: Services, operator: User, employee: User):
    entry, secret = services.keys.create(employee, "script", ["search", "search"])
    assert services.keys.user_of(secret, "search") == employee
    with pytest.raises(NotAllowed):
        services.keys.user_of(secret, "chat")
    with pytest.raises(NotFound):
        services.keys.revoke(operator, entry.id)
    services.keys.revoke(employee, entry.id)
    with pytest.raises(NotSignedIn):
        services.keys.user_of(secret, "search")
    (listed,) = services.keys.list(employee)
    assert listed.revoked and listed.scopes == ("search",) and secret.startswith(listed.prefix)


@pytest.mark.parametrize(("scopes", "days"), [([], 10), (["everything"], 10), (["chat"], 0), (["chat"], 10**6)])
def test_a_key_that_cannot_be_is_refused(services: Services, operator: User, scopes: list[str], days: int):
    with pytest.raises(InvalidRequest):
        services.keys.create(operator, "script", scopes, days)


def test_an_expired_key_is_refused(services: Services, operator: User):
    _, secret = services.keys.create(operator, "script", ["chat"], 1)
    with services.database.write() as session:
        session.execute(update(ApiKey).values(expires_at=utc_now() - timedelta(seconds=1)))
    with pytest.raises(AppError):
        services.keys.user_of(secret, "chat")


def test_the_audit_log_says_who_changed_what_and_cannot_be_changed(services: Services, operator: User, employee: User):
    services.identity.disable_user(operator, employee.email)
    entries = services.audit.list(operator)
    assert [(entry.who, entry.action, entry.subject) for entry in entries[:2]] == [
        (operator.email, "user.disable", employee.email),
        (operator.email, "user.add", employee.email),
    ]
    for statement in (update(AuditEvent).values(who="nobody"), AuditEvent.__table__.delete()):
        with pytest.raises(DBAPIError, match="append-only"), services.database.write() as session:
            session.execute(statement)
    assert services.audit.list(operator) == entries
