"""The house itself: who may import whom, what packages must not drag in, and the container files."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


def test_the_import_contracts_are_kept():
    finished = run(str(BIN / "lint-imports"), "--no-cache")
    assert finished.returncode == 0, finished.stdout


def test_a_forbidden_import_would_be_reported(tmp_path: Path):
    for package in ("ui", "app", "training", "retrieval", "reasoning_core"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "reasoning_core" / "leak.py").write_text("import retrieval\nimport sqlalchemy\n")
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    finished = subprocess.run(
        [str(BIN / "lint-imports"), "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 1
    assert "reasoning_core.leak -> retrieval" in finished.stdout
    assert "reasoning_core.leak -> sqlalchemy" in finished.stdout


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("app.services", ("training", "gradio")),
        ("ui.command_line", ("training", "gradio", "torch", "faiss")),
        ("training.trainer", ("app", "retrieval", "gradio", "sqlalchemy")),
        ("retrieval.parsing", ("torch", "faiss", "transformers")),
    ],
)
def test_importing_one_part_does_not_load_another(module: str, forbidden: tuple[str, ...]):
    code = f"import sys, {module}; print([name for name in {forbidden!r} if name in sys.modules])"
    finished = run(sys.executable, "-c", code)
    assert finished.stdout.strip() == "[]", finished.stdout + finished.stderr


def test_the_container_files_are_valid():
    compose = run(str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")
    assert compose.returncode == 0, compose.stdout
    linted = run(str(BIN / "hadolint"), "Dockerfile")
    assert linted.returncode == 0, linted.stdout


def test_every_pinned_direct_dependency_is_pinned():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pinned = {
        line.split("==")[0].casefold().replace("_", "-") for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {name.split("[")[0].split(">")[0].split("<")[0].strip().casefold() for name in wanted}
    assert names - pinned == set()


def test_no_file_under_version_control_is_a_pickle_or_too_large():
    tracked = run("git", "ls-files").stdout.split()
    suffixes = {Path(name).suffix for name in tracked}
    assert not suffixes & {".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib"}
    assert all((ROOT / name).stat().st_size <= 16 << 20 for name in tracked if (ROOT / name).exists())
