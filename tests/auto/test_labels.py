import math

import pytest
import torch

import lmi
from lmi.auto.labels import label_information
from lmi.estimators.probes.labels import leading_columns
from lmi.sources.nonlinear.labels import LabelsAndTables
from lmi.types import Context


@pytest.mark.slow
def test_a_label_of_two_columns_together_is_read_among_twenty():
    pairs = LabelsAndTables("xor", 20).sample(2000, torch.Generator().manual_seed(5))
    leading = leading_columns(pairs.x.numpy(), pairs.y[:, 0].numpy(), 3, 0)
    assert {0, 1} <= set(leading.tolist())
    estimate = lmi.estimate(pairs.x, pairs.y[:, 0].long(), y_is_label=True, seed=0)
    assert estimate.nats == pytest.approx(pairs.truth, abs=0.05)
    assert estimate.interval[0] < pairs.truth < estimate.interval[1]
    assert estimate.null.p_value == pytest.approx(1 / 21) and abs(estimate.null.mean) < 0.01


@pytest.mark.slow
def test_a_label_that_is_hidden_among_many_columns_is_no_reliable_number():
    x = torch.randn(500, 200, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    estimate = label_information(x, (x[:, 0] * x[:, 1] > 0).long(), 5, Context())
    assert estimate.interval[1] > math.log(2) or estimate.verdict.level == "doubtful"
    assert estimate.verdict.level == "doubtful"


@pytest.mark.slow
def test_independent_labels_and_rare_classes():
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(600, 8, generator=generator, dtype=torch.float64)
    label = torch.randint(3, (600,), generator=generator)
    label[label == 2] = torch.where(torch.rand(int((label == 2).sum()), generator=generator) < 0.05, 2, 0)
    estimate = label_information(x, label, 10, Context())
    assert 0 <= estimate.nats < 0.02 and estimate.null.p_value > 0.05
    assert "perceptron" not in estimate.choice
