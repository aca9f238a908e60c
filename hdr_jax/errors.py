"""What is wrong with input or the installation, told apart from what is wrong with this program."""

import contextlib
from collections.abc import Collection, Iterator


class InputError(ValueError):
    """Input that cannot be used: a file, an argument, a field of a configuration.

    Raised where the input is judged, with what was got, what was expected and what to try. The
    commands turn it into one line and exit code 2; any other error is a defect of the program and
    shows its traceback.
    """


def one_of(what: str, value: object, names: Collection[str]) -> None:
    """Raises InputError for a name that is none of those that there are.

    Args:
      what: what has such names, for the message.
      value: the name.
      names: all of them.

    Example:
      >>> one_of("solver", "qr", ("cholesky", "lstsq"))
      Traceback (most recent call last):
      hdr_jax.errors.InputError: unknown solver 'qr': expected one of cholesky, lstsq
    """
    if value not in names:
        raise InputError(f"unknown {what} {value!r}: expected one of {', '.join(names)}")


class MissingExtra(ImportError):
    """A library that is not installed, with the extra of this package that brings it."""


@contextlib.contextmanager
def extra(name: str) -> Iterator[None]:
    """A context whose imports need an extra of pyproject.toml.

    Args:
      name: of the extra.

    Raises:
      MissingExtra: instead of ModuleNotFoundError, naming the extra.

    Example:
      >>> with extra("photographs"):
      ...     import no_such_library
      Traceback (most recent call last):
      hdr_jax.errors.MissingExtra: no_such_library is missing: pip install "hdr_jax[photogra...
    """
    try:
        yield
    except (ModuleNotFoundError, MissingExtra) as error:
        library = (error.name or "").partition(".")[0]
        if library in ("", "hdr_jax", "tfds_builders"):
            raise  # a defect of the program
        # Of extras within each other the outermost is named, which brings the others.
        way = f'pip install "hdr_jax[{name}]", or ".[{name}]" in a checkout'
        raise MissingExtra(f"{library} is missing: {way}", name=library) from error
