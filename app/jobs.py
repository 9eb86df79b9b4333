"""Durable work: a job is a row, done by whichever process claims it, once in effect.

A claim gives a lease that a heartbeat extends. When a worker dies its lease runs out, or its process is seen to be
gone, and another claims the job with a higher fence. Results are written in the transaction that finishes the job,
and that transaction fails where the fence is not the newest: a worker that was slow and not dead changes nothing.
"""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import AppError
from app.records import User
from app.schema import Job

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 4
ACTIVE = ("queued", "running")


class LeaseLost(RuntimeError):
    """Another worker has this job now; whatever this one has done is void."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to finish one job, until a higher fence is given out."""

    job_id: int
    kind: str
    payload: Mapping[str, Any]
    user_id: int
    fence: int


Handler = Callable[[Claim], None]
"""Does the work and calls `Jobs.finish` in the transaction that stores its results."""


class Jobs:
    """The queue of one database."""

    def __init__(self, database: Database, lease_s: float) -> None:
        self._database = database
        self._lease = timedelta(seconds=lease_s)

    def add(self, session: Session, actor: User, kind: str, key: str, payload: dict[str, Any]) -> int:
        """Queue a job and return its id; one with the same key that is not finished yet stands for both."""
        active = session.scalar(select(Job).where(Job.key == key, Job.state.in_(ACTIVE)).with_for_update())
        if active is not None:
            active.attempts = 0  # somebody asks for it anew
            return active.id
        row = Job(
            kind=kind,
            key=key,
            payload=payload,
            state="queued",
            attempts=0,
            fence=0,
            created_by=actor.id,
            created_at=self._database.now(session),
        )
        session.add(row)
        session.flush()
        return row.id

    def claim(self, job_id: int | None = None) -> Claim | None:
        """Take a job that nobody alive is doing: this one, or the oldest; None where there is none."""
        with self._database.write() as session:
            now = self._database.now(session)
            owners = session.scalars(select(Job.owner).where(Job.state == "running").distinct()).all()
            dead = [owner for owner in owners if owner and is_gone(owner)]
            abandoned = and_(Job.state == "running", or_(Job.lease_until < now, Job.owner.in_(dead)))
            query = select(Job).where(or_(Job.state == "queued", abandoned))
            if job_id is not None:
                query = query.where(Job.id == job_id)
            job = session.scalar(query.order_by(Job.id).limit(1).with_for_update(skip_locked=True))
            if job is None:
                return None
            job.attempts += 1
            job.fence += 1
            if job.attempts > MAX_ATTEMPTS:
                _close(job, "failed", None, f"Given up: the worker died {MAX_ATTEMPTS} times over it.")
                job.finished_at = now
                return None
            job.state, job.owner, job.lease_until = "running", this_process(), now + self._lease
            return Claim(job.id, job.kind, job.payload, job.created_by, job.fence)

    def finish(
        self, session: Session, claim: Claim, *, result: dict[str, Any] | None = None, error: str | None = None
    ) -> None:
        """Mark a job done, or failed where there is an error, in the transaction that stores what it made.

        Raises:
            LeaseLost: another worker has claimed it since; the transaction must not be committed.
        """
        job = session.scalar(
            select(Job)
            .where(Job.id == claim.job_id, Job.fence == claim.fence, Job.state == "running")
            .with_for_update()
        )
        if job is None:
            raise LeaseLost(f"job {claim.job_id} was taken over")
        _close(job, "failed" if error else "done", result, error)
        job.finished_at = self._database.now(session)

    def put_back(self, claim: Claim, error: str) -> None:
        """Queue a job again after an unforeseen error, or fail it after the last attempt."""
        with self._database.write() as session:
            job = session.scalar(select(Job).where(Job.id == claim.job_id, Job.fence == claim.fence).with_for_update())
            if job is None or job.state != "running":
                return
            _close(job, "failed" if job.attempts >= MAX_ATTEMPTS else "queued", None, error)
            job.finished_at = self._database.now(session) if job.state == "failed" else None

    def outcome(self, job_id: int) -> tuple[str, dict[str, Any] | None, str | None]:
        """Return a job's state, result and error."""
        with self._database.read() as session:
            job = session.get_one(Job, job_id)
            return job.state, job.result, job.error

    @contextmanager
    def kept(self, claim: Claim) -> Iterator[None]:
        """Extend the lease while the work goes on."""
        done = threading.Event()
        beat = threading.Thread(target=self._beat, args=(claim, done), name=f"lease-{claim.job_id}", daemon=True)
        beat.start()
        try:
            yield
        finally:
            done.set()
            beat.join()

    def run(self, claim: Claim, handler: Handler) -> None:
        """Do one claimed job; the edge where an unforeseen error becomes a sentence with an id."""
        try:
            with self.kept(claim):
                handler(claim)
        except LeaseLost:
            log.warning("job %d was taken over by another worker", claim.job_id)
        except Exception:
            error_id = secrets.token_hex(4)
            log.exception("job failed", extra={"job": claim.job_id, "error_id": error_id})
            self.put_back(claim, f"Something went wrong (error {error_id}); the log says more.")

    def work(self, handlers: Mapping[str, Handler], stop: threading.Event, pause_s: float = 0.5) -> None:
        """Do jobs as they come until `stop` is set; what a worker process does."""
        while not stop.is_set():
            claim = self.claim()
            if claim is None:
                stop.wait(pause_s)
            elif claim.kind in handlers:
                self.run(claim, handlers[claim.kind])
            else:
                self.put_back(claim, f"This version knows no work called {claim.kind!r}.")

    def _beat(self, claim: Claim, done: threading.Event) -> None:
        while not done.wait(self._lease.total_seconds() / 4):
            try:
                self._extend(claim)
            except AppError as error:  # a database that is busy now may not be at the next beat
                log.warning("the lease of job %d was not extended: %s", claim.job_id, error)

    def _extend(self, claim: Claim) -> None:
        mine = and_(Job.id == claim.job_id, Job.fence == claim.fence, Job.state == "running")
        with self._database.write() as session:
            until = self._database.now(session) + self._lease
            session.execute(update(Job).where(mine).values(lease_until=until))


def this_process() -> str:
    """Name this process so that no other, now or later, has the same name."""
    return f"{_machine()}:{os.getpid()}:{_started(os.getpid())}"


def is_gone(owner: str) -> bool:
    """Say whether a process of this machine has ended; of other machines only the lease tells."""
    machine, _, process = owner.partition(":")
    pid, _, started = process.partition(":")
    return machine == _machine() and pid.isdigit() and _started(int(pid)) != started


@cache
def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    return f"{socket.gethostname()}/{boot.read_text().strip() if boot.is_file() else ''}".replace(":", "-")


def _started(pid: int) -> str:
    """Return when a process started, in clock ticks since boot; '' where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "" if Path("/proc/self/stat").is_file() else "unknown"
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state == "Z" else fields[18]


def _close(job: Job, state: str, result: dict[str, Any] | None, error: str | None) -> None:
    job.state, job.result, job.error = state, result, error[:2000] if error else None
    job.owner, job.lease_until = None, None
