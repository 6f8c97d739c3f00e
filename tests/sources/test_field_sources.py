"""The truths of the sources of ``field``, each by a second way."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, vonmises

from lmi.estimators.gaussian.debiased import closed_form
from lmi.experiments.benchmarks.accuracy.field import FAMILIES, field_cases
from lmi.sources.integrals import mean_of_draws, normal_log_density
from lmi.sources.nonlinear.edges import Edges
from lmi.sources.nonlinear.labels import LabelsAndTables
from lmi.sources.nonlinear.odd_marginals import MARGINALS, OddMarginals
from lmi.sources.nonlinear.one_column import OneColumn, shape
from lmi.sources.nonlinear.products import ProductsAndSigns
from lmi.sources.nonlinear.shared_latent import SharedLatent
from lmi.sources.normal.coarse_normal import LEVELS, CoarseNormal
from lmi.sources.normal.faint_linear import FaintLinear
from lmi.sources.normal.present_columns import PresentColumns
from lmi.sources.normal.pushforward import residual_network
from lmi.sources.pictures.digit_pairs import DigitPairs
from lmi.sources.series.rows_in_time import Autoregressive


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def table_information(cells):
    cells = np.asarray(cells)
    rest = np.outer(cells.sum(1), cells.sum(0))
    return float((cells[cells > 0] * np.log(cells[cells > 0] / rest[cells > 0])).sum())


def normal_cells(correlation, cuts):
    """Cells of a normal pair between cuts, by SciPy's distribution function."""
    ends = np.array([-9.0, *cuts, 9.0])
    cdf = multivariate_normal([0, 0], [[1, correlation], [correlation, 1]]).cdf
    corners = np.array([[cdf([a, b]) for b in ends] for a in ends])
    return np.diff(np.diff(corners, axis=0), axis=1)


def cell_information(x, y, bins=40):
    """Of a very large sample, in cells of equal counts: below the truth by what cells lose, plus their known bias."""

    def code(z):
        return torch.bucketize(z, torch.quantile(z[:100_000], torch.linspace(0, 1, bins + 1).double()[1:-1]))

    counts = torch.bincount(code(x) * bins + code(y), minlength=bins**2).reshape(bins, bins).double()
    return table_information(counts / counts.sum()) - (bins - 1) ** 2 / (2 * x.numel())


@pytest.mark.parametrize(("form", "noise", "lost"), [("wave", 0.3, 0.03), ("stairs", 0.15, 0.08), ("kink", 0.3, 0.03)])
def test_truth_of_one_column_by_cells_of_a_large_sample(form, noise, lost):
    source = OneColumn(form, 2, noise)
    pairs = source.sample(1_000_000, seeded())
    x, y = pairs.x[:, 0], pairs.y[:, 0]
    # Given y only f(x) matters; its own cells are steps or narrow.
    found = cell_information(shape(x, form) + 1e-6 * torch.randn(len(x), generator=seeded(1)), y, 100)
    assert source.truth - lost < found < source.truth + 0.01


def test_relu_truth_by_its_log_ratio_on_draws():
    rho = 0.7
    pairs = CoarseNormal("relu", 1, rho).sample(100_000, seeded())
    x, y = pairs.x[:, 0], pairs.y[:, 0]
    rest = 1 - rho**2
    zero = float(multivariate_normal([0, 0], [[1, rho], [rho, 1]]).cdf([0, 0]))
    one = lambda z: torch.log(torch.special.ndtr(-rho * z / rest**0.5) / 0.5)  # noqa: E731
    both = normal_log_density(y - rho * x, rest) - normal_log_density(y, 1.0)
    terms = torch.where((x > 0) & (y > 0), both, torch.where(x > 0, one(x), one(y)))
    terms[(x == 0) & (y == 0)] = math.log(zero / 0.25)
    assert abs(float(terms.mean()) - pairs.truth) < 4 * float(terms.std()) / 100_000**0.5


