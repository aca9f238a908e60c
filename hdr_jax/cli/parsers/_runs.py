"""Data sets and models: `data`, `import`, `checkpoint`."""

from hdr_jax.cli.parsers._command import command

DATA = """examples:
  hdr-jax data check /data/VDS --as vds
  hdr-jax data check holiday/ --as bracketed_photos --option ev=2
  hdr-jax data prepare radiance_maps/256 --manual-dir /data/hdri --data-dir data --processes 8
  hdr-jax data preview vds --manual-dir /data/VDS -o vds.png
  hdr-jax data preview synthetic_stacks/128 --split val

`check` reads every file once, names every bad scene and leaves with exit code 2 if there is one;
nothing is written. `prepare` goes on where it was stopped; the files are the same whatever the
number of processes. `preview` prepares the data set first where it is not yet."""

IMPORT = """example:
  hdr-jax import weights/ --step 80000 -o runs/released

DIR holds 80000-gu.ckpt, 80000-gd.ckpt, 80000-su.ckpt, 80000-sd.ckpt, 80000-cbu.ckpt and
80000-cbd.ckpt. PyTorch is not needed, and no code of the files is run."""

CHECKPOINT = """example:
  hdr-jax checkpoint runs/mine

Every file is read through; nothing is changed. Exit code 2 says that a checkpoint is damaged."""


def add_data(subparsers) -> None:
    """Data sets: check, prepare and preview."""
    parser = command(
        subparsers,
        "data",
        "inspect a folder, make a data set of it, or look at one",
        "Inspects and prepares data sets of exposure stacks with radiance maps.",
        DATA,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="check|prepare|preview")
    check = command(actions, "check", "inspect a folder of files", None, DATA)
    check.add_argument("folder", metavar="DIR", help="manual directory of the data set")
    check.add_argument("--as", dest="name", required=True, metavar="NAME", help="such as vds")
    prepare = command(actions, "prepare", "prepare a data set, or the rest of it", None, DATA)
    prepare.add_argument("--processes", type=int, default=1, help="that share the work, default 1")
    preview = command(actions, "preview", "write a contact sheet (PNG)", None, DATA)
    preview.add_argument("--split", help="train, val or test; by default the first there is")
    preview.add_argument("--scenes", type=int, default=8, help="rows of the sheet, default 8")
    for action in (prepare, preview):
        action.add_argument("name", metavar="NAME", help="data set, such as vds or vds/256")
        action.add_argument("--data-dir", help="prepared data sets; TFDS's own folder by default")
        action.add_argument("--manual-dir", help="the files that the data set is made from")
    for action in (check, prepare):
        action.add_argument(
            "--option",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="builder argument, such as ev=2 or align=True; may be repeated",
        )
    preview.add_argument("-o", "--output", metavar="PNG", help="default <name>.png here")


def add_import(subparsers) -> None:
    """The authors' weights."""
    parser = command(
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


def add_checkpoint(subparsers) -> None:
    """Are checkpoints whole?"""
    text = "Say what the checkpoints of a run are, and whether they are whole."
    parser = command(subparsers, "checkpoint", "are checkpoints whole?", text, CHECKPOINT)
    parser.add_argument("directory", help="a run's work directory, or a folder of checkpoints")
