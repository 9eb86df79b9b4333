"""What the retrieval tests share: real documents where the machine has them."""

import inspect
import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of public corpora, or skip where there is none."""
    default = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("PRECEPT_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no public corpora in {folder}; set PRECEPT_SHARED_DATA to their folder")
    return folder


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> None:
    """Mark the asynchronous tests of LangChain's suites, which expect a project wide asynchronous mode."""
    if inspect.iscoroutinefunction(obj) and name.startswith("test_"):
        pytest.mark.asyncio(obj)
