"""The shipped model, highlights-3, in one run: docs/training_log.md has how it came about.

python train.py --config configs/shipped.py --workdir runs/shipped \
    --config.manual_dir=/my/hdr/pictures

Phase 1 is that of highlights-2, 6,052 steps of two views. Phase 2 is that of highlights-2 and all
of highlights-3 in one, 2,944 + 18,258 views, by the losses and the rate of the latter. What
differs from the runs that made the weights, because a run has one value of it for both phases:

  batch_size    2; phase 2 took one view a step, so that its steps are half as many here, and the
                rate 4e-4 is that of a batch of one
  photographs   those of highlights-3, the longest run: canonical 0.6, clean 0.1, JPEG quality from
                75 on, crops down to half the sides. Highlights-2 had 0.6 and 0.15 in phase 1, 0.8
                and 0.15 in phase 2, qualities from 80 on; highlights-3 ended with 0.68 and 0.06
  whole         0.4 of the photographs show a view whole, as the model card says; the log says of
                the early runs that all did
  weight_decay  1e-3, as in highlights-3; highlights-2 had 1e-4
  average       0.998; phase 2 of highlights-2 had 0.995
  schedule      one cosine in phase 2, not two; a rise over 5 % of each phase, in the log 2 %
  loss          phase 1 has L1 at a factor of 0.3, not 1: to AdamW the same, but the bound on the
                gradient's norm is reached less often
  highlights    closed from the first step on; highlights-2 saw them as JPEG leaves them

It was not run to its end, and it needs the 399 views of 95 scenes of docs/model_card.md, which do
not come with the library. Fields that are not set here are those of highlights.py and paper.py.
"""

from ml_collections import ConfigDict

from hdr_jax.configs import highlights

PHASE_1 = 6_052
PHASE_2_VIEWS = 2_944 + 18_258


def get_config() -> ConfigDict:
    config = highlights.get_config()
    config.photographs.update(clean=0.1, canonical=0.6, quality=(75, 98), crop=(0.5, 1.0))
    # 0.1 (100 - Q) : 0.3 L1 : 0.5 chroma : 0.3 partial : 0.15 gradient : 0.4 PU21.
    config.loss.update(
        gain_l1=0.3, chroma_l1=0.5, partial_l1=0.3, gradient_l1=0.15, hdrvdp2=0.1, pu21=0.4
    )
    config.refine_from = PHASE_1
    config.steps = PHASE_1 + PHASE_2_VIEWS // config.batch_size
    config.learning_rate = 1e-3
    config.refinement_learning_rate = 4e-4
    config.weight_decay = 1e-3
    return config
