"""OpenEXR pictures: one layer, as its display window shows it, in the primaries of Rec.709."""

import pathlib

import numpy as np
import OpenEXR

from hdr_jax.images._paths import Unsupported, check_size, warn
from hdr_jax.images._primaries import REC709, XYZ, in_rec709, to_xyz

# Channels that make colours, in order of preference.
KINDS = (("R", "G", "B"), ("Y", "RY", "BY"), ("X", "Y", "Z"), ("Y",))
# Last part of the name of the layer that holds the whole picture, in the programs that name it.
BEAUTY = ("beauty", "combined", "rgba", "rgb", "color", "colour", "main", "final")
MOST_SAMPLES = 2**31  # of all channels; all of them are decoded

Layer = tuple[int, str]  # index of the part, and the prefix of the channels' names


def read(path: pathlib.Path, layer: str | None = None) -> np.ndarray:
    """The light of one layer of an OpenEXR picture.

    Args:
      path: of the file.
      layer: its name, as errors list them; None takes the channels without a prefix, else the
        only layer with colours, else the one that is named as the whole picture.

    Returns:
      float32 [h, w, 3] of the display window, 0 where the data window does not reach.

    Raises:
      Unsupported: without such a layer, for deep data, or a size beyond all bounds.
      ValueError: if the file is damaged.
    """
    with OpenEXR.File(str(path), header_only=True) as file:
        for part in file.parts:
            _check(path, part.header)
        promised = sum(len(part.header["channels"]) for part in file.parts)
    with OpenEXR.File(str(path), separate_channels=True) as file:
        # OpenEXR prints what went wrong, and goes on without.
        if sum(len(part.channels) for part in file.parts) < promised:
            raise ValueError("its pixels cannot be decoded")
        layers = _layers(file.parts)
        chosen = _chosen(path, layers, layer)
        header, channels = file.parts[chosen[0]].header, layers[chosen]
        colours = _colours(_kind(channels) or (), channels, header)
        if "A" in channels and np.min(channels["A"].pixels) < 1:
            warn(path, "has transparent pixels: their light is what they add to a black background")
        return _displayed(path, colours, header)


def _check(path: pathlib.Path, header: dict) -> None:
    """Raises for what is too large to be read, or of another kind."""
    if "deep" in str(header["type"]):
        raise Unsupported("holds deep data (several samples a pixel); flatten it first")
    for window in ("dataWindow", "displayWindow"):
        (left, top), (right, bottom) = (end.astype(np.int64) for end in header[window])
        width, height = right - left + 1, bottom - top + 1
        check_size(width, height)
        channels = len(header["channels"])
        if width * height * channels > MOST_SAMPLES:
            raise Unsupported(f"has {channels} channels of {width} x {height} pixels, too many")
    if abs(header.get("pixelAspectRatio", 1) - 1) > 1e-3:
        warn(
            path,
            f"has pixels {header['pixelAspectRatio']:.3g} times as wide as high, read as square",
        )


def _layers(parts) -> dict[Layer, dict]:
    """The channels of every layer with colours by the last part of their names, upper case."""
    layers: dict[Layer, dict] = {}
    for index, part in enumerate(parts):
        for name, channel in part.channels.items():
            prefix, _, last = name.rpartition(".")
            layers.setdefault((index, prefix), {})[last.upper()] = channel
    coloured = {
        layer: channels
        for layer, channels in layers.items()
        if _kind(channels) and not (layer[1] and "X" in channels)  # normals, positions, motion
    }
    if not coloured:
        names = [name for part in parts for name in part.channels]
        raise Unsupported(
            f"has the channels {', '.join(sorted(names)) or 'none'} but not Y or R, G and B; "
            "expected colours"
        )
    if len(parts) > 1:  # of several parts, the part's name is a layer's name too
        named = ((index, _full_name(parts[index], prefix)) for index, prefix in coloured)
        return dict(zip(named, coloured.values(), strict=True))
    return coloured


def _kind(channels: dict) -> tuple[str, ...] | None:
    """The channels that make the colours of a layer."""
    return next((kind for kind in KINDS if set(kind) <= set(channels)), None)


