import numpy as np
import pytest
import torch
from scipy.special import digamma
from sklearn.feature_selection import mutual_info_regression
from sklearn.neighbors import KDTree, NearestNeighbors
from sklearn.preprocessing import scale

from lmi.estimators.neighbors.ksg import ksg_pointwise
from lmi.estimators.network.all_pairs import pairwise
from lmi.estimators.pairwise import histogram_pairs, ksg, prepared
from lmi.estimators.pairwise.gaussian import rank_normal
from lmi.estimators.pairwise.histogram import histogram_mi
from lmi.estimators.pairwise.histogram_pairs import HistogramPairs, HistogramPairsTorch
from lmi.estimators.pairwise.ksg import KsgPairs
from lmi.estimators.pairwise.matrix import nonlinearity, pairwise_measure, pairwise_mi, tiled


def mixed(n, d, seed=0):
    """Correlated columns, some heavy-tailed, some skewed."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(n, 4, generator=generator, dtype=torch.float64)
    h = torch.randn(n, d, generator=generator, dtype=torch.float64)
    h = h + z @ torch.randn(4, d, generator=generator, dtype=torch.float64)
    h[:, ::5] = h[:, ::5] ** 3
    h[:, 1::5] = h[:, 1::5].exp()
    return h


def sklearn_before_clipping(h, a, b, k):
    """scikit-learn's own neighbours and counts on scaled data without noise, then the formula unclipped."""
    h = scale(h.numpy(), with_mean=False)
    x, y = h[:, [a]], h[:, [b]]
    nearest = NearestNeighbors(metric="chebyshev", n_neighbors=k).fit(np.hstack([x, y]))
    radius = np.nextafter(nearest.kneighbors()[0][:, -1], 0)
    counts = [KDTree(v, metric="chebyshev").query_radius(v, radius, count_only=True) for v in (x, y)]
    return digamma(len(x)) + digamma(k) - sum(digamma(c).mean() for c in counts)


@pytest.mark.parametrize(("n", "k"), [(5, 3), (16, 1), (17, 3), (103, 3), (103, 7), (500, 7)])
def test_ksg_equals_scikit_learn(n, k):
    h = mixed(n, 9)
    nats = pairwise_mi(h, k=k)
    for a in range(9):
        for b in range(9):
            assert nats[a, b] == pytest.approx(sklearn_before_clipping(h, a, b, k), abs=1e-9)
    clipped = mutual_info_regression(h[:, 1:].numpy(), h[:, 0].numpy(), n_neighbors=k, random_state=0)
    assert np.allclose(nats[0, 1:].clamp_min(0).numpy(), clipped, rtol=0, atol=1e-9)


def test_ksg_of_tied_columns_is_the_mixture_form():
    h = mixed(300, 6).mul(2).round()
    h[:, 5] = torch.relu(h[:, 4])
    nats = pairwise_mi(h)
    v = torch.from_numpy(scale(h.numpy(), with_mean=False))
    for a in range(6):
        for b in range(6):
            mixture = float(ksg_pointwise(v[:, [a]], v[:, [b]], 3, "mixture").mean())
            assert nats[a, b] == pytest.approx(mixture - np.log(300) + digamma(300), abs=1e-9)


def test_ksg_of_discrete_columns_meets_the_truth():
    generator = torch.Generator().manual_seed(5)
    x = torch.randint(0, 2, (4000,), generator=generator).double()
    flipped = torch.where(torch.rand(4000, generator=generator) < 0.1, 1 - x, x)
    other = torch.randint(0, 4, (4000,), generator=generator).double()
    nats = pairwise_mi(torch.stack([x, flipped, other], 1))
    truth = np.log(2) + 0.1 * np.log(0.1) + 0.9 * np.log(0.9)
    assert nats[0, 1] == pytest.approx(truth, abs=0.03)
    assert nats[0, 0] == pytest.approx(np.log(2), abs=0.01)
    assert abs(nats[0, 2]) < 0.01


def test_ksg_window_finds_what_the_definition_says():
    h = mixed(700, 4)
    v = torch.from_numpy(scale(h.numpy(), with_mean=False))
    nats = pairwise_mi(h, k=7)
    for a, b in [(0, 1), (1, 2), (0, 3)]:
        dx, dy = (torch.cdist(v[:, [c]], v[:, [c]], p=1) for c in (a, b))
        joint = torch.maximum(dx, dy).fill_diagonal_(torch.inf)
        radius = joint.kthvalue(7, dim=1).values[:, None]
        counts = [(d < radius).sum(1) for d in (dx, dy)]
        expected = digamma(7) + digamma(700) - sum(torch.digamma(c.double()).mean() for c in counts)
        assert nats[a, b] == pytest.approx(float(expected), abs=1e-9)


