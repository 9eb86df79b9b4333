"""The core that answers: the one that the registry names, opened here, or the one of another machine.

`PRECEPT_CORE_URL` names a server: another Precept, which describes its core itself and wants `PRECEPT_CORE_KEY`, a key
of the scope `core`; or a vLLM or SGLang, beside `PRECEPT_CORE_FOLDER`, the checkpoint whose export it serves. The
registry's own cores rest meanwhile.
"""

import threading
from collections.abc import Callable
from typing import Protocol

from app.cores import Cores
from app.errors import Unavailable
from app.records import CoreEntry
from app.settings import Settings
from reasoning_core.checkpoint import CheckpointDamaged, load_checkpoint
from reasoning_core.core import Core
from reasoning_core.engine import Engine
from reasoning_core.load import Load
from reasoning_core.reader import Reader
from reasoning_core.remote import CoreUnreachable, RemoteCore
from reasoning_core.served import check_alive, look_up


class CoreSource(Protocol):
    """Gives the core that serves at that moment."""

    def __call__(self) -> Core: ...

    def check(self) -> None:
        """Raises Unavailable where there is no core; opens none that is not open."""

    @property
    def load(self) -> Load | None:
        """What the engine does and has done, where one runs here."""


class LocalCore:
    """Opens the core that the registry names, on the first question and again after a promotion."""

    def __init__(self, cores: Cores) -> None:
        self._cores = cores
        self._lock = threading.Lock()
        self._opened: tuple[CoreEntry, Engine] | None = None

    def __call__(self) -> Core:
        """Raises Unavailable where there is no core, or its files are damaged."""
        serving = self._cores.serving
        with self._lock:
            if self._opened is None or self._opened[0] != serving:
                try:
                    checkpoint = load_checkpoint(serving.path)
                except CheckpointDamaged as damage:
                    raise Unavailable(f"The core {serving.name!r} cannot be opened: {damage}.") from damage
                self._opened = serving, Engine(checkpoint)
            return self._opened[1]

    def check(self) -> None:
        _ = self._cores.serving

    @property
    def load(self) -> Load | None:
        opened = self._opened
        return opened[1].load if opened else None


class DistantCore:
    """Asks the server what it serves, on the first question and again when it serves another core."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._url, self._settings = url, settings
        self._lock = threading.Lock()
        self._opened: RemoteCore | None = None

    def __call__(self) -> Core:
        """Raises Unavailable where the server is not there, or does not compute the core of the folder."""
        with self._lock:
            if self._opened is None or not self._opened.is_current:
                settings = self._settings
                key = settings.core_key.get_secret_value() if settings.core_key else None
                try:
                    served = look_up(self._url, key, settings.core_folder, settings.core_model)
                except (CoreUnreachable, CheckpointDamaged) as error:
                    raise Unavailable(f"The core cannot be asked: {error}.") from error
                self._opened = RemoteCore(served, key, deadline_s=settings.core_deadline_s)
            return self._opened

    def check(self) -> None:
        core = self()
        try:
            check_alive(self._url)
        except CoreUnreachable as error:
            raise Unavailable(f"The core {core.name!r} cannot be asked: {error}.") from error

    @property
    def load(self) -> Load | None:
        return None


class ServingReader:
    """Reads with the core that serves."""

    def __init__(self, core: Callable[[], Core]) -> None:
        self._core = core
        self._lock = threading.Lock()
        self._opened: tuple[Core, Reader] | None = None

    def __call__(self) -> Reader:
        """Raises Unavailable where no core can be opened."""
        core = self._core()
        with self._lock:
            if self._opened is None or self._opened[0] is not core:
                self._opened = core, Reader(core)
            return self._opened[1]


def serving_core(settings: Settings, cores: Cores) -> CoreSource:
    """Return the way to the core that the settings choose."""
    return DistantCore(settings.core_url, settings) if settings.core_url else LocalCore(cores)
