"""Runs a parser of untrusted bytes in a process of its own, under limits that the kernel enforces.

Time, computing time, memory, and the size of what it writes are bounded; `retrieval.confinement` takes the rest away.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval.confinement import confine

_PACKAGE_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Limits:
    """What one parser process may use."""

    wall_s: float = 120
    cpu_s: int = 90
    memory_bytes: int = 1 << 30
    output_bytes: int = 64 << 20


class ParserStopped(RuntimeError):
    """The parser ended without an answer; the message says at which limit."""


def run(module: str, arguments: list[str], data: bytes, limits: Limits) -> dict[str, Any]:
    """Run ``python -m module`` with `data` on its standard input and return the JSON object that it prints.

    Raises:
        ParserStopped: it ran into a limit, crashed, or printed something else.
    """
    command = [sys.executable, "-m", module, *arguments]
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout:
        stdin.write(data)
        stdin.seek(0)
        environment = {"PYTHONPATH": str(_PACKAGE_ROOT), "PATH": os.defpath, **_packed(limits)}
        process = subprocess.Popen(
            command, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL, env=environment, cwd="/", close_fds=True
        )
        try:
            code = process.wait(limits.wall_s)
        except subprocess.TimeoutExpired:
            raise ParserStopped(f"took longer than {limits.wall_s:g} s") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        stdout.seek(0)
        return _answer(code, stdout.read(limits.output_bytes + 1), limits)


def restrict_this_process() -> None:
    """Set the limits handed over by `run` and give up network, programs and files; the parser's process starts so."""
    limits = json.loads(os.environ["PRECEPT_PARSER_LIMITS"])
    for kind, value, hard in (
        (resource.RLIMIT_AS, limits["memory_bytes"], limits["memory_bytes"]),
        (resource.RLIMIT_CPU, limits["cpu_s"], limits["cpu_s"] + 1),  # where both are equal, the signal is a bare kill
        (resource.RLIMIT_FSIZE, limits["output_bytes"], limits["output_bytes"]),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        # A system may forbid or not know a limit; the wall clock still holds.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, hard))
    confine()


def _packed(limits: Limits) -> dict[str, str]:
    values = {"cpu_s": limits.cpu_s, "memory_bytes": limits.memory_bytes, "output_bytes": limits.output_bytes}
    return {"PRECEPT_PARSER_LIMITS": json.dumps(values), "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def _answer(code: int, output: bytes, limits: Limits) -> dict[str, Any]:
    if len(output) >= limits.output_bytes:
        raise ParserStopped(f"holds more than {limits.output_bytes >> 20} MB of text")
    if code != 0:
        raise ParserStopped(_cause(code))
    try:
        answer = json.loads(output)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ParserStopped("made its parser answer nonsense")
    return answer


def _cause(code: int) -> str:
    causes = {
        -signal.SIGXCPU: "needed more computing time than a document may",
        -signal.SIGXFSZ: "holds too much text",
        -signal.SIGKILL: "was stopped by the system, which ran out of memory",
    }
    return causes.get(code, "made its parser crash" if code < 0 else f"made its parser fail (exit code {code})")
