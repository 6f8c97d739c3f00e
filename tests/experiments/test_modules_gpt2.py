import numpy as np
import pytest

from lmi.activations import LanguageModel
from lmi.experiments.modules_gpt2 import ModulesGPT2
from lmi.types import Context


@pytest.mark.slow
def test_curves_fall_with_noise_and_found_modules_share_less_than_random_ones() -> None:
    result = ModulesGPT2(LanguageModel("tiny"), num_modules=3, tokens=4, noise=(0.03, 0.3), depths=(3,)).run(
        Context(seed=0)
    )
    curve = result.arrays["h.3.mlp curve_nats"]
    assert np.all(np.diff(curve) < 0)
    assert curve.min() > 0
    rows = result.tables["I(sigma) of each block"]
    assert [row["block"] for row in rows] == ["h.3.mlp"] * 2
    assert all(row["I (bits)"] < row["random modules (bits)"] for row in rows)
    assert set(result.figures) == set(result.captions)
