"""What the retrieval tests share: real documents where the machine has them."""

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
