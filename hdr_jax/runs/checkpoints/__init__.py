"""Checkpoints on disk, by Orbax: of a run, and of a model alone.

A checkpoint directory holds one numbered folder for each step, with the items `params` (the model's
parameters), `model` (its fields as JSON), `run` (configuration and library versions) and, where
training goes on from it, `optimizer`. Saving is asynchronous and atomic: a step is there whole or
not at all.
"""

from hdr_jax.runs.checkpoints._checkpoints import Checkpoints, DamagedCheckpoint
from hdr_jax.runs.checkpoints._models import (
    holds_weights,
    load_config,
    load_model,
    opened,
    refined,
    save_model,
)
from hdr_jax.runs.checkpoints._resume import newest_whole

__all__ = [
    "Checkpoints",
    "DamagedCheckpoint",
    "holds_weights",
    "load_config",
    "load_model",
    "newest_whole",
    "opened",
    "refined",
    "save_model",
]
