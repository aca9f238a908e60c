"""The parsers of `hdr-jax`; nothing but argparse is loaded to give help or to refuse arguments."""

import argparse

METHODS = ("debevec", "mitsunaga-nayar")

MERGE = """examples:
  hdr-jax merge holiday/bridge                     a folder; writes bridge.exr here
  hdr-jax merge IMG_1.jpg IMG_2.jpg IMG_3.jpg -o bridge.hdr
  hdr-jax merge a.png b.png c.png --times 1/250 1/60 1/15
  hdr-jax merge hand_held/ --align --deghost -o square.exr
  hdr-jax merge tripod/ --crf-only -o canon.csv    the response alone, and later
  hdr-jax merge other/ --response canon.csv

Exposure times come from --times or --ev, else from exposures.csv beside the pictures (a first line
file,exposure_time_s), else from EXIF. Beside bridge.exr you find bridge_preview.jpg, tone-mapped,
and the response as bridge_response.csv and bridge_response.png."""

PLOT = """examples:
  hdr-jax plot canon.csv nikon.csv -o cameras.png   response curves in one plot
  hdr-jax plot bridge.exr                           luminance in stops, bridge_stops.png here"""

RECONSTRUCT = """examples:
  hdr-jax reconstruct holiday.jpg                      writes holiday.exr and holiday.png here
  hdr-jax reconstruct *.jpg -o out --stack --ev-range -7 3
  hdr-jax reconstruct scan.png --response linear       the camera is known: srgb, linear or a file
  hdr-jax reconstruct holiday.jpg --checkpoint runs/mine

The model that comes with the program predicts what clipped pixels held; every other pixel stays the
photograph's own. Photographs are turned upright (EXIF) and converted to sRGB (ICC profile).
holiday.png is tone-mapped, to look at. With --stack the exposures lie in holiday_stack with an
exposures.csv, as hdr-jax merge reads it."""

SCORE = """example:
  hdr-jax score reconstructed.hdr truth.hdr --protocol display --peak 1000

The visibility map is gray where nobody sees a difference, then blue (25 %), green (50 %),
yellow (75 %) and red (everybody sees it)."""

DATA = """examples:
  hdr-jax data check /data/VDS --as vds
  hdr-jax data check holiday/ --as bracketed_photos --option ev=2
  hdr-jax data preview vds --manual-dir /data/VDS -o vds.png
  hdr-jax data preview synthetic_stacks/128 --split val

`check` reads every file once, names every bad scene and leaves with exit code 2 if there is one;
nothing is written. `preview` prepares the data set first where it is not yet."""

IMPORT = """example:
  hdr-jax import weights/ --step 80000 -o runs/released

DIR holds 80000-gu.ckpt, 80000-gd.ckpt, 80000-su.ckpt, 80000-sd.ckpt, 80000-cbu.ckpt and
80000-cbd.ckpt. PyTorch is not needed, and no code of the files is run."""


CHECKPOINT = """example:
  hdr-jax checkpoint runs/mine

Every file is read through; nothing is changed. Exit code 2 says that a checkpoint is damaged."""

PICTURES_FIRST = "the pictures go first: hdr-jax merge a.jpg b.jpg --times 1/60 1/15"


def parser() -> argparse.ArgumentParser:
    """The parser of the program; `command` of its result names the subcommand.

    Returns:
      A parser with one subparser for each command.

    Example:
      >>> parser().parse_args(["plot", "a.csv"]).command
      'plot'
    """
    whole = argparse.ArgumentParser(
        prog="hdr-jax", description="Differentiable high-dynamic-range imaging in JAX."
    )
    subparsers = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add_command in (_merge, _plot, _reconstruct, _score, _data, _import, _checkpoint):
        add_command(subparsers)
    return whole


