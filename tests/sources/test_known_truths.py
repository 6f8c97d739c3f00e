"""The truths that sources claim, against independent ways to them."""

import math

import pytest
import torch

from lmi.sources.normal.mixtures import NormalMixture
from lmi.sources.normal.student import StudentT, chi_square
from lmi.sources.pictures.digits_channel import DigitsChannel


def t_log_density(z, scale, degrees):
    d = z.shape[1]
    square = (torch.linalg.solve(scale, z.T).T * z).sum(1)
    constant = math.lgamma((degrees + d) / 2) - math.lgamma(degrees / 2) - 0.5 * d * math.log(degrees * math.pi)
    return constant - 0.5 * torch.linalg.slogdet(scale).logabsdet - 0.5 * (degrees + d) * torch.log1p(square / degrees)


@pytest.mark.parametrize(("dim", "degrees", "rho"), [(1, 1.0, 0.0), (2, 3.0, 0.5), (4, 2.0, -0.6)])
def test_student_truth_is_the_mean_log_ratio(dim, degrees, rho):
    source = StudentT(dim, degrees, rho)
    pairs = source.sample(100_000, torch.Generator().manual_seed(0))
    eye = torch.eye(dim, dtype=torch.float64)
    scale = torch.cat((torch.cat((eye, rho * eye), 1), torch.cat((rho * eye, eye), 1)))
    terms = t_log_density(torch.cat((pairs.x, pairs.y), 1), scale, degrees)
    terms = terms - t_log_density(pairs.x, eye, degrees) - t_log_density(pairs.y, eye, degrees)
    assert abs(float(terms.mean()) - pairs.truth) < 4 * float(terms.std()) / math.sqrt(100_000)


def test_student_becomes_normal():
    assert StudentT(2, 1e6, 0.7).truth == pytest.approx(-math.log(1 - 0.49), abs=1e-4)


def test_chi_square_moments():
    draws = chi_square(50_000, 1.5, torch.Generator().manual_seed(1))
    assert abs(float(draws.mean()) - 1.5) < 0.05 and abs(float(draws.var()) - 3.0) < 0.2


def test_one_component_is_the_normal_closed_form():
    source = NormalMixture(dim=2, components=1, separation=0.0, shape_seed=3)
    s = source.shape()[1][0]
    closed = 0.5 * (torch.logdet(s[:2, :2]) + torch.logdet(s[2:, 2:]) - torch.logdet(s))
    truth, error = source.truth()
    assert error < 1e-3 and abs(truth - float(closed)) < 4e-3


def test_far_components_share_their_name():
    truth, _ = NormalMixture(dim=3, components=4, separation=200.0, shape_seed=5).truth()
    within = [
        0.5 * float(torch.logdet(s[:3, :3]) + torch.logdet(s[3:, 3:]) - torch.logdet(s))
        for s in NormalMixture(dim=3, components=4, separation=200.0, shape_seed=5).shape()[1]
    ]
    assert truth == pytest.approx(math.log(4) + sum(within) / 4, abs=4e-3)


@pytest.mark.parametrize("bits", [0.0, 0.3, 1.0])
def test_the_channel_carries_its_bits(bits):
    flip = DigitsChannel(bits).flip
    entropy = sum(-p * math.log2(p) for p in (flip, 1 - flip) if p > 0)
    assert 1 - entropy == pytest.approx(bits, abs=1e-9)


def test_images_are_of_the_digits_asked_for():
    from sklearn.datasets import load_digits

    digits = load_digits()
    known = {row.tobytes(): label for row, label in zip(digits.data, digits.target, strict=True)}
    pairs = DigitsChannel(1.0, 3, 8).sample(40, torch.Generator().manual_seed(0))
    labels = [(known[a.numpy().tobytes()], known[b.numpy().tobytes()]) for a, b in zip(pairs.x, pairs.y, strict=True)]
    assert set(labels) == {(3, 3), (8, 8)}
    with pytest.raises(ValueError, match="different digits"):
        DigitsChannel(0.5, 4, 4).sample(10, torch.Generator())


@pytest.mark.parametrize("part", [slice(0, 8), slice(0, 4), slice(4, 8)], ids=["whole", "left", "right"])
def test_no_part_of_a_digit_is_that_of_another_at_any_brightness(part):
    from sklearn.datasets import load_digits

    digits = load_digits()
    shown = digits.images[:, :, part].reshape(digits.target.size, -1)
    exact = [tuple(row) for row in shown]
    scaled = [tuple((row / row.sum()).round(12)) for row in shown]
    owners: dict[tuple[float, ...], set[int]] = {}
    for key, label in zip(scaled, digits.target.tolist()):
        owners.setdefault(key, set()).add(label)
    assert all(len(labels) == 1 for labels in owners.values())
    assert len(set(scaled)) == len(set(exact))  # none is a multiple of another, so that brightness can be read


def test_halves_and_brightness_add_what_they_say():
    source = DigitsChannel(0.5, halves=True, brightness_bits=1.0)
    pairs = source.sample(4000, torch.Generator().manual_seed(0))
    assert pairs.truth == pytest.approx(1.5 * math.log(2))
    plain = DigitsChannel(0.5, halves=True).sample(4000, torch.Generator().manual_seed(0))
    u, v = ((a.sum(1) / b.sum(1)) for a, b in ((pairs.x, plain.x), (pairs.y, plain.y)))
    assert 0.5 <= float(u.min()) < 0.6 and 1.4 < float(u.max()) <= 1.5
    z = torch.special.ndtri(torch.stack((u, v)) - 0.5)
    rho = float(torch.corrcoef(z)[0, 1])
    assert -0.5 * math.log(1 - rho**2) == pytest.approx(math.log(2), abs=0.05)
