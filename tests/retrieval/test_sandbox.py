"""A parser's process has no network, no programs and no files, and ends at its limits."""

import ctypes
import platform
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from retrieval.sandbox import Limits, ParserStopped, run

LINUX = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")
LANDLOCK = LINUX and ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1) > 0


def misbehave(what: str, data: bytes = b"", limits: Limits | None = None) -> dict[str, Any]:
    return run("tests.retrieval.hostile_parser", [what], data, limits or Limits(wall_s=60, cpu_s=20))


def test_a_parser_cannot_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        assert "denied" in misbehave("connect", str(server.getsockname()[1]).encode())
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("what", ["run", "fork"])
def test_a_parser_cannot_start_a_process(what: str) -> None:
    assert misbehave(what) == {"denied": "PermissionError"}


@pytest.mark.skipif(not LINUX, reason="system calls are filtered on Linux, x86-64 and aarch64")
@pytest.mark.parametrize("what", ["bare socket", "bare fork", "bare exec"])
def test_a_parser_cannot_get_past_python(what: str) -> None:
    assert misbehave(what) == {"denied": "PermissionError"}


@pytest.mark.skipif(not LANDLOCK, reason="files are fenced off where the kernel has Landlock")
@pytest.mark.parametrize("what", ["read", "bare open"])
def test_a_parser_cannot_read_the_files_of_its_user(what: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the key")
    assert misbehave(what, str(secret).encode()) == {"denied": "PermissionError"}


@pytest.mark.skipif(not LANDLOCK, reason="files are fenced off where the kernel has Landlock")
def test_a_parser_cannot_write_files(tmp_path: Path) -> None:
    assert misbehave("write", str(tmp_path / "new.txt").encode()) == {"denied": "PermissionError"}
    assert not (tmp_path / "new.txt").exists()


@pytest.mark.parametrize(
    ("what", "limits", "said"),
    [
        ("spin", Limits(wall_s=60, cpu_s=1), "more computing time"),
        ("spin", Limits(wall_s=1, cpu_s=60), "longer than 1 s"),
        ("babble", Limits(output_bytes=1 << 20), "text"),
        ("crash", Limits(), "crash"),
        ("nonsense", Limits(), "nonsense"),
    ],
)
def test_a_parser_that_misbehaves_is_stopped_with_the_reason(what: str, limits: Limits, said: str) -> None:
    with pytest.raises(ParserStopped, match=said):
        misbehave(what, limits=limits)
