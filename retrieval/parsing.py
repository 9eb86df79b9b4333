"""The parser process: ``python -m retrieval.parsing TYPE`` reads a document's bytes on standard input, prints JSON.

It prints ``{"text": ..., "title": ..., "places": [...]}``, or ``{"refused": ...}`` with the rest of a sentence that
starts with the file's name. Imports stay inside the functions: the process starts in a fraction of a second and loads
one parser.
"""

import importlib
import json
import sys
from collections.abc import Callable
from typing import cast

from retrieval import kinds
from retrieval.markup import Parsed, Refused
from retrieval.sandbox import restrict_this_process

READERS = {
    kinds.MARKDOWN: ("retrieval.markdown", "read_markdown"),
    kinds.TEXT: ("retrieval.markdown", "read_text"),
    kinds.HTML: ("retrieval.html", "read_html"),
    kinds.CSV: ("retrieval.csv_table", "read_csv"),
    kinds.PDF: ("retrieval.pdf", "read_pdf"),
    kinds.DOCX: ("retrieval.word", "read_docx"),
    kinds.PPTX: ("retrieval.slides", "read_pptx"),
    kinds.XLSX: ("retrieval.sheets", "read_xlsx"),
}


def parse(media_type: str, data: bytes) -> Parsed:
    """Parse in this process, without limits.

    Raises:
        Refused: the bytes are not such a document, or not one that can be read.
    """
    if media_type == kinds.MAIL:
        from retrieval.mail import read_mail  # noqa: PLC0415

        return read_mail(data, _parse_attachment)
    if media_type not in READERS:
        raise ValueError(f"{media_type!r} is no kind of document; choose one of {', '.join(READERS)}")
    module, function = READERS[media_type]
    read = cast(Callable[[bytes], Parsed], getattr(importlib.import_module(module), function))
    return read(data)


def _parse_attachment(data: bytes, name: str) -> Parsed:
    """Parse what is attached to a message; messages in messages are the business of `retrieval.mail`."""
    media_type = kinds.sniff(data, name)
    if media_type == kinds.MAIL:
        raise Refused("is a message in a file; save it apart")
    if media_type in kinds.OFFICE:
        from retrieval.archive import ArchiveLimits, check_archive  # noqa: PLC0415

        check_archive(data, ArchiveLimits())
    return parse(media_type, data)


def main(media_type: str) -> None:
    restrict_this_process()
    answer: dict[str, object]
    try:
        parsed = parse(media_type, sys.stdin.buffer.read())
        answer = {"text": parsed.text, "title": parsed.title, "places": parsed.places}
    except Refused as refusal:
        answer = {"refused": str(refusal)}
    except MemoryError:
        answer = {"refused": "needs more memory than a document may; split it into smaller files and try again"}
    except RecursionError:
        answer = {"refused": "is nested too deeply; save it again from the program that made it and try again"}
    sys.stdout.buffer.write(json.dumps(answer).encode())


if __name__ == "__main__":
    main(sys.argv[1])
