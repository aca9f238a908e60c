"""The camera response function: recovery from an exposure stack, lookup, and forward response.

Notation: levels Z [p, n] samples x exposures of one channel, log_times ln t [n], log inverse
response g = ln f^-1 [num_levels] with ln(E t) = g(Z), anchored at g(num_levels // 2) = 0; w is a
weight function of the level (`hdr_jax.weighting`). `stack` is [n, h, w, c] float in [0, 1] or
unsigned integers. Everything works on one stack; `jax.vmap` gives batches.
"""

from hdr_jax.crf._curve import lookup, monotone, respond
from hdr_jax.crf._debevec import debevec
from hdr_jax.crf._mitsunaga_nayar import mitsunaga_nayar
from hdr_jax.crf._recover import check_exposures, check_stack, recover

__all__ = [
    "check_exposures",
    "check_stack",
    "debevec",
    "lookup",
    "mitsunaga_nayar",
    "monotone",
    "recover",
    "respond",
]
