"""Sources: random access to the scenes of a TFDS dataset, which is prepared where it is not yet."""

import operator
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from hdr_jax.errors import InputError

BUILDERS: dict[str, Any] = {}
"""Builder class by name: packages of builders, such as `tfds_builders`, enter theirs on import."""


class Readable(Sequence[dict]):
    """A source whose scenes that cannot be read are named.

    Args:
      source: see `hdr_jax.data`; attributes of its own are passed on.
      name: of it, for the message.

    Example:
      >>> Readable([{"scene": "a"}], "mine")[0]
      {'scene': 'a'}
    """

    def __init__(self, source: Sequence[dict], name: str):
        self._source, self._name = source, name

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, i: Any) -> Any:
        i, count = operator.index(i), len(self)
        if not -count <= i < count:  # TFDS has other errors for it
            raise IndexError(f"scene {i} of {count}")
        try:
            return self._source[i % count]
        except (IndexError, InputError):
            raise
        except Exception as error:  # TFDS passes on whatever the readers of its files raise
            raise InputError(
                f"{self._name}: scene {i} cannot be read ({str(error).strip()[:200]}). Were its "
                "files deleted, moved or damaged? The same command goes on once they are back"
            ) from error

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # pickle asks before there is a source
            raise AttributeError(name)
        return getattr(self._source, name)


def builder_of(dataset: str, data_dir: str | pathlib.Path | None = None) -> Any:
    """The TFDS builder of a dataset.

    Args:
      dataset: TFDS name, of `BUILDERS`, with an optional config, version and builder arguments, for
        instance "synthetic_stacks/64", "vds/256:1.0.0" or "vds/256/skip_bad=True".
      data_dir: where prepared datasets lie; TFDS's own folder by default.

    Returns:
      A `tfds.core.DatasetBuilder`.

    Raises:
      InputError: for an unknown dataset, config, version or argument.

    Not differentiable.
    Example: `configs = builder_of("vds").builder_configs`
    """
    # Imported here: whoever brings a source of their own needs no TFDS.
    from google.protobuf import json_format
    from tensorflow_datasets.core import naming

    name = dataset.split("/")[0].split(":")[0]
    if name not in BUILDERS:
        known = ", ".join(sorted(BUILDERS)) or "those of tfds_builders, which is to be imported"
        raise InputError(
            f"got dataset {dataset!r}; expected one of {known}, with an optional /config."
        )
    config = dataset.partition("/")[2].split("/")[0].split(":")[0]
    known = [config.name for config in BUILDERS[name].BUILDER_CONFIGS]
    if config and "=" not in config and config not in known:
        raise InputError(f"{name} has no config {config!r}; expected one of {', '.join(known)}.")
    try:
        # Not by `tfds.builder`, which reads a name with a version by a builder of its own.
        _, arguments = naming.parse_builder_name_kwargs(dataset, data_dir=data_dir)
        return BUILDERS[name](file_format="array_record", **arguments)
    except (ValueError, TypeError, AssertionError, AttributeError) as error:
        raise InputError(f"data set {dataset!r}: {error}") from error
    except json_format.ParseError as error:  # TFDS brings protobuf
        raise InputError(
            f"data set {dataset!r}: its dataset_info.json is damaged ({error}). Delete the folder "
            "that it lies in"
        ) from error


def prepare(
    dataset: str,
    data_dir: str | pathlib.Path | None = None,
    manual_dir: str | pathlib.Path | None = None,
) -> Any:
    """The TFDS builder of a dataset, which is prepared first where it is not yet.

    Args:
      dataset: see `builder_of`.
      data_dir: see `builder_of`.
      manual_dir: where the files lie that a dataset needs from the user.

    Returns:
      A `tfds.core.DatasetBuilder`, its files in the array_record format. Needs no TensorFlow.

    Raises:
      InputError: for an unknown dataset or config, for missing or damaged files, or if it was
        prepared before from other files than those in `manual_dir`.

    Not differentiable.
    Example: `splits = prepare("synthetic_stacks/64", "/tmp/data").info.splits`
    """
    import tensorflow_datasets as tfds

    builder = builder_of(dataset, data_dir)
    if manual_dir is not None:  # shells leave the ~ of `--option=~/folder`
        manual_dir = os.path.expanduser(manual_dir)
    builder.download_and_prepare(
        file_format="array_record",
        download_config=tfds.download.DownloadConfig(manual_dir=manual_dir, try_download_gcs=False),
    )
    if not builder.info.splits:
        raise InputError(
            f"{builder.info.full_name} in {builder.data_dir} is not whole: it has no splits. "
            "Delete that folder"
        )
    if manual_dir is not None and hasattr(builder, "check_same_files"):
        builder.check_same_files(pathlib.Path(manual_dir))
    return builder


def load_source(
    dataset: str,
    split: str,
    data_dir: str | pathlib.Path | None = None,
    manual_dir: str | pathlib.Path | None = None,
) -> Sequence[dict]:
    """Random access to one split of a dataset, which is prepared first where it is not yet.

    Args:
      dataset: see `prepare`.
      split: "train", "val" or "test", or what TFDS makes of them, such as "train[:10%]" or
        "train+val".
      data_dir: see `prepare`.
      manual_dir: see `prepare`.

    Returns:
      A source (see `hdr_jax.data`). Needs no TensorFlow.

    Raises:
      InputError: as `prepare`, or for an unknown split or one without scenes.

    Not differentiable.
    Example: `source = load_source("synthetic_stacks/64", "train", "/tmp/data")`
    """
    builder = prepare(dataset, data_dir, manual_dir)
    try:
        source = builder.as_data_source(split)
    except (ValueError, AssertionError) as error:
        known, reason = ", ".join(sorted(builder.info.splits)), str(error).splitlines()[0]
        raise InputError(
            f"{dataset} has no split {split!r}; expected {known} or a part of them ({reason})"
        ) from error
    if not len(source):
        raise InputError(f"{dataset} has no scenes in split {split!r}. Choose another split.")
    return Readable(source, f"{dataset}, split {split!r}")
