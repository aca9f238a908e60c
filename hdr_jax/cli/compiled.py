"""Compiled programs are kept between calls, so that only the first one waits for the compiler.

They lie in the user's cache folder, or where the environment variable HDR_JAX_CACHE says;
HDR_JAX_CACHE=off keeps none. JAX's own JAX_COMPILATION_CACHE_DIR goes first.
"""

import os
import pathlib
import sys
import tempfile

import jax

from hdr_jax import exported

VARIABLE = "HDR_JAX_CACHE"
OFF = ("off", "0", "no", "")


def keep_compiled() -> None:
    """Turns JAX's persistent compilation cache on, unless the environment says otherwise."""
    folder = os.environ.get(VARIABLE)
    given = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if given or (folder is not None and folder.lower() in OFF):
        return
    try:
        path = pathlib.Path(folder) if folder else cache_folder()
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except (OSError, RuntimeError):
        return  # no home, or none that can be written to: everything works, only slower
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    exported.keep_in(path / "exported")


def cache_folder() -> pathlib.Path:
    """Where this program may keep what it can make again.

    Returns:
      A folder of the user, which need not be there.

    Raises:
      RuntimeError: for a user without a home.
    """
    if sys.platform == "darwin":
        return pathlib.Path.home() / "Library/Caches/hdr_jax"
    windows = sys.platform == "win32"
    given = os.environ.get("LOCALAPPDATA" if windows else "XDG_CACHE_HOME")
    usual = "AppData/Local" if windows else ".cache"
    return (pathlib.Path(given) if given else pathlib.Path.home() / usual) / "hdr_jax"
