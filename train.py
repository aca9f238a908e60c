"""Trains the exposure-stack networks through the HDR synthesis layer.

  python train.py --config configs/quickstart.py --workdir runs/quickstart
  python train.py --config configs/small.py --workdir runs/small \\
      --config.manual_dir=/my/hdr/pictures --config.steps=5000

Any field of the configuration can be overridden as --config.field=value; configs/paper.py explains
them. Running the same command again goes on from the newest checkpoint. The work directory holds

  config.json         the configuration of the run
  metrics.jsonl       one object a line: step, loss, and every (weighted) loss term of that step
  validation.jsonl    one object a line: step, and the scores on validation scenes
  validation/         a picture of generated over true stacks at every validation
  checkpoints/        the newest ones, for eval.py and to go on from
  tensorboard/        the same numbers, and the speed
"""

import functools
import pathlib

import jax
import ml_collections
import numpy as np
from flax import jax_utils

from hdr_jax import data, images, training
from hdr_jax.cli import flags
from hdr_jax.convert import load_vgg19
from hdr_jax.runs import figures
from hdr_jax.runs import scores as run_scores
from hdr_jax.runs.checkpoints import Checkpoints
from hdr_jax.runs.log import RunLog, write_text


def train_and_evaluate(config: ml_collections.ConfigDict, workdir: str | pathlib.Path) -> dict:
    """Trains as `config` says, from the newest checkpoint in `workdir` if there is one.

    Args:
      config: see configs/paper.py for the fields.
      workdir: folder of the run, made when it is not there.

    Returns:
      The last validation scores; empty when the run was complete already.

    Raises:
      ValueError: for a configuration, data or a checkpoint that do not fit.
      FloatingPointError: when a loss term is not finite; nothing of that step is saved.
    """
    # ---- set-up
    join_hosts(config.hosts)
    primary = jax.process_index() == 0  # of several hosts, the one that writes
    training.check_config(config)
    frozen = ml_collections.FrozenConfigDict(config)
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
    print(f"{config.dataset}: {len(source)} training and {len(held_out)} validation scenes")

    # ---- state, and where to go on
    checkpoints = Checkpoints(workdir / "checkpoints", config.keep_checkpoints)
    state = jax.device_get(training.create_state(config, jax.random.key(config.seed)))
    first = checkpoints.latest_step or 0
    if first:
        params, opt_state = checkpoints.restore(first, state.params, state.opt_state)
        state = state.replace(step=np.int32(first), params=params, opt_state=opt_state)
    count = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    print(f"{count:,} parameters; steps {first} to {config.steps}")
    if primary:
        write_text(workdir / "config.json", config.to_json_best_effort(indent=2) + "\n")
    state = jax_utils.replicate(state)
    vgg_params = vgg_params and jax_utils.replicate(vgg_params)

    # ---- the compiled steps, one for each phase
    step_of_phase = {
        phase: jax.pmap(
            functools.partial(training.train_step, frozen, phase),
            axis_name=training.DEVICES,
            in_axes=(0, 0, None, None if vgg_params is None else 0),
            donate_argnums=0,
        )
        for phase in (1, 2)
    }
    evaluate = jax.jit(functools.partial(training.eval_step, frozen), static_argnames="refine")

    def validate(done: int) -> dict[str, float]:
        """Scores and pictures of the first validation scenes."""
        params = jax_utils.unreplicate(state.params)
        step = functools.partial(evaluate, params, refine=done > config.refine_from)
        scores, picture = validation_scores(config, step, held_out)
        log.write("validation.jsonl", done, scores)
        log.say(
            f"step {done}: stack PSNR {scores['stack_psnr']:.2f} dB, radiance map PSNR-mu "
            f"{scores['psnr_mu']:.2f} dB (input as plain sRGB {scores['srgb_psnr_mu']:.2f} dB)"
        )
        images.write(workdir / "validation" / f"step_{done:06d}.png", picture)
        return scores

    # ---- training
    batches = data.to_devices(
        data.batches(
            source,
            batch_size=config.batch_size,
            size=config.size,
            seed=config.seed,
            start_step=first,
            metering_stops=config.metering_stops,
            shard=(jax.process_index(), jax.process_count()),
        )
    )
    scores: dict[str, float] = {}
    log = RunLog(workdir, first, config.steps, config.batch_size, quiet=not primary)
    with checkpoints, log:
        if first == 0 and primary:
            scores = validate(0)
        for step, batch in zip(range(first, config.steps), batches, strict=False):
            done, last = step + 1, step + 1 == config.steps
            phase = 1 if step < config.refine_from else 2
            references = training.draw_references(config, step)
            state, terms = step_of_phase[phase](state, batch, references, vgg_params)
            log.put(done, terms, write=done % config.log_every == 0 or last)
            if done % config.checkpoint_every == 0 or last:
                log.flush()  # a loss that is not finite stops the run before it is saved
                host = jax.device_get(jax_utils.unreplicate(state))
                checkpoints.save(done, host.params, host.opt_state, config.model.to_dict())
            if primary and (done % config.eval_every == 0 or last):
                scores = validate(done)
                log.restart_clock()
    batches.close()
    return scores


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


def validation_scores(
    config: ml_collections.ConfigDict, evaluate, source
) -> tuple[dict[str, float], np.ndarray]:
    """Mean scores over the first `eval_scenes` of a source, and a picture of the first batch.

    Args:
      config: with `size`, `batch_size` and `eval_scenes`.
      evaluate: the compiled `eval_step` of a batch.
      source: see `hdr_jax.data`.

    Returns:
      ({name: mean score}, picture [H, W, 3] in [0, 1]).
    """
    count = min(config.eval_scenes, len(source))
    source = [source[i] for i in range(count)]
    rows, picture = [], None
    batch_size = min(config.batch_size, count)
    for batch in data.evaluation_batches(source, batch_size=batch_size, size=config.size):
        arrays = {name: batch[name] for name in data.ARRAYS}
        outputs = jax.device_get(evaluate(arrays))
        true_stack = batch["stack"].astype(np.float32) / 255
        scores = jax.device_get(run_scores.scores(outputs, true_stack))
        rows += [
            {name: float(value[i]) for name, value in scores.items() if value.ndim == 1}
            for i in np.flatnonzero(batch["mask"])
        ]
        if picture is None:
            picture = figures.stack_grid(outputs, true_stack)
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}, picture


if __name__ == "__main__":
    flags.run(train_and_evaluate, __doc__)
