"""EML to Markdown: subject, people and date, the body as written or as its HTML says, and what is attached.

Quoted parts keep their `>`. Attachments that can be read are parts of the document, each under its name; the others are
named with the reason. Nothing that a message points to is fetched.
"""

import re
from collections.abc import Callable, Iterator
from email import policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import parsedate_to_datetime

from retrieval.archive import DAMAGE
from retrieval.decoding import decode
from retrieval.mail_body import Content, collect
from retrieval.markup import Block, Parsed, Refused, at, heading, joined, one_line

MAX_DEPTH = 5  # messages in messages
MAX_ATTACHMENTS = 100
_MAX_HEADER_CHARS = 4000
_PEOPLE = ("From", "To", "Cc")
_ENCRYPTED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
_HEADING = re.compile(r"\f?(#{1,6}) ")

ReadFile = Callable[[bytes, str], Parsed]


def read_mail(data: bytes, read_file: ReadFile) -> Parsed:
    """Read a message; `read_file` reads what is attached from its bytes and name, or raises `Refused`.

    Raises:
        Refused: it is damaged or encrypted, or too much is attached to it.
    """
    try:
        message = BytesParser(policy=policy.compat32).parsebytes(data)
        return joined(list(_Reading(read_file).message(message, 1)), _header(message, "Subject"))
    except Refused:
        raise
    except (*DAMAGE, MessageError) as error:
        raise Refused("is a damaged message; save it as EML from your mail program and try again") from error


class _Reading:
    """One pass over a message and the messages in it, counting what is attached."""

    def __init__(self, read_file: ReadFile) -> None:
        self._read_file = read_file
        self._attachments = 0

    def message(self, message: Message, depth: int) -> Iterator[Block]:
        """Yield a message with its subject as a heading of level `depth`."""
        if message.get_content_type() in _ENCRYPTED:
            raise Refused("is encrypted; open it in your mail program, save its text and try again")
        yield Block(heading(depth, _header(message, "Subject") or "Message without a subject"))
        yield Block("\n".join(_header_lines(message)))
        content = Content()
        collect(message, content)
        for body in content.bodies:
            yield Block(_deeper(body, depth))
        for part in content.attached:
            self._attachments += 1
            if self._attachments > MAX_ATTACHMENTS:
                raise Refused(f"has more than {MAX_ATTACHMENTS} attachments; save them apart and try again")
            yield from self._attachment(part, depth + 1)

    def _attachment(self, part: Message, depth: int) -> Iterator[Block]:
        if part.get_content_type() == "message/rfc822":
            yield from self._attached_message(part, depth)
            return
        name = one_line(_decoded(part.get_filename() or "")) or "without a name"
        data = part.get_payload(decode=True)
        try:
            parsed = self._read_file(data if isinstance(data, bytes) else b"", name)
        except Refused as refusal:
            yield Block(f"The attachment {name} was not read: it {str(refusal).partition(';')[0]}.")
            return
        yield at(f"attachment {name}", heading(depth, f"Attachment: {name}"))
        yield Block(_deeper(parsed.text, depth), places=tuple(f"attachment {name}, {place}" for place in parsed.places))

    def _attached_message(self, part: Message, depth: int) -> Iterator[Block]:
        if depth > MAX_DEPTH:
            raise Refused(f"holds messages inside messages, more than {MAX_DEPTH} deep; save the inner ones apart")
        inner = part.get_payload()
        if isinstance(inner, list) and inner and isinstance(inner[0], Message):
            first, *rest = self.message(inner[0], depth)
            yield at(f"attached message {first.text.lstrip('# ')}", first.text)
            yield from rest


def _header_lines(message: Message) -> Iterator[str]:
    for name in _PEOPLE:
        if value := _header(message, name):
            yield f"{name}: {value}"
    if sent := _header(message, "Date"):
        yield f"Date: {_date(sent)}"


def _date(text: str) -> str:
    """Return the date as ISO 8601 with the sender's clock, or as it is written where it is no date."""
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return text
    return f"{moment:%Y-%m-%d %H:%M} {moment:%z}".strip()


def _header(message: Message, name: str) -> str:
    """Return a header field in words, '' where there is none; unlabelled bytes in it count as UTF-8 or Western."""
    value = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
    data = value[:_MAX_HEADER_CHARS].encode("utf-8", "surrogateescape")
    try:
        return one_line(_decoded(decode(data)))
    except Refused:
        return one_line(data.decode("ascii", "replace"))


def _decoded(value: str) -> str:
    """Return a field with its encoded words (RFC 2047) decoded, those that are damaged as they stand."""
    try:
        return str(make_header(decode_header(value)))
    except (MessageError, LookupError, ValueError):
        return value


def _deeper(text: str, depth: int) -> str:
    """Return Markdown with its outermost headings one level below `depth` and the others as far below; code stays."""
    lines = text.split("\n")
    marked: list[tuple[int, re.Match[str]]] = []
    fenced = False
    for number, line in enumerate(lines):
        fenced ^= line.lstrip("> ").startswith("```")
        if not fenced and (match := _HEADING.match(line)):
            marked.append((number, match))
    outermost = min((len(match[1]) for _, match in marked), default=1)
    for number, match in marked:
        marks = "#" * min(len(match[1]) + depth + 1 - outermost, 6)
        lines[number] = lines[number][: match.start(1)] + marks + lines[number][match.end(1) :]
    return "\n".join(lines)
