"""From one exposure to the stack: the up and down recursion over the three networks.

Notation: n exposures, index 0 the shortest; r the reference's index. The up networks make exposures
r + 1, ..., n - 1 one after the other, the down networks r - 1, ..., 0; a step from one exposure to
its neighbour is: global network -> tone, local network -> edges, refinement network -> image.
Images are in [0, 1] at this module's door and in [-1, 1] inside.

Wherever the reference lies, the steps number n - 1: a scan of n - 1 steps whose body picks the
direction serves every reference with one compiled program.
"""

import numbers
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from hdr_jax.errors import InputError
from hdr_jax.models import convolution, recursion, routing
from hdr_jax.models.blocks import initial_values
from hdr_jax.models.networks import GlobalNetwork, LocalNetwork, RefinementNetwork, UNet

RECURRENT = ("global", "local")
DIRECTIONS = ("up", "down")


class StackOutput(NamedTuple):
    """What the model returns; the reference and its edges stand in their place.

    Attributes:
        stack: [b, n, h, w, 3] refined exposures in [0, 1] units, unclipped.
        global_stack: [b, n, h, w, 3] the global networks' exposures, likewise.
        edges: [b, n, h, w, 1] the local networks' edge maps in [0, 1].
        linked_stack: `stack` again, in value. Under `gradients="routed"` its gradient reaches
            everything; else it is `stack`.
    """

    stack: jax.Array
    global_stack: jax.Array
    edges: jax.Array
    linked_stack: jax.Array


