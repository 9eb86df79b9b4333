"""`precept serve` and `precept work`."""

import logging
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from app.errors import AppError, Unavailable
from ui.job_commands import job_line
from ui.progress import progress_of_files
from ui.terminal import (
    AsJson,
    Home,
    error_console,
    log_to_stderr,
    opened,
    print_json,
    result_console,
    settings_of,
)
from ui.worker import WorkerProcess

if TYPE_CHECKING:
    from app.records import JobEntry
    from app.services import Services
    from ui.shell import Guard

Host = Annotated[str | None, typer.Option("--host", metavar="ADDRESS", help="Address to listen on [127.0.0.1].")]
Port = Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Port to listen on [7860].")]
Sample = Annotated[bool, typer.Option("--sample", help="Load the sample company into a home without documents.")]
Once = Annotated[bool, typer.Option("--once", help="Do what is queued now, and return.")]
Attached = Annotated[bool, typer.Option("--attached", hidden=True, help="End when the standard input closes.")]


def register(root: typer.Typer) -> None:
    """Add these commands to the root."""
    root.command()(serve)
    root.command()(work)


def serve(host: Host = None, port: Port = None, sample: Sample = False, home: Home = None) -> None:
    """Serve the pages and the API until Ctrl-C."""
    from app.services import open_services  # noqa: PLC0415 - `precept --help` stays fast
    from ui.web import web_application  # noqa: PLC0415

    log_to_stderr(logging.INFO)
    settings = settings_of(home, host=host, port=port)
    signal.signal(signal.SIGTERM, _interrupt)
    with (
        suppress(KeyboardInterrupt),
        _listen(settings.host, settings.port) as listener,
        open_services(settings) as services,
    ):
        if sample:
            _load_sample(services)
        application = web_application(services)
        threading.Thread(target=_warm_up, args=(services,), name="warm up", daemon=True).start()
        with WorkerProcess(settings.folder):
            _announce(services, settings.host, listener.getsockname()[1])
            _run(application, listener)


def work(attached: Attached = False, once: Once = False, home: Home = None, as_json: AsJson = False) -> int:
    """Do queued work and look at watched folders until stopped; `serve` starts one of these by itself."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    if attached:
        threading.Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()
    ended: list[JobEntry] = []
    with opened(home) as services:
        operator = services.identity.operator()

        def on_end(job_id: int) -> None:
            ended.append(entry := services.jobs.get(operator, job_id))
            if not as_json and not attached:
                result_console().print(job_line(entry))
            if not once:
                ended.clear()

        services.work(stop, once=once, on_end=on_end)
    if as_json:
        print_json({"jobs": [asdict(entry) for entry in ended]})
    return 1 if any(entry.state == "failed" for entry in ended) else 0


def _listen(host: str, port: int) -> socket.socket:
    """Take the port before anything slow happens, so that a port in use is said at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(socket.SOMAXCONN)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise Unavailable(f"Cannot listen on {host} port {port} ({reason}): choose another with --port.") from error
    return listener


def _announce(services: "Services", host: str, port: int) -> None:
    console = error_console()
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    console.print(f"\n  [bold]Precept[/] is at [link={address}/]{address}/[/link]", soft_wrap=True)
    if services.identity.first_run_needed():
        token = services.identity.first_run_token()
        console.print("  Make the first account with this link, which works once:", soft_wrap=True)
        console.print(f"  [bold]{escape(f'{address}/first-run?token={token}')}[/]", soft_wrap=True)
    console.print("  Ctrl-C stops it.\n")


def _load_sample(services: "Services") -> None:
    """Take the sample company in where nothing is there yet; what the home already holds stays as it is."""
    from app.sample import ingest_sample  # noqa: PLC0415

    operator = services.identity.operator()
    if services.documents.list(operator):
        return
    with progress_of_files() as on_progress:
        reports = ingest_sample(services.documents, operator, on_progress)
    taken = sum(report.status == "added" for report in reports)
    error_console().print(f"Loaded the sample company: {taken} documents.")


def _warm_up(services: "Services") -> None:
    """Open the embedder before somebody waits for it."""
    with suppress(AppError):
        services.documents.search(services.identity.operator(), "first search", 1)


def _run(application: "Guard", listener: socket.socket) -> None:
    import uvicorn  # noqa: PLC0415

    config = uvicorn.Config(application, log_config=None, access_log=False, timeout_graceful_shutdown=3)
    uvicorn.Server(config).run(sockets=[listener])


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """Let a terminated server close its home as Ctrl-C does."""
    raise KeyboardInterrupt


def _stop_at_end_of_input(stop: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 64):  # unbuffered: a lock on stdin held here would break the exit
        continue
    stop.set()
