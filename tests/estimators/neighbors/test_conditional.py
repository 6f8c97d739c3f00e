"""Labels and conditions against closed forms and numerical integrals."""

import math

import numpy as np
import pytest
import torch
from sklearn.feature_selection import mutual_info_classif

import lmi
from lmi.estimators.neighbors.conditional import conditional_pointwise, ross_pointwise


def chain(n, seed):
    g = torch.Generator().manual_seed(seed)
    z, ex, ey = (torch.randn(n, 1, generator=g, dtype=torch.float64) for _ in range(3))
    x = z + ex
    return x, 0.8 * x + z + ey, z


def labelled(n, seed, shift=2.0, share=0.3):
    """Two unit normals ``shift`` apart; truth by integration."""
    g = torch.Generator().manual_seed(seed)
    label = (torch.rand(n, generator=g) < share).long()
    x = torch.randn(n, 1, generator=g, dtype=torch.float64) + shift * label[:, None]
    grid = np.linspace(-8, 10, 20_001)
    parts = [w * np.exp(-0.5 * (grid - m) ** 2) / math.sqrt(2 * math.pi) for w, m in ((1 - share, 0.0), (share, shift))]
    density = parts[0] + parts[1]
    entropy = -np.trapezoid(density * np.log(density), grid)
    return x, label, entropy - 0.5 * math.log(2 * math.pi * math.e)


CHAIN_TRUTH = 0.5 * math.log(1 + 0.64)  # given z, y - (1.8 z) = 0.8 ex + ey


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["ksg", "auto"])
def test_conditional_information_of_normal_variables(estimator):
    x, y, z = chain(2500, 0)
    estimate = lmi.estimate(x, y, estimator, given=z)
    assert abs(estimate.nats - CHAIN_TRUTH) < 0.06
    assert estimate.verdict is not None


def test_what_the_condition_explains_is_gone():
    g = torch.Generator().manual_seed(1)
    z = torch.randn(2000, 1, generator=g, dtype=torch.float64)
    x, y = (z + torch.randn(2000, 1, generator=g, dtype=torch.float64) for _ in range(2))
    assert lmi.estimate(x, y, "ksg").nats > 0.1
    assert abs(float(conditional_pointwise(x, y, z).mean())) < 0.05


@pytest.mark.parametrize("estimator", ["ksg", "auto"])
def test_information_about_a_label(estimator):
    x, label, truth = labelled(3000, 2)
    estimate = lmi.estimate(x, label, estimator, y_is_label=True)
    assert abs(estimate.nats - truth) < 0.04
    assert estimate.ceiling < math.log(2)


def test_names_of_labels_do_not_matter():
    x, label, _ = labelled(500, 3)
    codes = torch.tensor([7.0, -100.0])[label]
    first, second = (lmi.estimate(x, y, "ksg", y_is_label=True).nats for y in (label, codes))
    assert first == pytest.approx(second, abs=1e-9)


def test_ross_equals_scikit_learn():
    x, label, _ = labelled(400, 4)
    theirs = mutual_info_classif(x.numpy(), label.numpy(), n_neighbors=3, random_state=0)[0]
    scaled = x / x.std(0, correction=0)
    assert float(ross_pointwise(scaled, label).mean()) == pytest.approx(theirs, abs=1e-6)


def test_a_number_is_not_a_label():
    x, _, _ = labelled(50, 5)
    with pytest.raises(ValueError, match="label of its own"):
        lmi.estimate(x, x, "ksg", y_is_label=True)


def test_estimators_that_cannot_say_so():
    x, y, z = chain(100, 6)
    with pytest.raises(ValueError, match="does not take conditions"):
        lmi.estimate(x, y, "gaussian", given=z)
    with pytest.raises(ValueError, match="paired row by row"):
        lmi.estimate(x, y, "ksg", given=z[:50])


def table(levels, n, seed):
    """Three discrete variables from a random table, and I(X; Y | Z) of the table."""
    g = torch.Generator().manual_seed(seed)
    joint = torch.rand(levels, levels, levels, generator=g, dtype=torch.float64) ** 3
    joint /= joint.sum()
    cell = torch.multinomial(joint.flatten(), n, replacement=True, generator=g)
    x, y, z = (side.double()[:, None] for side in (cell // levels**2, cell // levels % levels, cell % levels))

    def entropy(p):
        return float(-(p * p.clamp(min=1e-300).log()).sum())

    return x, y, z, entropy(joint.sum(1)) + entropy(joint.sum(0)) - entropy(joint) - entropy(joint.sum((0, 1)))


@pytest.mark.parametrize("estimator", ["ksg", "auto"])
@pytest.mark.parametrize("levels", [2, 5])
def test_conditional_information_of_discrete_variables(estimator, levels):
    x, y, z, truth = table(levels, 3000, levels)
    estimate = lmi.estimate(x, y, estimator, given=z)
    assert abs(estimate.nats - truth) < 0.03
    assert estimate.interval[0] < estimate.nats < estimate.interval[1]


def test_conditional_information_of_a_discrete_and_a_continuous_variable():
    g = torch.Generator().manual_seed(7)
    z = (torch.rand(4000, 1, generator=g) < 0.5).double()
    x = (torch.rand(4000, 1, generator=g) < 0.5).double()
    y = 20 * x * z + torch.randn(4000, 1, generator=g, dtype=torch.float64)
    assert abs(lmi.estimate(x, y, "ksg", given=z).nats - 0.5 * math.log(2)) < 0.03


def test_ties_change_nothing_where_nothing_repeats():
    x, y, z = chain(500, 8)
    joint = torch.cat((x, y, z), 1)
    radius = torch.cdist(joint, joint, p=math.inf).fill_diagonal_(math.inf).topk(3, largest=False).values[:, -1]
    slow = torch.digamma(torch.tensor(3.0, dtype=torch.float64)) + sum(
        sign * torch.digamma((torch.cdist(s, s, p=math.inf) < radius[:, None]).sum(1).double())
        for sign, s in ((1, z), (-1, torch.cat((x, z), 1)), (-1, torch.cat((y, z), 1)))
    )
    torch.testing.assert_close(conditional_pointwise(x, y, z, 3), slow, atol=1e-9, rtol=0)


@pytest.mark.slow
def test_a_condition_widens_the_interval_to_the_side_that_is_open():
    x, y, z = chain(600, 9)
    estimate = lmi.estimate(x, y, "auto", given=z)
    assert estimate.interval[0] < CHAIN_TRUTH < estimate.interval[1]


@pytest.mark.parametrize("estimator", ["ksg", "auto"])
def test_few_samples_for_many_triples_of_levels_are_doubted(estimator):
    x, y, z, _ = table(5, 300, 5)
    assert lmi.estimate(x, y, estimator, given=z).verdict.level != "reliable"
