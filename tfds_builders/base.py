"""Base classes of the builders: one prepared copy for all readers, and data that the user brings.

`StackBuilder` writes array_record files, which `tfds.data_source` reads without TensorFlow, and
lets `tfds.load` read the same files. `ManualBuilder` adds what folders of the user need: the tree
that is expected, scenes that are damaged, options.
"""

import abc
import pathlib
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import tensorflow_datasets as tfds

from hdr_jax.errors import InputError
from tfds_builders import common, manual

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
        super().__init__(file_format=file_format, **arguments)
        self._original_state.update(given)  # what TFDS pickles
        self.options = {**self.OPTIONS, **given}
        if file_format is None and not self.info.initialized:
            self.info.set_file_format(ARRAY_RECORD, override=True)

    def _info(self) -> tfds.core.DatasetInfo:
        return common.dataset_info(self)

    def _as_dataset(self, split, decoders=None, read_config=None, shuffle_files=False):
        """`tf.data` over array_record files, which TFDS itself does not offer."""
        if self.info.file_format != ARRAY_RECORD:
            return super()._as_dataset(split, decoders, read_config, shuffle_files)
        import tensorflow as tf

        records = self.as_data_source(split).data_source  # serialized examples
        indices = tf.data.Dataset.range(len(records))
        if shuffle_files:
            indices = indices.shuffle(max(len(records), 1))

        def decode(index):
            record = tf.numpy_function(lambda i: records[int(i)], [index], tf.string)
            return self.info.features.deserialize_example(
                tf.ensure_shape(record, ()), decoders=decoders
            )

        return indices.map(decode, num_parallel_calls=tf.data.AUTOTUNE)


class ManualBuilder(StackBuilder, skip_registration=True):
    """A builder that reads a folder of the user.

    Subclasses give `EXPECTED`, `scenes_in`, `read_files` and `examples`. With the option `skip_bad`
    damaged scenes are left out, with a warning at the end, instead of stopping the build.

    Attributes:
      EXPECTED: the tree of files, for people.
      skipped: error messages of damaged scenes that the last build left out.
    """

    EXPECTED = ""
    OPTIONS = {"skip_bad": False}

    def __init__(self, **arguments: Any):
        """Takes the arguments of `StackBuilder`.

        Raises:
          InputError: also if the dataset was prepared before with other options.
        """
        super().__init__(**arguments)
        self.skipped = []
        made_with = (self.info.metadata or {}).get("options", {})
        for name in set(made_with) & set(arguments):
            if made_with[name] != arguments[name]:
                raise InputError(
                    f"{self.info.full_name} in {self.data_dir} was prepared with {name}="
                    f"{made_with[name]}, not {arguments[name]}. Pass another data_dir, or delete "
                    "that folder."
                )

    @abc.abstractmethod
    def scenes_in(self, place: pathlib.Path) -> list[manual.SceneFiles]:
        """The scenes that a folder holds; none if it is no such folder."""

    @abc.abstractmethod
    def read_files(self, scene: manual.SceneFiles) -> manual.Recording:
        """What the scene's files hold. Raises InputError if they are damaged."""

    @abc.abstractmethod
    def examples(self, scene: manual.SceneFiles) -> Iterable[tuple[str, dict]]:
        """Keys and examples of one scene."""

    def find_scenes(self, folder: pathlib.Path) -> tuple[pathlib.Path, list[manual.SceneFiles]]:
        """The scenes in a manual directory, or in its sub-folder called like the dataset.

        Args:
          folder: the manual directory.

        Returns:
          Where they lie, and the scenes.

        Raises:
          InputError: if there are none (shows the expected tree and what was found), or two of one
            name.
        """
        for place in (folder, folder / self.name):
            if place.is_dir() and (scenes := self.scenes_in(place)):
                _check_names(scenes)
                return place, scenes
        if not folder.is_dir():
            raise InputError(f"{self.name}: {folder} is no folder.\n{manual.trees(self.EXPECTED)}")
        raise InputError(
            f"{self.name}: {folder} does not hold it.\n{manual.trees(self.EXPECTED, folder)}"
        )

    def read(self, scene: manual.SceneFiles) -> manual.Recording:
        """What the scene's files hold.

        Args:
          scene: one of `find_scenes`.

        Returns:
          Its recording.

        Raises:
          InputError: naming the scene, if its files are missing, damaged or do not fit together.
        """
        try:
            return self.read_files(scene)
        except InputError as error:
            raise InputError(f"scene {scene.name}: {error}") from error

    def check_same_files(self, folder: pathlib.Path) -> None:
        """Raise if the prepared dataset was made from other files than those in a manual directory.

        TFDS itself would go on reading what was prepared once.

        Args:
          folder: the manual directory asked for; nothing is checked if it is gone.

        Raises:
          InputError: if the files differ.
        """
        known = (self.info.metadata or {}).get("fingerprint")
        if not known or not folder.is_dir():
            return
        place, scenes = self.find_scenes(folder)
        if manual.fingerprint(place, scenes) != known:
            raise InputError(
                f"{self.info.full_name} in {self.data_dir} was made from other files than those of "
                f"the {len(scenes)} scenes in {place}. Pass another data_dir, or delete that "
                "folder."
            )

    def download_and_prepare(self, **arguments: Any) -> None:
        """As TFDS does it; warns of scenes that were skipped."""
        self.skipped.clear()
        super().download_and_prepare(**arguments)
        if self.skipped:
            lines = "\n  ".join(self.skipped)
            warnings.warn(
                f"{self.name}: skipped {len(self.skipped)} bad scenes, kept "
                f"{self.info.splits.total_num_examples} examples:\n  {lines}",
                stacklevel=2,
            )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        folder = manual.directory(dl_manager, self.name, self.EXPECTED)
        place, scenes = self.find_scenes(folder)
        self.info.metadata["fingerprint"] = manual.fingerprint(place, scenes)
        self.info.metadata["options"] = {
            name: value for name, value in self.options.items() if name != "skip_bad"
        }
        return {
            split: self._generate_examples([scene for scene in scenes if scene.split == split])
            for split in ("train", "val", "test")
            if any(scene.split == split for scene in scenes)
        }

    def _generate_examples(self, scenes: list[manual.SceneFiles]) -> Iterator[tuple[str, dict]]:
        bad = 0
        for scene in scenes:
            try:
                # All views of a scene or none.
                made = list(self.examples(scene))
            except InputError as error:
                bad += 1
                if not self.options["skip_bad"]:
                    raise
                if bad == len(scenes):  # TFDS has no empty splits
                    raise InputError(f"all {bad} scenes of a split are bad: {error}") from error
                self.skipped.append(str(error))
                continue
            yield from made


def _check_names(scenes: list[manual.SceneFiles]) -> None:
    """Raise if two scenes are called alike: TFDS tells them apart by their names."""
    known = {}
    for scene in scenes:
        if (other := known.setdefault(scene.name, scene)) is not scene:
            raise InputError(
                f"two scenes called {scene.name}: {other.files[0]} and {scene.files[0]}. Rename or "
                "remove one."
            )
