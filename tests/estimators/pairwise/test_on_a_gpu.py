"""Every public function of pairs of columns, on tensors of a made-up GPU: the CPU's numbers, nothing on two devices at once."""

import numpy as np
import pytest
import torch

import lmi
from lmi.estimators.pairwise.matrix import pairwise_measure
from tests.made_up_gpu import DEVICE, MadeUpGpu, OnGpu

H = torch.randn(90, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
H[:, 1] += H[:, 0].square()
H[:, 2] = H[:, 2].relu()
DOCUMENTS = torch.arange(90) // 9
EDGES = lmi.pairwise_edges(H, "gaussian", rate=1.0, draws=4)
OBSERVED = lmi.pairwise_mi(H, estimator="gaussian")


def significance(x):
    measure, generator = pairwise_measure("gaussian", device=x.device), torch.Generator().manual_seed(0)
    return lmi.pairwise_significance(OBSERVED, x, measure, DOCUMENTS, generator, draws=4).p


ON_DEVICE = {  # what has to be worked out where the tensor is
    "pairwise_mi ksg": lambda x: lmi.pairwise_mi(x, k=1),
    "pairwise_mi histogram": lambda x: lmi.pairwise_mi(x, None, "histogram", correction="miller_madow"),
    "pairwise_mi mass": lambda x: lmi.pairwise_mi(x, None, "histogram", binning="mass", bins=5),
    "pairwise_mi gaussian": lambda x: lmi.pairwise_mi(x, None, "gaussian"),
    "pairwise_mi bspline": lambda x: lmi.pairwise_mi(x, None, "bspline", bins=5),
    "pairwise_mi cofiring": lambda x: lmi.pairwise_mi(x, None, "cofiring"),
    "pairwise_mi x y": lambda x: lmi.pairwise_mi(x[:, :3], x[:, 3:], "histogram"),
    "pairwise": lambda x: lmi.pairwise(x, "histogram", documents=DOCUMENTS, draws=4).q,
    "pairwise ksg": lambda x: lmi.pairwise(x, documents=DOCUMENTS, draws=4).q,
    "pairwise_edges": lambda x: lmi.pairwise_edges(x, "gaussian", rate=1.0, draws=4).q,
    "pairwise_edges targets": lambda x: lmi.pairwise_edges(x, targets=[2, 5], rate=1.0, draws=4).q,
    "consensus_edges": lambda x: lmi.consensus_edges(x, "gaussian", rate=1.0, draws=4, resamples=2, agreement=0.1).q,
    "nonlinearity": lmi.nonlinearity,
    "pairwise_significance": significance,
    "effective_samples": lambda x: lmi.effective_samples(x, DOCUMENTS),
}
ANYWHERE = {
    "direct_edges": lambda x: lmi.direct_edges(EDGES, x, rate=None).nats,
    "cofiring": lambda x: lmi.cofiring(x.clamp(min=0), rate=1.0).nats,
    "histogram_mi": lambda x: lmi.histogram_mi(x[:, 0], x[:, 1]),
    "g_test": lambda x: lmi.g_test(x.abs(), 100, 4),
    "benjamini_hochberg": lambda x: lmi.benjamini_hochberg(x[:, 0].abs().clamp(max=1)),
}


@pytest.mark.parametrize("name", [*ON_DEVICE, *ANYWHERE])
def test_a_tensor_on_a_gpu_gives_the_numbers_of_the_cpu(emulated, name):
    call = (ON_DEVICE | ANYWHERE)[name]
    expected = call(H)
    with MadeUpGpu() as device:
        value = call(H.to(DEVICE))
    value = getattr(value, "held", value)
    np.testing.assert_allclose(value, np.asarray(expected), rtol=0, atol=1e-9)
    if name in ON_DEVICE:
        assert device.worked & {"aten.mm", "aten.bmm", "aten._int_mm", "aten.sort", "aten.sum"}, device.worked


def test_the_made_up_device_refuses_what_a_gpu_refuses():
    with MadeUpGpu():
        there = H.to(DEVICE)
        assert isinstance(there, OnGpu) and torch.equal(there.cpu(), H)
        with pytest.raises(RuntimeError, match="expected all tensors on one device"):
            there + H
        with pytest.raises(TypeError, match="convert cudalike"):
            np.asarray(there)
