"""Stage 3: light absorbed by L cones, M cones and rods, by the display's spectrum.

The matrices are the integrals of receptor sensitivity times emission spectrum; they are all that
the model needs of either. Rows: image channels; columns: L, M, rod.
"""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

# One channel: daylight D65.
D65 = np.array([[0.601847152244699, 0.31670829557916946, 0.9046706545995032]])

# Three channels: the primaries of a display.
DISPLAYS = {
    "ccfl-lcd": np.array(
        [
            [0.1989961203379287, 0.04100586040758893, 0.01437736862111919],
            [0.40476260703812544, 0.25492330644134564, 0.4809208410841319],
            [0.05439061925532116, 0.050012248959300676, 0.45427589566935994],
        ]
    ),
    "crt": np.array(
        [
            [0.19352143856780377, 0.045053209085706196, 0.04707366617554174],
            [0.4142240107638399, 0.25627519596218484, 0.5384547675333984],
            [0.05071663628626743, 0.04523801971999734, 0.40041394231638844],
        ]
    ),
    "led-lcd": np.array(
        [
            [0.1787174708325443, 0.04729528934232731, 0.0688682732168711],
            [0.44171841764736336, 0.2649529315030187, 0.584439209301964],
            [0.037298983813337794, 0.03406751621076706, 0.33097358677530136],
        ]
    ),
}


def absorb(retinal: Array, display: str) -> Array:
    """Light caught by L cones, M cones and rods.

    Args:
      retinal: [..., c, h, w], cd/m^2, c = 1 (daylight) or 3 (primaries of `display`).
      display: a key of `DISPLAYS`; unused for one channel.

    Returns:
      L, M and rods, [..., 3, h, w]; L + M is the adapting luminance in cd/m^2.

    Differentiable in `retinal`.
    Source: Mantiuk et al. 2011, Eq. 2.
    """
    matrix = D65 if retinal.shape[-3] == 1 else DISPLAYS[display]
    # In full precision, where accelerators would round a matrix product.
    return jnp.einsum(
        "cr,...chw->...rhw",
        jnp.asarray(matrix, retinal.dtype),
        retinal,
        precision=lax.Precision.HIGHEST,
    )
