"""The builder class of all data sets: one prepared copy for all readers.

`StackBuilder` writes array_record files, which `tfds.data_source` reads without TensorFlow, and
lets `tfds.load` read the same files.
"""

import os
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.core.data_sources import base as data_sources

from hdr_jax.errors import InputError
from hdr_jax.files import DISK_FULL
from tfds_builders import common, shards

ARRAY_RECORD = tfds.core.FileFormat.ARRAY_RECORD


class StackBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A builder of exposure stacks with radiance maps.

    Attributes:
      OPTIONS: further arguments of the builder, with their defaults.
      options: the arguments in force.
    """

    OPTIONS: dict[str, Any] = {}

    def __init__(self, *, file_format: str | None = None, **arguments: Any):
        """Takes the arguments of every TFDS builder, and those of `OPTIONS`.

        Args:
          file_format: of the prepared files; that of those on the disk, else "array_record".
          **arguments: `data_dir`, `config`, `version`, options.

        Raises:
          InputError: for an unknown or impossible option.
        """
        given = {name: arguments.pop(name) for name in [*arguments] if name in self.OPTIONS}
        if unknown := set(arguments) - {"data_dir", "config", "version"}:
            raise InputError(
                f"{self.name} has no option {', '.join(unknown)}; expected "
                f"{', '.join(self.OPTIONS) or 'none'}."
            )
        for name, value in given.items():
            if isinstance(self.OPTIONS[name], bool) and not isinstance(value, bool):
                raise InputError(f"{self.name} got {name}={value!r}; expected True or False.")
        if arguments.get("data_dir"):  # TFDS would make a folder called ~
            arguments["data_dir"] = os.path.expanduser(arguments["data_dir"])
        super().__init__(file_format=file_format, **arguments)
        self._original_state.update(given)  # what TFDS pickles
        self.options = {**self.OPTIONS, **given}
        if file_format is None and not self.info.initialized:
            self.info.set_file_format(ARRAY_RECORD, override=True)

    def _info(self) -> tfds.core.DatasetInfo:
        info = common.dataset_info(self)
        # These sets are in no bucket of TFDS, which would leave an empty folder behind each time.
        vars(info)["initialize_from_bucket"] = lambda: None
        return info

    def download_and_prepare(self, **arguments: Any) -> None:
        """As TFDS does it; a full disk is an OSError here too, which array_record calls others."""
        try:
            super().download_and_prepare(**arguments)
        except RuntimeError as error:
            for number in DISK_FULL:
                if os.strerror(number) in str(error):
                    raise OSError(number, os.strerror(number), str(self.data_dir)) from error
            raise

    def as_data_source(self, split=None, **arguments: Any):
        """As TFDS does it; reading from a damaged file is an InputError that names the file."""
        return _naming_damage(super().as_data_source(split, **arguments))

    def _as_dataset(self, split, decoders=None, read_config=None, shuffle_files=False):
        """`tf.data` over array_record files, which TFDS itself does not offer.

        Of `tfds.ReadConfig`, what divides and shuffles examples: files are not interleaved.
        """
        if self.info.file_format != ARRAY_RECORD:
            return super()._as_dataset(split, decoders, read_config, shuffle_files)
        import tensorflow as tf

        read_config, features = read_config or tfds.ReadConfig(), self.info.features
        if read_config.add_tfds_id:
            raise InputError(
                f"{self.name} got add_tfds_id=True, which array_record files lack; expected False. "
                "Examples are told by `scene`."
            )
        if isinstance(decoders, tfds.decode.PartialDecoding):
            features, decoders = decoders.extract_features(features), decoders.decoders
        records = self.as_data_source(split).data_source  # serialized examples
        indices = tf.data.Dataset.range(len(records))
        if context := read_config.input_context:
            indices = indices.shard(context.num_input_pipelines, context.input_pipeline_id)
        if shuffle_files:
            indices = indices.shuffle(
                max(len(records), 1),
                seed=read_config.shuffle_seed,
                reshuffle_each_iteration=read_config.shuffle_reshuffle_each_iteration,
            )

        def decode(index):
            record = tf.numpy_function(lambda i: records[int(i)], [index], tf.string)
            return features.deserialize_example(tf.ensure_shape(record, ()), decoders=decoders)

        return indices.map(decode, num_parallel_calls=tf.data.AUTOTUNE)


def _naming_damage(source: Any) -> Any:
    """A TFDS source, or sources by split, whose damaged files are named."""
    if isinstance(source, dict):
        return {split: _naming_damage(one) for split, one in source.items()}
    if isinstance(source, (list, tuple)):
        return type(source)(_naming_damage(one) for one in source)
    instructions = data_sources.file_instructions(source.dataset_info, source.split)
    source.data_source = shards.Records(source.data_source, instructions)
    return source
