"""Reads VGG-19 weights from a file: torchvision's `.pth`, or an `.npz` under the same names.

The weights are not part of hdr_jax. A smaller file (40 MB instead of 575 MB) with what is needed:

    from hdr_jax import convert, losses

    state = convert.load_state_dict("vgg19-dcbb9e9d.pth")
    numpy.savez("vgg19.npz", **{name: state[name] for name in losses.vgg19_names()})
"""

import hashlib
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hdr_jax import losses
from hdr_jax.convert._containers import load_state_dict
from hdr_jax.errors import InputError

URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"


def load_vgg19(
    path: str | os.PathLike, *, report: Callable[[str], None] | None = print
) -> dict[str, Any]:
    """Parameters of `hdr_jax.losses.VGG19` from a `.pth` or `.npz` file.

    Nothing in the file is executed: `.pth` goes through the restricted reader of
    `hdr_jax.convert`, `.npz` is read without pickles.

    Args:
      path: the file. A name that ends in `-<hex digits>.pth`, as in PyTorch's model zoo, states how
        the file's SHA-256 begins, and is checked against it.
      report: gets one line with the file's name and SHA-256; None for silence.

    Returns:
      {"params": ...}, float32, as from `hdr_jax.losses.vgg19_params`.

    Raises:
      FileNotFoundError: when there is no such file; the message says where to get it.
      InputError: when it is damaged, of another kind, or does not hold VGG-19's weights.

    Source: torchvision's `vgg19` (Simonyan and Zisserman 2015), trained on ImageNet.
    Example:
      >>> load_vgg19("missing.pth")  # doctest: +ELLIPSIS
      Traceback (most recent call last):
      ...
      FileNotFoundError: no VGG-19 weights at missing.pth; get ...vgg19-dcbb9e9d.pth ...
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"no VGG-19 weights at {path}; get {URL} (575 MB, of the torchvision model zoo), or go "
            "without: the loss then compares RGB patches"
        )
    if path.suffix not in (".npz", ".pth"):
        raise InputError(f"expected VGG-19 weights as .pth or .npz, got {path.name}")
    checksum = sha256(path)
    stated = re.search(r"-([0-9a-f]{8,64})\.pth$", path.name)
    if stated and not checksum.startswith(stated[1]):
        raise InputError(
            f"{path} is damaged or another file: its SHA-256 begins with {checksum[:8]}, its name "
            f"says {stated[1]}; get it again from {URL}"
        )
    if report is not None:
        report(f"VGG-19 weights {path}, SHA-256 {checksum}")
    if path.suffix == ".pth":
        return losses.vgg19_params(load_state_dict(path))
    return losses.vgg19_params(_read_npz(path))


def sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file in hex digits.

    Args:
      path: a file of any size.

    Returns:
      64 lower-case hex digits.

    Example:
      >>> sha256(os.devnull)[:8]
      'e3b0c442'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays VGG-19 needs, as far as they are there; nothing else is read."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in losses.vgg19_names() if name in archive}
    except (ValueError, TypeError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is no readable .npz file: {error}") from error
