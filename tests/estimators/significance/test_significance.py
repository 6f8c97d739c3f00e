import pytest
import torch

from lmi.estimators.pairwise import prepared
from lmi.estimators.pairwise.matrix import pairwise_measure, tiled
from lmi.estimators.significance.effective import _lag_products, _lag_products_torch, effective_samples
from lmi.estimators.significance.pair_significance import benjamini_hochberg, pairwise_significance
from lmi.estimators.significance.pooled_null import pooled_p_values
from lmi.sources.planted.planted_columns import PlantedColumns
from lmi.types import Context


def test_benjamini_hochberg_is_the_step_up_procedure():
    p = torch.rand(500, generator=torch.Generator().manual_seed(0)).double() ** 3
    q = benjamini_hochberg(p)
    ordered = p.sort().values
    for alpha in (0.01, 0.05, 0.3):
        below = (ordered <= alpha * torch.arange(1, 501) / 500).nonzero()
        rejected = int(below.max()) + 1 if len(below) else 0
        assert int((q <= alpha).sum()) == rejected


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_pooled_p_values_are_uniform_and_their_tail_is_cautious(power):
    """Normal and chi-squared nulls: right where they are counted, not too small where they are extrapolated."""
    generator = torch.Generator().manual_seed(0)
    null, fresh = (torch.randn(200_000, generator=generator, dtype=torch.float64).abs() ** power for _ in range(2))
    p = pooled_p_values(fresh, null, 64)
    for level in (0.5, 0.05, 1e-2):
        assert float((p <= level).double().mean()) == pytest.approx(level, rel=0.1)
    exact = 2 * torch.special.ndtr(-torch.tensor([4.5, 5.0, 5.5]).double())
    claimed = pooled_p_values(torch.tensor([4.5, 5.0, 5.5]).double() ** power, null, 64)
    assert (claimed > 0.5 * exact).all()
    assert (claimed < 1e3 * exact).all()


def test_effective_samples_is_bartletts_for_autoregressions():
    source = PlantedColumns(dims=8, num_layers=1, num_documents=4, tokens=5000, autocorrelation=0.8, linear_pairs=0,
                            parabola_pairs=0)  # fmt: skip
    _, h, documents = next(source.layers(Context(seed=1)))
    expected = len(h) * (1 - 0.64) / (1 + 0.64)
    assert float(effective_samples(h, documents).mean()) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(("estimator", "scheme"), [("ksg", "shift"), ("histogram", "documents")])
def test_planted_pairs_are_found_and_nothing_else(estimator, scheme):
    source = PlantedColumns(dims=24, num_layers=1, num_documents=10, tokens=40, linear_pairs=3, parabola_pairs=3)
    _, h, documents = next(source.layers(Context(seed=2)))
    measure = pairwise_measure(estimator, bins=6)
    nats = tiled(measure, h)
    pairs = pairwise_significance(nats, h, measure, documents, torch.Generator().manual_seed(0), scheme)
    assert torch.equal(pairs.q, pairs.q.T)
    planted = torch.zeros(24, 24, dtype=torch.bool)
    for pair in range(6):
        planted[2 * pair, 2 * pair + 1] = True
    assert (pairs.q[planted] <= 0.05).all()
    upper = torch.ones(24, 24).triu(1).bool()
    assert int((pairs.q[upper & ~planted] <= 0.05).sum()) <= 1


def test_ignoring_autocorrelation_would_have_faked_discoveries():
    """Shuffling rows makes a null that is too narrow for slow columns; turning documents does not."""
    source = PlantedColumns(dims=40, num_layers=1, num_documents=2, tokens=200, autocorrelation=0.95, linear_pairs=0,
                            parabola_pairs=0)  # fmt: skip
    _, h, documents = next(source.layers(Context(seed=3)))
    measure = pairwise_measure("gaussian")
    nats = tiled(measure, h)
    upper = torch.ones(40, 40).triu(1).bool()
    respectful = pairwise_significance(nats, h, measure, documents, torch.Generator().manual_seed(0))
    rows_as_documents = torch.randperm(400, generator=torch.Generator().manual_seed(1))
    naive = pairwise_significance(nats, h, measure, rows_as_documents, torch.Generator().manual_seed(0), "documents")
    assert float((naive.p[upper] < 0.05).double().mean()) > 0.3
    assert float((respectful.p[upper] < 0.05).double().mean()) < 0.1


def test_effective_samples_are_the_same_in_torch():
    generator = torch.Generator().manual_seed(3)
    columns, lengths = torch.randn(3, 90, generator=generator, dtype=torch.float64), torch.tensor([50, 30, 10])
    document, ends = torch.arange(3).repeat_interleave(lengths), lengths.cumsum(0)
    compiled = _lag_products(columns.numpy(), (ends - lengths).numpy(), ends.numpy(), 40)
    torch.testing.assert_close(_lag_products_torch(columns, document, 40), torch.from_numpy(compiled))


def test_draws_prepared_once_or_one_by_one_are_the_same(monkeypatch):
    h = torch.randn(80, 40, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    documents, measure = torch.arange(80) // 10, pairwise_measure("histogram", device="cpu")
    nats = tiled(measure, h)
    once = pairwise_significance(nats, h, measure, documents, torch.Generator().manual_seed(5), draws=4)
    monkeypatch.setattr(prepared, "KEPT_BYTES", 0)
    again = pairwise_significance(nats, h, measure, documents, torch.Generator().manual_seed(5), draws=4)
    assert torch.equal(once.null_nats, again.null_nats)
    assert torch.equal(once.p, again.p)
