"""The parsers of `hdr-jax train` and `eval`, whose words --config.FIELD=VALUE go on to `flags`."""

import argparse

PROGRAMS = ("train", "eval")  # of which words that their parsers do not know are fields

TRAIN = """examples:
  hdr-jax train --config hdr_jax:quickstart --workdir runs/quickstart
  hdr-jax train --config hdr_jax:highlights --workdir runs/mine \\
      --config.manual_dir=/my/hdr/pictures --config.steps=5000

Any field of the configuration can be overridden as --config.field=value; hdr_jax:paper and
hdr_jax:highlights explain them. Running the same command again goes on from the newest checkpoint;
Ctrl-C and SIGTERM end the step, save it and leave. The work directory holds

  config.json         the configuration of the run; going on under another one is refused, unless
                      --config.force_resume=True (this once)
  data.json           how many scenes it learns from; going on with others is refused likewise
  metrics.jsonl       one object a line: step, loss, and every (weighted) loss term of that step
  validation.jsonl    one object a line: step, and the scores on validation scenes
  validation/         a picture of generated over true stacks at every validation
  checkpoints/        the newest ones, for hdr-jax eval and to go on from
  tensorboard/        the same numbers, and the speed
  eval/               what hdr-jax eval writes
  before/             the log of a run that was begun again, as its checkpoints were gone
  damaged/            checkpoints that could not be read
  not_finite/         the batch whose loss was not finite"""

EVAL = """examples:
  hdr-jax eval --workdir runs/quickstart
  hdr-jax eval --workdir runs/quickstart --config.eval_split=val
  hdr-jax eval --config hdr_jax:released --workdir runs/imported    no config.json there

Takes the configuration from the work directory, or from --config, with the overrides of train.
Restores the newest checkpoint of the work directory and writes into <workdir>/eval

  metrics.json    for each scene, and as mean and standard deviation: PSNR and SSIM of every
                  generated exposure; PSNR of the radiance map after the mu law and after Reinhard's
                  tone map, beside those of the input read as plain sRGB; HDR-VDP-2 Q and PU21-PSNR.
                  The map is held against the one merged from the true stack and, in the scores
                  that begin with dataset_, against the radiance map that comes with the data
  SCENE.png       input, generated over true stack, tone-mapped result and truth, recovered
                  response curves, error in stops
  index.html      all of it on one page that needs no other file: exposures, maps, what HDR-VDP-2
                  sees, pixel by pixel (hdr-jax view makes such pages of maps)"""


def add_programs(subparsers) -> None:
    """Adds both; the configuration itself is read by `flags`, which knows its fields."""
    _add(subparsers, "train", "train a model through the HDR layer", TRAIN)
    _add(subparsers, "eval", "evaluate a trained run, with pictures", EVAL)


def _add(subparsers, name: str, help: str, examples: str) -> None:
    parser = subparsers.add_parser(
        name,
        help=help,
        usage=f"hdr-jax {name} [--config FILE] --workdir DIR [--config.FIELD=VALUE ...]",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    text = "a path or hdr_jax:NAME, by default config.json of the work directory"
    parser.add_argument("--config", metavar="FILE", help=text)
    parser.add_argument("--workdir", metavar="DIR", help="folder of the run")
