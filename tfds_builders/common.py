"""What all builders share: features, configs, the random camera, and encoding without TensorFlow.

Every example is `stack` (uint8 [n, h, w, 3], RGB, from the darkest to the brightest exposure),
`ev_offset` (float32 [n], stops), `hdr` (float32 [h, w, 3], linear, relative) and `scene` (text).
"""

import dataclasses

import cv2
import numpy as np
import tensorflow_datasets as tfds

from hdr_jax import camera

EV_OFFSETS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)


@dataclasses.dataclass(eq=False)
class StackConfig(tfds.core.BuilderConfig):
    """Config of a builder of exposure stacks.

    Attributes:
      size: pixels of a side, or None for pictures as they are.
      ev_offset: stops of the exposures, increasing.
      metering_stops: the meter errs by up to so many stops, evenly drawn by the scene's name.
    """

    size: int | None = None
    ev_offset: tuple[float, ...] = EV_OFFSETS
    metering_stops: float = 0.5


def dataset_info(builder: tfds.core.DatasetBuilder) -> tfds.core.DatasetInfo:
    """The dataset's info with the features that all builders yield."""
    config = builder.builder_config
    return builder.dataset_info_from_configs(
        features=features(config.size, len(config.ev_offset)),
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
      ValueError: naming the scene, if shapes or values do not fit.
    """
    stack, ev_offset = np.asarray(stack), np.asarray(ev_offset, np.float32)
    hdr = np.asarray(hdr, np.float32)
    if stack.dtype != np.uint8 or stack.shape != (len(ev_offset), *hdr.shape):
        raise ValueError(
            f"scene {scene}: got {stack.dtype} exposures {stack.shape} for {len(ev_offset)} EV "
            f"offsets and a radiance map {hdr.shape}; expected uint8 [n, h, w, 3] of equal sizes."
        )
    if not (np.isfinite(hdr).all() and hdr.min() >= 0 and hdr.max() > 0):
        raise ValueError(
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
      config: exposures and metering.

    Returns:
      See `example`.

    Raises:
      ValueError: naming the scene, if the map is black or not finite.
    """
    rng = camera.seeded_by_name(scene, "camera")
    try:
        metered = camera.meter(radiance, rng.uniform(-1, 1) * config.metering_stops)
    except ValueError as error:
        raise ValueError(f"scene {scene}: {error}") from error
    return example(
        camera.photograph(metered, config.ev_offset, rng), config.ev_offset, metered, scene
    )


def encode_png(picture: np.ndarray) -> bytes:
    """PNG bytes of uint8 [h, w, 3] RGB; Huffman coding alone is as small on noise, and quicker."""
    strategy = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY]
    return cv2.imencode(".png", picture[..., ::-1], strategy)[1].tobytes()
