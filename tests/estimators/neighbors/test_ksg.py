"""KSG against the definition, against scikit-learn, against published values' structure, and against known truth."""

import math

import numpy as np
import pytest
import torch
from scipy.special import digamma
from sklearn.feature_selection._mutual_info import _compute_mi_cc

from lmi.estimators.neighbors.ksg import KSGEstimator, ksg_ceiling, ksg_pointwise, ksg_pointwise_at
from lmi.types import Context


def correlated(n, r, seed, dims=1):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, dims, generator=generator, dtype=torch.float64)
    noise = torch.randn(n, dims, generator=generator, dtype=torch.float64)
    return x, r * x + math.sqrt(1 - r**2) * noise


def by_definition(x, y, k):
    """The published pointwise form (radius just below the k-th distance), with loops over the full matrix."""
    dx = np.abs(x[:, None] - x[None]).max(-1)
    dy = np.abs(y[:, None] - y[None]).max(-1)
    joint = np.maximum(dx, dy)
    np.fill_diagonal(joint, np.inf)
    radius = np.sort(joint, axis=1)[:, k - 1] - 1e-15
    counts_x, counts_y = (dx <= radius[:, None]).sum(1), (dy <= radius[:, None]).sum(1)
    return digamma(k) + digamma(len(x)) - digamma(counts_x) - digamma(counts_y)


@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize("dims", [1, 4, 16])
@pytest.mark.parametrize("n", [50, 600])
def test_pointwise_values_are_latentmis(n, dims, k):
    x, y = correlated(n, 0.5, seed=n + k, dims=dims)
    ours = ksg_pointwise(x, y, k).numpy()
    np.testing.assert_allclose(ours, by_definition(x.numpy(), y.numpy(), k), atol=1e-9)


def test_pointwise_values_equal_the_installed_peers():
    peer = pytest.importorskip("latentmi.ksg", reason='the peer is optional: pip install -e ".[peers]"')
    x, y = correlated(5000, 0.5, seed=1, dims=4)
    theirs = peer.mi(x.numpy(), y.numpy(), base=math.e)
    assert np.median(np.abs(ksg_pointwise(x, y).numpy() - theirs)) < 1e-9  # its noise of 1e-10 flips a rare count


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("n", [50, 500, 5000])
def test_value_is_scikit_learns_without_its_noise(n, k):
    x, y = correlated(n, 0.7, seed=n)
    theirs = _compute_mi_cc(x[:, 0].numpy(), y[:, 0].numpy(), n_neighbors=k)
    assert max(0.0, float(ksg_pointwise(x, y, k).mean())) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("variant", ["ksg1", "ksg2", "mixture"])
@pytest.mark.parametrize("r", [0.0, 0.6, 0.95])
def test_truth_lies_within_four_standard_errors(variant, r):
    n, seeds = 1500, 12
    values = torch.tensor([float(ksg_pointwise(*correlated(n, r, s), 3, variant).mean()) for s in range(seeds)])
    truth = -0.5 * math.log(1 - r**2)
    assert abs(float(values.mean()) - truth) < 4 * float(values.std()) / math.sqrt(seeds) + 0.01


def test_ksg2_is_its_definition():
    x, y = correlated(120, 0.6, seed=2, dims=2)
    k, n = 3, 120
    joint = torch.maximum((x[:, None] - x[None]).abs().amax(-1), (y[:, None] - y[None]).abs().amax(-1)).numpy()
    np.fill_diagonal(joint, np.inf)
    expected = []
    for i in range(n):
        who = np.argsort(joint[i])[:k]
        side_x, side_y = (float((z[who] - z[i]).abs().max()) for z in (x, y))
        nx = int(((x - x[i]).abs().amax(1) <= side_x).sum()) - 1
        ny = int(((y - y[i]).abs().amax(1) <= side_y).sum()) - 1
        expected.append(digamma(k) - 1 / k + digamma(n) - digamma(nx) - digamma(ny))
    np.testing.assert_allclose(ksg_pointwise(x, y, k, "ksg2").numpy(), expected, atol=1e-12)


def test_mixture_form_on_discrete_variables_is_their_plug_in_mi():
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(4, (4000, 1), generator=generator)
    flip = torch.rand(4000, 1, generator=generator) < 0.3
    y = torch.where(flip, torch.randint(4, (4000, 1), generator=generator), x)
    table = torch.zeros(4, 4, dtype=torch.float64)
    table.index_put_((x[:, 0], y[:, 0]), torch.ones(4000, dtype=torch.float64), accumulate=True)
    p = table / 4000
    plug_in = float((p * (p / (p.sum(1, keepdim=True) * p.sum(0))).log()).sum())
    estimate = float(ksg_pointwise(x.double(), y.double(), 3, "mixture").mean())
    assert estimate == pytest.approx(plug_in, abs=0.005)