@pytest.mark.parametrize(("kind", "cuts"), [("levels", LEVELS), ("rounded", [i - 0.5 for i in range(-3, 5)])])
def test_cut_truths_by_scipys_cells(kind, cuts):
    source = CoarseNormal(kind, 2, 0.6, step=1.0)
    assert source.truth == pytest.approx(2 * table_information(normal_cells(0.6, cuts)), abs=2e-3)


def test_clipped_keeps_less_than_all_and_more_than_levels():
    fine = [round(-1 + 0.05 * i, 3) for i in range(41)]
    assert CoarseNormal("clipped", 1, 0.7).truth == pytest.approx(table_information(normal_cells(0.7, fine)), abs=6e-3)


@pytest.mark.parametrize(
    "source",
    [
        CoarseNormal("gelu", 1, 0.7),
        SharedLatent("volatility", 1, 1.0),
        Edges("normal_uniform", 1, 1.0),
        Edges("steps", 1, 0.5),
        Edges("angle", 1, 0.7),
        Edges("uniform", 1, 0.8),
        ProductsAndSigns("random_sign", 1, 1.0),
    ],
    ids=lambda source: f"{type(source).__name__}-{source.kind}",
)
def test_truths_of_lines_by_cells_of_a_large_sample(source):
    pairs = source.sample(1_000_000, seeded(1))
    coarse, fine = (cell_information(pairs.x[:, 0], pairs.y[:, 0], bins) for bins in (40, 80))
    assert coarse < pairs.truth + 0.006 and pairs.truth == pytest.approx(
        2 * fine - coarse, abs=0.02
    )  # edges lose 1 / bins


@pytest.mark.parametrize("kind", ["interaction", "product", "sign", "modular"])
def test_interactions_by_the_entropy_of_draws(kind):
    source = ProductsAndSigns(kind, 3, 0.5 if kind != "modular" else 0.1)
    pairs = source.sample(1_000_000, seeded(2))
    y = pairs.y[:, 0].numpy()
    counts, edges = np.histogram(y, 200)
    p = counts / counts.sum()
    entropy = -float((p[p > 0] * np.log(p[p > 0] / np.diff(edges)[p > 0])).sum())
    noise_entropy = 0.5 * math.log(2 * math.pi * math.e * source.noise**2)
    assert pairs.truth == pytest.approx(entropy - noise_entropy, abs=6e-3)


@pytest.mark.parametrize("strength", [0.5, 0.9])
def test_counts_and_items_by_their_tables(strength):
    z = np.linspace(-7, 7, 2001)
    weights = np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()
    rate = 2 * np.exp(strength * z - strength**2 / 2)
    k = np.arange(120)
    log_factorial = np.array([math.lgamma(i + 1) for i in k])
    p = np.exp(k * np.log(rate)[:, None] - rate[:, None] - log_factorial)
    cells = p.T @ (weights[:, None] * p)
    assert SharedLatent("counts", 1, strength).truth == pytest.approx(table_information(cells), abs=0.02)
    items = table_information(normal_cells(strength**2, LEVELS))
    assert SharedLatent("items", 1, strength).truth == pytest.approx(items, abs=0.02)


def test_code_words_far_apart_share_their_class_and_two_near_ones_a_line():
    assert SharedLatent("classes", 30, 5.0, 6).truth == pytest.approx(math.log(6), abs=1e-6)
    source = SharedLatent("classes", 1, 1.0, 2, shape_seed=4)
    a, b = (source.centres(torch.arange(2)[:, None], side)[:, 0] for side in (0, 1))
    grid = torch.linspace(-9, 9, 1201, dtype=torch.float64)
    px, py = (normal_log_density(grid[:, None] - c, 1.0).exp() for c in (a, b))
    joint, alone = 0.5 * px @ py.T, px.mean(1)[:, None] * py.mean(1)
    truth = float((torch.xlogy(joint, joint / alone)).sum()) * float(grid[1] - grid[0]) ** 2
    assert source.truth == pytest.approx(truth, abs=0.02)


