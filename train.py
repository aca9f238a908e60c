"""Trains the exposure-stack networks through the HDR synthesis layer.

  python train.py --config configs/quickstart.py --workdir runs/quickstart
  python train.py --config configs/small.py --workdir runs/small \\
      --config.manual_dir=/my/hdr/pictures --config.steps=5000

Any field of the configuration can be overridden as --config.field=value; configs/paper.py explains
them. Running the same command again goes on from the newest checkpoint; Ctrl-C and SIGTERM end the
step, save it and leave. The work directory holds

  config.json         the configuration of the run; going on under another one is refused, unless
                      --config.force_resume=True
  metrics.jsonl       one object a line: step, loss, and every (weighted) loss term of that step
  validation.jsonl    one object a line: step, and the scores on validation scenes
  validation/         a picture of generated over true stacks at every validation
  checkpoints/        the newest ones, for eval.py and to go on from
  tensorboard/        the same numbers, and the speed
"""

import functools
import pathlib
import signal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import ml_collections
import numpy as np
from flax import jax_utils

import tfds_builders  # noqa: F401 - makes the data sets known
from hdr_jax import data, images, training
from hdr_jax.cli import flags
from hdr_jax.convert import load_vgg19
from hdr_jax.errors import InputError
from hdr_jax.models import HighlightModel, Model, check_same_architecture
from hdr_jax.runs import description, figures, scores
from hdr_jax.runs.checkpoints import Checkpoints, DamagedCheckpoint, load_model
from hdr_jax.runs.log import RunLog
from hdr_jax.runs.stopping import asked_to_stop


def train_and_evaluate(config: ml_collections.ConfigDict, workdir: str | pathlib.Path) -> dict:
    """Trains as `config` says, from the newest checkpoint in `workdir` if there is one.

    Args:
      config: see configs/paper.py for the fields.
      workdir: folder of the run, made when it is not there.

    Returns:
      The last validation scores; empty when the run was complete already.

    Raises:
      InputError: for a configuration, data or a checkpoint that do not fit.
      FloatingPointError: when a loss term is not finite; nothing of that step is saved.
    """
    # ---- set-up
    join_hosts(config.hosts)
    primary = jax.process_index() == 0  # of several hosts, the one that writes
    setup = training.Setup.from_config(config)
    check_devices(config.batch_size)
    workdir = pathlib.Path(workdir)
    (workdir / "validation").mkdir(parents=True, exist_ok=True)
    vgg_params = load_vgg19(config.vgg_path) if config.vgg_path else None
    compared = "VGG-19 features" if config.vgg_path else "RGB patches (config.vgg_path is not set)"
    devices = f"{jax.device_count()} device(s) on {jax.process_count()} host(s)"
    print(f"{devices}, {jax.devices()[0].device_kind}; CoBi on {compared}")

    # ---- data
    folders = config.data_dir, config.manual_dir or None
    source = data.load_source(config.dataset, config.train_split, *folders)
    held_out = data.load_source(config.dataset, config.val_split, *folders)
    for scenes in (source, held_out):
        setup.check_example(scenes[0])
    edges = {"channel_weights": images.edge_weights(setup.edge_weights)}
    print(f"{config.dataset}: {len(source)} training and {len(held_out)} validation scenes")

    # ---- state, and where to go on
    checkpoints = Checkpoints(workdir / "checkpoints", config.keep_checkpoints)
    state = first_state(setup, config, checkpoints, workdir)
    first = int(state.step)
    count = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    print(f"{count:,} parameters; steps {first} to {config.steps}")
    if primary:
        description.write_config(workdir, config)
    state = jax_utils.replicate(state)
    vgg_params = vgg_params and jax_utils.replicate(vgg_params)

    # ---- the compiled steps, one for each phase
    step_of_phase = {
        phase: jax.pmap(
            functools.partial(training.train_step, setup, phase),
            axis_name=training.DEVICES,
            in_axes=(0, 0, None, None if vgg_params is None else 0),
            donate_argnums=0,
        )
        for phase in (1, 2)
    }
    evaluate = jax.jit(functools.partial(training.eval_step, setup), static_argnames="refine")
    score = jax.jit(scores.scores)

    def validate(done: int) -> dict[str, float]:
        """Scores and pictures of the first validation scenes."""
        count = min(config.eval_scenes, len(held_out))
        batch_size = min(config.batch_size, count)
        chosen = [held_out[i] for i in range(count)]
        params = training.averaged(jax_utils.unreplicate(state)).params
        refine = done > config.refine_from or bool(config.init_from)
        batches = data.evaluation_batches(chosen, batch_size=batch_size, size=config.size, **edges)
        generate = functools.partial(evaluate, params, refine=refine)
        results = list(scores.evaluated(batches, generate, score))
        mean = scores.means(results)
        log.write("validation.jsonl", done, mean)
        log.say(
            f"step {done}: stack PSNR {mean['stack_psnr']:.2f} dB, radiance map PSNR-mu "
            f"{mean['psnr_mu']:.2f} dB (input as plain sRGB {mean['srgb_psnr_mu']:.2f} dB)"
        )
        picture = figures.stack_grid(
            (result.outputs, result.true_stack) for result in results[:batch_size]
        )
        images.write(workdir / "validation" / f"step_{done:06d}.png", picture)
        return mean

    # ---- training
    batches = data.to_devices(training_batches(setup, config, source, first, edges))
    last_scores: dict[str, float] = {}
    log = RunLog(workdir, first, config.steps, config.batch_size, quiet=not primary)
    with checkpoints, log, asked_to_stop() as stop:
        if first == 0 and primary:
            last_scores = validate(0)
        for step, batch in zip(range(first, config.steps), batches, strict=False):
            done, last = step + 1, step + 1 == config.steps
            phase = 1 if step < config.refine_from else 2
            references = training.draw_references(setup, step)
            state, terms = step_of_phase[phase](state, batch, references, vgg_params)
            log.put(done, terms, write=done % config.log_every == 0 or last)
            if done % config.checkpoint_every == 0 or last or stop:
                log.flush()  # a loss that is not finite stops the run before it is saved
                host = training.averaged(jax.device_get(jax_utils.unreplicate(state)))
                fields = config.to_dict()
                checkpoints.save(done, setup.model, host.params, host.opt_state, fields)
            if stop:
                log.say(f"stopped by {stop.signal.name} after step {done}, which is saved")
                break
            if primary and (done % config.eval_every == 0 or last):
                last_scores = validate(done)
                log.restart_clock()
    batches.close()
    if stop.signal == signal.SIGINT:
        raise KeyboardInterrupt
    return last_scores


