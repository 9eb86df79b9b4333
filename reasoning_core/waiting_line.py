"""The line of requests that wait for a session: callers take turns, the requests of one caller keep their order."""

from collections import OrderedDict, deque
from collections.abc import Iterator

from reasoning_core.session import Session


class WaitingLine:
    """Sessions by caller; whoever asks much waits for themselves alone."""

    def __init__(self) -> None:
        self._by_caller: OrderedDict[str, deque[Session]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._by_caller.values()))

    def __iter__(self) -> Iterator[Session]:
        for sessions in self._by_caller.values():
            yield from sessions

    def add(self, session: Session) -> None:
        self._by_caller.setdefault(session.request.caller, deque()).append(session)

    def first(self) -> Session | None:
        return next(iter(self), None)

    def remove(self, session: Session) -> None:
        """Let a session leave, to be answered or not; its caller's next request goes behind everyone else's."""
        caller = session.request.caller
        self._by_caller[caller].remove(session)
        if self._by_caller[caller]:
            self._by_caller.move_to_end(caller)
        else:
            del self._by_caller[caller]
