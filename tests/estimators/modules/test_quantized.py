import math

import pytest
import torch
from sklearn.metrics import mutual_info_score

import lmi
from lmi.estimators.modules.quantized import grassberger_entropy, quantized_mi
from lmi.sources.normal.linear import LinearModules
from lmi.types import Context


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_discrete_modules_are_their_own_codes() -> None:
    bits = torch.randint(0, 2, (20_000, 3), generator=generator()).double()
    y = torch.stack([bits[:, 0], bits[:, 1], (bits[:, 0] + bits[:, 2]) % 2, bits[:, 0]], dim=1)
    result = quantized_mi(y, [0, 0, 1, 2], bins=8)
    expected = torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    torch.testing.assert_close(result.nats.float() / math.log(2), expected, atol=2e-3, rtol=0)
    assert float(result.p_values[0, 2]) == pytest.approx(1 / 21)
    assert float(result.p_values[0, 1]) > 1 / 21
    assert math.isnan(float(result.p_values[0, 0]))


def test_tables_equal_the_peer_before_correction() -> None:
    y = torch.randn(100_000, 2, generator=generator(), dtype=torch.float64)
    y[:, 1] += y[:, 0]
    result = quantized_mi(y, [0, 1], bins=8, permutations=0)
    peer = mutual_info_score(result.codes[:, 0], result.codes[:, 1])
    assert float(result.nats[0, 1]) == pytest.approx(peer, abs=1e-3)


def test_entropy_is_nearly_unbiased_where_the_plug_in_is_not() -> None:
    p = torch.full((50,), 1 / 50, dtype=torch.float64)
    counts = [torch.multinomial(p, 100, True, generator=generator(s)).bincount(minlength=50) for s in range(200)]
    mean = sum(grassberger_entropy(count.numpy()) for count in counts) / 200
    plug_in = sum(float(-(c[c > 0] / 100 * (c[c > 0] / 100).log()).sum()) for c in counts) / 200
    assert abs(mean - math.log(50)) < 0.03 < 0.2 < abs(plug_in - math.log(50))


def test_independence_gives_zero_within_the_null() -> None:
    y = torch.randn(20_000, 4, generator=generator(3))
    pair = quantized_mi(y, [0, 0, 1, 1], bins=32).pair(0, 1)
    assert pair.null is not None
    assert abs(pair.nats) < 0.01
    assert abs(pair.null.mean) < 0.005
    assert pair.null.p_value > 1 / 21


@pytest.mark.parametrize("sizes", [(1, 1), (2, 2), (3, 4)])
def test_interval_holds_the_closed_form(sizes: tuple[int, int]) -> None:
    pairs = LinearModules(15, sizes, weight_seed=5).sample(30_000, generator(1))
    assert pairs.truth is not None
    labels = torch.arange(2).repeat_interleave(torch.tensor(sizes))
    pair = quantized_mi(torch.cat([pairs.x, pairs.y], 1), labels, bins=64).pair(0, 1)
    assert pair.interval is not None
    assert pair.interval[0] <= pairs.truth <= pair.interval[1]
    assert pair.nats < pairs.truth + 0.01, "codes cannot share more than the modules"
    assert pair.nats < pair.ceiling


def test_the_estimator_of_that_name_is_the_pair() -> None:
    pairs = LinearModules(15, (1, 2)).sample(2000, generator())
    estimate = lmi.estimate(pairs.x, pairs.y, "quantized", bins=16, permutations=5)
    direct = quantized_mi(
        torch.cat([pairs.x, pairs.y], 1), [0, 1, 1], 16, permutations=5, generator=Context().generator("quantized")
    )
    assert estimate.nats == direct.pair(0, 1).nats
    assert estimate.null is not None


def test_too_many_bins_are_said() -> None:
    y = torch.randn(500, 2, generator=generator())
    assert "too few samples for these bins" in quantized_mi(y, [0, 1], bins=64).warnings[0]
    assert quantized_mi(y, [0, 1], bins=4).warnings == ()


def test_the_generator_fixes_everything() -> None:
    y = torch.randn(2000, 4, generator=generator())
    first, again, other = (quantized_mi(y, [0, 0, 1, 1], 16, generator=generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.nats, again.nats)
    assert torch.equal(first.null, again.null)
    assert not torch.equal(first.null, other.null)


def test_units_do_not_matter_and_constants_share_nothing() -> None:
    y = torch.randn(2000, 3, generator=generator(), dtype=torch.float64)
    y[:, 2] = 7.0
    plain = quantized_mi(y, [0, 1, 2], 8)
    scaled = quantized_mi(y * torch.tensor([1e3, 1e-3, 1.0]) + 5, [0, 1, 2], 8)
    torch.testing.assert_close(plain.nats, scaled.nats)
    assert plain.nats[2].tolist() == pytest.approx([0, 0, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("y", "partition", "bins", "words"),
    [
        (torch.zeros(9, 1, 1), [0, 1], 2, r"activations has shape \(9, 1, 1\)"),
        (torch.zeros(9, 2), [0, 1], 1, "bins is 1; expected a whole number from 2 to 9"),
        (torch.zeros(9, 2), [0, 1], 10, "bins is 10"),
        (torch.tensor([[0.0, 1.0], [math.nan, 1.0]]), [0, 1], 2, "row 1, column 0"),
        (torch.zeros(9, 2), [[True, True], [False, True]], 2, "overlapping modules"),
    ],
)
def test_bad_input(y: torch.Tensor, partition: list, bins: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        quantized_mi(y, partition, bins)
