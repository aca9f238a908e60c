"""Pictures for people: nothing on a page covers anything else."""

import itertools

import numpy as np
import pytest

from hdr_jax.runs import figures

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("num_exposures", [2, 3, 4, 5, 7, 9])
def test_no_plot_of_a_panel_covers_another(num_exposures, monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(figures, "save", lambda figure, path: drawn.append(figure))
    stack = RNG.random((num_exposures, 12, 16, 3))
    radiance, g = RNG.random((12, 16, 3)) + 0.1, np.sort(RNG.normal(size=(3, 32)))
    outputs = {"stack": stack, "radiance": radiance, "g": g, "true_radiance": radiance, "true_g": g}
    figures.panel(tmp_path / "x.png", "x", outputs, stack, np.arange(num_exposures) - 1.0, {"a": 1})
    axes = [axis for axis in drawn[0].axes if axis.has_data()]
    # Pictures, two maps, the error with its scale, the curves.
    assert len(axes) == 2 * num_exposures + 1 + 5
    for one, other in itertools.combinations([axis.get_position() for axis in axes], 2):
        assert not one.shrunk(0.99, 0.99).overlaps(other.shrunk(0.99, 0.99))


def test_names_are_shown_as_they_are(monkeypatch, tmp_path):
    """Neither as mathematics nor, beginning with "_", not at all."""
    drawn = []
    monkeypatch.setattr(figures, "save", lambda figure, path: drawn.append(figure))
    g = np.sort(RNG.normal(size=(3, 32)))
    names = ["_DSC0001", "a$_$b", "plain"]
    figures.response_curves(tmp_path / "g.png", dict.fromkeys(names, g))
    figures.response_curves(tmp_path / "g.png", {f"_{k}": g for k in range(9)})
    shown = [[text.get_text() for text in x.axes[0].get_legend().get_texts()] for x in drawn]
    assert shown == [names, [f"_{k}" for k in range(9)]]
    stack, radiance = RNG.random((3, 12, 16, 3)), RNG.random((12, 16, 3)) + 0.1
    outputs = {"stack": stack, "radiance": radiance, "g": g, "true_radiance": radiance, "true_g": g}
    figures.panel(tmp_path / "x.png", "a$_$b", outputs, stack, np.arange(3) - 1.0, {"a": 1})
    for figure in drawn:
        figure.canvas.draw()
