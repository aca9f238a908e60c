"""The programs that train and evaluate: `hdr-jax train` and `hdr-jax eval`, as functions.

They read data, keep a run's work directory and print what they do; `hdr_jax.training` holds the
steps, which read and write nothing.
"""

from hdr_jax.errors import extra

with extra("train"):
    from hdr_jax.programs._evaluate import evaluate
    from hdr_jax.programs._train import train_and_evaluate

__all__ = ["evaluate", "train_and_evaluate"]
