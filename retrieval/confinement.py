"""What a parser's process denies itself, so that no document makes it reach out: network, programs, files.

Three fences, each as far as the system knows it: Linux's seccomp filter for system calls, Linux's Landlock for files,
and on any system Python's own audit hook. They hold for the rest of the process and cannot be taken down from inside.
"""

import ctypes
import mimetypes
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2  # prctl(2)
_ALLOW, _DENY, _UNKNOWN = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38  # seccomp(2): go on, EPERM, ENOSYS
_LOAD, _IF_EQUAL, _IF_SET, _RETURN = 0x20, 0x15, 0x45, 0x06  # classic BPF
_AT_CALL, _AT_ARCHITECTURE, _AT_FIRST_ARGUMENT = 0, 4, 16  # in struct seccomp_data
_NEW_THREAD = 0x00010000

# By machine: its audit number, clone, clone3, and calls that open sockets, start programs, or reach other processes.
_X86_64 = (41, 42, 43, 44, 46, 49, 50, 53, 57, 58, 59, 62, 101, 288, 307, 310, 311, 321, 322, 425)
_AARCH64 = (117, 129, 198, 199, 200, 201, 202, 203, 206, 211, 221, 242, 269, 270, 271, 280, 281, 425)
_MACHINES = {"x86_64": (0xC000003E, 56, 435, _X86_64), "aarch64": (0xC00000B7, 220, 435, _AARCH64)}

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # landlock(7), alike on every machine
_READ_FILE, _READ_DIRECTORY = 1 << 2, 1 << 3
_RIGHTS_OF_VERSION = {1: 13, 2: 14}  # how many rights to files a version knows; 15 from version 3 on

_FORBIDDEN_EVENTS = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system", "os.kill", "pty.")


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("value", ctypes.c_uint))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction)))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


def confine() -> None:
    """Deny this process sockets, other programs and all files but its own code, from now on."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0:
            _read_only_code(libc)
            _filter_calls(libc)
    sys.addaudithook(_refuse)


def _refuse(event: str, _: tuple[object, ...]) -> None:
    if event.startswith(_FORBIDDEN_EVENTS):
        raise PermissionError(f"a parser may not call {event}")


def _filter_calls(libc: ctypes.CDLL) -> None:
    if platform.machine() not in _MACHINES:
        return
    instructions = list(_program(*_MACHINES[platform.machine()]))
    array = (_Instruction * len(instructions))(*instructions)
    libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(_Program(len(instructions), array)), 0, 0)


def _program(audit: int, clone: int, clone3: int, forbidden: tuple[int, ...]) -> Iterator[_Instruction]:
    """Yield the filter: every test is followed by the answer that it skips when it fails."""
    yield _Instruction(_LOAD, 0, 0, _AT_ARCHITECTURE)
    yield _Instruction(_IF_EQUAL, 1, 0, audit)
    yield _Instruction(_RETURN, 0, 0, _DENY)  # a call in the numbers of another machine
    yield _Instruction(_LOAD, 0, 0, _AT_CALL)
    yield _Instruction(_IF_SET, 0, 1, 0x40000000)  # likewise, on x86
    yield _Instruction(_RETURN, 0, 0, _DENY)
    for call in forbidden:
        yield _Instruction(_IF_EQUAL, 0, 1, call)
        yield _Instruction(_RETURN, 0, 0, _DENY)
    yield _Instruction(_IF_EQUAL, 0, 1, clone3)
    yield _Instruction(_RETURN, 0, 0, _UNKNOWN)  # its flags cannot be seen here; the C library falls back to clone
    yield _Instruction(_IF_EQUAL, 0, 3, clone)
    yield _Instruction(_LOAD, 0, 0, _AT_FIRST_ARGUMENT)
    yield _Instruction(_IF_SET, 1, 0, _NEW_THREAD)
    yield _Instruction(_RETURN, 0, 0, _DENY)  # a process; a thread goes on
    yield _Instruction(_RETURN, 0, 0, _ALLOW)


def _read_only_code(libc: ctypes.CDLL) -> None:
    """Leave nothing of the file system but reading Python, its packages and the system's libraries."""
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return
    handled = ctypes.c_uint64((1 << _RIGHTS_OF_VERSION.get(version, 15)) - 1)
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(handled), ctypes.c_size_t(8), 0)
    if ruleset < 0:
        return
    for path in _needed():
        rights = _READ_FILE | (_READ_DIRECTORY if path.is_dir() else 0)
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        libc.syscall(_ADD_RULE, ruleset, 1, ctypes.byref(_Beneath(rights, descriptor)), 0)
        os.close(descriptor)
    libc.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _needed() -> Iterator[Path]:
    own = Path(__file__).resolve().parent
    packages = [Path(entry) for entry in sys.path if entry and Path(entry).resolve() not in (own.parent, Path("/"))]
    system = map(Path, ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/etc/ld.so.cache"))
    known = map(Path, (*mimetypes.knownfiles, "/dev/null", "/dev/urandom"))
    for path in (own, Path(sys.prefix), Path(sys.base_prefix), *packages, *system, *known):
        if path.exists():
            yield path
