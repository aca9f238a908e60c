"""Reads damaged files in a process of its own, with bounds on memory and time.

    python tests/reader_worker.py KIND GOOD WORK FIRST COUNT
    python tests/reader_worker.py FILE

GOOD is a file, or a folder of one's files; each of COUNT seeds damages a copy in WORK and reads it
by every reader of that kind. Prints how many were read and how many refused by an `InputError`; any
other outcome is an exit code and a traceback. A FILE alone is read by each reader of its suffix,
which must refuse it; prints the messages, and the memory and the seconds that it took.
"""

import collections
import contextlib
import io
import json
import pathlib
import random
import resource
import shutil
import signal
import sys
import warnings

from damage import damaged
from memory import peak_kib

DATA_LIMIT = 2 * 2**30
"""Bytes of memory that a process may write to (RLIMIT_DATA), libraries included."""
SECONDS = 20.0
"""Of a processor, for one file."""


class TooLong(BaseException):
    """What no reader catches."""


def readers(kind: str) -> list:
    """Functions of a path: all that read such a file."""
    if kind in ("png", "jpg", "tif", "dng"):
        from hdr_jax import images

        return [
            images.read_photo,
            lambda path: images.read_photo(path, to_srgb=True),
            images.read_exposure_time,
            lambda path: images.primaries([path]),
        ]
    if kind in ("hdr", "exr"):
        from hdr_jax import images

        return [images.read_hdr]
    if kind in ("zip", "legacy", "tar"):
        from hdr_jax import convert

        return [convert.load_state_dict]
    if kind == "times":
        from hdr_jax import images

        return [lambda path: images.exposure_times([path.with_name("a.jpg")])]
    if kind == "curve":
        from hdr_jax import images

        return [images.read_response]
    if kind == "manifest":
        from tfds_builders import splits

        return [lambda path: splits.from_manifest(path.parent, ["a.hdr", "b.hdr"])]
    if kind == "config":
        from hdr_jax.runs import description

        return [lambda path: description.read_config(path.parent)]
    if kind == "checkpoint":
        from hdr_jax.runs import checkpoints

        return [checkpoint_command, checkpoints.load_model, checkpoints.load_config]
    raise ValueError(kind)


def checkpoint_command(folder: pathlib.Path) -> None:
    """`hdr-jax checkpoint`: it says what is damaged, and leaves with 0 or 2 (a refusal)."""
    from hdr_jax import cli
    from hdr_jax.errors import InputError

    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        code = cli.main(["checkpoint", str(folder)])
    assert code in (0, 2) and "Traceback" not in errors.getvalue(), errors.getvalue()
    if code:
        raise InputError(errors.getvalue())


def spoil(good: pathlib.Path, work: pathlib.Path, rng: random.Random) -> pathlib.Path:
    """A damaged copy: of the file, or of the folder with one or two of its files damaged."""
    target = work / good.name
    if good.is_file():
        target.write_bytes(damaged(good.read_bytes(), rng))
        return target
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(good, target)
    # By size within a folder: the storage gives its data files random names.
    order = lambda path: (path.parent, path.stat().st_size, path.name)  # noqa: E731
    files = sorted((path for path in target.rglob("*") if path.is_file()), key=order)
    for victim in rng.sample(files, rng.choice((1, 1, 2))):
        if rng.random() < 0.15:
            victim.unlink()
        else:
            victim.write_bytes(damaged(victim.read_bytes(), rng))
    return target


def limited() -> None:
    """Bounds memory from here on, and turns the end of a time into an exception."""
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_LIMIT, DATA_LIMIT))

    def stop(*_):
        raise TooLong(f"longer than {SECONDS:g} s of a processor")

    signal.signal(signal.SIGPROF, stop)


def main(kind: str, good: str, work: str, first: int, count: int) -> None:
    """Reads so many damaged files; prints the outcomes as JSON."""
    from hdr_jax.errors import InputError

    warnings.simplefilter("ignore")
    limited()
    outcomes, found = collections.Counter(), readers(kind)
    for seed in range(first, first + count):
        path = spoil(pathlib.Path(good), pathlib.Path(work), random.Random(seed))
        pathlib.Path(work, "seed").write_text(str(seed))  # for one that kills the process
        for reader in found:
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            try:
                reader(path)
                outcomes["read"] += 1
            except InputError as error:
                assert len(str(error)) < 2000, "a message of pages"
                outcomes["refused"] += 1
            except BaseException:
                print(f"seed {seed} of {kind}, reader {found.index(reader)}", file=sys.stderr)
                raise
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
    print(json.dumps({**outcomes, "peak_mib": peak_kib() // 1024}))


def refuse(file: str) -> None:
    """Has a file refused; prints what it took as JSON."""
    from hdr_jax.errors import InputError

    path, messages = pathlib.Path(file), []
    found = readers({"npy": "curve"}.get(path.suffix[1:], path.suffix[1:]))
    limited()
    before, started = peak_kib(), resource.getrusage(resource.RUSAGE_SELF)
    for reader in found:
        try:
            reader(path)
        except InputError as error:
            messages.append(str(error))
    after = resource.getrusage(resource.RUSAGE_SELF)
    took = {
        "mib": (peak_kib() - before) / 1024,
        "seconds": after.ru_utime + after.ru_stime - started.ru_utime - started.ru_stime,
    }
    print(json.dumps({"messages": messages, "readers": len(found), **took}))


if __name__ == "__main__" and len(sys.argv) == 2:
    refuse(sys.argv[1])
elif __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
