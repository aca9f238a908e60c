"""The training program: set-up, state, objective and steps; no files are read or written here."""

from hdr_jax.errors import extra

with extra("train"):
    from hdr_jax.training._demands import photograph_size
    from hdr_jax.training._highlights import highlight_stack, highlight_terms
    from hdr_jax.training._objective import generated, hdr_loss, loss_terms, perceptual_loss
    from hdr_jax.training._state import TrainState, averaged, by_network, create_state, state_of
    from hdr_jax.training._steps import (
        DEVICES,
        draw_references,
        eval_step,
        one_replica,
        replicated,
        train_step,
    )
    from hdr_jax.training.setup import NETWORKS, HighlightObjective, Objective, Setup

__all__ = [
    "DEVICES",
    "NETWORKS",
    "HighlightObjective",
    "Objective",
    "Setup",
    "TrainState",
    "averaged",
    "by_network",
    "create_state",
    "draw_references",
    "eval_step",
    "generated",
    "hdr_loss",
    "highlight_stack",
    "highlight_terms",
    "loss_terms",
    "one_replica",
    "perceptual_loss",
    "photograph_size",
    "replicated",
    "state_of",
    "train_step",
]