def _full_name(part, prefix: str) -> str:
    """The name of a layer of one of several parts."""
    name = part.header.get("name", "")
    return ".".join(dict.fromkeys(word for word in (name, prefix) if word))


def _chosen(path: pathlib.Path, layers: dict[Layer, dict], wanted: str | None) -> Layer:
    """The layer that is to be read."""
    names = ", ".join(name or "(no name)" for _, name in layers)
    if wanted is not None:
        found = [layer for layer in layers if layer[1] == wanted]
        if not found:
            raise Unsupported(f"has no layer {wanted!r}; it has {names}")
        return found[0]
    unnamed = [layer for layer in layers if not layer[1]]
    beauty = [layer for layer in layers if layer[1].lower().split(".")[-1] in BEAUTY]
    colours = [layer for layer, channels in layers.items() if set(KINDS[0]) <= set(channels)]
    for candidates in (unnamed, beauty, colours, list(layers)):
        if len(candidates) == 1:
            if candidates is not unnamed and len(layers) > 1:
                warn(path, f"has the layers {names}, of which {candidates[0][1]} is read")
            return candidates[0]
    raise Unsupported(
        f"has several layers ({names}), and none is named as the whole picture. Choose one by "
        "read_hdr(path, layer=...), or save it to a file of its own"
    )


def _colours(kind: tuple[str, ...], channels: dict, header: dict) -> np.ndarray:
    """float32 [h, w, 3] of the data window, Rec.709."""
    (left, top), (right, bottom) = header["dataWindow"]
    shape = (int(bottom - top) + 1, int(right - left) + 1)
    planes = [_full_size(channels[name], shape, (int(top), int(left))) for name in kind]
    chromaticities = header.get("chromaticities")
    if kind == ("Y",):
        return np.repeat(planes[0][..., None], 3, axis=2)
    if kind == ("X", "Y", "Z"):
        chromaticities = XYZ
    if kind == ("Y", "RY", "BY"):
        weights = to_xyz(chromaticities or REC709)[1].astype(np.float32)
        luminance, red, blue = planes[0], (planes[1] + 1) * planes[0], (planes[2] + 1) * planes[0]
        green = (luminance - weights[0] * red - weights[2] * blue) / weights[1]
        planes = [red, green, blue]
    return in_rec709(np.stack(planes, axis=-1), chromaticities)


def _full_size(channel, shape: tuple[int, int], origin: tuple[int, int]) -> np.ndarray:
    """A channel float32 [h, w], interpolated where it has a sample at every second pixel only."""
    plane = np.asarray(channel.pixels, np.float32)
    for axis, step in enumerate((channel.ySampling, channel.xSampling)):
        if step > 1:  # samples lie where the coordinate is a multiple of the step
            places = (np.arange(shape[axis]) + origin[axis] % step) / step
            first = np.minimum(places.astype(int), plane.shape[axis] - 1)
            second = np.minimum(first + 1, plane.shape[axis] - 1)
            share = (places - first).astype(np.float32).clip(0, 1)
            share = share[:, None] if axis == 0 else share
            plane = plane.take(first, axis) * (1 - share) + plane.take(second, axis) * share
    if plane.shape != shape:
        raise ValueError(f"a channel has {plane.shape} samples for {shape} pixels")
    return plane


def _displayed(path: pathlib.Path, colours: np.ndarray, header: dict) -> np.ndarray:
    """What the display window shows of the data window."""
    (left, top), (right, bottom) = (end.astype(int) for end in header["displayWindow"])
    x, y = header["dataWindow"][0].astype(int) - (left, top)
    height, width = bottom - top + 1, right - left + 1
    if (x, y) == (0, 0) and colours.shape[:2] == (height, width):
        return colours
    shown = np.zeros((height, width, 3), np.float32)
    rows = slice(max(y, 0), min(y + colours.shape[0], height))
    columns = slice(max(x, 0), min(x + colours.shape[1], width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        raise Unsupported("has its data outside of the display window: nothing is to be seen")
    inside = np.s_[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
    shown[rows, columns] = colours[inside]
    if (rows.stop - rows.start) * (columns.stop - columns.start) < height * width:
        warn(path, "has data for a part of its display window; the rest is read as 0")
    return shown