def test_network_truth_does_not_depend_on_its_grid():
    """By a second sum: latents drawn by chance in place of the grid."""
    source = SharedLatent("network", 3, 1.0, shape_seed=1)
    z = torch.randn(4000, 2, generator=seeded(9), dtype=torch.float64)
    centres = [source.centres(z, side) for side in (0, 1)]

    def terms(count, generator):
        latents = source.latents(count, generator)
        sides = [source.given(latents, side, generator) for side in (0, 1)]
        x, y = (-0.5 * torch.cdist(v, c).square() for v, c in zip(sides, centres, strict=True))
        return (x + y).logsumexp(1) - x.logsumexp(1) - y.logsumexp(1) + math.log(4000)

    assert source.truth == pytest.approx(mean_of_draws(terms, 3, 500, 0.01), abs=0.04)


@pytest.mark.parametrize("one_factor", [True, False])
def test_present_columns_by_draws_of_their_patterns(one_factor):
    source = PresentColumns(4, 0.8, 0.4, one_factor=one_factor)
    there = torch.rand(2, 4000, 4, generator=seeded(3)) >= 0.4
    loading, total = 0.8, 0.0
    cross = torch.full((4, 4), loading**2) if one_factor else loading**2 * torch.eye(4)
    within = (loading**2 * (1 - torch.eye(4)) if one_factor else torch.zeros(4, 4)) + torch.eye(4)
    whole = torch.cat((torch.cat((within, cross), 1), torch.cat((cross.T, within), 1))).double()
    for a, b in zip(*there, strict=True):
        i = torch.cat((a, b)).nonzero().flatten()
        k = int(a.sum())
        s = whole[i][:, i]
        total += (
            0.5 * float(torch.logdet(s[:k, :k]) + torch.logdet(s[k:, k:]) - torch.logdet(s)) if 0 < k < len(i) else 0.0
        )
    assert source.truth == pytest.approx(total / 4000, abs=0.03)
    pairs = source.sample(20_000, seeded(4))
    assert abs(float((pairs.x == 0).double().mean()) - 0.4) < 0.01


@pytest.mark.parametrize(
    "source",
    [
        FaintLinear("pairs", 10, 0.3), FaintLinear("equal", 30, 0.7), FaintLinear("late", 30, 0.6, 25),
        FaintLinear("few", 12, 0.7),
        Autoregressive(2, 0.5, 0.6), Autoregressive(2, 0.9, 0.0, shuffled=True),
        Autoregressive(1, 0.99, 0.5, shuffled=True, stretch=10),
    ],
    ids=str,
)  # fmt: skip
def test_normal_truths_by_the_closed_form_of_draws(source):
    pairs = source.sample(50_000, seeded(5))
    assert closed_form(pairs.x, pairs.y, 40).nats == pytest.approx(pairs.truth, abs=0.015)


def test_redundant_columns_hold_their_factor():
    pairs = FaintLinear("redundant", 6, 0.8).sample(50_000, seeded(6))
    slopes, shifts = torch.linspace(0.3, 1.5, 6).double(), torch.linspace(-1, 1, 6).double()
    x = (torch.atanh(pairs.x[:, 2]) - shifts[2]) / slopes[2]
    y = (torch.atanh(pairs.y[:, 2]) - shifts[2]) / slopes.flip(0)[2]
    rho = float(torch.corrcoef(torch.stack((x, y)))[0, 1])
    assert -0.5 * math.log(1 - rho**2) == pytest.approx(pairs.truth, abs=0.01)


def test_rows_gathered_from_a_long_stretch_hardly_depend_on_each_other():
    means = {stretch: [float(Autoregressive(1, 0.9, shuffled=True, stretch=stretch).sample(200, seeded(i)).x.mean())
                       for i in range(60)] for stretch in (1, 200)}  # fmt: skip
    spread = {stretch: np.std(values) * 200**0.5 for stretch, values in means.items()}
    assert spread[200] < 1.35 < 2 < spread[1]
    thinned = Autoregressive(1, 0.9, stretch=10).sample(5000, seeded(7)).x
    assert float((thinned[1:] * thinned[:-1]).mean()) == pytest.approx(0.9**10, abs=0.05)


