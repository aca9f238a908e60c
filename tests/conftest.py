"""What the tests share: where optional reference data lies, and strict numerics."""

import os
import pathlib

import jax
import pytest

# A broadcast between arrays of unequal rank is nearly always a mistake in this code base.
jax.config.update("jax_numpy_rank_promotion", "warn")


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """Folder of reference fixtures and real pictures; tests that ask for it skip without it."""
    default = pathlib.Path(__file__).resolve().parents[2] / "shared"
    folder = pathlib.Path(os.environ.get("HDR_JAX_SHARED", default))
    if not folder.is_dir():
        pytest.skip(f"reference data not found at {folder} (set HDR_JAX_SHARED)")
    return folder
