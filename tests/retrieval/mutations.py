"""Damaged and hostile variants of documents, drawn from a seeded generator: bytes, structure, parts of archives."""

import copy
import io
import random
import re
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

from lxml import etree

_TAG = re.compile(rb"<[^<>]{1,300}>")
_VALUE = re.compile(rb'"[^"<>]{0,60}"')
_NUMBER = re.compile(rb"\d+")
_LINE_END = re.compile(rb"\r?\n")
_ODD_VALUES = (
    b"", b"0", b"-1", b"1", b"255", b"65536", b"2147483648", b"99999999999999999999", b"1e400", b"NaN", b"XFD1048576",
    b"A0", b"../../../etc/passwd", b"file:///etc/passwd", b"http://127.0.0.1:9/x", b"\x00", b"\xff\xfe", b"%s%n",
    b"&#0;", b"&a;", b"true", b"=cmd|'/c calc'!A0", b"rId1", b"utf-7", b"no-such-charset", b"\xed\xa0\x80",
)  # fmt: skip
Change = Callable[[random.Random, bytes], bytes]


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Return a variant of a document; an archive is mostly changed inside its parts."""
    if data.startswith(b"PK") and rng.random() < 0.8:
        return _mutated_archive(rng, data)
    return _changed(rng, data)


def _changed(rng: random.Random, data: bytes) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        data = rng.choice(_CHANGES)(rng, data)
    return data[: 4 << 20]


def _mutated_archive(rng: random.Random, data: bytes) -> bytes:
    source = zipfile.ZipFile(io.BytesIO(data))
    members = [(name, source.read(name)) for name in source.namelist()]
    for _ in range(rng.choice((1, 1, 2, 4))):
        place = rng.randrange(len(members))
        name, content = members[place]
        kind = rng.random()
        if kind < 0.6:
            place = rng.choice([number for number, member in enumerate(members) if _is_content(member[0])] or [place])
            name, content = members[place]
            members[place] = (name, _with_changed_tree(rng, content))
        elif kind < 0.75:
            members[place] = (name, _changed(rng, content))
        elif kind < 0.8 and len(members) > 2:
            del members[place]
        elif kind < 0.85:
            members[place] = (name, rng.choice(members)[1])
        elif kind < 0.9:
            members[place] = (rng.choice((f"../{name}", name.upper(), rng.choice(members)[0], "x" * 300)), content)
        elif kind < 0.95:
            members.append((name, _changed(rng, content)))
        else:
            members[place] = (name, content * rng.choice((2, 50)))
    return _zipped(rng, members)


def _is_content(name: str) -> bool:
    """Say whether a part holds what a reader sees, and not a theme or a printer's settings."""
    return (
        re.search(r"document|slide\d|slideLayout[12]|sheet\d|sharedStrings|styles|numbering|workbook|rels$", name)
        is not None
    )


def _with_changed_tree(rng: random.Random, data: bytes) -> bytes:
    """Change elements so that the XML stays well formed and reaches deeper into a reader."""
    try:
        root = etree.fromstring(data)
    except etree.XMLSyntaxError:
        return _changed(rng, data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        elements = [element for element in root.iter() if isinstance(element.tag, str)]
        rng.choice(_TREE_CHANGES)(rng, rng.choice(elements), elements)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True))


def _drop(rng: random.Random, element: Any, elements: list[Any]) -> None:
    if element.getparent() is not None:
        element.getparent().remove(element)