def training_batches(
    setup: training.Setup,
    config: ml_collections.ConfigDict,
    source: Sequence[dict],
    first: int,
    edges: Mapping[str, Any],
) -> Iterator[data.Batch]:
    """What the model learns from: exposure stacks, or single photographs by strangers' cameras.

    Args:
      setup: of the run.
      config: with `batch_size`, `size`, `seed`, and `metering_stops` or `photographs`.
      source: see `hdr_jax.data`.
      first: number of the first step.
      edges: how edge maps are made.

    Returns:
      An endless iterator, see `hdr_jax.data.batches` and `hdr_jax.data.photographs`.
    """
    options = {
        "batch_size": config.batch_size,
        "seed": config.seed,
        "start_step": first,
        "shard": (jax.process_index(), jax.process_count()),
    }
    if isinstance(setup.model, HighlightModel):
        photographer = data.Photographer.from_fields(config.photographs.to_dict())
        multiple = setup.model.multiple
        width = multiple * max(1, round(config.size * photographer.aspect / multiple))
        size = (config.size, width)
        maps = data.RadianceMaps(source)
        return data.photographs(maps, size=size, photographer=photographer, **options)
    stops = config.metering_stops
    return data.batches(source, size=config.size, metering_stops=stops, **edges, **options)


def first_state(
    setup: training.Setup,
    config: ml_collections.ConfigDict,
    checkpoints: Checkpoints,
    workdir: pathlib.Path,
) -> training.TrainState:
    """The state to start from: the newest checkpoint, the weights of `init_from`, or random ones.

    Args:
      setup: of the run.
      config: with `seed`, `init_from` (set to the checkpoints' folder where those begin with
        imported weights) and `force_resume`.
      checkpoints: of the run.
      workdir: its folder.

    Returns:
      The state, on the host.

    Raises:
      InputError: when the checkpoint is of another model, or the run of another configuration.
    """
    state = jax.device_get(training.create_state(setup, jax.random.key(config.seed)))
    if checkpoints.latest_step is not None:
        before = description.check_same_run(workdir, config)
        latest, params, opt_state = newest_whole(checkpoints, setup.model, state)
        config.init_from = before.get("init_from", "") if latest else str(workdir / "checkpoints")
        state = state.replace(step=np.int32(latest), params=params, opt_state=opt_state)
        return training.averaged(state) if latest else training.state_of(setup, params)
    if config.init_from:
        model, params, _ = load_model(config.init_from)
        check_same_architecture(model, setup.model, config.init_from)
        return jax.device_get(training.state_of(setup, params))
    return state


def newest_whole(
    checkpoints: Checkpoints, model: Model, state: training.TrainState
) -> tuple[int, Any, Any]:
    """The newest checkpoint that can be read; damaged ones after it are put aside, with a warning.

    Args:
      checkpoints: of the run, at least one.
      model: which it is to fit.
      state: of the shapes and types to read.

    Returns:
      (step, params, optimiser state).

    Raises:
      InputError: when none can be read (nothing is moved then), or it does not fit.
    """
    damaged = []
    for step in reversed(checkpoints.steps()):
        try:
            restored = checkpoints.restore(step, model, state.params, state.opt_state)
        except DamagedCheckpoint as error:
            damaged.append((step, error))
            continue
        for bad, error in damaged:
            place = checkpoints.put_aside(bad)
            print(f"warning: {error}; going on from step {step}, the other is in {place}")
        return step, *restored
    reasons = "; ".join(str(error) for _, error in damaged)
    raise InputError(
        f"no checkpoint can be read: {reasons}. Restore a copy, or use a new --workdir"
    )


def check_devices(batch_size: int) -> None:
    """Refuses a batch that does not divide over the devices.

    Args:
      batch_size: scenes of a batch.

    Raises:
      InputError: naming the field.
    """
    count = jax.device_count()
    if batch_size % count:
        raise InputError(
            f"got config.batch_size = {batch_size}: expected a multiple of the {count} devices"
        )


def join_hosts(hosts: ml_collections.ConfigDict) -> None:
    """Makes one computation of several hosts; does nothing without a coordinator.

    Args:
      hosts: `coordinator`, address and port of the first host, or "auto" where the cluster tells
        (Slurm, Kubernetes, Cloud TPU); `count` of the hosts; `index` of this one.
    """
    if hosts.coordinator == "auto":
        jax.distributed.initialize()
    elif hosts.coordinator:
        jax.distributed.initialize(hosts.coordinator, hosts.count, hosts.index)


if __name__ == "__main__":
    flags.run(train_and_evaluate, __doc__)
