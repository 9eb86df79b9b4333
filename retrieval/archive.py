"""What an Office document's archive may cost, checked before anything unpacks it, and what a damaged one raises."""

import io
import re
import warnings
import zipfile
import zlib
from dataclasses import dataclass

from lxml import etree

from retrieval.markup import Refused

# What zipfile, lxml and the Office libraries raise for parts that are missing, cut off, or not what they should be.
DAMAGE = (
    *(etree.XMLSyntaxError, SyntaxError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError),
    *(KeyError, ValueError, AttributeError, IndexError, TypeError, AssertionError, ArithmeticError, RuntimeError),
    OSError,
)


_CONTENT_TYPES = "[Content_Types].xml"
_OFFICE = b"application/vnd.openxmlformats-officedocument."
_MAIN_TYPES = tuple(
    (
        re.compile(rb"application/vnd\.(?:%s|openxmlformats-officedocument\.%s)\.[\w.]+\.main\+xml" % (own, family)),
        plain,
    )
    for own, family, plain in (
        (b"ms-word", b"wordprocessingml", _OFFICE + b"wordprocessingml.document.main+xml"),
        (b"ms-powerpoint", b"presentationml", _OFFICE + b"presentationml.presentation.main+xml"),
    )
)


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How large the parts of an archive may be together, against its own size, and how many there may be."""

    unpacked_bytes: int = 300 << 20
    ratio: int = 150
    members: int = 5000


def check_archive(data: bytes, limits: ArchiveLimits) -> None:
    """Refuse an archive that would unpack to far more than it is.

    Raises:
        Refused: it is too large, of too many parts, or locked.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except DAMAGE as error:
        raise Refused("is a damaged or cut off archive; copy it again and try again") from error
    unpacked = sum(member.file_size for member in members)
    if len(members) > limits.members:
        raise Refused(f"holds {len(members)} parts, more than a document needs; save it again from its own program")
    if unpacked > limits.unpacked_bytes or unpacked > max(len(data) * limits.ratio, 4 << 20):
        raise Refused(
            f"would unpack to {megabytes(unpacked)} from {megabytes(len(data))}; save it again from its own program"
        )
    if any(member.flag_bits & 1 for member in members):
        raise Refused("is locked with a password; remove the password and try again")


def as_plain_document(data: bytes) -> bytes:
    """Return a Word or PowerPoint file with its main part declared as an ordinary document's.

    Templates, slide shows and files with macros hold the same parts; only the libraries refuse their names.
    """
    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer) as archive:
        declared = archive.read(_CONTENT_TYPES)
    plain = declared
    for pattern, content_type in _MAIN_TYPES:
        plain = pattern.sub(content_type, plain)
    if plain == declared:
        return data
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(_CONTENT_TYPES, plain)  # the last of two parts with one name counts
    return buffer.getvalue()


def megabytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MB"
