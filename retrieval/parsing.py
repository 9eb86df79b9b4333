"""The parser process: ``python -m retrieval.parsing KIND`` reads a document's bytes on standard input and prints JSON.

It prints ``{"text": ..., "title": ...}``, or ``{"refused": ...}`` with the rest of a sentence that starts with the
file's name. Imports stay inside the functions: the process starts in a fraction of a second and loads one parser.
"""

import json
import sys

from retrieval.markup import Parsed, Refused
from retrieval.sandbox import restrict_this_process


def parse(kind: str, data: bytes) -> Parsed:
    """Parse in this process, without limits.

    Raises:
        Refused: the bytes are not such a document, or not one that can be read.
    """
    if kind == "pdf":
        from retrieval.pdf import read_pdf  # noqa: PLC0415

        return read_pdf(data)
    if kind == "docx":
        from retrieval.word import read_docx  # noqa: PLC0415

        return read_docx(data)
    if kind == "html":
        from retrieval.html import read_html  # noqa: PLC0415

        return read_html(data)
    raise ValueError(f"{kind!r} is no kind of document; choose pdf, docx or html")


def main(kind: str) -> None:
    restrict_this_process()
    answer: dict[str, str]
    try:
        parsed = parse(kind, sys.stdin.buffer.read())
        answer = {"text": parsed.text, "title": parsed.title}
    except Refused as refusal:
        answer = {"refused": str(refusal)}
    except MemoryError:
        answer = {"refused": "needs more memory than a document may; split it into smaller files and try again"}
    except RecursionError:
        answer = {"refused": "is nested too deeply; save it again from the program that made it and try again"}
    sys.stdout.buffer.write(json.dumps(answer).encode())


if __name__ == "__main__":
    main(sys.argv[1])
