"""What the tests share: where optional reference data."""

import os
import pathlib

# Before NumPy: the tests run in several processes, whose BLAS threads would wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# What a test compiles stays out of the user's cache.
os.environ.setdefault("HDR_JAX_CACHE", "off")

import pytest


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """Folder of reference fixtures and real pictures; tests that ask for it skip without it."""
    default = pathlib.Path(__file__).resolve().parents[2] / "shared"
    folder = pathlib.Path(os.environ.get("HDR_JAX_SHARED", default))
    if not folder.is_dir():
        pytest.skip(f"reference data not found at {folder} (set HDR_JAX_SHARED)")
    return folder
