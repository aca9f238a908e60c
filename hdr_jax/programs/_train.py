"""The training loop, from a configuration to a work directory."""

import functools
import pathlib
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax

import tfds_builders  # noqa: F401 - makes the data sets known
from hdr_jax import data, training
from hdr_jax.convert import load_vgg19
from hdr_jax.errors import InputError
from hdr_jax.models import HighlightModel
from hdr_jax.programs._memory import give_back_memory, keep_memory
from hdr_jax.programs._starting import CheckedScenes, check_devices, edges_of, first_state
from hdr_jax.programs._stepping import Stepping, check_parameters, save
from hdr_jax.programs._validation import Validation
from hdr_jax.runs import description, hosts
from hdr_jax.runs.checkpoints import Checkpoints
from hdr_jax.runs.inspection import batch_kept
from hdr_jax.runs.log import VALIDATIONS, RunLog, put_aside
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
    if "hosts" in config:  # the set-up tells of what is missing
        hosts.join(config.hosts)
    setup = training.Setup.from_config(config)
    edges = edges_of(setup)
    photographer = None
    if isinstance(setup.model, HighlightModel):
        photographer = data.Photographer.from_fields(dict(config.get("photographs", {})))
        keep_memory()  # before JAX has any threads
    hosts.check_equal(hosts.description_of(config))
    check_devices(config.batch_size, config.micro_batches)
    workdir = pathlib.Path(workdir).expanduser()
    if workdir.exists() and not workdir.is_dir():
        raise InputError(f"got --workdir {workdir}, which is a file; expected a folder")
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

    (workdir / "validation").mkdir(parents=True, exist_ok=True)
    batches_from = functools.partial(training_batches, setup, config, source, edges, photographer)
    with hosts.alone_in(workdir):
        return _run(setup, config, workdir, source, held_out, edges, batches_from, vgg_params)


def _run(
    setup: training.Setup,
    config: Fields,
    workdir: pathlib.Path,
    source: Sequence[dict],
    held_out: Sequence[dict],
    edges: Mapping[str, Any],
    batches_from: Callable[[int], Iterator[data.Batch]],
    vgg_params: Any,
) -> dict[str, float]:
    """`train_and_evaluate` from its scenes on, in a folder that no other run writes to."""
    primary = jax.process_index() == 0  # of several hosts, the one that writes
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
        if not first:
            put_aside(workdir, config.checkpoint_every)
        description.write_config(workdir, config)
        description.write_data(workdir, known)
    state = training.replicated(state)
    give_back_memory()  # of the copy on the host

    # ---- training
    batches: Any = data.to_devices(batches_from(first))
    log = RunLog(workdir, first, config.steps, config.batch_size, quiet=not primary)
    stepping = Stepping(setup, config, vgg_params, log)
    validation = Validation(setup, config, held_out, edges, log)
    last_scores: dict[str, float] = {}
    kept = batch_kept(workdir, source, config, batches_from)
    with hosts.ending_together(), checkpoints, log, asked_to_stop() as stop, kept:
        # At the start; and where a run was ended between its checkpoint and the validation of it.
        if primary and validation.due(first) and not log.holds(VALIDATIONS, first):
            last_scores = validation.report(first, validation.judged(first, state))
        for step, batch in zip(range(first, config.steps), batches, strict=False):
            done, last = step + 1, step + 1 == config.steps
            state, terms = stepping(step, state, batch)
            log.put(done, terms, write=done % config.log_every == 0 or last)
            stopping = stop.after(done)
            saving = done % config.checkpoint_every == 0 or last or stopping
            if saving or validation.due(done):  # nothing that is not finite is saved
                log.flush()
                check_parameters(done, state)
            judging = primary and validation.due(done) and not (stopping and stop.signal)
            results = validation.judged(done, state) if judging else []
            if saving:
                log.flush_curves()
                save(checkpoints, setup, config, done, state)
            if stopping and stop.signal:
                log.say(f"stopped by {stop.signal.name} after step {done}, which is saved")
                break
            if judging:
                last_scores = validation.report(done, results)
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
        size = training.photograph_size(config, setup.model.multiple)
        maps: Any = data.RadianceMaps(source)
        return data.photographs(maps, size=size, photographer=photographer, **options)
    stops = config.metering_stops
    return data.batches(source, size=config.size, metering_stops=stops, **edges, **options)
