"""Mutated documents for the parsers: ``python -m tests.retrieval.fuzzing FIRST LAST`` prints a JSON line for each.

A number names one file: `mutant(number)` builds it again. Every file is parsed by the parser's own `main`, under its
limits, in a forked process, which starts a hundred times faster than a new one. What it answers is then brought into
the stored form and cut into chunks in this process, as the worker does.
"""

import datetime as dt
import importlib
import io
import json
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, NoReturn

from openpyxl import Workbook

from retrieval import kinds, parsing
from retrieval.archive import ArchiveLimits, check_archive
from retrieval.chunking import chunk
from retrieval.markup import Parsed, Refused
from retrieval.places import settled
from tests.retrieval.manual_formats import WRITERS, Heading, Items, Rows, Words
from tests.retrieval.mutations import mutated

LIMITS = {"cpu_s": 30, "memory_bytes": 1 << 30, "output_bytes": 64 << 20}
WALL_S = 240  # for a busy machine; what counts is the limit on computing time

_MANUAL = (
    Heading(1, "Travel manual"),
    Words("Breakfast and dinner are paid up to $60 per day. Receipts are kept for seven years."),
    Heading(2, "Hotels"),
    Items(("Alcohol is never paid.", "Tips count."), numbered=True),
    Rows((("City", "Low", "High"), ("Zürich", "220", "250"), ("New York", "260", "310"))),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one file fared: parsed, refused, stopped (at a limit), crashed, failed, or unusable."""

    number: int
    name: str
    how: str
    said: str
    cpu_s: float
    peak_mb: float
    worker_s: float


def mutant(number: int) -> tuple[str, bytes]:
    name, data = _samples()[number % len(_samples())]
    return name, mutated(random.Random(number), data)


def outcome(number: int) -> Outcome:
    name, data = mutant(number)
    try:
        media_type = kinds.sniff(data, name)
        if media_type in kinds.OFFICE:
            check_archive(data, ArchiveLimits())
    except Refused as refusal:
        return Outcome(number, name, "refused", str(refusal), 0, 0, 0)
    code, answer, usage = _parsed_apart(media_type, data)
    how, said, worker_s = _judged(code, answer)
    return Outcome(number, name, how, said, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, worker_s)


def _judged(code: int, answer: dict[str, Any]) -> tuple[str, str, float]:
    if code in (-signal.SIGXCPU, -signal.SIGXFSZ):
        return "stopped", signal.Signals(-code).name, 0
    if code:
        return ("crashed" if code < 0 else "failed"), str(answer.get("error", code)), 0
    if "refused" in answer:
        return "refused", answer["refused"], 0
    started = time.process_time()
    try:
        text, places = settled(Parsed(answer["text"], answer["title"], tuple(answer["places"])))
        chunks = chunk(text, answer["title"])
        data = text.encode()
        assert b"".join(data[part.start : part.end] for part in chunks) == data
        assert all(0 <= place.start <= len(data) for place in places)
    except Exception as error:  # noqa: BLE001 (any exception here would be the worker's)
        return "unusable", repr(error), 0
    return "parsed", "", time.process_time() - started


def _parsed_apart(media_type: str, data: bytes) -> tuple[int, dict[str, Any], Any]:
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout:
        stdin.write(data)
        stdin.seek(0)
        child = os.fork()
        if child == 0:
            _be_parser(media_type, stdin.fileno(), stdout.fileno())
        _, status, usage = os.wait4(child, 0)
        stdout.seek(0)
        output = stdout.read()
    answer = json.loads(output) if output.startswith(b"{") and output.endswith(b"}") else {}
    return os.waitstatus_to_exitcode(status), answer, usage


def _be_parser(media_type: str, stdin: int, stdout: int) -> NoReturn:
    os.dup2(stdin, 0)
    os.dup2(stdout, 1)
    signal.alarm(WALL_S)
    os.environ["PRECEPT_PARSER_LIMITS"] = json.dumps(LIMITS)
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    try:
        parsing.main(media_type)
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 (what a parser raises would end its process with exit code 1)
        frame = error.__traceback__
        while frame and frame.tb_next:
            frame = frame.tb_next
        place = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else ""
        os.write(1, json.dumps({"error": f"{error!r:.200} at {place}"}).encode())
        os._exit(1)
    os._exit(0)


def _samples() -> list[tuple[str, bytes]]:
    if not _SAMPLES:
        _SAMPLES.extend((f"manual.{suffix}", write(_MANUAL)) for suffix, write in WRITERS.items())
        german = 'Stadt;Betrag\nKöln;1.234,50\n"a\nb";2\n'.encode("cp1252")
        _SAMPLES.extend((("limits.xlsx", _workbook()), ("message.eml", _message()), ("limits.csv", german)))
    return _SAMPLES


_SAMPLES: list[tuple[str, bytes]] = []


def _workbook() -> bytes:
    book = Workbook()
    sheet = book.active
    for row in (["City", "Limit", "Since", "Share"], ["Paris", 80.5, dt.datetime(2024, 3, 1), 0.19], ["Rome", "=B2*2"]):
        sheet.append(row)
    sheet["D2"].number_format = "0.0%"
    sheet.merge_cells("A2:A3")
    book.create_sheet("More").append([1, True, None, "x"])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _message() -> bytes:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["Date"] = "Grüße", "a@example.com", "Fri, 01 Mar 2024 14:05:00 +0100"
    mail.set_content("Words.\n> quoted\n")
    mail.add_alternative("<p>Words.</p><blockquote>quoted</blockquote>", subtype="html")
    mail.add_attachment(_workbook(), maintype="application", subtype="octet-stream", filename="limits.xlsx")
    mail.add_attachment(message_from_bytes(WRITERS["eml"](_MANUAL), policy=policy.default))
    return bytes(mail)


def main(first: int, last: int) -> None:
    for module, _ in parsing.READERS.values():
        importlib.import_module(module)
    for number in range(first, last):
        print(json.dumps(asdict(outcome(number))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
