import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from lmi.estimators.modules import derivatives
from lmi.estimators.modules.derivatives import jacobians
from lmi.estimators.modules.jacobian import jacobian_mi


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def closed_form(weight: Tensor, labels: Tensor) -> float:
    """Readable and slow, for regular covariances only."""
    cov = weight.double() @ weight.double().mT
    blocks = [cov[labels == b][:, labels == b] for b in labels.unique()]
    return 0.5 * float(sum(torch.logdet(block) for block in blocks) - torch.logdet(cov))


def mlp(seed: int = 0, widths: tuple[int, ...] = (6, 9, 4)) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(widths):
        layer = nn.Linear(a, b)
        layer.weight.data = torch.randn(b, a, generator=generator(seed)) / a**0.5
        layers += [layer, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize(("inputs", "outputs", "modules"), [(15, 7, 2), (40, 12, 3), (200, 60, 4)])
def test_linear_layers_match_the_closed_form(inputs: int, outputs: int, modules: int) -> None:
    weight = torch.randn(outputs, inputs, generator=generator(), dtype=torch.float64)
    labels = torch.arange(outputs) % modules
    x = torch.randn(3, inputs, generator=generator(1), dtype=torch.float64)
    truth = closed_form(weight, labels)
    exact = jacobian_mi(lambda x: x @ weight.mT, x, labels)
    assert exact.pointwise.tolist() == pytest.approx([truth] * 3, rel=1e-10)
    single = jacobian_mi(lambda x: x @ weight.float().mT, x.float(), labels)
    assert single.nats == pytest.approx(truth, rel=1e-4)


def test_a_mlp_matches_the_autograd_loop_and_chunks_do_not_matter() -> None:
    net, x = mlp(), torch.randn(7, 6, generator=generator(1))
    loop = torch.stack([torch.autograd.functional.jacobian(net, sample) for sample in x])
    for max_bytes in (1, 2000, 2**30):
        chunks = list(jacobians(net, x, max_bytes=max_bytes))
        torch.testing.assert_close(torch.cat([chunk for _, chunk in chunks]), loop)
    assert len(list(jacobians(net, x, max_bytes=1))) == 7


def test_forward_mode_is_taken_for_wide_outputs_and_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = mlp(widths=(3, 5, 8)), torch.randn(4, 3, generator=generator(1))
    loop = torch.stack([torch.autograd.functional.jacobian(net, sample) for sample in x])
    monkeypatch.setattr(derivatives, "jacrev", None)
    ((_, forward),) = jacobians(net, x)
    torch.testing.assert_close(forward, loop)


def test_any_input_and_output_shape() -> None:
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.GELU())
    x = torch.randn(2, 2, 5, 4, generator=generator())
    ((_, jacobian),) = jacobians(net, x)
    assert jacobian.shape == (2, 18, 40)


def test_the_dtype_option_leaves_the_module_alone() -> None:
    net, x = mlp(), torch.randn(2, 6, generator=generator())
    ((_, jacobian),) = jacobians(net, x, dtype=torch.float64)
    assert jacobian.dtype == torch.float64
    assert net[0].weight.dtype == torch.float32


def shared_rank(rank: int, inputs: int = 30, side: int = 8) -> tuple[Tensor, Tensor]:
    """Two modules of ``side`` neurons whose row spaces have exactly ``rank`` dimensions in common."""
    basis = torch.linalg.qr(torch.randn(inputs, inputs, generator=generator(rank), dtype=torch.float64)).Q
    directions = basis[:, : 2 * side - rank].mT
    mix = torch.randn(2, side, side, generator=generator(9), dtype=torch.float64)
    left, right = mix[0] @ directions[:side], mix[1] @ torch.cat([directions[:rank], directions[side:]])
    return torch.cat([left, right]), torch.arange(2 * side) // side


@pytest.mark.parametrize("rank", [0, 1, 3, 8])
def test_slope_counts_shared_directions_and_intercept_is_the_pseudo_determinant(rank: int) -> None:
    weight, labels = shared_rank(rank)
    x = torch.zeros(2, 30, dtype=torch.float64)
    result = jacobian_mi(lambda x: x @ weight.mT, x, labels, noise=torch.logspace(-6, 1, 15))
    assert result.shared_directions == pytest.approx(rank, abs=1e-3 + 0.01 * rank)
    support = torch.linalg.svdvals(weight)[: 16 - rank]
    parts = [torch.linalg.svdvals(weight[labels == b]) for b in (0, 1)]
    finite = float(sum(part.log().sum() for part in parts) - support.log().sum())
    assert result.finite_nats == pytest.approx(finite, abs=1e-3)
    assert bool((result.curve.diff() <= 1e-9).all()), "noise only takes information away"
    assert result.warnings == ()
    noiseless = jacobian_mi(lambda x: x @ weight.mT, x, labels)
    assert math.isinf(noiseless.nats) == (rank > 0)


def test_slope_is_the_derivative_of_the_curve() -> None:
    net, x = mlp(), torch.randn(5, 6, generator=generator(1))
    near = jacobian_mi(net, x, [0, 0, 1, 1], noise=[0.3, 0.3001], dtype=torch.float64)
    numeric = (near.curve[0] - near.curve[1]) / math.log(0.3001 / 0.3)
    assert float(numeric) == pytest.approx(float(near.pointwise_slopes.mean()), rel=1e-3)


