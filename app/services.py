"""The composition root: every service of one home, built once and closed together."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.audit import AuditLog
from app.chat import Chat, Reader
from app.conversations import Conversations
from app.cores import Cores
from app.database import Database, sqlite_url
from app.documents import Documents
from app.errors import InvalidRequest
from app.history import PastSearch
from app.identity import Identity
from app.ingestion import KIND, Ingestion
from app.job_list import JobList
from app.jobs import Jobs
from app.keys import Keys
from app.keywords import Keywords
from app.passwords import Passwords
from app.search import Search
from app.serving import CoreSource, ServingReader, serving_core
from app.settings import Settings, prepare_home
from app.sync import Sync
from app.synced_folders import SyncedFolders
from app.uploads import Uploads
from app.vectors import Vectors
from app.work import OnEnd, Work
from retrieval.embedding import Embedder, EmbedderDamaged, find_embedder
from retrieval.reranking import CrossEncoderReranker, RerankerDamaged


@dataclass(frozen=True, slots=True)
class Services:
    """What pages, routes and commands are built on."""

    settings: Settings
    database: Database
    identity: Identity
    keys: Keys
    documents: Documents
    search: Search
    uploads: Uploads
    sync: Sync
    conversations: Conversations
    chat: Chat
    cores: Cores
    core: CoreSource
    jobs: JobList
    worker: Work
    audit: AuditLog
    vectors: Vectors
    ingestion: Ingestion

    def work(self, stop: threading.Event, *, once: bool = False, on_end: OnEnd | None = None) -> None:
        """Do queued jobs until `stop` is set, or until none is left: what a worker process does."""
        handlers = {KIND: self.ingestion.handle}
        if once:
            self.worker.all_queued(handlers, on_end)
        else:
            self.worker.until(stop, handlers, on_end=on_end, meanwhile=self._look_around)

    def _look_around(self) -> None:
        self.sync.look_at_watched()
        self.uploads.sweep()


@contextmanager
def open_services(
    settings: Settings, reader: Reader | None = None, embedder: Embedder | None = None
) -> Iterator[Services]:
    """Open a home: make it if need be, bring its database up to date, check its indexes.

    The core and the embedder are opened on first use: searching needs no core, and listing neither.

    Raises:
        AppError: the home cannot be written, or its database cannot be used.
    """
    home = prepare_home(settings)
    url = settings.database_url.get_secret_value() if settings.database_url else sqlite_url(home)
    database = Database(url, settings.database_wait_s)
    try:
        database.migrate()
        keywords = Keywords(database)
        keywords.check()
        vectors = Vectors(database, _opened_once(settings, embedder), home / "index")
        jobs = Jobs(database, settings.lease_s)
        worker = Work(jobs, settings.lease_s)
        search = Search(database, keywords, vectors, _reranker(settings))
        ingestion = Ingestion(database, jobs, keywords, vectors)
        documents = Documents(
            database, jobs, worker, ingestion, keywords, vectors, search, PastSearch(database, vectors)
        )
        cores = Cores(database, home / "cores")
        core = serving_core(settings, cores)
        yield Services(
            settings=settings,
            database=database,
            identity=Identity(database, settings, Passwords(settings.password_memory_kib)),
            keys=Keys(database),
            documents=documents,
            uploads=Uploads(database, home / "inbox"),
            sync=Sync(database, SyncedFolders(database), documents, keywords),
            search=search,
            conversations=Conversations(database),
            chat=Chat(database, search, (lambda: reader) if reader else ServingReader(core), settings),
            cores=cores,
            core=core,
            jobs=JobList(database, jobs),
            worker=worker,
            audit=AuditLog(database),
            vectors=vectors,
            ingestion=ingestion,
        )
        vectors.save()
    finally:
        database.close()


def _opened_once(settings: Settings, given: Embedder | None) -> Callable[[], Embedder | None]:
    """Return a way to the embedder that looks for its files on the first call."""
    lock, found = threading.Lock(), list[Embedder | None]([given] if given else [])

    def embedder() -> Embedder | None:
        with lock:
            if not found:
                try:
                    found.append(find_embedder(settings.embedder_folder, settings.allow_hub))
                except EmbedderDamaged as damage:
                    raise InvalidRequest(f"The embedder cannot be used: {damage}.") from damage
            return found[0]

    return embedder


def _reranker(settings: Settings) -> CrossEncoderReranker | None:
    try:
        return CrossEncoderReranker(settings.reranker_folder) if settings.reranker_folder else None
    except RerankerDamaged as damage:
        raise InvalidRequest(f"The reranker cannot be used: {damage}.") from damage