def _multiply(rng: random.Random, element: Any, elements: list[Any]) -> None:
    if element.getparent() is not None:
        size = len(etree.tostring(element))
        for _ in range(min(rng.choice((1, 20, 3000)), (2 << 20) // size + 1)):
            element.addnext(copy.deepcopy(element))


def _move(rng: random.Random, element: Any, elements: list[Any]) -> None:
    target = rng.choice(elements)
    if element.getparent() is not None and element not in target.iterancestors() and target is not element:
        target.append(element)


def _nest(rng: random.Random, element: Any, elements: list[Any]) -> None:
    inner = element
    for _ in range(rng.choice((3, 100, 240))):
        inner = etree.SubElement(inner, element.tag, dict(element.attrib))
    inner.text = element.text


def _rename(rng: random.Random, element: Any, elements: list[Any]) -> None:
    element.tag = rng.choice(elements).tag


def _set_attribute(rng: random.Random, element: Any, elements: list[Any]) -> None:
    names = list(element.attrib) or [
        name for other in rng.sample(elements, min(9, len(elements))) for name in other.attrib
    ]
    if names:
        element.set(rng.choice(names), _odd_text(rng))


def _drop_attribute(rng: random.Random, element: Any, elements: list[Any]) -> None:
    if element.attrib:
        del element.attrib[rng.choice(list(element.attrib))]


def _set_text(rng: random.Random, element: Any, elements: list[Any]) -> None:
    element.text = _odd_text(rng) * rng.choice((1, 1, 5000))


def _odd_text(rng: random.Random) -> str:
    text = rng.choice(_ODD_VALUES).decode("latin-1")
    return "".join(character for character in text if character.isprintable())


_TREE_CHANGES = (
    *(_drop, _multiply, _move, _nest, _rename, _set_attribute, _set_attribute, _set_attribute, _drop_attribute),
    _set_text,
)


def _zipped(rng: random.Random, members: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with (
        warnings.catch_warnings(action="ignore"),  # a name that occurs twice is meant
        zipfile.ZipFile(buffer, "w", rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED))) as archive,
    ):
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def _flip(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 3, 30))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _cut_off(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _cut_out(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + rng.choice((1, 10, 1000)) :]


def _repeat(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    part = data[start : start + rng.choice((1, 20, 500))]
    return data[:start] + part * rng.choice((2, 100, 2000)) + data[start:]


def _insert(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + rng.choice(_ODD_VALUES) + data[start:]


def _odd_value(rng: random.Random, data: bytes) -> bytes:
    return _replaced(rng, data, _VALUE, lambda found: b'"' + rng.choice(_ODD_VALUES) + b'"')


def _odd_number(rng: random.Random, data: bytes) -> bytes:
    return _replaced(rng, data, _NUMBER, lambda found: rng.choice(_ODD_VALUES))


def _drop_tag(rng: random.Random, data: bytes) -> bytes:
    return _replaced(rng, data, _TAG, lambda found: b"")


def _nest_tag(rng: random.Random, data: bytes) -> bytes:
    return _replaced(rng, data, _TAG, lambda found: found * rng.choice((2, 300, 5000)))


def _swap_tags(rng: random.Random, data: bytes) -> bytes:
    tags = _TAG.findall(data[:200_000]) or [b"<x>"]
    return _replaced(rng, data, _TAG, lambda found: rng.choice(tags))


def _swap_lines(rng: random.Random, data: bytes) -> bytes:
    lines = _LINE_END.split(data)
    rng.shuffle(lines)
    return b"\n".join(lines)


def _entities(rng: random.Random, data: bytes) -> bytes:
    laughs = b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 9))
    head = b'<!DOCTYPE x [<!ENTITY a0 "ha">' + laughs + b'<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    start = data.find(b"?>") + 2 if data.startswith(b"<?xml") else 0
    return data[:start] + head + data[start:].replace(b"</", b"&a8;&f;</", 3)


def _replaced(rng: random.Random, data: bytes, pattern: re.Pattern[bytes], new: Callable[[bytes], bytes]) -> bytes:
    """Replace one match that starts behind a place drawn at random."""
    match = pattern.search(data, rng.randrange(len(data) + 1)) or pattern.search(data)
    return data[: match.start()] + new(match.group()) + data[match.end() :] if match else _flip(rng, data)


_CHANGES: tuple[Change, ...] = (
    *(_flip, _cut_off, _cut_out, _repeat, _insert, _odd_value, _odd_value, _odd_number, _odd_number),
    *(_drop_tag, _nest_tag, _swap_tags, _swap_lines, _entities),
)
