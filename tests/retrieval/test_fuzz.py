"""Whatever a file holds, its parser answers within its limits, and what it answers can be stored and cut."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.retrieval.fuzzing import LIMITS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("first", "last"), [(0, 100), pytest.param(100, 5100, marks=[pytest.mark.slow, pytest.mark.timeout(7200)])]
)
def test_mutated_files_never_crash_hang_or_take_more_than_they_may(first: int, last: int) -> None:
    command = [sys.executable, "-m", "tests.retrieval.fuzzing", str(first), str(last)]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.splitlines()
    outcomes = [json.loads(line) for line in lines]
    assert len(outcomes) == last - first
    bad = [outcome for outcome in outcomes if outcome["how"] not in ("parsed", "refused", "stopped")]
    assert not bad
    assert all(outcome["peak_mb"] < LIMITS["memory_bytes"] >> 20 for outcome in outcomes)
    assert all(outcome["cpu_s"] <= LIMITS["cpu_s"] + 1 for outcome in outcomes)
    counted = Counter(outcome["how"] for outcome in outcomes)
    assert counted["parsed"] > 0.2 * len(outcomes)
    assert counted["refused"] > 0.1 * len(outcomes)
