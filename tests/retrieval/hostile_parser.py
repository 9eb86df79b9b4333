"""A parser that misbehaves as its argument says; the tests of the sandbox run it instead of a real one."""

import ctypes
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from retrieval.sandbox import restrict_this_process


def attempt(what: str, data: bytes) -> object:
    if what == "connect":
        return socket.create_connection(("127.0.0.1", int(data)), timeout=5).fileno()
    if what == "run":
        return subprocess.run(["/bin/true"], check=False).returncode
    if what == "fork":
        return os.fork()
    if what == "read":
        return Path(data.decode()).read_text()
    if what == "write":
        return Path(data.decode()).write_text("written")
    return system_call(what, data)


def system_call(what: str, data: bytes) -> int:
    """Go past Python and its audit hook, as a flaw in a C library would."""
    libc = ctypes.CDLL(None, use_errno=True)
    if what == "bare socket":
        result = libc.socket(2, 1, 0)
    elif what == "bare fork":
        result = libc.fork()
    elif what == "bare exec":
        result = libc.execv(b"/bin/true", (ctypes.c_char_p * 2)(b"true", None))
    else:
        result = libc.open(data, os.O_RDONLY)
    if result < 0:
        raise OSError(ctypes.get_errno(), what)
    return int(result)


def main(what: str) -> None:
    restrict_this_process()
    data = sys.stdin.buffer.read()
    if what == "spin":
        while True:
            pass
    if what == "crash":
        os.abort()
    if what == "babble":
        while True:
            sys.stdout.buffer.write(b"x" * 100_000)
    if what == "nonsense":
        sys.stdout.write("[]")
        return
    try:
        answer: dict[str, object] = {"done": attempt(what, data)}
    except OSError as error:
        answer = {"denied": type(error).__name__}
    print(json.dumps(answer))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
