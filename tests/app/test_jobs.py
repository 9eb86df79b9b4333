"""Jobs: claimed once, kept by a heartbeat, taken over from the dead, fenced against the slow."""

import multiprocessing
import threading
import time

import pytest
from sqlalchemy import update

from app.database import Database, utc_now
from app.jobs import MAX_ATTEMPTS, Claim, Jobs, LeaseLost, is_gone, this_process
from app.records import Role, User
from app.schema import Job, UserAccount
from app.work import Progress, Work


@pytest.fixture
def database(database_url: str):
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def actor(database: Database) -> User:
    with database.write() as session:
        row = UserAccount(email="a@company.example", name="A", role="admin", created_at=utc_now())
        session.add(row)
        session.flush()
        return User(row.id, row.email, row.name, Role.ADMIN)


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database, lease_s=30)


def add(database: Database, jobs: Jobs, actor: User, key: str = "key") -> int:
    with database.write() as session:
        return jobs.add(session, actor, "count", key, {"key": key})


def expire_leases(database: Database) -> None:
    with database.write() as session:
        session.execute(update(Job).where(Job.state == "running").values(lease_until=utc_now()))


def test_many_workers_do_every_job_once(database: Database, actor: User, jobs: Jobs):
    for number in range(40):
        add(database, jobs, actor, f"key {number}")
    done: list[int] = []
    stop = threading.Event()

    def handle(claim: Claim, progress: Progress) -> None:
        with database.write() as session:
            jobs.finish(session, claim, result={})
        done.append(claim.job_id)
        if len(done) == 40:
            stop.set()

    work = Work(jobs, lease_s=30)
    workers = [threading.Thread(target=work.until, args=(stop, {"count": handle})) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert len(done) == len(set(done)) == 40


def test_a_job_that_is_not_finished_stands_for_both_who_ask(database: Database, actor: User, jobs: Jobs):
    first = add(database, jobs, actor)
    assert add(database, jobs, actor) == first
    claim = jobs.claim()
    assert claim is not None and add(database, jobs, actor) == first
    with database.write() as session:
        jobs.finish(session, claim, result={"ok": 1})
    assert jobs.outcome(first) == ("done", {"ok": 1}, None)
    assert add(database, jobs, actor) != first


def test_a_slow_worker_whose_job_was_taken_over_changes_nothing(database: Database, actor: User, jobs: Jobs):
    add(database, jobs, actor)
    slow = jobs.claim()
    assert slow is not None and jobs.claim() is None
    expire_leases(database)
    other = jobs.claim()
    assert other is not None and other.fence == slow.fence + 1
    with pytest.raises(LeaseLost), database.write() as session:
        jobs.finish(session, slow, result={"by": "slow"})
    jobs.put_back(slow, "too late")
    with database.write() as session:
        jobs.finish(session, other, result={"by": "other"})
    assert jobs.outcome(slow.job_id) == ("done", {"by": "other"}, None)


def test_the_heartbeat_keeps_a_job_longer_than_its_lease(database: Database, actor: User):
    jobs = Jobs(database, lease_s=0.4)
    add(database, jobs, actor)
    claim = jobs.claim()
    assert claim is not None
    with Work(jobs, lease_s=0.4).kept(claim):
        time.sleep(1.0)
        assert jobs.claim() is None
    time.sleep(0.6)
    assert jobs.claim() is not None


def test_a_dead_process_is_seen_before_its_lease_ends(database: Database, actor: User, jobs: Jobs):
    add(database, jobs, actor)
    assert jobs.claim() is not None
    queue = multiprocessing.get_context("forkserver").SimpleQueue()
    process = multiprocessing.get_context("forkserver").Process(target=_tell_name, args=(queue,))
    process.start()
    name = queue.get()
    process.join()
    queue.close()
    assert is_gone(name) and not is_gone(this_process())
    assert not is_gone("another machine:1:1")
    with database.write() as session:
        session.execute(update(Job).values(owner=name))
    assert jobs.claim() is not None


def _tell_name(queue: "multiprocessing.SimpleQueue[str]") -> None:
    queue.put(this_process())


def test_a_job_that_kills_its_workers_is_given_up(database: Database, actor: User, jobs: Jobs):
    number = add(database, jobs, actor)
    for _ in range(MAX_ATTEMPTS):
        assert jobs.claim() is not None
        expire_leases(database)
    assert jobs.claim() is None
    state, _, error = jobs.outcome(number)
    assert state == "failed" and error is not None and error.startswith("Given up")


def test_an_unforeseen_error_is_tried_again_and_then_told_with_an_id(database: Database, actor: User, jobs: Jobs):
    number = add(database, jobs, actor)
    tries: list[int] = []

    def handle(claim: Claim, progress: Progress) -> None:
        tries.append(claim.fence)
        raise RuntimeError("something unforeseen")

    while claim := jobs.claim(number):
        Work(jobs, lease_s=30).run(claim, handle)
    assert tries == [1, 2, 3, 4]
    state, _, error = jobs.outcome(number)
    assert state == "failed" and error is not None and "error " in error and "unforeseen" not in error
