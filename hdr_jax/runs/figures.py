"""Pictures for people: exposure grids, evaluation panels, response curves.

Images are NumPy arrays [h, w, 3], float in [0, 1]; functions return such an image or write a PNG.
"""

import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jax.typing import ArrayLike

from hdr_jax import color, tonemap
from hdr_jax.errors import InputError, extra
from hdr_jax.files import replacing
from hdr_jax.images import OWN_SOFTWARE

with extra("photographs"):
    # Not pyplot, which is for windows, and takes as long to import as all of this.
    from matplotlib import colormaps
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

CHANNEL_COLOURS = ("tab:red", "tab:green", "tab:blue")
LINE_STYLES = ("-", ":", "--", "-.")
GAP = 2  # pixels between tiles


def tile(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Pictures of one size set side by side, rows below each other, on white.

    Args:
      rows: of [h, w, 3] pictures in [0, 1]; all rows equally long.

    Returns:
      [H, W, 3] float32.

    Example:
      >>> tile([[np.zeros((2, 3, 3))] * 2]).shape
      (6, 12, 3)
    """
    framed = [
        np.concatenate(
            [np.pad(x, ((GAP, GAP), (GAP, 0), (0, 0)), constant_values=1) for x in row], axis=1
        )
        for row in rows
    ]
    whole = np.concatenate(framed, axis=0)
    return np.pad(whole, ((0, 0), (0, GAP), (0, 0)), constant_values=1).astype(np.float32)


def stack_grid(scenes: Iterable[tuple[Mapping[str, np.ndarray], np.ndarray]]) -> np.ndarray:
    """For each scene the generated exposures over the true ones, with both maps tone-mapped.

    Args:
      scenes: (outputs of `hdr_jax.training.eval_step` as NumPy arrays, true stack [n, h, w, 3]
        float in [0, 1]), without batch axis.

    Returns:
      [H, W, 3] float32 in [0, 1], two rows a scene and n + 1 columns.
    """
    rows = []
    for outputs, true in scenes:
        for stack, radiance in (
            (outputs["stack"], outputs["radiance"]),
            (true, outputs["true_radiance"]),
        ):
            rows.append([*stack, np.asarray(tonemap.reinhard(radiance))])
    return tile(rows)


def shown(score: float | None, digits: int = 3) -> str:
    """A score as text.

    Args:
      score: None where it is not finite, as the PSNR of equal pictures is not, or one of NaN.
      digits: behind the point.

    Returns:
      Text.

    Example:
      >>> shown(31.4159, 2), shown(None)
      ('31.42', 'not finite')
    """
    return "not finite" if score is None else f"{score:.{digits}f}"


def panel(
    path: str | pathlib.Path,
    name: str,
    outputs: Mapping[str, np.ndarray],
    true_stack: np.ndarray,
    ev_offset: np.ndarray,
    scores: Mapping[str, float | None],
) -> None:
    """The page of one evaluated scene, as a PNG.

    Shows the input; the generated stack over the true one; both maps tone-mapped; the recovered g
    over that of the true stack; and the error of the radiance map in stops.

    Args:
      path: of the PNG.
      name: of the scene.
      outputs: of `eval_step` for this scene alone (no batch axis).
      true_stack: [n, h, w, 3] float in [0, 1].
      ev_offset: [n] stops.
      scores: by name, for the title; None where one is not finite.
    """
    n, height, width = true_stack.shape[:3]
    columns = max(n + 1, 5)  # the last row: three pictures, and the curves as wide as two
    side = 1.9
    figure = Figure(figsize=(side * columns, side * 3 * height / width + 1.3))
    axes = figure.subplots(3, columns, squeeze=False)
    for axis in axes.ravel():
        axis.axis("off")
    _show(axes[0, 0], true_stack[np.argmin(np.abs(ev_offset))], "input")
    for j in range(n):
        _show(axes[0, j + 1], outputs["stack"][j], f"generated {ev_offset[j]:+g} EV")
        _show(axes[1, j + 1], true_stack[j], f"true {ev_offset[j]:+g} EV")
    _show(axes[2, 0], tonemap.reinhard(outputs["radiance"]), "result (Reinhard)")
    _show(axes[2, 1], tonemap.reinhard(outputs["true_radiance"]), "truth (Reinhard)")
    error = np.log2(outputs["radiance"]) - np.log2(outputs["true_radiance"])
    error = np.mean(error - np.median(error), axis=-1)
    drawn = axes[2, 2].imshow(error, cmap="RdBu_r", vmin=-3, vmax=3)
    axes[2, 2].set_title("error, stops", fontsize=8)
    figure.colorbar(drawn, ax=axes[2, 2], fraction=0.05)
    curves = figure.add_subplot(axes[2, 0].get_gridspec()[2, -2:])
    lines = [_draw_curves(curves, outputs["g"], "-"), _draw_curves(curves, outputs["true_g"], ":")]
    curves.legend(lines, ["generated", "true"], fontsize=7)
    title = "   ".join(f"{key} {shown(value, 2)}" for key, value in scores.items())
    figure.suptitle(f"{name}\n{title}", fontsize=9, parse_math=False)
    # Not tight_layout, which takes as long as all the drawing.
    figure.subplots_adjust(0.01, 0.08, 0.99, 0.85, wspace=0.08, hspace=0.2)
    save(figure, path)


def response_curves(path: str | pathlib.Path, curves: Mapping[str, np.ndarray]) -> None:
    """Plots log inverse responses of several cameras together.

    Args:
      path: of the PNG.
      curves: {label: g [c, num_levels]}.
    """
    figure = Figure(figsize=(6, 5))
    axis = figure.subplots()
    if len(curves) <= len(LINE_STYLES):
        looks = [(style, None) for style in LINE_STYLES[: len(curves)]]
    else:  # too many line styles to tell apart: a colour for each camera instead
        looks = [("-", colour) for colour in colormaps["turbo"](np.linspace(0, 1, len(curves)))]
    lines = [
        _draw_curves(axis, np.atleast_2d(g), *look)
        for g, look in zip(curves.values(), looks, strict=True)
    ]
    # Labels as they are: no hidden ones that begin with "_", no mathematics between dollars.
    for text in axis.legend(lines, list(curves), fontsize=8).get_texts():
        text.set_parse_math(False)
    save(figure, path)


def false_colour(path: str | pathlib.Path, radiance: np.ndarray) -> float:
    """Luminance of a radiance map in stops, as colours with a scale beside them.

    Args:
      path: of the PNG.
      radiance: [h, w, 3] linear, relative. What is not positive is drawn like the darkest pixel.

    Returns:
      The luminance at 0 stops, the median of the positive ones.

    Raises:
      InputError: if no luminance is positive.
    """
    luminance = np.asarray(color.luminance(radiance), np.float64)
    positive = luminance[luminance > 0]
    if not positive.size:
        raise InputError("the radiance map has no positive luminance; nothing to draw in stops")
    median = float(np.median(positive))
    stops = np.log2(np.maximum(luminance, positive.min()) / median)
    height, width = stops.shape
    size = 9 * np.array([width, height]) / max(width, height) + (1.5, 0.5)
    figure = Figure(figsize=np.maximum(size, 2.5), layout="constrained")
    axis = figure.subplots()
    # A ten-thousandth of the pixels, hot or dead ones, does not decide on the colours.
    low, high = np.quantile(stops, (1e-4, 1 - 1e-4))
    drawn = axis.imshow(stops, cmap="turbo", vmin=low, vmax=max(high, low + 1e-3))
    axis.axis("off")
    figure.colorbar(drawn, ax=axis, label="stops from the median luminance", fraction=0.05)
    save(figure, path)
    return median


def save(figure: Figure, path: str | pathlib.Path) -> None:
    """Writes a figure as PNG under a temporary name and renames it.

    Args:
      figure: of matplotlib.
      path: ends in .png.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        # So that nobody takes it for a photograph.
        figure.savefig(temporary, format="png", dpi=100, metadata={"Software": OWN_SOFTWARE})


def _draw_curves(axis: Axes, g: np.ndarray, style: str, colour=None) -> Line2D:
    """g [c, num_levels] over the level, a line for each channel, in its colour if none is given.

    Returns the line of the channel in the middle.
    """
    channels = CHANNEL_COLOURS if len(g) == 3 else ("black",) * len(g)
    position = np.linspace(0, 255, g.shape[-1])
    lines = [
        axis.plot(position, curve, style, color=channel if colour is None else colour)[0]
        for curve, channel in zip(g, channels, strict=True)
    ]
    axis.set_xlabel("level of 255")
    axis.set_ylabel("g, ln exposure")
    return lines[len(g) // 2]


def _show(axis: Axes, picture: ArrayLike, title: str) -> None:
    """A picture [h, w, 3] in [0, 1] with a small title."""
    axis.imshow(np.clip(np.asarray(picture), 0, 1), interpolation="nearest")
    axis.set_title(title, fontsize=8)