def _command(subparsers, name: str, help: str, description: str | None, examples: str):
    """A subparser that keeps the lines of its examples."""
    return subparsers.add_parser(
        name,
        help=help,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _merge(subparsers) -> None:
    """Photographs to a radiance map."""
    parser = _command(
        subparsers,
        "merge",
        "bracketed photographs to a radiance map",
        "Recovers the camera's response from bracketed photographs and merges them.",
        MERGE,
    )
    add = parser.add_argument
    add("pictures", nargs="+", metavar="IMG", help="photographs, or one folder")
    add("-o", "--output", metavar="FILE", help="radiance map, .exr or .hdr; with --crf-only .csv")
    add("--times", nargs="+", metavar="S", help="exposure times in seconds, such as 1/60, in order")
    add("--ev", nargs="+", metavar="STOPS", help="instead: stops, +1 is twice the exposure")
    add("--method", choices=METHODS, default="debevec", help="how the response is recovered")
    add("--smoothness", type=float, help="of Debevec's curve, default 20")
    add("--response", metavar="R", help="do not recover it: srgb, linear, or a .csv or .npy file")
    add("--align", action="store_true", help="register hand-held pictures; crops to what all show")
    add("--deghost", action="store_true", help="keep what moves as the reference picture shows it")
    add("--reference", metavar="IMG", help="file name, default the best exposed picture")
    add("--crf-only", action="store_true", help="write the response and no radiance map")
    add("--preview", metavar="FILE", help="tone-mapped picture, default <output>_preview.jpg")
    add("--curve", metavar="FILE", help="response, .csv or .npy, default <output>_response.csv")
    add("--no-preview", action="store_true", help="write no preview")
    add("--no-curve", action="store_true", help="write no response and no plot of it")
    error = parser.error
    parser.error = lambda text: error(f"{text}; {PICTURES_FIRST}" if "IMG" in text else text)


def _plot(subparsers) -> None:
    """Pictures of curves and maps."""
    parser = _command(
        subparsers,
        "plot",
        "pictures of response curves or of a radiance map",
        "Draws response curves together, or the luminance of a radiance map in stops.",
        PLOT,
    )
    add = parser.add_argument
    add(
        "files", nargs="+", metavar="FILE", help="response curves (.csv, .npy), or one .exr or .hdr"
    )
    add("-o", "--output", metavar="PNG", help="default named after the first file")


def _reconstruct(subparsers) -> None:
    """One photograph to a radiance map."""
    parser = _command(
        subparsers,
        "reconstruct",
        "turn single photographs into radiance maps",
        "Predicts the light that a photograph's clipped pixels held.",
        RECONSTRUCT,
    )
    add = parser.add_argument
    add("photos", nargs="+", metavar="PHOTO", help="JPEG, PNG or TIFF, any size")
    add("-o", "--output", metavar="DIR", default=".", help="folder for the results, default here")
    add("--checkpoint", metavar="DIR", help="another model: a run's work directory or a checkpoint")
    add("--step", type=int, help="which checkpoint, the newest by default")
    add("--format", choices=("exr", "hdr"), default="exr", help="default exr")
    add("--stack", action="store_true", help="write the generated exposures too")
    add("--response", metavar="R", help="the camera's, if known: srgb, linear, .csv or .npy file")
    add(
        "--ev-range",
        nargs=2,
        type=int,
        default=(-3, 3),
        metavar=("LOW", "HIGH"),
        help="stops of the stack, default -3 3",
    )
    stack = parser.add_argument_group("for networks that paint every exposure (--checkpoint)")
    add = stack.add_argument
    add(
        "--reference",
        type=int,
        metavar="INDEX",
        help="which exposure of the stack the photograph is, 0 the darkest; default the middle",
    )
    add("--ev-step", type=float, default=1.0, help="stops between exposures, default 1")
    add("--tile", type=int, default=512, help="largest picture given to the networks, default 512")
    add("--overlap", type=int, default=64, help="of the tiles, default 64 pixels")
    add(
        "--released",
        action="store_true",
        help="edges as the authors' program finds them; by default as the checkpoint says",
    )


def _score(subparsers) -> None:
    """Quality of a radiance map."""
    parser = _command(
        subparsers,
        "score",
        "quality of a radiance map against a reference",
        "HDR-VDP-2, PU21 and tone-mapped metrics of a radiance map.",
        SCORE,
    )
    add = parser.add_argument
    add("test", help="radiance map to judge, .hdr or .exr")
    add("reference", help="radiance map it should equal, same size")
    add(
        "--protocol",
        default="singlehdr",
        help="how relative values become cd/m^2: singlehdr (default), display or absolute",
    )
    add("--peak", type=float, default=1000.0, help="white of the display protocol, cd/m^2")
    add("--pixels-per-degree", type=float, default=30.0, help="of visual angle, default 30")
    add(
        "--crf-correction",
        action="store_true",
        help="fit the test image's tones to the reference before the PU21 metrics",
    )
    add("--json", action="store_true", help="print one JSON object instead")
    add("--map", metavar="PNG", help="the visibility map, default <test>_visibility.png here")
    add("--no-map", action="store_true", help="write no visibility map")


def _data(subparsers) -> None:
    """Data sets: check and preview."""
    parser = _command(
        subparsers,
        "data",
        "inspect a folder before a long build, or look at a data set",
        "Inspects data sets of exposure stacks with radiance maps.",
        DATA,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="check|preview")
    check = _command(actions, "check", "inspect a folder of files", None, DATA)
    check.add_argument("folder", metavar="DIR", help="manual directory of the data set")
    check.add_argument("--as", dest="name", required=True, metavar="NAME", help="such as vds")
    check.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="builder argument, such as ev=2 or align=True; may be repeated",
    )
    preview = _command(actions, "preview", "write a contact sheet (PNG)", None, DATA)
    preview.add_argument("name", metavar="NAME", help="data set, such as vds or vds/256")
    preview.add_argument("--split", help="train, val or test; by default the first there is")
    preview.add_argument("--scenes", type=int, default=8, help="rows of the sheet, default 8")
    preview.add_argument("--data-dir", help="prepared data sets; TFDS's own folder by default")
    preview.add_argument("--manual-dir", help="the files that the data set is made from")
    preview.add_argument("-o", "--output", metavar="PNG", help="default <name>.png here")


def _checkpoint(subparsers) -> None:
    text = "Say what the checkpoints of a run are, and whether they are whole."
    command = _command(subparsers, "checkpoint", "are checkpoints whole?", text, CHECKPOINT)
    command.add_argument("directory", help="a run's work directory, or a folder of checkpoints")


def _import(subparsers) -> None:
    """The authors' weights."""
    parser = _command(
        subparsers,
        "import",
        "turn the released PyTorch weights into a checkpoint",
        "Reads the released program's six files and writes an Orbax checkpoint.",
        IMPORT,
    )
    add = parser.add_argument
    add("directory", metavar="DIR", help="folder with the six .ckpt files")
    add("--step", default="80000", help="prefix of their names, default 80000")
    add("-o", "--output", metavar="CKPT", required=True, help="folder of the new checkpoint")
