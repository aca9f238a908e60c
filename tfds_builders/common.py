"""What all builders share: features, configs, the camera, encoding without TensorFlow.

Every example is `stack` (uint8 [n, h, w, 3], RGB, from the darkest to the brightest exposure),
`ev_offset` (float32 [n], stops), `hdr` (float32 [h, w, 3], linear, relative) and `scene` (text).
"""

import dataclasses

import cv2
import numpy as np
import tensorflow_datasets as tfds

from hdr_jax import synthetic
from hdr_jax.errors import InputError
from tfds_builders import manual, sizes

EV_OFFSETS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
# So many stops are between a time as cameras name it and what it means: from 1/60 to 1/125 s is one
# stop, from 1/6 to 1/13 s too.
NOMINAL_STOPS = 0.15


@dataclasses.dataclass(eq=False)
class StackConfig(tfds.core.BuilderConfig):
    """Config of a builder of exposure stacks.

    Attributes:
      size: pixels of a side, or None for pictures as they are.
      ev_offset: stops of the exposures, increasing; None where they differ from scene to scene.
      max_ev: exposures within so many stops of EV 0 are kept; None keeps all.
      metering_stops: the meter errs by up to so many stops, evenly drawn by the scene's name.
    """

    size: int | None = None
    ev_offset: tuple[float, ...] | None = EV_OFFSETS
    max_ev: float | None = None
    metering_stops: float = 0.5

    def __post_init__(self):
        if self.ev_offset is not None:
            self.ev_offset = tuple(np.asarray(self.ev_offset)[self.kept(self.ev_offset)].tolist())

    def kept(self, ev_offset) -> np.ndarray:
        """Which exposures belong to this config, bool [n]."""
        limit = np.inf if self.max_ev is None else self.max_ev
        return np.abs(np.asarray(ev_offset)) <= limit + NOMINAL_STOPS

    def check_kept(self, ev_offset) -> None:
        """Raises InputError if fewer than two exposures belong to this config."""
        count = self.kept(ev_offset).sum()
        if count < 2:
            raise InputError(
                f"{count} of its exposures (EV {_list(ev_offset)}) lie within {self.max_ev} EV of "
                "the middle; expected two at least. Choose a wider config."
            )

    def check_lit(self, radiance) -> None:
        """Raises InputError if what this config shows of a radiance map [h, w, 3] is black."""
        if not sizes.middle_radiance(radiance, self.size).any():
            raise InputError(
                f"its middle, of which the {self.size} x {self.size} pixels are, is black. Choose "
                "the config native, or leave the scene out."
            )


def configs(
    sides: tuple[int | None, ...] = (None, 256), ev_offset: tuple[float, ...] | None = EV_OFFSETS
) -> list[StackConfig]:
    """Configs for every size and range of exposures: `native`, `256`, `native_ev2`, `256_ev2`, ...

    Args:
      sides: pixels of a side; None is called `native`.
      ev_offset: stops of all exposures; None where they differ from scene to scene.

    Returns:
      With all exposures, with those of at most 2 stops, and of at most 1 stop.
    """
    made = []
    for max_ev in (None, 2, 1):
        for size in sides:
            name = str(size or "native") + (f"_ev{max_ev}" if max_ev else "")
            pixels = f"The middle at {size} x {size} pixels" if size else "As large as the files"
            exposures = f"up to {max_ev} EV from the middle" if max_ev else "all exposures"
            made.append(
                StackConfig(
                    name=name,
                    description=f"{pixels}, {exposures}.",
                    size=size,
                    ev_offset=ev_offset,
                    max_ev=max_ev,
                )
            )
    return made


def dataset_info(builder: tfds.core.DatasetBuilder) -> tfds.core.DatasetInfo:
    """The dataset's info with the features that all builders yield."""
    config = builder.builder_config
    number = None if config.ev_offset is None else len(config.ev_offset)
    return builder.dataset_info_from_configs(
        features=features(config.size, number),
        supervised_keys=None,
        disable_shuffling=True,
        metadata=tfds.core.MetadataDict(),
    )


