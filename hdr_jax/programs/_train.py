"""The training loop, from a configuration to a work directory."""

import functools
import pathlib
import signal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax import jax_utils

import tfds_builders  # noqa: F401 - makes the data sets known
from hdr_jax import data, images, training
from hdr_jax.convert import load_vgg19
from hdr_jax.errors import InputError
from hdr_jax.models import HighlightModel
from hdr_jax.programs._starting import (
    CheckedScenes,
    check_devices,
    compiled,
    first_state,
    give_back_memory,
    keep_memory,
)
from hdr_jax.runs import description, figures, hosts, scores
from hdr_jax.runs.checkpoints import Checkpoints, refined
from hdr_jax.runs.inspection import batch_kept
from hdr_jax.runs.log import RunLog, check_finite
from hdr_jax.runs.stopping import asked_to_stop
from hdr_jax.training.setup import Fields


def train_and_evaluate(config: Fields, workdir: str | pathlib.Path) -> dict:
    """Trains as `config` says, from the newest checkpoint in `workdir` if there is one.

    Args:
      config: see hdr_jax/configs/paper.py for the fields.
      workdir: folder of the run, made when it is not there.

    Returns:
      The last validation scores; empty when the run was complete already.

    Raises:
      InputError: for a configuration, data or a checkpoint that do not fit.
      FloatingPointError: when a loss term is not finite; nothing of that step is saved.
    """
    # ---- set-up
    hosts.join(config.hosts)
    setup = training.Setup.from_config(config)
    edges: dict[str, Any] = {"channel_weights": images.edge_weights(setup.edge_weights)}
    photographer = None
    if isinstance(setup.model, HighlightModel):
        photographer = data.Photographer.from_fields(config.photographs.to_dict())
        keep_memory()  # before JAX has any threads
    primary = jax.process_index() == 0  # of several hosts, the one that writes
    hosts.check_equal(hosts.description_of(config))
    check_devices(config.batch_size, config.micro_batches)
    workdir = pathlib.Path(workdir)
    (workdir / "validation").mkdir(parents=True, exist_ok=True)
    vgg_params = load_vgg19(config.vgg_path) if config.vgg_path else None
    compared = "VGG-19 features" if config.vgg_path else "RGB patches (config.vgg_path is not set)"
    devices = f"{jax.device_count()} device(s) on {jax.process_count()} host(s)"
    cobi = f"; CoBi on {compared}" if config.loss.get("contextual") else ""
    print(f"{devices}, {jax.devices()[0].device_kind}{cobi}")

    # ---- data
    folders = config.data_dir, config.manual_dir or None
    source, held_out = (
        CheckedScenes(setup, data.load_source(config.dataset, split, *folders))
        for split in (config.train_split, config.val_split)
    )
    print(f"{config.dataset}: {len(source)} training and {len(held_out)} validation scenes")

    # ---- state, and where to go on
    checkpoints = Checkpoints(workdir / "checkpoints", config.keep_checkpoints)
    state = first_state(setup, config, checkpoints, workdir)
    first = int(state.step)
    if first > config.steps:
        raise InputError(
            f"got config.steps = {config.steps} for a run that has done {first}: expected as many "
            "at least, or another --workdir"
        )
    known = {"scenes": len(source), "first": data.scene_name(source[0]["scene"])}
    if first:
        description.check_same_data(workdir, config, known)
    hosts.check_equal({"first step": first, "training scenes": len(source)})
    count = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    print(f"{count:,} parameters; steps {first} to {config.steps}")
    if primary:
        description.write_config(workdir, config)
        description.write_data(workdir, known)
    state = training.replicated(state)
    give_back_memory()  # of the copy on the host
    vgg_params = vgg_params and jax_utils.replicate(vgg_params)

    # ---- what is compiled: the steps, one for each phase, when it begins; and the validation
    step_of_phase: dict[int, Any] = {}
    score = jax.jit(scores.scores)
    refined_before = refined(config.init_from)

    @functools.partial(jax.jit, static_argnames="refine")
    def eval_step(replica: Any, batch: Any, refine: bool) -> dict[str, jax.Array]:
        """`training.eval_step` of a replica; its axis goes here, where that costs no copy."""
        params = jax.tree.map(lambda x: x[0], replica)
        return training.eval_step(setup, params, batch, refine=refine)

    def compiled_step(phase: int, *arguments: Any) -> Any:
        """The step of a phase, for arguments like these."""
        step = jax.pmap(
            functools.partial(training.train_step, setup, phase),
            axis_name=training.DEVICES,
            in_axes=(0, 0, None, None if vgg_params is None else 0),
            donate_argnums=0,
        )
        program, seconds = compiled(step, *arguments)
        log.say(f"the step of phase {phase}: {seconds}")
        log.restart_clock()
        return program

    def due(done: int) -> bool:
        """Whether a validation belongs to a step."""
        return done % config.eval_every == 0 or done == config.steps

    def judged(done: int) -> list[scores.Evaluated]:
        """The first validation scenes, made and scored."""
        count = min(config.eval_scenes, len(held_out))
        chosen = [held_out[i] for i in range(count)]
        exposures = {tuple(np.asarray(scene["ev_offset"]).tolist()) for scene in chosen}
        batch_size = min(config.batch_size, count) if len(exposures) == 1 else 1
        replica = training.one_replica(training.averaged(state).params)
        refine = done > config.refine_from or refined_before
        batches = data.evaluation_batches(chosen, batch_size=batch_size, size=config.size, **edges)
        generate = functools.partial(eval_step, replica, refine=refine)
        results = list(scores.evaluated(batches, generate, score))
        outputs = {result.name: result.outputs for result in results}
        check_finite(done, outputs, "validation scenes")
        return results

    def report(done: int, results: list[scores.Evaluated]) -> dict[str, float]:
        """Writes their picture and scores; returns the means."""
        mean = scores.means(results)
        picture = figures.stack_grid(
            (result.outputs, result.true_stack)
            for result in results[: config.batch_size]
            if len(result.true_stack) == len(results[0].true_stack)
        )
        images.write(workdir / "validation" / f"step_{done:06d}.png", picture)
        log.write("validation.jsonl", done, mean)  # last: it says that the validation is done
        log.say(
            f"step {done}: stack PSNR {mean['stack_psnr']:.2f} dB, radiance map PSNR-mu "
            f"{mean['psnr_mu']:.2f} dB (input as plain sRGB {mean['srgb_psnr_mu']:.2f} dB)"
        )
        return mean

    def save(done: int) -> None:
        """A checkpoint; alone on a CPU it is written from the state's own memory."""
        replica = jax.device_get(training.one_replica(training.averaged(state)))  # views on a CPU
        host = jax.tree.map(lambda x: x.reshape(x.shape[1:]), replica)
        shared = jax.default_backend() == "cpu" and jax.process_count() == 1
        if shared:  # Orbax copies NumPy's arrays, not JAX's
            host = jax.device_put(host, may_alias=True)
        checkpoints.save(done, setup.model, host.params, host.opt_state, config.to_dict())
        if shared:  # the next step could not donate what is being written
            checkpoints.wait()

    # ---- training
    batches_from = functools.partial(training_batches, setup, config, source, edges, photographer)
    batches: Any = data.to_devices(batches_from(first))
    last_scores: dict[str, float] = {}
    log = RunLog(workdir, first, config.steps, config.batch_size, quiet=not primary)
    kept = batch_kept(workdir, source, config, batches_from)
    with hosts.ending_together(), checkpoints, log, asked_to_stop() as stop, kept:
        # At the start; and where a run was ended between its checkpoint and the validation of it.
        if primary and due(first) and not log.holds("validation.jsonl", first):
            last_scores = report(first, judged(first))
        for step, batch in zip(range(first, config.steps), batches, strict=False):
            done, last = step + 1, step + 1 == config.steps
            phase = 1 if step < config.refine_from else 2
            references = training.draw_references(setup, step)
            arguments = state, batch, references, vgg_params
            if phase not in step_of_phase:
                step_of_phase[phase] = compiled_step(phase, *arguments)
            state, terms = step_of_phase[phase](*arguments)
            log.put(done, terms, write=done % config.log_every == 0 or last)
            stopping = stop.after(done)
            saving = done % config.checkpoint_every == 0 or last or stopping
            if saving or due(done):  # nothing that is not finite is saved
                log.flush()
                replica = training.one_replica(training.averaged(state).params)
                check_finite(done, jax.device_get(replica))
                del replica  # or the next step could not be given its memory
            judging = primary and due(done) and not (stopping and stop.signal)
            results = judged(done) if judging else []
            if saving:
                save(done)
            if stopping and stop.signal:
                log.say(f"stopped by {stop.signal.name} after step {done}, which is saved")
                break
            if judging:
                last_scores = report(done, results)
                log.restart_clock()
    batches.close()
    if stop.signal == signal.SIGINT:
        raise KeyboardInterrupt
    return last_scores