def test_rows_in_time_keep_their_autocorrelation():
    pairs = Autoregressive(1, 0.9).sample(20_000, seeded(7))
    assert float((pairs.x[1:] * pairs.x[:-1]).mean() / pairs.x.square().mean()) == pytest.approx(0.9, abs=0.02)


def test_circles_are_angles_and_small_noise_is_von_mises():
    assert Edges("circle", 2, 0.4).truth == Edges("angle", 2, 0.4).truth
    nearly = math.log(2 * math.pi) - float(vonmises(1 / 0.1**2).entropy())
    assert Edges("angle", 1, 0.1).truth == pytest.approx(nearly, abs=0.01)


@pytest.mark.parametrize("kind", ["xor", "radius", "table"])
def test_labels_by_counting(kind):
    source = LabelsAndTables(kind, 6, 0.1)
    pairs = source.sample(200_000, seeded(8))
    x, y = pairs.x, pairs.y[:, 0].long()
    if kind == "table":
        counts = torch.bincount(x[:, 0].long() * 6 + y, minlength=36).reshape(6, 6)
    else:
        known = x[:, 0] * x[:, 1] > 0 if kind == "xor" else x[:, :5].norm(dim=1) > 4.35146**0.5
        counts = torch.bincount(known.long() * 2 + y, minlength=4).reshape(2, 2)
    assert table_information((counts / counts.sum()).numpy()) == pytest.approx(pairs.truth, abs=5e-3)


def test_pictures_give_their_digit_away():
    from sklearn.datasets import load_digits

    data = load_digits()
    images, labels = torch.from_numpy(data.data).double(), torch.from_numpy(data.target)
    apart = torch.cdist(images, images)[labels[:, None] != labels].min()
    assert float(apart) / 2 > 9 * DigitPairs().noise  # 1797 wrong images, each likelier by a chance of 1e-19
    assert DigitPairs().sample(10, seeded()).x.shape == (10, 64)


def test_odd_marginals_are_what_they_say():
    for name in MARGINALS:
        pairs = OddMarginals(name, 2).sample(500, seeded())
        assert bool(pairs.x.isfinite().all()) and pairs.truth == 0.0
    with pytest.raises(ValueError, match="'odd'; expected one of normal"):
        OddMarginals("odd")


def test_a_residual_network_can_be_inverted():
    z = torch.randn(300, 5, generator=seeded(), dtype=torch.float64)
    out = residual_network(z, seeded(1), 1)
    back = out.clone()
    generator = seeded(1)
    q, r = (torch.linalg.qr(torch.randn(5, 5, generator=generator, dtype=torch.float64)).Q for _ in range(2))
    for _ in range(200):
        back = out - 0.4 * torch.tanh(2 * back @ q) @ r
    assert torch.allclose(back, z, atol=1e-8)


@pytest.mark.parametrize(
    "source",
    [CoarseNormal(), SharedLatent(), ProductsAndSigns(), Edges(), PresentColumns(), FaintLinear(), Autoregressive(),
     LabelsAndTables(), OddMarginals(), DigitPairs()],
    ids=lambda source: type(source).__name__,
)  # fmt: skip
def test_no_number_of_samples_is_refused(source):
    with pytest.raises(ValueError, match="say how many samples"):
        source.sample(None, seeded())


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (ProductsAndSigns("interaction", 2), "takes 3 columns; got dim=2"),
        (FaintLinear("late", 20), "component 120 of 20"),
        (FaintLinear("few", 2), "3 of 2 columns"),
        (LabelsAndTables("radius", 3), "5 columns; got dim=3"),
    ],
)
def test_too_few_columns_are_refused(source, words):
    with pytest.raises(ValueError, match=words):
        source.sample(10, seeded())


def test_the_suite_covers_its_families():
    cases = field_cases()
    assert len(FAMILIES) == 14 and len({case.name for case in cases}) == len(cases) > 110
    assert {family.split()[0] for family in FAMILIES} == {*map(str, range(1, 14)), "nulls"}
    assert min(case.num_samples for case in cases) <= 300 and max(case.num_samples for case in cases) == 10_000
