"""The parser of `hdr-jax view`."""

from hdr_jax.cli.parsers._command import command

EXAMPLES = """examples:
  hdr-jax view bridge.exr                          writes bridge.html here
  hdr-jax view result.exr truth.exr -o compare.html
  hdr-jax view result.exr truth.exr --visibility   with what HDR-VDP-2 says people see
  hdr-jax view panorama.hdr --size 6000            every pixel of it

The page is one file that needs no server and no network: open it in a browser. It keeps as many
bits of each value as fit in 3 MB a megapixel: 0.05 to 1.6 %. --bits 10 keeps half floats whole."""


def add_view(subparsers) -> None:
    """A page to look at one radiance map, or to compare two."""
    parser = command(
        subparsers,
        "view",
        "a page to look at one radiance map, or to compare two",
        "Writes an HTML page: exposure, tone maps, the values of every pixel.",
        EXAMPLES,
    )
    add = parser.add_argument
    add("maps", nargs="+", metavar="MAP", help="one or two: .exr, .hdr or a JPEG with a gain map")
    add("-o", "--output", metavar="HTML", help="default named after the first map")
    add(
        "--size",
        type=int,
        default=2048,
        metavar="PIXELS",
        help="longer side in the page, larger maps are averaged; default 2048",
    )
    add(
        "--bits", type=int, metavar="N", help="of mantissa, 5 to 10; default what fits in 3 MB a MP"
    )
    add("--visibility", action="store_true", help="of two maps: where the difference is seen")
    add("--protocol", help="of --visibility, as for hdr-jax score; default singlehdr")
