"""What a run makes of the first validation scenes, every now and then."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from hdr_jax import data, images, training
from hdr_jax.runs import figures, scores
from hdr_jax.runs.checkpoints import refined
from hdr_jax.runs.log import VALIDATIONS, RunLog, check_finite
from hdr_jax.training.setup import Fields


class Validation:
    """The validations of a run.

    Args:
      setup: of the run.
      config: of the run.
      held_out: the validation scenes, see `hdr_jax.data`; the first `eval_scenes` are taken.
      edges: how edge maps of stacks are made, see `hdr_jax.data.evaluation_batches`.
      log: writes the scores; the pictures lie beside them.

    Example: `validation.report(done, validation.judged(done, state))`
    """

    def __init__(
        self,
        setup: training.Setup,
        config: Fields,
        held_out: Sequence[dict],
        edges: Mapping[str, Any],
        log: RunLog,
    ):
        self._config, self._held_out, self._edges, self._log = config, held_out, edges, log
        self._refined_before = refined(config.init_from)
        self._score = jax.jit(scores.scores)

        @functools.partial(jax.jit, static_argnames="refine")
        def eval_step(replica: Any, batch: Any, refine: bool) -> dict[str, jax.Array]:
            """`training.eval_step` of a replica; its axis goes here, where that costs no copy."""
            params = jax.tree.map(lambda x: x[0], replica)
            return training.eval_step(setup, params, batch, refine=refine)

        self._eval_step = eval_step

    def due(self, done: int) -> bool:
        """Whether a validation belongs to a number of steps done."""
        return done % self._config.eval_every == 0 or done == self._config.steps

    def judged(self, done: int, state: training.TrainState) -> list[scores.Evaluated]:
        """The scenes, made and scored.

        Args:
          done: number of steps done.
          state: replicated.

        Returns:
          One result for each scene.

        Raises:
          NotFinite: for a scene that is made of numbers that are not.
        """
        count = min(self._config.eval_scenes, len(self._held_out))
        chosen = [self._held_out[i] for i in range(count)]
        exposures = {tuple(np.asarray(scene["ev_offset"]).tolist()) for scene in chosen}
        batch_size = min(self._config.batch_size, count) if len(exposures) == 1 else 1
        batches = data.evaluation_batches(
            chosen, batch_size=batch_size, size=self._config.size, **self._edges
        )
        generate = functools.partial(
            self._eval_step,
            training.one_replica(training.averaged(state).params),
            refine=done > self._config.refine_from or self._refined_before,
        )
        results = list(scores.evaluated(batches, generate, self._score))
        outputs = {result.name: result.outputs for result in results}
        check_finite(done, outputs, "validation scenes")
        return results

    def report(self, done: int, results: list[scores.Evaluated]) -> dict[str, float]:
        """Writes a picture and the scores.

        Args:
          done: number of steps done.
          results: of `judged`.

        Returns:
          The means of the scores.
        """
        mean = scores.means(results)
        picture = figures.stack_grid(
            (result.outputs, result.true_stack)
            for result in results[: self._config.batch_size]
            if len(result.true_stack) == len(results[0].true_stack)
        )
        images.write(self._log.workdir / "validation" / f"step_{done:06d}.png", picture)
        self._log.write(VALIDATIONS, done, mean)  # last: it says that the validation is done
        self._log.say(
            f"step {done}: stack PSNR {mean['stack_psnr']:.2f} dB, radiance map PSNR-mu "
            f"{mean['psnr_mu']:.2f} dB (input as plain sRGB {mean['srgb_psnr_mu']:.2f} dB)"
        )
        self._log.restart_clock()
        return mean
