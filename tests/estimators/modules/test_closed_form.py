import math

import pytest
import torch
from torch import Tensor

from lmi.estimators.gaussian.canonical import gaussian_bias
from lmi.estimators.modules.closed_form import (
    gaussian_mi,
    gaussian_mi_matrix,
    gaussian_mi_samples,
)
from lmi.sources.normal.linear import LinearModules, NormalLinear


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def weight(outputs: int, inputs: int, seed: int = 0) -> Tensor:
    return torch.randn(outputs, inputs, generator=generator(seed), dtype=torch.float64)


def by_determinants(cov: Tensor, labels: list[int]) -> float:
    """The definition, for regular covariances."""
    table = torch.tensor(labels)
    blocks = [cov[table == label][:, table == label] for label in set(labels)]
    return 0.5 * float(sum(torch.linalg.det(block).log() for block in blocks) - torch.linalg.det(cov).log())


@pytest.mark.parametrize("labels", [[0, 0, 0, 1, 1], [0, 1, 2, 1, 0], [0, 1, 2, 3, 4]])
def test_definition(labels: list[int]) -> None:
    cov = NormalLinear(weight(5, 9)).cov
    assert gaussian_mi(cov, labels) == pytest.approx(by_determinants(cov, labels), rel=1e-12)


def test_invariance_within_modules_and_chain_rule() -> None:
    w, labels = weight(6, 11), torch.tensor([0, 0, 0, 1, 1, 2])
    mixed = w.clone()
    mixed[:3] = weight(3, 3, 1) @ w[:3]
    mixed[5] *= 1e-9
    plain = gaussian_mi(w @ w.T, labels)
    assert gaussian_mi(mixed @ mixed.T, labels) == pytest.approx(plain, rel=1e-7)
    assert gaussian_mi((w @ w.T).numpy(), labels.numpy()) == plain
    coarse = gaussian_mi(w @ w.T, [0, 0, 0, 0, 0, 1])
    inner = gaussian_mi((w @ w.T)[:5, :5], [0, 0, 0, 1, 1])
    assert coarse + inner == pytest.approx(plain, rel=1e-12)


def test_ranks_decide() -> None:
    w = weight(4, 6)
    cov = w @ w.T
    truth = gaussian_mi(cov, [0, 0, 1, 1])
    copies = w[[0, 1, 2, 3, 0, 3]]  # repeats inside a module: the support is smaller, nothing is shared more
    assert gaussian_mi(copies @ copies.T, [0, 0, 1, 1, 0, 1]) == pytest.approx(truth, rel=1e-8)
    across = w[[0, 1, 2, 3, 0]]  # a repeat in the other module: a shared direction without noise
    assert gaussian_mi(across @ across.T, [0, 0, 1, 1, 1]) == math.inf
    wide = weight(8, 6)
    assert gaussian_mi(wide @ wide.T, [0, 0, 0, 0, 1, 1, 1, 1]) == math.inf
    dead = torch.block_diag(cov, torch.zeros(2, 2, dtype=torch.float64))
    assert gaussian_mi(dead, [0, 0, 1, 1, 0, 2]) == pytest.approx(truth, rel=1e-12)
    assert gaussian_mi(torch.zeros(3, 3), [0, 1, 2]) == 0.0
    nearly = torch.tensor([[1.0, 1 - 1e-9], [1 - 1e-9, 1.0]], dtype=torch.float64)
    assert gaussian_mi(nearly, [0, 1]) == pytest.approx(-0.5 * math.log(1 - (1 - 1e-9) ** 2), rel=1e-6)


def test_matrix_holds_each_pair() -> None:
    cov = NormalLinear(weight(6, 10)).cov
    matrix = gaussian_mi_matrix(cov, [0, 1, 2, 0, 1, 2])
    keep = [0, 2, 3, 5]
    assert float(matrix[0, 2]) == pytest.approx(gaussian_mi(cov[keep][:, keep], [0, 1, 0, 1]), rel=1e-12)
    assert torch.equal(matrix, matrix.T)


@pytest.mark.parametrize("sizes", [(3, 4), (2, 2, 3)])
def test_samples_are_unbiased(sizes: tuple[int, ...]) -> None:
    layer, labels = LinearModules(15, sizes).build()
    truth = gaussian_mi(layer.cov, labels)
    values = torch.tensor(
        [gaussian_mi_samples(layer(layer.inputs(30, generator(seed))), labels) for seed in range(300)]
    )
    assert float(values.mean()) == pytest.approx(truth, abs=3.5 * float(values.std()) / 300**0.5)


def test_two_modules_have_the_bias_of_the_estimator_of_pairs() -> None:
    y = torch.randn(25, 5, generator=generator(), dtype=torch.float64)
    plug_in = gaussian_mi(torch.cov(y.T), [0, 0, 1, 1, 1])
    assert plug_in - gaussian_mi_samples(y, [0, 0, 1, 1, 1]) == pytest.approx(gaussian_bias(25, 2, 3), rel=1e-10)


@pytest.mark.parametrize(
    ("cov", "words"),
    [
        (torch.ones(2, 3), "square"),
        (torch.tensor([[1.0, 0.5], [0.2, 1.0]]), "not symmetric"),
        (torch.tensor([[1.0, math.nan], [math.nan, 1.0]]), r"cov\[0, 1\] is nan"),
        (torch.tensor([[1.0, 2.0], [2.0, 1.0]]), "eigenvalue -1"),
    ],
)
def test_what_is_not_a_covariance(cov: Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        gaussian_mi(cov, [0, 1])


def test_bad_samples() -> None:
    with pytest.raises(ValueError, match="7 samples for 9 independent neurons"):
        gaussian_mi_samples(torch.randn(7, 9, generator=generator()), [0, 0, 0, 0, 1, 1, 1, 1, 1])
    x = torch.zeros(9, 2)
    x[4, 1] = math.inf
    with pytest.raises(ValueError, match=r"activations has 1 value.* row 4, column 1"):
        gaussian_mi_samples(x, [0, 1])
    with pytest.raises(ValueError, match=r"activations has shape \(9, 1, 1\)"):
        gaussian_mi_samples(torch.zeros(9, 1, 1), [0, 1])
