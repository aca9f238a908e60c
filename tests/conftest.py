"""What the tests share: where optional reference data."""

import atexit
import gc
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

# Before NumPy: the tests run in several processes, whose BLAS threads would wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# [3] + [2, 3] is an error: shapes of unequal rank meet by intention, which is written, or mistake.
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")
# What a test compiles stays out of the user's cache.
os.environ.setdefault("HDR_JAX_CACHE", "off")
# Most of the time is XLA's: what one process has compiled the others and their children take over.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="hdr_jax_tests_")
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")

import jax
import pytest

MANY_MAPS = 15_000

try:
    import hypothesis
except ImportError:  # the tests of the core do without
    pass
else:
    # The same examples in every run; --hypothesis-profile=search looks for others.
    repeatable = {"derandomize": True, "deadline": None, "database": None}
    hypothesis.settings.register_profile("repeatable", **repeatable)
    hypothesis.settings.register_profile("search", deadline=None, max_examples=500)
    hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="module", autouse=True)
def few_programs() -> Iterator[None]:
    """Forgets compiled programs when there are many: each is several pieces of mapped memory, of
    which Linux gives a process 65,530, and beyond them XLA ends with a segmentation fault."""
    yield
    maps = pathlib.Path("/proc/self/maps")
    if maps.is_file() and maps.read_bytes().count(b"\n") > MANY_MAPS:
        jax.clear_caches()
        gc.collect()


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """Folder of reference fixtures and real pictures; tests that ask for it skip without it."""
    default = pathlib.Path(__file__).resolve().parents[2] / "shared"
    folder = pathlib.Path(os.environ.get("HDR_JAX_SHARED", default))
    if not folder.is_dir():
        pytest.skip(f"reference data not found at {folder} (set HDR_JAX_SHARED)")
    return folder


@pytest.fixture
def small_disk(tmp_path) -> Iterator[pathlib.Path]:
    """A file system of 1 MiB that holds nothing; tests that ask for it skip where none is given."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a tmpfs is not permitted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def compiled_quickly() -> Iterator[None]:
    """Large programs that run once: XLA optimises little, three to four times faster as a whole.

    Not for everything: JAX 0.10.2 then makes NaN of the gradient of `synthesize` of 5 x 7 pixels,
    whose parts are all finite.
    """
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