def features(size: int | None, num_exposures: int | None) -> tfds.features.FeaturesDict:
    """Features of one example: see the head of this module."""
    return tfds.features.FeaturesDict(
        {
            # Encoded by `example` below: TFDS would need TensorFlow to encode arrays.
            "stack": tfds.features.Sequence(
                tfds.features.Image(
                    shape=(size, size, 3),
                    dtype=np.uint8,
                    encoding_format="png",
                    doc="One exposure: display-encoded RGB.",
                ),
                length=num_exposures,
                doc=tfds.features.Documentation(
                    desc="Exposures of the scene, from the darkest to the brightest.",
                    value_range="0 .. 255 levels",
                ),
            ),
            "ev_offset": tfds.features.Tensor(
                shape=(num_exposures,),
                dtype=np.float32,
                doc=tfds.features.Documentation(
                    desc="EV offset of every exposure; +1 doubles the exposure time.",
                    value_range="stops",
                ),
            ),
            "hdr": tfds.features.Tensor(
                shape=(size, size, 3),
                dtype=np.float32,
                encoding="bytes",
                doc=tfds.features.Documentation(
                    desc="Radiance map: linear RGB. For synthetic exposures 1 clips at EV 0.",
                    value_range=">= 0, relative radiance",
                ),
            ),
            "scene": tfds.features.Text(doc="Name of the scene."),
        }
    )


def example(stack: np.ndarray, ev_offset: np.ndarray, hdr: np.ndarray, scene: str) -> dict:
    """One example in the form that `_generate_examples` yields.

    Args:
      stack: uint8 [n, h, w, 3] RGB, any order.
      ev_offset: [n] stops.
      hdr: [h, w, 3] radiance, finite, >= 0, not all zero.
      scene: its name.

    Returns:
      Feature values; the exposures sorted by EV and encoded as PNG.

    Raises:
      InputError: naming the scene, if shapes or values do not fit.
    """
    stack, ev_offset = np.asarray(stack), np.asarray(ev_offset, np.float32)
    hdr = np.asarray(hdr, np.float32)
    if stack.dtype != np.uint8 or stack.shape != (len(ev_offset), *hdr.shape):
        raise InputError(
            f"scene {scene}: got {stack.dtype} exposures {stack.shape} for {len(ev_offset)} EV "
            f"offsets and a radiance map {hdr.shape}; expected uint8 [n, h, w, 3] of equal sizes."
        )
    if not (np.isfinite(hdr).all() and hdr.min() >= 0 and hdr.max() > 0):
        raise InputError(
            f"scene {scene}: its radiance map spans {hdr.min()} to {hdr.max()}; expected finite "
            "values >= 0, not all zero."
        )
    order = np.argsort(ev_offset, kind="stable")
    return {
        "stack": [encode_png(stack[j]) for j in order],
        "ev_offset": ev_offset[order],
        "hdr": hdr,
        "scene": scene,
    }


def photographed(radiance: np.ndarray, scene: str, config: StackConfig) -> dict:
    """The example that a random camera makes of a radiance map; camera drawn by `scene`.

    Args:
      radiance: [h, w, 3] linear RGB, relative.
      scene: its name, which decides response, noise and metering error.
      config: size, exposures and metering.

    Returns:
      See `example`.

    Raises:
      InputError: naming the scene, if the map is black or not finite.
    """
    radiance = sizes.middle_radiance(radiance, config.size)
    rng = synthetic.seeded_by_name(scene, "camera")
    try:
        metered = synthetic.meter(radiance, rng.uniform(-1, 1) * config.metering_stops)
    except InputError as error:
        raise InputError(f"scene {scene}: {error}") from error
    return example(
        synthetic.photograph(metered, config.ev_offset, rng), config.ev_offset, metered, scene
    )


def recorded(recording: manual.Recording, scene: str, config: StackConfig) -> dict:
    """The example that exposures and radiance map from files make.

    Args:
      recording: exposures, of which two at least are kept, and radiance map.
      scene: its name.
      config: size, and which exposures are kept.

    Returns:
      See `example`.

    Raises:
      InputError: if `example` objects.
    """
    kept = config.kept(recording.ev_offset)
    small = [sizes.middle_photo(picture, config.size) for picture in recording.stack[kept]]
    hdr = sizes.middle_radiance(recording.radiance, config.size)
    return example(np.stack(small), recording.ev_offset[kept], hdr, scene)


def encode_png(picture: np.ndarray) -> bytes:
    """PNG bytes of uint8 [h, w, 3] RGB; Huffman coding alone is as small on noise, and quicker."""
    strategy = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY]
    return cv2.imencode(".png", picture[..., ::-1], strategy)[1].tobytes()


def _list(ev_offset) -> str:
    """EV offsets as text."""
    return ", ".join(f"{ev:+.3g}" for ev in ev_offset)