def test_mixture_form_on_a_label_and_a_number():
    # y uniform on {0, 1}, x | y uniform on [y, y + 2]: I = log 2 / 2.
    generator = torch.Generator().manual_seed(1)
    y = torch.randint(2, (4000, 1), generator=generator).double()
    x = y + 2 * torch.rand(4000, 1, generator=generator, dtype=torch.float64)
    assert float(ksg_pointwise(x, y, 5, "mixture").mean()) == pytest.approx(0.5 * math.log(2), abs=0.04)


def test_auto_takes_the_form_for_ties_where_rows_repeat():
    x, y = correlated(400, 0.5, seed=3)
    settings = KSGEstimator(permutations=0)
    assert settings.estimate(x, y, Context()).estimator == "ksg1"
    assert settings.estimate(x.round(), y, Context()).estimator == "mixture"


def test_identical_variables_reach_the_ceiling_and_it_is_said():
    x, _ = correlated(800, 0.0, seed=4)
    estimate = KSGEstimator(permutations=0).estimate(x, x.clone(), Context())
    # Each k-th neighbour is on the border of both counts: c = k, one psi below the published ceiling of c = k + 1.
    assert estimate.nats == pytest.approx(float(digamma(800) - digamma(3)), abs=1e-9)
    assert estimate.ceiling == pytest.approx(ksg_ceiling(800, 3))
    assert any("near the most" in warning for warning in estimate.warnings)


def test_out_of_sample_terms_have_the_same_mean():
    x, y = correlated(6000, 0.8, seed=5)
    outside = ksg_pointwise_at(x[:3000], y[:3000], x[3000:], y[3000:])
    inside = ksg_pointwise(x[3000:], y[3000:])
    error = float((outside.var() / 3000 + inside.var() / 3000).sqrt())
    assert abs(float(outside.mean() - inside.mean())) < 4 * error


def test_pointwise_mean_is_the_estimate_and_the_interval_holds_it():
    x, y = correlated(1000, 0.6, seed=6, dims=2)
    estimate = KSGEstimator(permutations=10).estimate(x, y, Context(seed=1))
    assert float(estimate.pointwise.mean()) == pytest.approx(estimate.nats, abs=1e-12)
    assert estimate.interval[0] < estimate.nats < estimate.interval[1]
    assert estimate.null.p_value == pytest.approx(1 / 11)
    assert abs(estimate.null.mean) < 0.1


def test_too_few_samples_for_k_is_refused():
    x, y = correlated(5, 0.5, seed=0)
    with pytest.raises(ValueError, match="k=5 neighbours need at least 6 samples; got 5"):
        KSGEstimator(k=5).estimate(x, y, Context())


def test_columns_that_only_a_line_tells_apart_are_a_doubt():
    generator = torch.Generator().manual_seed(21)
    a, b = (torch.randn(2000, 2, generator=generator, dtype=torch.float64) for _ in range(2))
    mixing = torch.tensor([[1.0, 1.0], [0.005, -0.005]], dtype=torch.float64)
    x, y = a @ mixing, (0.8 * a + 0.6 * b) @ mixing  # 1.02 nats, half of them in the difference of the columns
    estimate = KSGEstimator(permutations=0).estimate(x, y, Context())
    assert estimate.nats < 0.7
    assert any("draws from the normal" in reason for reason in estimate.verdict.reasons) and estimate.interval[1] > 1


@pytest.mark.parametrize("seed", range(3))
def test_where_neighbours_are_right_the_normal_model_is_silent(seed):
    generator = torch.Generator().manual_seed(seed)
    x, y = correlated(1000, 0.7, seed)
    label = torch.randint(2, (1000, 1), generator=generator).double()
    cluster_x, cluster_y = (10 * label + torch.randn(1000, 1, generator=generator) for _ in range(2))
    independent = torch.randn(1000, 1, generator=generator, dtype=torch.float64)
    for one, other in ((x, y), (cluster_x, cluster_y), (x, independent), (x**3, y.exp())):
        reasons = KSGEstimator(permutations=0).estimate(one, other, Context(seed)).verdict.reasons
        assert not any("normal model" in reason or "draws from" in reason for reason in reasons)
