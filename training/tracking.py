"""The tracking page: charts of runs, made from their metrics.jsonl and served to this machine alone.

metrics.jsonl is the truth. TensorBoard's event files are a copy that lasts as long as the page, follows a run that
goes on, and takes back the steps that a resumed run repeats.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from tensorboard import program
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter


class RunMirror:
    """Copies the lines of one run's metrics.jsonl into event files; every number of a line becomes a chart.

    Raises:
        ValueError: there is no run in the folder.
    """

    def __init__(self, run: Path, events: Path) -> None:
        options = run / "options.json"
        if not options.is_file():
            raise ValueError(f"{run} holds no run: name a folder that `precept-train fit --out` has written")
        self._metrics = run / "metrics.jsonl"
        self._began = options.stat().st_mtime
        self._copied: list[str] = []
        self._writer = EventFileWriter(str(events))
        # Only a second start makes the page's reader drop anything, so there has to be a first one.
        self._start_from(0)

    def update(self) -> int:
        """Bring the copy up to date and return how many lines it holds."""
        lines = self._complete_lines()
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(lines, self._copied, strict=False)))
        if same < len(self._copied):
            first = min(map(_step_of, self._copied[same:]))
            self._start_from(first)
            # A line that stays is dropped too where it has the step of one that goes.
            same = sum(1 for _ in takewhile(lambda line: _step_of(line) < first, lines[:same]))
        for line in lines[same:]:
            values: dict[str, Any] = json.loads(line)
            numbers = [Summary.Value(tag=name, simple_value=value) for name, value in _numbers(values)]
            time = self._began + float(values.get("seconds", 0.0))
            self._writer.add_event(Event(wall_time=time, step=values["step"], summary=Summary(value=numbers)))
        self._writer.flush()
        self._copied = lines
        return len(lines)

    def close(self) -> None:
        self._writer.close()

    def _start_from(self, step: int) -> None:
        """Make readers drop what they hold from this step on: to them a run that starts again repeats it."""
        self._writer.add_event(Event(wall_time=self._began, step=step, session_log=SessionLog(status=SessionLog.START)))

    def _complete_lines(self) -> list[str]:
        """Return the lines that are whole: the last one may be half written, or have been cut off by a kill."""
        if not self._metrics.exists():
            return []
        lines = self._metrics.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        return [line for line in lines if _is_metrics(line)]


def serve(events: Path, port: int) -> str:
    """Serve TensorBoard over event files on the loopback address, in a thread, and return the page's address.

    Raises:
        ValueError: the port is taken.
    """
    # It explains at length what it does without TensorFlow.
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    server = program.TensorBoard()
    arguments = ["tensorboard", "--logdir", str(events), "--host", "127.0.0.1", "--port", str(port)]
    # One process without a second port for a data server, and all points of a long run instead of a thousand of them.
    arguments += ["--load_fast", "false", "--samples_per_plugin", "scalars=100000", "--reload_interval", "5"]
    server.configure(arguments)
    try:
        return str(server.launch())
    except program.TensorBoardServerException as error:
        raise ValueError(f"no page can be served on port {port}: name another with --port") from error


def names_of(runs: Sequence[Path]) -> Mapping[str, Path]:
    """Return each run once, under its folder's name, or its whole path where two folders share a name."""
    folders = list(dict.fromkeys(run.resolve() for run in runs))
    names = [folder.name for folder in folders]
    return {
        folder.name if names.count(folder.name) == 1 else str(folder.relative_to("/")): folder for folder in folders
    }


def _numbers(values: Mapping[str, Any], section: str = "training") -> Iterator[tuple[str, float]]:
    """Yield the numbers of a line by chart; the page has a section for all of training, and one for each group."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{section}/{key}".removeprefix("training/"))
        elif isinstance(value, int | float) and not isinstance(value, bool) and key != "step":
            yield f"{section}/{key}", float(value)


def _is_metrics(line: str) -> bool:
    try:
        return isinstance(json.loads(line)["step"], int)
    except (ValueError, LookupError, TypeError):  # a line cut off by a kill
        return False


def _step_of(line: str) -> int:
    return int(json.loads(line)["step"])