@pytest.mark.parametrize("settings", [{}, {"binning": "mass"}, {"correction": "miller_madow"}, {"bins": 4}])
def test_histogram_equals_numpy(settings):
    h = mixed(230, 70)
    nats = pairwise_mi(h, estimator="histogram", **settings)
    bins = settings.get("bins", 15)
    for a, b in [(0, 1), (3, 67), (69, 2), (5, 5), (12, 65)]:
        x, y = h[:, a].numpy(), h[:, b].numpy()
        edges = [np.quantile(v, np.linspace(0, 1, bins + 1)) for v in (x, y)] if "binning" in settings else bins
        counts = np.histogram2d(x, y, bins=edges)[0]
        p, px, py = counts / 230, counts.sum(1) / 230, counts.sum(0) / 230
        expected = sum(p[i, j] * np.log(p[i, j] / px[i] / py[j]) for i, j in zip(*p.nonzero()))
        if "correction" in settings:
            expected += ((px > 0).sum() + (py > 0).sum() - (p > 0).sum() - 1) / 460
        assert nats[a, b] == pytest.approx(expected, abs=1e-9)
        assert nats[a, b] == pytest.approx(histogram_mi(h[:, a], h[:, b], **settings), abs=1e-12)


def test_gaussian_is_the_closed_form_of_the_correlation():
    h = mixed(200, 5)
    nats = pairwise_mi(h, estimator="gaussian")
    r = np.corrcoef(h.numpy().T)
    off = ~np.eye(5, dtype=bool)
    assert np.allclose(nats.numpy()[off], -0.5 * np.log(1 - r[off] ** 2), rtol=0, atol=1e-12)
    assert nats.diagonal().isinf().all()


@pytest.mark.parametrize("settings", [{}, {"binning": "mass"}, {"correction": "miller_madow"}, {"bins": 2}])
@pytest.mark.parametrize("d", [2, 66])
def test_products_of_one_hot_matrices_give_the_numbers_of_the_compiled_loops(settings, d):
    h = mixed(90, d)
    compiled = tiled(pairwise_measure("histogram", device="cpu", **settings), h)
    products = tiled(HistogramPairsTorch(device="cpu", rows=32, **settings), h)
    assert torch.allclose(products, compiled, rtol=0, atol=1e-10)


@pytest.mark.parametrize("device", ["cpu", "cpu:0", torch.device("cpu"), torch.device("cpu", 0)])
def test_every_cpu_takes_the_compiled_loops(device):
    assert isinstance(pairwise_measure("ksg", device=device), KsgPairs)
    assert isinstance(pairwise_measure("histogram", device=device), HistogramPairs)


@pytest.mark.parametrize("estimator", ["ksg", "histogram", "gaussian"])
def test_little_memory_changes_no_number(estimator, monkeypatch):
    h = mixed(60, 40)
    expected = pairwise_mi(h, estimator=estimator), pairwise_mi(h[:, :15], h[:, 15:], estimator=estimator)
    monkeypatch.setattr(prepared, "TILE", 8)
    monkeypatch.setattr(prepared, "KEPT_BYTES", 3 * pairwise_measure(estimator).value_bytes * 8 * 60)
    blocks = pairwise_mi(h, estimator=estimator), pairwise_mi(h[:, :15], h[:, 15:], estimator=estimator)
    for whole, block in zip(expected, blocks):
        assert torch.allclose(whole, block, rtol=0, atol=1e-12)


def test_a_column_is_prepared_once(monkeypatch):
    h, counts = mixed(60, 150), []
    prepare = KsgPairs.prepare
    monkeypatch.setattr(KsgPairs, "prepare", lambda self, x: counts.append(x.shape[1]) or prepare(self, x))
    pairwise_mi(h)
    assert sum(counts) == 150
    counts.clear()
    pairwise(h, documents=torch.arange(60) // 6, draws=2)
    assert counts == [150], "the null takes what the pairs have prepared"


@pytest.mark.parametrize("estimator", ["ksg", "histogram", "gaussian"])
def test_columns_against_others_are_blocks_of_all_to_all(estimator):
    h = mixed(60, 150)
    square = pairwise_mi(h, estimator=estimator)
    assert torch.equal(square, square.T)
    block = pairwise_mi(h[:, :70], h[:, 70:], estimator=estimator)
    assert torch.allclose(block, square[:70, 70:], rtol=0, atol=1e-12)


def test_ksg_diagonal_is_its_ceiling():
    nats = pairwise_mi(mixed(100, 70))
    assert torch.allclose(nats.diagonal(), torch.tensor(digamma(100) - digamma(3), dtype=torch.float64))
    assert (nats <= nats.diagonal().max() + 1e-12).all()


def test_independent_columns_share_nothing_and_truth_is_met():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1500, 24, generator=generator, dtype=torch.float64)
    x[:, 1] = 0.8 * x[:, 0] + 0.6 * x[:, 1]
    truth = -0.5 * np.log(1 - 0.8**2)
    for estimator in ("ksg", "gaussian"):
        nats = pairwise_mi(x, estimator=estimator)
        assert nats[0, 1] == pytest.approx(truth, abs=0.08)
        others = nats[2:, 2:][torch.ones(22, 22).triu(1).bool()]
        assert abs(others.mean()) < 0.005
    corrected = pairwise_mi(x, estimator="histogram", bins=6, correction="miller_madow")
    assert abs(corrected[2:, 2:][torch.ones(22, 22).triu(1).bool()].mean()) < 0.005


