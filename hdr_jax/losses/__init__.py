"""The losses of Eq. (4) to (7) with the features that they compare, and those of highlights."""

from hdr_jax.errors import extra

with extra("train"):
    from hdr_jax.losses._contextual import contextual_bilateral
    from hdr_jax.losses._features import (
        VGG19,
        features,
        rgb_patches,
        vgg19_names,
        vgg19_params,
    )
    from hdr_jax.losses._highlights import (
        chroma_l1,
        gradient_l1,
        hdrvdp2_loss,
        masked_l1,
        partial_l1,
        pu21_l2,
        without_chroma_gradient,
    )
    from hdr_jax.losses._stack import align_scale, hdr_l1, histogram_l1, l1, soft_histogram
    from hdr_jax.tonemap import mu_law

__all__ = [
    "VGG19",
    "align_scale",
    "chroma_l1",
    "contextual_bilateral",
    "features",
    "gradient_l1",
    "hdr_l1",
    "hdrvdp2_loss",
    "histogram_l1",
    "l1",
    "masked_l1",
    "mu_law",
    "partial_l1",
    "pu21_l2",
    "rgb_patches",
    "soft_histogram",
    "vgg19_names",
    "vgg19_params",
    "without_chroma_gradient",
]
