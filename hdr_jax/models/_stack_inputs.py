"""What `ExposureStackModel` refuses, because its networks would misread it."""

from typing import Any

import numpy as np
from jax.core import Tracer

from hdr_jax.errors import InputError
from hdr_jax.models import _routing
from hdr_jax.models._tones import TONES


def check_inputs(model: Any, image, edge_map, reference_index, true_stack, true_edges) -> None:
    """Shapes of the inputs, and the index of the reference."""
    b, h, w = image.shape[:3] if image.ndim == 4 else (0, 0, 0)
    n, m = model.num_exposures, model.multiple
    if image.ndim != 4 or image.shape[-1] != 3 or edge_map.shape != (b, h, w, 1):
        raise InputError(
            f"image {image.shape} and edge_map {edge_map.shape}: expected [b, h, w, 3] and "
            "[b, h, w, 1]"
        )
    if h % m or w % m or not h or not w:
        raise InputError(
            f"image of {h} x {w}: height and width must be multiples of {m} (2^levels of the "
            "deepest network); pad or crop the image, or use fewer levels"
        )
    known = not isinstance(reference_index, Tracer)
    if n < 2 or (known and not 0 <= np.min(reference_index) <= np.max(reference_index) < n):
        raise InputError(
            f"reference_index {reference_index} of {n} exposures: expected two exposures at "
            f"least and an index from 0 to {n - 1}"
        )
    if (true_stack is None) != (true_edges is None):
        raise InputError("true_stack and true_edges must be given together")
    if true_stack is not None and (
        true_stack.shape != (b, n, h, w, 3) or true_edges.shape != (b, n, h, w, 1)
    ):
        raise InputError(
            f"true_stack {true_stack.shape} and true_edges {true_edges.shape}: expected "
            f"{(b, n, h, w, 3)} and {(b, n, h, w, 1)}"
        )


def check_options(model: Any, gradients: str = "full", g: Any = None) -> None:
    """The model's fields, and what goes with them."""
    if gradients not in _routing.WAYS:
        raise InputError(f"gradients {gradients!r} is unknown: use one of {_routing.WAYS}")
    if model.tone not in TONES:
        raise InputError(f"tone {model.tone!r} is unknown: use one of {tuple(TONES)}")
    if g is not None and model.tone == "image":
        raise InputError("g is given: tone='image' knows no response, expected tone='exposure'")
    ev, n = model.ev_offsets, model.num_exposures
    if ev is not None and (len(ev) != n or 0 not in ev or list(ev) != sorted(set(ev))):
        raise InputError(
            f"ev_offsets {tuple(ev)} of {n} exposures: expected {n} increasing stops, one of them 0"
        )