def test_nonlinearity_is_zero_for_gaussians_and_large_for_a_parabola():
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(1000, 3, generator=generator, dtype=torch.float64)
    h = torch.stack([x[:, 0], x[:, 0] + x[:, 1], x[:, 0] ** 2, x[:, 2]], 1)
    atlas = nonlinearity(h)
    assert abs(atlas[0, 1]) < 0.1
    assert abs(atlas[0, 3]) < 0.1
    assert atlas[0, 2] > 1.0
    assert torch.allclose(atlas, nonlinearity(h.exp()), rtol=0, atol=1e-9), "monotone maps change nothing"
    assert torch.allclose(rank_normal(h).mean(0), torch.zeros(4, dtype=torch.float64), atol=1e-9)


def test_bad_input_is_refused_by_name():
    h = mixed(20, 4)
    with pytest.raises(ValueError, match=r"got 3 sample\(s\); expected at least 4: k \+ 1 for k = 3"):
        pairwise_mi(h[:3])
    with pytest.raises(ValueError, match=r"layer 7 has 20 value\(s\) that are NaN or infinite.* row 0, column 2"):
        pairwise_mi(h.clone().index_fill_(1, torch.tensor([2]), torch.nan), name="layer 7")
    with pytest.raises(ValueError, match=r"x has 1 constant column\(s\), the first of them 1"):
        pairwise_mi(h.clone().index_fill_(1, torch.tensor([1]), 5.0))
    with pytest.raises(ValueError, match="x and y must be paired row by row: got 20 and 10"):
        pairwise_mi(h, h[:10])
    with pytest.raises(ValueError, match="did you mean 'histogram'"):
        pairwise_mi(h, estimator="histogran")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda h: h[:, :, None], r"has shape \(20, 4, 1\)"),
        (lambda h: h[:, :0], r"is empty: shape \(20, 0\)"),
        (lambda h: h / 0, "has 80 value"),
        (lambda h: h * 0, "has 4 constant column"),
        (lambda h: h.to(torch.complex64), "has dtype torch.complex64"),
    ],
)
def test_an_error_names_the_side_that_is_wrong(spoil, message):
    h = mixed(20, 4)
    for x, y, name in ((spoil(h), h, "layer 7"), (h, spoil(h), "y")):
        with pytest.raises(ValueError, match=f"^{name} {message}"):
            pairwise_mi(x, y, name="layer 7")
    with pytest.raises(ValueError, match=f"^x {message}"):
        nonlinearity(spoil(h))


@pytest.mark.parametrize("n", [50, 1030, 4100])
def test_strips_give_the_numbers_of_the_window(n, monkeypatch):
    h = np.random.default_rng(n).standard_normal((n, 9))
    h[:, 1] = h[:, 0] + 0.05 * h[:, 1]
    h[:, 2], h[:, 3], h[:, 4] = h[:, 2] ** 3, np.exp(3 * h[:, 3]), h[:, 4].round(1)
    h[:, 5], h[:, 6], h[:, 7], h[:, 8] = h[:, 5].clip(0), h[:, 6].round(), h[:, 0], np.arange(n)
    monkeypatch.setattr(ksg, "STRIP_ROWS", 10**9)
    expected = pairwise_mi(h)
    monkeypatch.setattr(ksg, "STRIP_ROWS", 0)
    np.testing.assert_allclose(pairwise_mi(h), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("correction", ["none", "miller_madow"])
def test_products_of_bits_are_the_counts(correction, monkeypatch):
    h = torch.from_numpy(np.random.default_rng(0).standard_normal((700, 7)))
    h[:, 1], h[:, 2] = h[:, 0] + 0.1 * h[:, 1], h[:, 2].round()
    values = pairwise_mi(h, None, "histogram", correction=correction, bins=11)
    monkeypatch.setattr(histogram_pairs, "BIT_ROWS", 10**9)
    expected = pairwise_mi(h, None, "histogram", correction=correction, bins=11)
    torch.testing.assert_close(values, expected, rtol=0, atol=1e-12)
