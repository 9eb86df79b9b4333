"""Durable work: a job is a row, done by whichever process claims it, once in effect.

A claim gives a lease that a heartbeat extends. When a worker dies its lease runs out, or its process is seen to be
gone, and another claims the job with a higher fence. Results are written in the transaction that finishes the job,
and that transaction fails where the fence is not the newest: a worker that was slow and not dead changes nothing.
Cancelling is a mark on the row: the same transaction fails where it is set. How a claimed job is run is in `app.work`.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import Conflict, NotFound
from app.records import User
from app.schema import Job

MAX_ATTEMPTS = 4
ACTIVE = ("queued", "running")
CANCELLED = "Cancelled before it was done; nothing of it was kept."


class LeaseLost(RuntimeError):
    """Another worker has this job now; whatever this one has done is void."""


class Cancelled(RuntimeError):
    """Somebody asked for the end of this job; nothing of it is kept."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to finish one job, until a higher fence is given out."""

    job_id: int
    kind: str
    payload: Mapping[str, Any]
    user_id: int
    fence: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a running job is: a stage, and how many of its steps are done where they can be counted."""

    stage: str | None = None
    done: int | None = None
    total: int | None = None


class Jobs:
    """The queue of one database."""

    def __init__(self, database: Database, lease_s: float) -> None:
        self._database = database
        self._lease = timedelta(seconds=lease_s)

    def add(self, session: Session, actor: User, kind: str, key: str, payload: dict[str, Any]) -> int:
        """Queue a job and return its id; one with the same key that is not finished yet stands for both."""
        active = session.scalar(select(Job).where(Job.key == key, Job.state.in_(ACTIVE)).with_for_update())
        if active is not None:
            active.attempts, active.cancelled_by = 0, None  # somebody asks for it anew
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
            if job.cancelled_by is not None:
                _close(job, "cancelled", None, CANCELLED)
                job.finished_at = now
                return None
            job.attempts += 1
            job.fence += 1
            if job.attempts > MAX_ATTEMPTS:
                _close(job, "failed", None, f"Given up: the worker died {MAX_ATTEMPTS} times over it.")
                job.finished_at = now
                return None
            job.state, job.owner, job.lease_until = "running", this_process(), now + self._lease
            job.stage = job.steps_done = job.steps = None
            return Claim(job.id, job.kind, job.payload, job.created_by, job.fence)

    def finish(
        self,
        session: Session,
        claim: Claim,
        *,
        result: dict[str, Any] | None = None,
        error: str | None = None,
        stage: str | None = None,
    ) -> None:
        """Mark a job done, or failed where there is an error, in the transaction that stores what it made.

        `stage` is where it failed.

        Raises:
            LeaseLost: another worker has claimed it since; the transaction must not be committed.
            Cancelled: somebody asked for its end; the transaction must not be committed.
        """
        job = self._mine(session, claim)
        if job.cancelled_by is not None:
            raise Cancelled(CANCELLED)
        _close(job, "failed" if error else "done", result, error)
        job.stage, job.steps_done, job.steps = stage, None, None
        job.finished_at = self._database.now(session)

    def keep(self, claim: Claim, place: Place) -> None:
        """Extend the lease and write down where the job is.

        Raises:
            LeaseLost: another worker has claimed it since.
            Cancelled: somebody asked for its end.
        """
        with self._database.write() as session:
            job = self._mine(session, claim)
            job.stage, job.steps_done, job.steps = place.stage, place.done, place.total
            job.lease_until = self._database.now(session) + self._lease
            is_cancelled = job.cancelled_by is not None
        if is_cancelled:
            raise Cancelled(CANCELLED)

    def check(self, claim: Claim) -> None:
        """Raise as `keep` does, and write nothing."""
        with self._database.read() as session:
            job = session.get_one(Job, claim.job_id)
            if job.fence != claim.fence or job.state != "running":
                raise LeaseLost(f"job {claim.job_id} was taken over")
            if job.cancelled_by is not None:
                raise Cancelled(CANCELLED)

    def close_cancelled(self, claim: Claim) -> None:
        """Mark a job cancelled that its worker has stopped; one that was asked for again meanwhile is queued."""
        with self._database.write() as session:
            try:
                job = self._mine(session, claim)
            except LeaseLost:
                return
            if job.cancelled_by is None:
                _close(job, "queued", None, None)
                return
            _close(job, "cancelled", None, CANCELLED)
            job.finished_at = self._database.now(session)

    def put_back(self, claim: Claim, error: str) -> None:
        """Queue a job again after an unforeseen error, or fail it after the last attempt."""
        with self._database.write() as session:
            try:
                job = self._mine(session, claim)
            except LeaseLost:
                return
            _close(job, "failed" if job.attempts >= MAX_ATTEMPTS else "queued", None, error)
            job.finished_at = self._database.now(session) if job.state == "failed" else None

    def cancel(self, session: Session, actor: User, job_id: int) -> str:
        """End a job: at once where nobody is doing it, else before its worker's next step; return its state.

        Raises:
            NotFound: there is no such job.
            Conflict: it has ended already.
        """
        job = session.get(Job, job_id, with_for_update=True)
        if job is None:
            raise NotFound(f"There is no job {job_id}.")
        if job.state not in ACTIVE:
            raise Conflict(f"Job {job_id} is {job.state} already: there is nothing to cancel.")
        job.cancelled_by = actor.id
        if job.state == "queued" or (job.owner and is_gone(job.owner)):
            _close(job, "cancelled", None, CANCELLED)
            job.finished_at = self._database.now(session)
        return job.state

    def retry(self, session: Session, actor: User, job_id: int) -> int:
        """Queue the work of a failed or cancelled job anew, and return the new job's id.

        Raises:
            NotFound: there is no such job.
            Conflict: it is not over, or it succeeded.
        """
        job = session.get(Job, job_id)
        if job is None:
            raise NotFound(f"There is no job {job_id}.")
        if job.state not in ("failed", "cancelled"):
            raise Conflict(f"Job {job_id} is {job.state}: only a failed or cancelled one is tried again.")
        return self.add(session, actor, job.kind, job.key, dict(job.payload))

    def outcome(self, job_id: int) -> tuple[str, dict[str, Any] | None, str | None]:
        """Return a job's state, result and error."""
        with self._database.read() as session:
            job = session.get_one(Job, job_id)
            return job.state, job.result, job.error

    def _mine(self, session: Session, claim: Claim) -> Job:
        """Return the claimed job, locked, while the claim holds."""
        mine = (Job.id == claim.job_id, Job.fence == claim.fence, Job.state == "running")
        job = session.scalar(select(Job).where(*mine).with_for_update())
        if job is None:
            raise LeaseLost(f"job {claim.job_id} was taken over")
        return job


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
