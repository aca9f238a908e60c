"""To look at and to compare what there is: `info`, `plot`, `score`."""

from hdr_jax.cli.parsers._command import command

INFO = """examples:
  hdr-jax info IMG_1.jpg bridge.exr
  hdr-jax info *.jpg --json"""

PLOT = """examples:
  hdr-jax plot canon.csv nikon.csv -o cameras.png   response curves in one plot
  hdr-jax plot bridge.exr                           luminance in stops, bridge_stops.png here"""

SCORE = """example:
  hdr-jax score reconstructed.hdr truth.hdr --protocol display --peak 1000

The visibility map is gray where nobody sees a difference, then blue (25 %), green (50 %),
yellow (75 %) and red (everybody sees it)."""


def add_info(subparsers) -> None:
    """What files are."""
    parser = command(
        subparsers,
        "info",
        "what a photograph or a radiance map is",
        "Says format, size, exposure, primaries, unit, stops and gain map of files.",
        INFO,
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="photographs and radiance maps")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def add_plot(subparsers) -> None:
    """Pictures of curves and maps."""
    parser = command(
        subparsers,
        "plot",
        "pictures of response curves or of a radiance map",
        "Draws response curves together, or the luminance of a radiance map in stops.",
        PLOT,
    )
    add = parser.add_argument
    add(
        "files", nargs="+", metavar="FILE", help="response curves (.csv, .npy), or one radiance map"
    )
    add("-o", "--output", metavar="PNG", help="default named after the first file")


def add_score(subparsers) -> None:
    """Quality of a radiance map."""
    parser = command(
        subparsers,
        "score",
        "quality of a radiance map against a reference",
        "HDR-VDP-2, PU21 and tone-mapped metrics of a radiance map.",
        SCORE,
    )
    add = parser.add_argument
    add("test", help="radiance map to judge, .hdr, .exr or a JPEG with a gain map")
    add("reference", help="radiance map it should equal, same size")
    add(
        "--protocol",
        default="singlehdr",
        help="how relative values become cd/m^2: singlehdr (default), display or absolute",
    )
    add(
        "--peak",
        type=float,
        help="white of the display protocol, up to 10000 cd/m^2, default 1000",
    )
    add("--pixels-per-degree", type=float, default=30.0, help="of visual angle, default 30")
    add(
        "--crf-correction",
        action="store_true",
        help="fit the test image's tones to the reference before the PU21 metrics",
    )
    add("--json", action="store_true", help="print one JSON object instead")
    add("--map", metavar="PNG", help="the visibility map, default <test>_visibility.png here")
    add("--no-map", action="store_true", help="write no visibility map")
