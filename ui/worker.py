"""The worker process that `precept serve` keeps beside itself: started, restarted when it dies, stopped at the end."""

import logging
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

log = logging.getLogger(__name__)

RESTART_AFTER_S = 5.0
STOP_PATIENCE_S = 5.0


class WorkerProcess:
    """Context manager over one `precept work` process for a home."""

    def __init__(self, home: Path) -> None:
        self._command = [sys.executable, "-m", "ui.command_line", "work", "--attached", "--home", str(home)]
        self._stopping = threading.Event()
        self._process = self._start()
        self._watch = threading.Thread(target=self._restart_when_dead, name="worker watch", daemon=True)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._watch.join()
        self._process.terminate()
        try:
            self._process.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()  # a job cut short is taken up again, whole
            self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        """Start it away from the terminal's Ctrl-C; the pipe closes when `serve` ends in any way, and so does it."""
        return subprocess.Popen(self._command, stdin=subprocess.PIPE, start_new_session=True)

    def _restart_when_dead(self) -> None:
        while not self._stopping.wait(RESTART_AFTER_S):
            if (code := self._process.poll()) is not None:
                log.warning("the worker ended with code %s; starting it again", code)
                self._process = self._start()
