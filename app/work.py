"""Running claimed jobs: a pulse beside each one keeps its lease, writes down where it is, and hears of its end."""

import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from app.errors import AppError
from app.jobs import Cancelled, Claim, Jobs, LeaseLost, Place

log = logging.getLogger(__name__)

HANDS = 2  # one parses or writes while the embedder works for the other
_PULSE_S = 0.25
_BEATS_PER_LEASE = 4


class Progress:
    """Where a job is, said by the one who does it; saying so costs nothing and is the moment at which it can end."""

    def __init__(self) -> None:
        self.place = Place()
        self._end: LeaseLost | Cancelled | None = None

    def at(self, stage: str, done: int | None = None, total: int | None = None) -> None:
        """Say what comes next.

        Raises:
            LeaseLost, Cancelled: the job is to stop here.
        """
        self.place = Place(stage, done, total)
        if self._end is not None:
            raise self._end

    def end(self, reason: LeaseLost | Cancelled) -> None:
        self._end = reason


Handler = Callable[[Claim, Progress], None]
"""Does the work and calls `Jobs.finish` in the transaction that stores its results."""

OnEnd = Callable[[int], None]
"""Called with the id of each job that was run."""


class Work:
    """Does the jobs of one queue in this process."""

    def __init__(self, jobs: Jobs, lease_s: float) -> None:
        self._jobs = jobs
        self._beat_s = lease_s / _BEATS_PER_LEASE

    def run(self, claim: Claim, handler: Handler) -> None:
        """Do one claimed job; the edge where an unforeseen error becomes a sentence with an id."""
        progress = Progress()
        try:
            with self.kept(claim, progress):
                handler(claim, progress)
        except LeaseLost:
            log.warning("job %d was taken over by another worker", claim.job_id)
        except Cancelled:
            self._jobs.close_cancelled(claim)
        except AppError as refusal:  # what a handler does not finish with itself may pass: a database that is busy
            self._jobs.put_back(claim, str(refusal))
        except Exception:
            error_id = secrets.token_hex(4)
            log.exception("job failed", extra={"job": claim.job_id, "error_id": error_id})
            self._jobs.put_back(claim, f"Something went wrong (error {error_id}); the log says more.")

    def until(
        self,
        stop: threading.Event,
        handlers: Mapping[str, Handler],
        *,
        on_end: OnEnd | None = None,
        meanwhile: Callable[[], object] | None = None,
        pause_s: float = 0.5,
    ) -> None:
        """Do jobs as they come until `stop` is set, and call `meanwhile` about every `pause_s` beside them."""
        hands = [
            threading.Thread(target=self._do, args=(stop, handlers, on_end, pause_s), name=f"hand-{number}")
            for number in range(HANDS)
        ]
        for hand in hands:
            hand.start()
        while not stop.wait(pause_s):
            if meanwhile:
                _tried(meanwhile)
        for hand in hands:
            hand.join()

    def all_queued(self, handlers: Mapping[str, Handler], on_end: OnEnd | None = None) -> None:
        """Do jobs until none is left to claim."""
        while claim := self._jobs.claim():
            self._handle(claim, handlers, on_end)

    @contextmanager
    def kept(self, claim: Claim, progress: Progress | None = None) -> Iterator[None]:
        """Keep the lease while the work goes on."""
        done = threading.Event()
        beat = threading.Thread(
            target=self._pulse, args=(claim, progress or Progress(), done), name=f"pulse-{claim.job_id}", daemon=True
        )
        beat.start()
        try:
            yield
        finally:
            done.set()
            beat.join()

    def _do(self, stop: threading.Event, handlers: Mapping[str, Handler], on_end: OnEnd | None, pause_s: float) -> None:
        while not stop.is_set():
            try:
                claim = self._jobs.claim()
            except AppError as error:  # a database that is busy or away comes back
                log.warning("no job could be claimed: %s", error)
                claim = None
            if claim is None:
                stop.wait(pause_s)
            else:
                self._handle(claim, handlers, on_end)

    def _handle(self, claim: Claim, handlers: Mapping[str, Handler], on_end: OnEnd | None) -> None:
        if claim.kind in handlers:
            self.run(claim, handlers[claim.kind])
        else:
            self._jobs.put_back(claim, f"This version knows no work called {claim.kind!r}.")
        if on_end:
            on_end(claim.job_id)

    def _pulse(self, claim: Claim, progress: Progress, done: threading.Event) -> None:
        told, since_beat_s, pause_s = progress.place, 0.0, min(_PULSE_S, self._beat_s)
        while not done.wait(pause_s):
            place, since_beat_s = progress.place, since_beat_s + pause_s
            try:
                if place != told or since_beat_s >= self._beat_s:
                    self._jobs.keep(claim, place)
                    told, since_beat_s = place, 0.0
                else:
                    self._jobs.check(claim)
            except (LeaseLost, Cancelled) as end:
                progress.end(end)
                return
            except AppError as error:  # a database that is busy now may not be at the next beat
                log.warning("the lease of job %d was not extended: %s", claim.job_id, error)


def _tried(deed: Callable[[], object]) -> None:
    """Do what is done again soon anyway."""
    try:
        deed()
    except AppError as error:
        log.warning("%s", error)
