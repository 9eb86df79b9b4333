"""The tracking page against its own reader: what metrics.jsonl holds is what the charts show, also after a resume."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from training.command_line import main
from training.run import RunFolder
from training.tracking import RunMirror, names_of

Points = dict[str, list[tuple[int, float]]]


def new_run(folder: Path) -> RunFolder:
    folder.mkdir(parents=True)
    (folder / "options.json").write_text("{}")
    return RunFolder(folder)


def line(step: int, **values: object) -> dict[str, object]:
    """Return a line as the trainer logs it; all numbers are exact in the float32 of the event files."""
    return {"step": step, "loss": 1 / step, "learning_rate": 0.25, "grad_calls": 5, "seconds": step / 2, **values}


def charts(events: Path) -> Points:
    """Return every chart's points as the page's own reader finds them."""
    reader = EventAccumulator(str(events), size_guidance={"tensors": 0})
    reader.Reload()
    tags = reader.Tags()["tensors"]
    return {
        tag: [(event.step, float(make_ndarray(event.tensor_proto))) for event in reader.Tensors(tag)] for tag in tags
    }


def answer(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=30) as response:
        assert response.status == 200
        return response.read()


@contextmanager
def mirrored(run: Path, events: Path) -> Iterator[RunMirror]:
    mirror = RunMirror(run, events)
    yield mirror
    mirror.close()


def test_every_number_of_every_line_is_a_point_of_its_chart(tmp_path: Path):
    run = new_run(tmp_path / "run")
    run.log(line(4))
    run.log(
        line(
            8,
            gradient_norm=0.5,
            evaluation={"loss": 0.75, "exact": None, "by": {"turn": 0.5}},
            note="K rises",
            resumed=True,
        )
    )
    with mirrored(run.path, tmp_path / "events") as mirror:
        assert mirror.update() == 2
    assert charts(tmp_path / "events") == {
        "training/loss": [(4, 0.25), (8, 0.125)],
        "training/learning_rate": [(4, 0.25), (8, 0.25)],
        "training/grad_calls": [(4, 5.0), (8, 5.0)],
        "training/seconds": [(4, 2.0), (8, 4.0)],
        "training/gradient_norm": [(8, 0.5)],
        "evaluation/loss": [(8, 0.75)],
        "evaluation/by/turn": [(8, 0.5)],
    }


def test_time_on_the_page_is_the_time_of_the_run(tmp_path: Path):
    run = new_run(tmp_path / "run")
    os.utime(run.path / "options.json", (1_000_000, 1_000_000))
    run.log(line(8))
    with mirrored(run.path, tmp_path / "events") as mirror:
        mirror.update()
    reader = EventAccumulator(str(tmp_path / "events"))
    reader.Reload()
    assert [point.wall_time for point in reader.Tensors("training/loss")] == [1_000_004.0]


def test_a_run_that_goes_on_is_followed_line_by_line(tmp_path: Path):
    run = new_run(tmp_path / "run")
    with mirrored(run.path, tmp_path / "events") as mirror:
        for num_lines in range(5):
            assert mirror.update() == mirror.update() == num_lines
            run.log(line(2**num_lines))
    assert charts(tmp_path / "events")["training/loss"] == [(1, 1.0), (2, 0.5), (4, 0.25), (8, 0.125)]


@pytest.mark.parametrize("rest", ['{"step": 16, "lo', '{"step"', "\x00\x00", "}", ' {"loss": 3}'])
def test_a_last_line_that_was_cut_off_waits_until_it_is_whole(rest: str, tmp_path: Path):
    run = new_run(tmp_path / "run")
    run.log(line(8))
    with mirrored(run.path, tmp_path / "events") as mirror:
        with run.metrics.open("a") as file:
            file.write(rest)
        assert mirror.update() == 1
        # The resumed run drops what was cut off before it goes on.
        run.forget_metrics_after(8)
        run.log(line(16))
        assert mirror.update() == 2
    assert charts(tmp_path / "events")["training/loss"] == [(8, 0.125), (16, 0.0625)]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 5)), min_size=1, max_size=4))
def test_however_often_a_run_resumes_the_charts_are_its_file(tmp_path_factory, resumes: list[tuple[int, int]]):
    folder = tmp_path_factory.mktemp("resumes")
    run, step = new_run(folder / "run"), 0
    with mirrored(run.path, folder / "events") as mirror:
        for attempt, (kept, num_steps) in enumerate(resumes):
            step = min(step, kept)
            run.forget_metrics_after(step)
            for _ in range(num_steps):
                step += 1
                run.log(line(step, loss=float(attempt)))
            mirror.update()
    expected = [json.loads(text) for text in run.metrics.read_text().splitlines()]
    assert charts(folder / "events")["training/loss"] == [(values["step"], values["loss"]) for values in expected]


def test_a_line_that_stays_beside_one_of_its_step_that_goes_keeps_its_points(tmp_path: Path):
    run = new_run(tmp_path / "run")
    for values in ({"step": 4, "loss": 0.5}, {"step": 4, "evaluation": {"loss": 0.75}}):
        run.log(values)
    with mirrored(run.path, tmp_path / "events") as mirror:
        mirror.update()
        run.metrics.write_text(run.metrics.read_text().splitlines(keepends=True)[0])
        mirror.update()
    points = charts(tmp_path / "events")
    assert points["training/loss"] == [(4, 0.5)]
    assert not points["evaluation/loss"]


def test_runs_are_named_by_their_folders_and_by_their_paths_where_that_is_not_enough(tmp_path: Path):
    first, second, other = tmp_path / "a" / "run", tmp_path / "b" / "run", tmp_path / "b" / "other"
    names = names_of([first, second, other, first])
    assert list(names.values()) == [first, second, other]
    assert list(names) == [str(first).removeprefix("/"), str(second).removeprefix("/"), "other"]


@pytest.mark.filterwarnings("ignore:html5lib's sanitizer is deprecated:DeprecationWarning")  # TensorBoard's own copy
def test_a_folder_without_a_run_and_a_port_that_is_taken_are_refused(tmp_path: Path, capsys):
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert main(["track", str(tmp_path)]) == 2
        assert "holds no run" in " ".join(capsys.readouterr().err.split())
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            assert main(["track", str(new_run(tmp_path / "run").path), "--port", str(port)]) == 2
        assert f"no page can be served on port {port}" in " ".join(capsys.readouterr().err.split())
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_page_answers_on_the_loopback_address_and_ends_with_its_process(tmp_path: Path):
    runs = [new_run(tmp_path / name) for name in ("one", "two")]
    for run in runs:
        run.log(line(4))
        run.log(line(8))
    command = [sys.executable, "-m", "training.command_line", "track", *(str(run.path) for run in runs), "--port", "0"]
    environment = os.environ | {"TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:")
            assert b"TensorBoard" in answer(address)
            for _ in range(100):  # it reads the runs after it has begun to answer
                if points := json.loads(answer(address + "data/plugin/scalars/scalars?run=two&tag=training/loss")):
                    break
                time.sleep(0.1)
            assert [(step, value) for _, step, value in points] == [(4, 0.25), (8, 0.125)]
        finally:
            process.terminate()
    assert process.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
