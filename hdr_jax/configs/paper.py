"""Everything as the paper states it: 232 M parameters, 256 x 256, 80,000 steps.

python train.py --config configs/paper.py --workdir runs/paper \
    --config.dataset=vds/256 --config.val_split=test --config.manual_dir=/data/VDS

Takes four days on two GPUs of 2020 by the paper; this program's hours are not measured. Without
`vgg_path` (the file vgg19-dcbb9e9d.pth of torchvision) the contextual bilateral loss compares RGB
patches instead of VGG-19 features, and the run says so.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    # Data: a name known to TFDS (see tfds_builders), its folders, and the crop.
    config.dataset = "synthetic_stacks/256"
    config.data_dir = "data"
    config.manual_dir = ""
    config.train_split = "train"  # or a slice, such as "train[:90%]"
    config.val_split = "val"  # of the validation during training
    config.size = 256
    config.edge_weights = "rgb"  # of the gray picture in which edges are found, or "released"
    config.metering_stops = 0.0  # > 0: photograph the radiance map anew every time
    # The run.
    config.seed = 0
    config.init_from = ""  # begin with weights: a run, checkpoint or import, or a shipped name
    config.force_resume = False  # True: go on with a run although fields have changed
    config.steps = 80_000
    config.batch_size = 1  # over all devices
    config.micro_batches = 1  # > 1: a device takes its scenes in so many parts, to save memory
    config.log_every = 100
    config.eval_every = 2_000
    config.eval_scenes = 4  # of the validation during training
    config.eval_split = "test"  # of eval.py
    config.checkpoint_every = 2_000
    config.keep_checkpoints = 3
    # Several hosts run the same command with another index each; coordinator: the first one's
    # address:port, or "auto" where the cluster tells. Data and work directory are shared.
    config.hosts = ConfigDict(dict(coordinator="", count=1, index=0))
    # The networks: fields of hdr_jax.models.ExposureStackModel.
    config.model = ConfigDict(
        dict(
            tone="image",  # "exposure": see hdr_jax/configs/exposure.py
            num_exposures=7,
            global_width=32,
            global_levels=5,
            local_width=16,
            local_levels=4,
            refinement_width=16,
            refinement_levels=5,
            dtype="float32",
            remat=True,
        )
    )
    # The HDR layer: arguments of hdr_jax.merge.synthesize.
    config.layer = ConfigDict(
        dict(
            num_samples=256,
            smoothness=20.0,
            weighting="hat",
            sampling="grossberg_nayar",
            solver="lstsq",
            rounding=False,
            response_gradient=False,
        )
    )
    # The losses: l1 to l6 of Eq. (4) to (6).
    config.loss = ConfigDict(
        dict(
            global_l1=1.0,
            global_histogram=0.1,
            local_l1=1.0,
            refinement_l1=1.0,
            hdr=1.0,
            contextual=0.1,
        )
    )
    config.mu = 5000.0
    config.hdr_target = "synthesized"  # or "dataset": the radiance map that comes with the data
    config.hdr_align = False  # True: the synthesized map is first brought to the prediction's scale
    config.end_to_end = True  # False: the HDR loss trains the refinement networks alone
    config.vgg_path = ""
    # The schedule.
    config.refine_from = 10_000  # from here the refinement networks learn too
    config.max_reference_offset = 1  # of the recursive part, in exposures from the middle
    config.learning_rate = 1e-4
    config.refinement_learning_rate = 1e-4
    config.cosine_decay = False  # True: both fall to 0 at the last step
    config.b1 = 0.5
    config.b2 = 0.999
    config.weight_decay = 0.0
    config.average = 0.0  # decay of a moving average of the parameters, for tone="highlights" alone
    return config