def training_batches(
    setup: training.Setup,
    config: Fields,
    source: Sequence[dict],
    edges: Mapping[str, Any],
    photographer: data.Photographer | None,
    first: int,
) -> Iterator[data.Batch]:
    """What the model learns from: exposure stacks, or single photographs by strangers' cameras.

    Args:
      setup: of the run.
      config: with `batch_size`, `size`, `seed` and `metering_stops`.
      source: see `hdr_jax.data`.
      edges: how edge maps of stacks are made.
      photographer: of a `HighlightModel`, how its photographs are drawn; None for exposure stacks.
      first: number of the first step, from 0.

    Returns:
      An endless iterator, see `hdr_jax.data.batches` and `hdr_jax.data.photographs`.
    """
    options = {
        "batch_size": config.batch_size,
        "seed": config.seed,
        "start_step": first,
        "shard": (jax.process_index(), jax.process_count()),
    }
    if photographer:
        multiple = setup.model.multiple
        width = multiple * max(1, round(config.size * photographer.aspect / multiple))
        size = (config.size, width)
        maps: Any = data.RadianceMaps(source)
        return data.photographs(maps, size=size, photographer=photographer, **options)
    stops = config.metering_stops
    return data.batches(source, size=config.size, metering_stops=stops, **edges, **options)
