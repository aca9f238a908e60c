"""Photographs to radiance maps: `merge`, `reconstruct`."""

from hdr_jax.cli.parsers._command import command

METHODS = ("debevec", "mitsunaga-nayar")
PICTURES_FIRST = "the pictures go first: hdr-jax merge a.jpg b.jpg --times 1/60 1/15"

FORMATS = ("exr", "hdr", "jpg", "avif")
PEAK_HELP = (
    "of .jpg and .avif: light above white that HDR screens get, default 4 stops (16 x white)"
)

MERGE = """examples:
  hdr-jax merge holiday/bridge                     a folder; writes bridge.exr here
  hdr-jax merge IMG_1.jpg IMG_2.jpg IMG_3.jpg -o bridge.hdr
  hdr-jax merge a.png b.png c.png --times 1/250 1/60 1/15
  hdr-jax merge hand_held/ --align --deghost -o square.exr
  hdr-jax merge tripod/ --crf-only -o canon.csv    the response alone, and later
  hdr-jax merge other/ --response canon.csv
  hdr-jax merge bridge/ -o bridge.jpg              for HDR screens and all others
  hdr-jax merge *.jpg --split -o maps              several brackets at once

Exposure times come from --times or --ev, else from exposures.csv beside the pictures (a first line
file,exposure_time_s), else from EXIF. Beside bridge.exr you find bridge_preview.jpg, tone-mapped,
and the response as bridge_response.csv and bridge_response.png."""

RECONSTRUCT = """examples:
  hdr-jax reconstruct holiday.jpg                      writes holiday.exr and its preview here
  hdr-jax reconstruct *.jpg -o out --stack --ev-range -7 3
  hdr-jax reconstruct scan.png --response linear       the camera is known: srgb, linear or a file
  hdr-jax reconstruct holiday.jpg -o holiday_hdr.jpg   itself, brighter where a screen can
  hdr-jax reconstruct holiday.jpg --checkpoint runs/mine

The model that comes with the program predicts what clipped pixels held; every other pixel stays the
photograph's own. Photographs are turned upright (EXIF) and converted to sRGB (ICC profile, EXIF).
Beside holiday.exr you find holiday_preview.jpg, tone-mapped. With --stack the exposures lie in
holiday_stack with an exposures.csv, as hdr-jax merge reads it."""


def add_merge(subparsers) -> None:
    """Photographs to a radiance map."""
    parser = command(
        subparsers,
        "merge",
        "bracketed photographs to a radiance map",
        "Recovers the camera's response from bracketed photographs and merges them.",
        MERGE,
    )
    add = parser.add_argument
    add("pictures", nargs="+", metavar="IMG", help="photographs, or one folder")
    add(
        "-o",
        "--output",
        metavar="FILE",
        help="radiance map, .exr or .hdr; picture for HDR screens, .jpg or .avif; with --crf-only "
        ".csv; with --split a folder",
    )
    add("--format", choices=FORMATS, help="of the map where -o names none, default exr")
    add("--peak", type=float, metavar="STOPS", help=PEAK_HELP)
    add("--split", action="store_true", help="several brackets, told apart by time and exposure")
    add("--times", nargs="+", metavar="S", help="exposure times in seconds, such as 1/60, in order")
    add("--ev", nargs="+", metavar="STOPS", help="instead: stops, +1 is twice the exposure")
    add("--method", choices=METHODS, help="how the response is recovered, default debevec")
    add("--smoothness", type=float, help="of Debevec's curve, default 20")
    add("--response", metavar="R", help="do not recover it: srgb, linear, or a .csv or .npy file")
    add("--align", action="store_true", help="register hand-held pictures; crops to what all show")
    add("--deghost", action="store_true", help="keep what moves as the reference picture shows it")
    add("--reference", metavar="IMG", help="file name, default the best exposed picture")
    add("--crf-only", action="store_true", help="write the response and no radiance map")
    add("--preview", metavar="FILE", help="tone-mapped picture, default <output>_preview.jpg")
    add(
        "--curve",
        metavar="FILE",
        help="response, .csv or .npy, default <output>_response.csv; its plot beside it as .png",
    )
    add("--no-preview", action="store_true", help="write no preview")
    add("--no-curve", action="store_true", help="write no response and no plot of it")
    add("--json", action="store_true", help="print one JSON object instead")
    error = parser.error
    parser.error = lambda text: error(f"{text}; {PICTURES_FIRST}" if "IMG" in text else text)


def add_reconstruct(subparsers) -> None:
    """One photograph to a radiance map."""
    parser = command(
        subparsers,
        "reconstruct",
        "turn single photographs into radiance maps",
        "Predicts the light that a photograph's clipped pixels held.",
        RECONSTRUCT,
    )
    add = parser.add_argument
    add("photos", nargs="+", metavar="PHOTO", help="JPEG, PNG, TIFF, WebP, BMP or raw, any size")
    add(
        "-o",
        "--output",
        metavar="DIR",
        default=".",
        help="folder for the results, default here; of one photograph also the name of its map",
    )
    add("--checkpoint", metavar="DIR", help="another model: a run's work directory or a checkpoint")
    add("--step", type=int, help="which checkpoint, the newest by default")
    add("--format", choices=FORMATS, help="of the map, default exr")
    add("--peak", type=float, metavar="STOPS", help=PEAK_HELP)
    add("--json", action="store_true", help="print one JSON object instead")
    add("--stack", action="store_true", help="write the generated exposures too")
    add("--response", metavar="R", help="the camera's, if known: srgb, linear, .csv or .npy file")
    add(
        "--ev-range",
        nargs=2,
        type=int,
        metavar=("LOW", "HIGH"),
        help="whole stops of --stack, default -3 3",
    )
    stack = parser.add_argument_group("for networks that paint every exposure (--checkpoint)")
    add = stack.add_argument
    add(
        "--reference",
        type=int,
        metavar="INDEX",
        help="which exposure of the stack the photograph is, 0 the darkest; default the middle",
    )
    add("--ev-step", type=float, help="stops between exposures, default 1")
    add("--tile", type=int, help="largest picture given to the networks, default 512")
    add("--overlap", type=int, help="of the tiles, default 64 pixels")
    add(
        "--released",
        action="store_true",
        default=None,
        help="edges as the authors' program finds them; by default as the checkpoint says",
    )
