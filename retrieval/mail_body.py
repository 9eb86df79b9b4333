"""The body of a message and what is attached to it, out of the parts that a mail program wrote."""

from dataclasses import dataclass, field
from email.message import Message

from retrieval.decoding import canonical, decode
from retrieval.html import read_html
from retrieval.markup import Refused

_UTF8_MARK = b"\xef\xbb\xbf"  # outranks the encoding that a page declares
_SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
_FEWEST_WORDS = 0.2  # of the HTML's: a plain part with fewer only says that there is HTML


@dataclass(slots=True)
class Content:
    """A message by what its parts are for: texts as Markdown, and parts that are files or messages."""

    bodies: list[str] = field(default_factory=list)
    attached: list[Message] = field(default_factory=list)


def collect(part: Message, content: Content) -> None:
    """Add what a part holds, and the parts in it."""
    kind = part.get_content_type()
    inner = part.get_payload()
    children = [child for child in inner if isinstance(child, Message)] if isinstance(inner, list) else []
    if kind == "message/rfc822":
        content.attached.append(part)
    elif kind == "multipart/alternative":
        _add_best(children, content)
    elif isinstance(inner, list):
        for child in children:
            collect(child, content)
    elif _is_file(part):
        if not _is_inline_picture(part) and kind not in _SIGNATURES:
            content.attached.append(part)
    elif kind == "text/html":
        content.bodies.append(_from_html(part))
    else:
        content.bodies.append(_from_plain(part))


def _add_best(alternatives: list[Message], content: Content) -> None:
    """Add the plain body where it says as much as the others, else the last, which the sender prefers."""
    found: list[Content] = []
    for alternative in alternatives:
        found.append(Content())
        collect(alternative, found[-1])
    texts = ["\n\n".join(one.bodies) for one in found]
    most = max((len(text.split()) for text in texts), default=0)
    enough = [text for text in texts if len(text.split()) >= _FEWEST_WORDS * most]
    plain = [text for text, part in zip(texts, alternatives, strict=True) if part.get_content_type() == "text/plain"]
    content.bodies += [next((text for text in plain if text in enough), enough[-1])] if enough else []
    content.attached += [part for one in found for part in one.attached]


def _is_file(part: Message) -> bool:
    kind = part.get_content_type()
    return bool(part.get_filename()) or part.get_content_disposition() == "attachment" or not kind.startswith("text/")


def _is_inline_picture(part: Message) -> bool:
    shown = part.get_content_disposition() == "inline" or part.get("Content-ID") is not None
    return shown and part.get_content_maintype() == "image"


def _words(part: Message) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    charset = part.get_content_charset() or ""
    try:
        return data.decode(charset) if charset else decode(data)
    except (LookupError, UnicodeDecodeError):
        return _guessed(data)


def _guessed(data: bytes) -> str:
    """Return the text of bytes that are not in the encoding that their label names."""
    try:
        return decode(data)
    except Refused:
        return data.decode("utf-8", "replace")


def _from_html(part: Message) -> str:
    try:
        return read_html(_UTF8_MARK + _words(part).encode("utf-8", "replace")).text
    except Refused:
        return ""


def _from_plain(part: Message) -> str:
    flowed = str(part.get_param("format", "")).lower() == "flowed"
    text = _words(part).replace("\r\n", "\n")
    if flowed:
        text = _unwrapped(text, joins_words=str(part.get_param("delsp", "")).lower() == "yes")
    return canonical(text).strip("\n")


def _unwrapped(text: str, *, joins_words: bool) -> str:
    """Join the lines of flowed text (RFC 3676): one that ends in a space goes on in the next of its quotation."""
    lines: list[str] = []
    running: str | None = None  # the quotation marks of a line that goes on
    for line in text.split("\n"):
        quote = line[: len(line) - len(line.lstrip(">"))]
        words = line[len(quote) :].removeprefix(" ")
        if running == quote:
            lines[-1] = (lines[-1][:-1] if joins_words else lines[-1]) + words
        else:
            lines.append(f"{quote} {words}" if quote else words)
        running = quote if words.endswith(" ") and words != "-- " else None
    return "\n".join(lines)
