"""The jobs as people see them: what is going on, what failed and why, cancelling and trying again."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.access import require
from app.database import Database
from app.errors import InvalidRequest, NotFound
from app.identity import current_user
from app.jobs import ACTIVE, Jobs
from app.records import JobEntry, Permission, User
from app.schema import Job, UserAccount

STATES = ("queued", "running", "done", "failed", "cancelled")


class JobList:
    """The queue under the permissions of whoever acts; jobs are for those who manage documents."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    def list(self, actor: User, state: str | None = None, limit: int = 100) -> list[JobEntry]:
        """Return the newest jobs, newest first.

        Raises:
            InvalidRequest: there is no such state.
        """
        if state is not None and state not in STATES:
            raise InvalidRequest(f"There is no state {state!r}: choose from {', '.join(STATES)}.")
        with self._database.read() as session:
            _require(session, actor)
            query = select(Job, UserAccount.email).join(UserAccount, UserAccount.id == Job.created_by)
            if state is not None:
                query = query.where(Job.state == state)
            return [_entry(row, email) for row, email in session.execute(query.order_by(Job.id.desc()).limit(limit))]

    def get(self, actor: User, job_id: int) -> JobEntry:
        with self._database.read() as session:
            _require(session, actor)
            query = select(Job, UserAccount.email).join(UserAccount, UserAccount.id == Job.created_by)
            found = session.execute(query.where(Job.id == job_id)).one_or_none()
        if found is None:
            raise NotFound(f"There is no job {job_id}.")
        return _entry(found[0], found[1])

    def cancel(self, actor: User, job_id: int) -> JobEntry:
        """End a job; one that runs ends before its worker's next step, and keeps nothing.

        Raises:
            NotFound: there is no such job.
            Conflict: it has ended already.
        """
        with self._database.write() as session:
            _require(session, actor)
            self._jobs.cancel(session, actor, job_id)
            audit.record(session, actor, "job.cancel", str(job_id))
        return self.get(actor, job_id)

    def cancel_all(self, actor: User) -> Sequence[JobEntry]:
        """End every job that is queued or running."""
        with self._database.write() as session:
            _require(session, actor)
            ids = session.scalars(select(Job.id).where(Job.state.in_(ACTIVE)).order_by(Job.id)).all()
            for job_id in ids:
                self._jobs.cancel(session, actor, job_id)
                audit.record(session, actor, "job.cancel", str(job_id))
        return [self.get(actor, job_id) for job_id in ids]

    def retry(self, actor: User, job_id: int) -> JobEntry:
        """Queue the work of a failed or cancelled job anew, and return the new job.

        Raises:
            NotFound: there is no such job.
            Conflict: it is not over, or it succeeded.
        """
        with self._database.write() as session:
            _require(session, actor)
            again = self._jobs.retry(session, actor, job_id)
            audit.record(session, actor, "job.retry", str(job_id), job=again)
        return self.get(actor, again)

    def retry_failed(self, actor: User) -> Sequence[JobEntry]:
        """Queue anew what failed and was not tried again since."""
        with self._database.write() as session:
            _require(session, actor)
            newest: dict[str, Job] = {}
            for job in session.scalars(select(Job).order_by(Job.id)):
                newest[job.key] = job
            failed = [job for job in newest.values() if job.state == "failed"]
            ids = [self._jobs.retry(session, actor, job.id) for job in failed]
            for job, again in zip(failed, ids, strict=True):
                audit.record(session, actor, "job.retry", str(job.id), job=again)
        return [self.get(actor, job_id) for job_id in ids]


def _require(session: Session, actor: User) -> None:
    require(current_user(session, actor), Permission.MANAGE_DOCUMENTS)


def _entry(job: Job, email: str) -> JobEntry:
    return JobEntry(
        id=job.id,
        kind=job.kind,
        name=job.payload.get("name", ""),
        collection=job.payload.get("collection", ""),
        state=job.state,
        stage=job.stage,
        done=job.steps_done,
        total=job.steps,
        status=job.result.get("status") if job.result else None,
        error=job.error,
        attempts=job.attempts,
        created_by=email,
        created_at=job.created_at,
        finished_at=job.finished_at,
    )