class ExposureStackModel(nn.Module):
    """Generates an exposure stack from one of its exposures.

    Attributes:
        num_exposures: n; the conditional norms have n - 1 entries.
        global_width, global_levels: channels behind the stem and depth of the global networks.
        local_width, local_levels: of the local networks.
        refinement_width, refinement_levels: of the refinement networks.
        dtype: type the networks compute in (float32, bfloat16); parameters, norm statistics,
            recurrent states and the images between the networks are float32.
        remat: keep nothing of a step for the backward pass but its input: less memory for one more
            forward pass. Off, the convolutions' outputs are kept and all else is recomputed.
        convolution: "auto", "xla" or "matmul", see `hdr_jax.models.convolution`.

    Parameters: {"up": {"global", "local", "refinement"}, "down": {...}}.

    Source: Kim, Lee, Kang 2020, Sec. 3; widths and levels default to the released program's.

    Example:
        >>> model = ExposureStackModel(4, 4, 1, 4, 1, 4, 1)
        >>> image, edge_map = jnp.ones((1, 8, 8, 3)), jnp.ones((1, 8, 8, 1))
        >>> variables = jax.jit(model.init)(jax.random.key(0), image, edge_map)
        >>> jax.jit(model.apply)(variables, image, edge_map, reference_index=1).stack.shape
        (1, 4, 8, 8, 3)
    """

    num_exposures: int = 7
    global_width: int = 32
    global_levels: int = 5
    local_width: int = 16
    local_levels: int = 4
    refinement_width: int = 16
    refinement_levels: int = 5
    dtype: Any = jnp.float32
    remat: bool = False
    convolution: str = "auto"

    @nn.compact
    def __call__(
        self,
        image: jax.Array,
        edge_map: jax.Array,
        *,
        reference_index: int | jax.Array = 3,
        true_stack: jax.Array | None = None,
        true_edges: jax.Array | None = None,
        refine: bool = True,
        gradients: str = "full",
    ) -> StackOutput:
        """Walk away from the reference in both directions.

        Args:
            image: [b, h, w, 3] the reference exposure in [0, 1]; h and w multiples of `multiple`.
            edge_map: [b, h, w, 1] its edges in [0, 1].
            reference_index: r in [0, n - 1]; may be traced.
            true_stack, true_edges: [b, n, h, w, 3] and [b, n, h, w, 1]. When given, every step is
                fed the true neighbour (and the recurrent state is carried without gradient);
                otherwise the step before it.
            refine: False leaves the refinement networks out: `stack` is `global_stack`, and this is
                what the next step is fed.
            gradients: "full": everything is differentiated. "own": the gradient of `global_stack`
                reaches the global networks only, of `edges` the local, of `stack` the refinement
                networks; recurrent states keep theirs, images fed back carry none. "routed": as
                "own", and `linked_stack` reaches everything.

        Returns:
            `StackOutput`.

        Raises:
            InputError: sizes that do not fit, an index outside the stack, unknown `gradients`.
        """
        self._check(image, edge_map, reference_index, true_stack, true_edges, gradients)
        params = {d: self.param(d, self._init_direction) for d in DIRECTIONS}
        image, edge_map = image.astype(jnp.float32), edge_map.astype(jnp.float32)
        truth = None
        if true_stack is not None and true_edges is not None:
            truth = 2 * true_stack - 1, true_edges
        states = self.initial_states(*image.shape[:3])
        functions = {name: _function(network) for name, network in self.networks().items()}
        made = recursion.walk(
            functions, params, states, (2 * image - 1, edge_map), reference_index, truth,
            self.num_exposures, refine=refine, way=gradients, remat=self.remat,
        )  # fmt: skip
        order = recursion.order(self.num_exposures, reference_index)
        return StackOutput(
            stack=recursion.place((made.image + 1) / 2, image, order),
            global_stack=recursion.place((made.tone + 1) / 2, image, order),
            edges=recursion.place(made.edges, edge_map, order),
            linked_stack=recursion.place((made.linked + 1) / 2, image, order),
        )

    @nn.nowrap
    def step(
        self, params: dict, carry: tuple, entries: tuple, statistics: dict | None = None
    ) -> tuple[tuple, dict]:
        """One step of the recursion by itself, for pictures that are walked in tiles.

        Args:
            params: of one direction, `params["up"]` or `params["down"]`.
            carry: (image [b, h, w, 3] in [-1, 1], edge map [b, h, w, 1], states by network); the
                states start as `initial_states` says.
            entries: of the conditional norms, see `hdr_jax.models.networks`.
            statistics: means and variances for the instance norms, as an earlier call returned
                them (of the whole picture, say); None takes those of the images at hand.

        Returns:
            (the next carry, the statistics that were used).
        """
        used = {} if statistics is None else statistics

        def measured(name, network):
            def function(params, state, inputs, entries):
                variables = {"params": params}
                if statistics is not None:
                    variables["statistics"] = statistics[name]
                    return network.apply(variables, state, inputs, entries)
                result, found = network.apply(
                    variables, state, inputs, entries, mutable="statistics"
                )
                used[name] = found["statistics"]
                return result

            return function

        functions = {name: measured(name, network) for name, network in self.networks().items()}
        image, edge_map, states = carry
        carry, _ = recursion.one_step(
            functions, params, True, "full", image, edge_map, states, entries
        )
        return carry, used

    @nn.nowrap
    def initial_states(self, batch: int, height: int, width: int) -> dict[str, Any]:
        """The recurrent networks' states before the first step: zeros."""
        networks = self.networks()
        return {name: networks[name].initial_state(batch, height, width) for name in RECURRENT}

    @property
    def multiple(self) -> int:
        """Height and width must be multiples of this: 2^levels of the deepest network."""
        return 2 ** max(self.global_levels, self.local_levels, self.refinement_levels)

    def networks(self) -> dict[str, UNet]:
        """The three networks, unbound: the same in both directions but for their parameters."""
        shared = dict(
            entries=self.num_exposures - 1,
            dtype=self.dtype,
            convolution=convolution.choose(self.convolution),
            parent=None,
        )
        return {
            "global": GlobalNetwork(self.global_width, self.global_levels, **shared),
            "local": LocalNetwork(self.local_width, self.local_levels, **shared),
            "refinement": RefinementNetwork(
                self.refinement_width, self.refinement_levels, **shared
            ),
        }

    def _init_direction(self, key: jax.Array) -> dict:
        """Initial parameters of one direction's networks; no network is run."""
        shapes = {name: network.parameter_shapes() for name, network in self.networks().items()}
        return initial_values(key, shapes)

    def _check(self, image, edge_map, reference_index, true_stack, true_edges, way) -> None:
        """Refuse what the networks would misread."""
        b, h, w = image.shape[:3] if image.ndim == 4 else (0, 0, 0)
        n, m = self.num_exposures, self.multiple
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
        if n < 2 or (
            isinstance(reference_index, numbers.Integral) and not 0 <= int(reference_index) < n
        ):
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
        if way not in routing.WAYS:
            raise InputError(f"gradients {way!r} is unknown: use one of {routing.WAYS}")


def _function(network: UNet) -> Callable:
    """The network as a function of its parameters."""

    def function(params, state, inputs, entries):
        return network.apply({"params": params}, state, inputs, entries)

    return function
