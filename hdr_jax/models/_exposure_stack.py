"""From one exposure to the stack: the up and down recursion over the three networks.

Notation: n exposures, index 0 the shortest; r the reference's index. The up networks make exposures
r + 1, ..., n - 1 one after the other, the down networks r - 1, ..., 0; a step from one exposure to
its neighbour is: global network -> tone, local network -> edges, refinement network -> image.
Images are in [0, 1] at this module's door; inside they are what `hdr_jax.models._tones` says: in
[-1, 1] as published (`tone="image"`), or log exposures that keep what is known (`"exposure"`).

Wherever the reference lies, the steps number n - 1: a scan of n - 1 steps whose body picks the
direction serves every reference with one compiled program.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from hdr_jax.levels import as_unit_float
from hdr_jax.models import _convolution, _recursion
from hdr_jax.models._blocks import initial_values
from hdr_jax.models._networks import GlobalNetwork, LocalNetwork, RefinementNetwork, UNet
from hdr_jax.models._recursion import StackOutput
from hdr_jax.models._stack_inputs import check_inputs, check_options
from hdr_jax.models._tones import TONES

RECURRENT = ("global", "local")
DIRECTIONS = ("up", "down")


class ExposureStackModel(nn.Module):
    """Generates an exposure stack from one of its exposures.

    Attributes:
        num_exposures: n.
        global_width, global_levels: channels behind the stem and depth of the global networks.
        local_width, local_levels: of the local networks.
        refinement_width, refinement_levels: of the refinement networks.
        dtype: type the networks compute in (float32, bfloat16); parameters, norm statistics,
            recurrent states and the images between the networks are float32.
        remat: keep nothing of a step for the backward pass but its input: less memory for one more
            forward pass. Off, the convolutions' outputs are kept and all else is recomputed.
        convolution: "auto", "xla" or "matmul", see `hdr_jax.models._convolution`.
        tone: "image" paints every exposure, "exposure" adds to the log exposure what the given one
            cannot tell, see `hdr_jax.models._tones`.
        ev_offsets: stops of the exposures, increasing, one of them 0; one apart and 0 in the middle
            by default. Only tone "exposure" depends on them.
        norm_entries: of the conditional norms; one for each step by default. For tone "exposure" a
            step's entry is its distance from EV 0, and steps beyond the last share it, so that one
            model serves any range (`with_exposures`).
        memory: False starts the recurrent states anew at every step, to see what they are good for.

    Parameters: {"up": {"global", "local", "refinement"}, "down": {...}}.

    Source: Kim, Lee, Kang 2020, Sec. 3; widths and levels default to the released program's. Tone
    "exposure" is this library's own.

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
    tone: str = "image"
    ev_offsets: tuple[float, ...] | None = None
    norm_entries: int | None = None
    memory: bool = True

    @nn.compact
    def __call__(
        self,
        image: jax.Array,
        edge_map: jax.Array,
        *,
        reference_index: int | jax.Array | None = None,
        true_stack: jax.Array | None = None,
        true_edges: jax.Array | None = None,
        refine: bool = True,
        gradients: str = "full",
        g: jax.Array | None = None,
    ) -> StackOutput:
        """Walk away from the reference in both directions.

        Args:
            image: [b, h, w, 3] the reference exposure, float in [0, 1], uint8 or uint16; h and w
                multiples of `multiple`.
            edge_map: [b, h, w, 1] its edges in [0, 1].
            reference_index: r in [0, n - 1]; may be traced. By default `middle`.
            true_stack, true_edges: [b, n, h, w, 3] and [b, n, h, w, 1], of such types. When given,
                every step is fed the true neighbour (and the recurrent state is carried without
                gradient); otherwise the step before it.
            refine: False leaves the refinement networks out: `stack` is `global_stack`, and this is
                what the next step is fed.
            gradients: "full": everything is differentiated. "own": the gradient of `global_stack`
                reaches the global networks only, of `edges` the local, of `stack` the refinement
                networks; recurrent states keep theirs, images fed back carry none. "routed": as
                "own", and `linked_stack` reaches everything.
            g: log inverse response [num_levels] or [3, num_levels], for tone "exposure"; the
                canonical one by default, see `hdr_jax.models._highlights`.

        Returns:
            `StackOutput`.

        Raises:
            InputError: sizes that do not fit, an index outside the stack, unknown options.
        """
        check_options(self, gradients, g)
        r = self.middle if reference_index is None else reference_index
        check_inputs(self, image, edge_map, r, true_stack, true_edges)
        tone = TONES[self.tone]
        # Shapes are compared where the layers read them, see `blocks.parameter`.
        params = {
            d: self.get_variable("params", d)
            if self.has_variable("params", d)
            else self.param(d, self._init_direction)
            for d in DIRECTIONS
        }
        image, edge_map = _unit_float32(image), edge_map.astype(jnp.float32)
        if true_stack is None or true_edges is None:
            known = tone.start(image, g)[:, None], edge_map[:, None]
        else:
            known = tone.start(_unit_float32(true_stack), g), true_edges.astype(jnp.float32)
        steps = _recursion.schedule(self.num_exposures, r, forced=true_stack is not None)
        made = self._made(params, known, steps, refine, gradients)
        return self._placed(made, (image, edge_map), r, g)

    def two_walks(
        self,
        stack: jax.Array,
        edges: jax.Array,
        references: tuple[int | jax.Array, int | jax.Array],
        *,
        refine: bool = True,
        gradients: str = "full",
        g: jax.Array | None = None,
    ) -> tuple[StackOutput, StackOutput]:
        """One walk that is fed with the truth, one with what it makes, as one scan.

        What two calls would return, from one body to trace, compile and differentiate.

        Args:
            stack: [b, n, h, w, 3] the true exposures, float in [0, 1], uint8 or uint16.
            edges: [b, n, h, w, 1] their edges in [0, 1].
            references: r of the walk that is fed with the truth, and of the other.
            refine, gradients, g: as in a call.

        Returns:
            The outputs of both.

        Raises:
            InputError: as a call.

        Example: `model.apply(variables, stack, edges, (0, 3), method="two_walks")`
        """
        check_options(self, gradients, g)
        for r in references:
            check_inputs(self, stack[:, 0], edges[:, 0], r, stack, edges)
        stack, edges = _unit_float32(stack), edges.astype(jnp.float32)
        known, n = (TONES[self.tone].start(stack, g), edges), self.num_exposures
        forced, free = references
        both = (
            _recursion.schedule(n, forced, forced=True),
            _recursion.schedule(n, free, forced=False),
        )
        steps = jax.tree.map(lambda *x: jnp.concatenate(x), *both)
        made = self._made(self.variables["params"], known, steps, refine, gradients)
        first = jax.tree.map(lambda x: x[: n - 1], made)
        second = jax.tree.map(lambda x: x[n - 1 :], made)
        return (
            self._placed(first, (stack[:, forced], edges[:, forced]), forced, g),
            self._placed(second, (stack[:, free], edges[:, free]), free, g),
        )

    def _made(self, params, known, steps, refine, gradients) -> _recursion.Made:
        """The walk of `hdr_jax.models._recursion` with this model's networks."""
        batch, _, height, width, _ = known[0].shape
        networks: dict[str, Any] = self.networks()  # for types: Flax gives a module its hash
        functions = {name: _recursion.function(network) for name, network in networks.items()}
        return _recursion.walk(
            functions, params, self.initial_states(batch, height, width), known, steps,
            self.entries, refine=refine, way=gradients, remat=self.remat, memory=self.memory,
        )  # fmt: skip

    def _placed(self, made: _recursion.Made, given: tuple, r, g) -> StackOutput:
        """What was made, with the reference (image and edge map) in its place."""
        image, edge_map = given
        tone, order = TONES[self.tone], _recursion.order(self.num_exposures, r)
        return StackOutput(
            stack=_recursion.place(tone.picture(made.image, g), image, order),
            global_stack=_recursion.place(tone.picture(made.tone, g), image, order),
            edges=_recursion.place(made.edges, edge_map, order),
            linked_stack=_recursion.place(tone.picture(made.linked, g), image, order),
        )

    @nn.nowrap
    def step(
        self,
        params: dict,
        carry: tuple,
        entries: tuple,
        statistics: dict | None = None,
        refine: bool = True,
    ) -> tuple[tuple, dict]:
        """One step of the recursion by itself, for pictures that are walked in tiles.

        Args:
            params: of one direction, `params["up"]` or `params["down"]`.
            carry: (image [b, h, w, c], edge map [b, h, w, 1], states by network); the image is what
                `hdr_jax.models._tones` says, the states start as `initial_states` says.
            entries: of the step, see `entries`.
            statistics: means and variances for the instance norms, as an earlier call returned
                them (of the whole picture, say); None takes those of the images at hand.
            refine: as in a call.

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
        carry, _ = _recursion.one_step(
            functions, params, refine, "full", image, edge_map, states, entries
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

    @property
    def stops(self) -> tuple[float, ...]:
        """EV offsets of the exposures."""
        n = self.num_exposures
        return self.ev_offsets or tuple(float(t - n // 2) for t in range(n))

    @property
    def middle(self) -> int:
        """Index of the exposure at EV 0."""
        return self.num_exposures // 2 if self.ev_offsets is None else self.ev_offsets.index(0)

    @nn.nowrap
    def with_exposures(self, ev_offsets: tuple[float, ...]) -> "ExposureStackModel":
        """The same model, for the same parameters, that makes other exposures (tone "exposure")."""
        ev_offsets, entries = tuple(ev_offsets), self.norm_entries or self.num_exposures - 1
        return self.clone(
            num_exposures=len(ev_offsets), ev_offsets=ev_offsets, norm_entries=entries
        )

    @nn.nowrap
    def entries(self, source: int | jax.Array, going_up: bool | jax.Array) -> tuple:
        """What tells a step from the others, see `hdr_jax.models._networks`.

        Args:
            source: index of the exposure that the step starts from.
            going_up: whether it makes the next longer exposure, or the next shorter one.

        Returns:
            (the step's own entry, that of the local network's last norm) and, for tone "exposure",
            the stops of the step.
        """
        if self.tone == "image":
            return _recursion.norm_entries(source, going_up)
        last = (self.norm_entries or self.num_exposures - 1) - 1
        return _recursion.exposure_entries(source, going_up, self.stops, self.middle, last)

    def networks(self) -> dict[str, UNet]:
        """The three networks, unbound: the same in both directions but for their parameters."""
        shared = dict(
            entries=self.norm_entries or self.num_exposures - 1,
            dtype=self.dtype,
            convolution=_convolution.choose(self.convolution),
            tone=TONES[self.tone],
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


def _unit_float32(pixels: jax.Array) -> jax.Array:
    """Pixels of any type that photographs have, as the networks read them."""
    return jnp.asarray(as_unit_float(pixels), jnp.float32)
