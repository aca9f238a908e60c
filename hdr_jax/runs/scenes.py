"""The scenes of an evaluation as parts of a page (`hdr_jax.page`)."""

import numpy as np

from hdr_jax import page
from hdr_jax.runs.scores import HDRVDP2_PROTOCOL, Evaluated

PAGE_BYTES = 60_000_000
"""Of scenes in a page; browsers open one of this size in seconds."""

NOTE = (
    "A is the map merged from the generated exposures, B the one merged from the true ones. "
    f"Visible difference: HDR-VDP-2, protocol {HDRVDP2_PROTOCOL}."
)


class Collected:
    """Scenes for a page, in order, until it is full.

    Attributes:
      encoded: list of `hdr_jax.page.Encoded`.

    Example: `collected = Collected(); collected.add(result)`
    """

    def __init__(self, limit: int = PAGE_BYTES):
        self.encoded: list[page.Encoded] = []
        self._room, self._left_out = limit, 0

    def add(self, result: Evaluated) -> None:
        """Takes a scene, or counts it where the page is full; the first is always taken.

        Args:
          result: of `hdr_jax.runs.scores.evaluated` with `all_scores`.
        """
        if self._left_out:
            self._left_out += 1
            return
        encoded = page.encoded(_scene(result))
        self._room -= len(encoded.text)
        if self._room < 0 and self.encoded:
            self._left_out = 1
        else:
            self.encoded.append(encoded)

    @property
    def notes(self) -> list[str]:
        """Sentences for the page: what is shown, and how much is not."""
        if not self._left_out:
            return [NOTE]
        return [
            NOTE,
            f"{self._left_out} further scenes are in metrics.json and their PNG files alone, to "
            "keep this page small.",
        ]


def _scene(result: Evaluated) -> page.Scene:
    """An evaluated scene with everything that a page can show of it."""
    outputs = result.outputs
    numbers = {name: float(x) for name, x in result.scores.items() if np.ndim(x) == 0}
    return page.Scene(
        result.name,
        {"generated": outputs["radiance"], "true": outputs["true_radiance"]},
        stacks={"generated": outputs["stack"], "true": result.true_stack},
        ev_offset=result.ev_offset.tolist(),
        visibility=result.scores.get("hdrvdp2_p_map"),
        curves={"generated": outputs["g"], "true": outputs["true_g"]},
        scores=numbers,
    )
