"""The training program: state, objective and steps; no files are read or written here."""

from hdr_jax.training._steps import (
    DEVICES,
    NETWORKS,
    TrainState,
    by_network,
    check_config,
    create_model,
    create_optimizers,
    create_state,
    draw_references,
    eval_step,
    generated,
    hdr_loss,
    loss_terms,
    perceptual_loss,
    train_step,
)

__all__ = [
    "DEVICES",
    "NETWORKS",
    "TrainState",
    "by_network",
    "check_config",
    "create_model",
    "create_optimizers",
    "create_state",
    "draw_references",
    "eval_step",
    "generated",
    "hdr_loss",
    "loss_terms",
    "perceptual_loss",
    "train_step",
]