def test_support_smaller_than_the_modules_is_finite_where_ranks_add_up() -> None:
    weight = torch.randn(4, 6, generator=generator(), dtype=torch.float64)
    doubled = weight[[0, 1, 2, 3, 0, 2]]  # a copy within each module; a dead neuron on top
    doubled = torch.cat([doubled, torch.zeros(1, 6, dtype=torch.float64)])
    labels = torch.tensor([0, 0, 1, 1, 0, 1, 1])
    x = torch.zeros(1, 6, dtype=torch.float64)
    truth = closed_form(weight, torch.tensor([0, 0, 1, 1]))
    assert jacobian_mi(lambda x: x @ doubled.mT, x, labels).nats == pytest.approx(truth, rel=1e-10)


def test_scaling_one_neuron_changes_nothing() -> None:
    weight = torch.randn(4, 9, generator=generator(), dtype=torch.float64)
    scale = torch.tensor([1.0, 1e-12, 1e6, 1.0], dtype=torch.float64)[:, None]
    x = torch.zeros(1, 9, dtype=torch.float64)
    plain, scaled = (jacobian_mi(lambda x, w=w: x @ w.mT, x, [0, 0, 1, 1]).nats for w in (weight, weight * scale))
    assert scaled == pytest.approx(plain, rel=1e-9)


def test_more_outputs_than_inputs_is_infinite_in_words() -> None:
    net, x = mlp(widths=(3, 8)), torch.randn(2, 3, generator=generator())
    result = jacobian_mi(net, x, torch.arange(8) % 2)
    assert math.isinf(result.nats)
    assert result.interval is None
    assert "infinite for 2 of 2 samples by construction: 8 outputs of 3 inputs" in result.warnings[0]
    assert math.isfinite(jacobian_mi(net, x, torch.arange(8) % 2, noise=0.1).nats)
    with pytest.raises(ValueError, match="no curve"):
        _ = result.shared_directions


def test_unresolved_noise_and_unsettled_curves_warn() -> None:
    weight, labels = shared_rank(2)
    x = torch.zeros(1, 30)
    fine = jacobian_mi(lambda x: x @ weight.float().mT, x, labels, noise=torch.logspace(-12, -2, 21))
    assert "finer than the Jacobian's precision" in fine.warnings[0]
    assert fine.shared_directions == pytest.approx(2, rel=0.02)
    coarse = jacobian_mi(lambda x: x @ weight.float().mT, x, labels, noise=2.0)
    assert "not settled" in coarse.warnings[0]


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (lambda x: x.detach() * 2, "no gradient"),
        (lambda x: x.argsort(dim=1), "not differentiable"),
        (lambda x: torch.from_numpy(x.numpy()), "not differentiable"),
        (lambda x: x.round() * 1.0, "zero at every sample"),
        (lambda x: x.sum(), r"expected a tensor \(1, ...\)"),
        (nn.Sequential(nn.Linear(4, 4), nn.Dropout()), r"'1' \(Dropout\) is in training mode"),
    ],
)
def test_functions_without_a_jacobian_are_refused(fn: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        jacobian_mi(fn, torch.randn(3, 4, generator=generator()), [0, 0, 1, 1])


def test_nan_in_a_jacobian_names_the_sample() -> None:
    x = torch.ones(5, 4)
    x[3, 2] = -1.0
    with pytest.raises(ValueError, match="sample 3 is not finite: nan at output 0, input 2"):
        jacobian_mi(lambda x: x.sqrt(), x, [0, 0, 1, 1], max_bytes=1)


@pytest.mark.parametrize("noise", [0.0, -1.0, [0.1, math.nan], []])
def test_noise_has_to_be_positive(noise: object) -> None:
    with pytest.raises(ValueError, match="positive standard deviations"):
        jacobian_mi(lambda x: x, torch.ones(1, 2), [0, 1], noise=noise)


def test_bad_partition_and_input() -> None:
    with pytest.raises(ValueError, match="does not cover"):
        jacobian_mi(lambda x: x, torch.ones(1, 3), [0, 1])
    with pytest.raises(ValueError, match="floating point"):
        jacobian_mi(lambda x: x, torch.ones(1, 2, dtype=torch.long), [0, 1])
    with pytest.raises(ValueError, match="at least one sample"):
        jacobian_mi(lambda x: x, torch.ones(0, 2), [0, 1])


def test_gpt2_blocks() -> None:
    from transformers import GPT2Config
    from transformers.models.gpt2.modeling_gpt2 import GPT2MLP

    torch.manual_seed(0)
    block = GPT2MLP(32, GPT2Config(n_embd=8, resid_pdrop=0.1))
    x = torch.randn(3, 8, generator=generator())
    with pytest.raises(ValueError, match=r"'dropout' \(Dropout\) is in training mode"):
        jacobian_mi(block, x, torch.arange(8) % 2)
    block.eval()
    loop = torch.stack([torch.autograd.functional.jacobian(lambda z: block(z[None])[0], token) for token in x])
    ((_, together),) = jacobians(block, x)
    torch.testing.assert_close(together, loop)
    assert jacobian_mi(block, x, torch.arange(8) % 2, dtype=torch.float64).nats > 0
