"""Base class of the builders that read a folder of the user.

The tree that is expected, scenes that are damaged, options, several processes.
"""

import abc
import contextlib
import dataclasses
import os
import pathlib
import shutil
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import tensorflow_datasets as tfds

import hdr_jax
from hdr_jax.errors import InputError
from hdr_jax.files import took_lock
from tfds_builders import common, manual, panorama, shards, stack_builder


class ManualBuilder(stack_builder.StackBuilder, skip_registration=True):
    """A builder that reads a folder of the user.

    Subclasses give `EXPECTED`, `scenes_in`, `read_files` and `examples`. With the option `skip_bad`
    damaged scenes are left out, with a warning at the end, instead of stopping the build; with
    `processes` the build is divided among several.

    Attributes:
      EXPECTED: the tree of files, for people.
      skipped: error messages of damaged scenes that the last build left out.
    """

    EXPECTED = ""
    OPTIONS = {"skip_bad": False, "processes": 1}

    def __init__(self, **arguments: Any):
        """Takes the arguments of `stack_builder.StackBuilder`.

        Raises:
          InputError: also if the dataset was prepared before with other options.
        """
        super().__init__(**arguments)
        self.skipped = []
        count = self.options["processes"]
        if not isinstance(count, int) or count < 1:
            raise InputError(f"{self.name} got processes={count!r}; expected 1 or more")
        self._check_options()

    def _check_options(self) -> None:
        """Raise if the data set was prepared with other options than those asked for, if any."""
        made_with, asked = (self.info.metadata or {}).get("options", {}), self._original_state
        for name in set(made_with) & set(asked):
            if made_with[name] != asked[name]:
                raise InputError(
                    f"{self.info.full_name} in {self.data_dir} was prepared with {name}="
                    f"{made_with[name]}, not {asked[name]}. Pass another data_dir, or delete that "
                    "folder."
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
            recording = self.read_files(scene)
            if recording.ev_offset is not None:
                self.builder_config.check_kept(recording.ev_offset)
            if recording.radiance is not None and not panorama.is_panorama(recording.radiance):
                self.builder_config.check_lit(recording.radiance)
            return recording
        except InputError as error:
            raise InputError(f"scene {scene.name}: {error}") from error

    def check_same_files(self, folder: pathlib.Path) -> None:
        """Raise if the prepared dataset was made from other files than those in a manual directory.

        TFDS itself would go on reading what was prepared once.

        Args:
          folder: the manual directory asked for.

        Raises:
          InputError: if the files differ.

        Warns:
          UserWarning: if there is no such folder, so that nothing can be compared.
        """
        known = (self.info.metadata or {}).get("fingerprint")
        if not known:
            return
        if not folder.is_dir():
            warnings.warn(
                f"manual_dir {folder} is not there; what is read is {self.info.full_name} as it "
                f"was prepared in {self.data_dir}",
                stacklevel=2,
            )
            return
        place, scenes = self.find_scenes(folder)
        if manual.fingerprint(place, scenes) != known:
            raise InputError(
                f"{self.info.full_name} in {self.data_dir} was made from other files than those of "
                f"the {len(scenes)} scenes in {place}, or by an earlier version of this package. "
                "Pass another data_dir, or delete that folder; without manual_dir it is read as it "
                "is."
            )

    def download_and_prepare(self, **arguments: Any) -> None:
        """As TFDS does it, by several processes where the option says so; warns of skipped scenes.

        What is prepared is kept in shards beside the data set until all of it is there: after a
        stop or an error the same call goes on. While another program prepares it, this one waits.
        """
        self.skipped.clear()
        version = pathlib.Path(self.data_dir)
        self._unfinished = version.with_name(f"unfinished.{version.name}")
        with contextlib.ExitStack() as contexts:
            if not version.exists():
                if self.version != self.canonical_version:
                    raise InputError(
                        f"{self.info.full_name} is not in {self.data_dir}, and version "
                        f"{self.canonical_version} alone can be prepared. Ask for that one."
                    )
                contexts.enter_context(_alone(self._unfinished))
                if version.exists():  # another program has made it
                    self.info.read_from_directory(version)
                    self._check_options()
                for left in version.parent.glob(f"incomplete.*_{version.name}"):
                    shutil.rmtree(left, ignore_errors=True)  # by TFDS, when it was killed
            super().download_and_prepare(**arguments)
            shutil.rmtree(self._unfinished, ignore_errors=True)
        if self.skipped:
            lines = "\n  ".join(self.skipped)
            warnings.warn(
                f"{self.name}: skipped {len(self.skipped)} bad scenes, kept "
                f"{self.info.splits.total_num_examples} examples:\n  {lines}",
                stacklevel=2,
            )

    def _generate_splits(self, dl_manager, download_config) -> list[tfds.core.SplitInfo]:
        """Splits from shards; TFDS's own way, one process and no way back, for a few examples."""
        if download_config.max_examples_per_split is not None:
            return list(super()._generate_splits(dl_manager, download_config))
        place, scenes_of = self._find_splits(dl_manager)
        origin = {
            "options": {**self.options, "processes": 1},
            "config": dataclasses.asdict(self.builder_config),
            "nominal_stops": common.NOMINAL_STOPS,
            "file_format": str(self.info.file_format),
            "code": hdr_jax.__version__,
        }

        def origin_of(scenes):
            return f"{manual.fingerprint(place, scenes)} {self.info.full_name} {origin}"

        shards_of = {
            split: shards.cut(self._unfinished, split, scenes, origin_of)
            for split, scenes in scenes_of.items()
        }
        every = [shard for found in shards_of.values() for shard in found]
        made = shards.write_all(every, self, self.info.file_format, self.options["processes"])
        made_of = dict(zip(every, made, strict=True))
        self.skipped += [message for part in made for message in part.skipped]
        if not any(part.examples for part in made):
            raise InputError(f"all {len(self.skipped)} scenes are bad: {self.skipped[-1]}")
        return [
            self._split_of(split, {shard: made_of[shard] for shard in found})
            for split, found in shards_of.items()
            if any(made_of[shard].examples for shard in found)  # TFDS has no empty splits
        ]

    def _split_of(self, split: str, made: dict[shards.Shard, shards.Made]) -> tfds.core.SplitInfo:
        """A split of finished shards, put in their place."""
        made = {shard: part for shard, part in made.items() if part.examples}
        template = self._get_filename_template(split_name=split)
        for k, shard in enumerate(made):
            shards.place(shard, template.sharded_filepath(shard_index=k, num_shards=len(made)))
        return tfds.core.SplitInfo(
            name=split,
            shard_lengths=[part.examples for part in made.values()],
            num_bytes=sum(part.num_bytes for part in made.values()),
            filename_template=template,
        )

    def _find_splits(self, dl_manager) -> tuple[pathlib.Path, dict[str, list[manual.SceneFiles]]]:
        """Where the files are, and the scenes of each split; notes in the info what they are."""
        folder = manual.directory(dl_manager, self.name, self.EXPECTED)
        place, scenes = self.find_scenes(folder)
        self.info.metadata["fingerprint"] = manual.fingerprint(place, scenes)
        # Of those of all builders what may have changed the data alone.
        self.info.metadata["options"] = {
            name: value
            for name, value in self.options.items()
            if name not in ManualBuilder.OPTIONS or (name == "skip_bad" and value)
        }
        scenes_of = {
            split: [scene for scene in scenes if scene.split == split]
            for split in ("train", "val", "test")
        }
        return place, {split: found for split, found in scenes_of.items() if found}

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        _, scenes_of = self._find_splits(dl_manager)
        return {split: self._generate_examples(scenes) for split, scenes in scenes_of.items()}

    def _generate_examples(self, scenes: list[manual.SceneFiles]) -> Iterator[tuple[str, dict]]:
        return self.examples_of(scenes, self.skipped)

    def examples_of(
        self, scenes: Sequence[manual.SceneFiles], skipped: list[str]
    ) -> Iterator[tuple[str, dict]]:
        """Keys and examples of scenes.

        Args:
          scenes: some of `find_scenes`.
          skipped: takes the error messages of scenes that are left out.

        Yields:
          Of a scene all views or none.

        Raises:
          InputError: naming the scene, for a damaged one that is not to be skipped.
        """
        for scene in scenes:
            try:
                made = list(self.examples(scene))
            except InputError as error:
                if not self.options["skip_bad"]:
                    raise
                skipped.append(str(error))
                continue
            yield from made


@contextlib.contextmanager
def _alone(folder: pathlib.Path) -> Iterator[None]:
    """Waits until no other program is in this context of the same folder, where the system can."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        if not took_lock(file):
            warnings.warn(f"another program prepares {folder}: waiting for it", stacklevel=2)
            took_lock(file, wait=True)
        try:
            yield
        except BaseException:
            if os.listdir(folder) == ["lock"]:  # nothing was begun
                shutil.rmtree(folder, ignore_errors=True)
            raise


def _check_names(scenes: list[manual.SceneFiles]) -> None:
    """Raise if two scenes are called alike: TFDS tells them apart by their names."""
    known = {}
    for scene in scenes:
        if (other := known.setdefault(scene.name, scene)) is not scene:
            raise InputError(
                f"two scenes called {scene.name}: {other.files[0]} and {scene.files[0]}. Rename or "
                "remove one."
            )
