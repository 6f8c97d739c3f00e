"""The look of figures: exported, told apart by every kind of colour vision, vectors with text."""

import numpy as np
import pytest
from matplotlib import rc_context, rcParams
from matplotlib.colors import to_rgb

from lmi.report import style
from lmi.run import run


def test_use_puts_the_look_on_figures_of_ones_own():
    with rc_context():
        style.use()
        assert rcParams["axes.prop_cycle"].by_key()["color"] == list(style.PALETTE)
        assert rcParams["pdf.fonttype"] == 42


def seen(color, kind):
    """A colour in CIELAB as a dichromat sees it (Machado, Oliveira and Fernandes 2009, severity 1)."""
    matrices = {
        "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    }
    srgb = np.array(to_rgb(color))
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(matrices[kind]) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = to_xyz @ linear / np.array([0.9505, 1, 1.089])
    x, y, z = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("kind", ["protan", "deutan", "tritan"])
def test_colours_stay_apart(kind):
    colors = [seen(color, kind) for color in style.PALETTE[:5]]
    distances = [np.linalg.norm(a - b) for i, a in enumerate(colors) for b in colors[:i]]
    assert min(distances) > 15  # the palette before this one: 4


def test_vectors_are_written_beside_the_png(tmp_path):
    figure = style.new_figure()
    figure.add_subplot().plot([0, 1], label="words")
    style.save_vectors({"a": figure}, tmp_path, "png")
    assert not list(tmp_path.iterdir())
    style.save_vectors({"a": figure}, tmp_path, "pdf")
    style.save_vectors({"a": figure}, tmp_path, "svg")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF") and "<text" in (tmp_path / "a.svg").read_text()


def test_kinds_that_nothing_writes_are_refused_before_anything_runs(tmp_path):
    values = {"experiment": {}, "logger": {}, "progress": False, "name": "a", "seed": 0, "figures": "gif"}
    with pytest.raises(ValueError, match="figures=gif: expected one of png, pdf, svg"):
        run(values, tmp_path)
    assert not list(tmp_path.iterdir())
