import pytest
import torch
from torch import nn

from lmi.activations import record


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Dropout(), nn.Linear(72, 5), nn.ReLU())


def test_rows_are_the_outputs_in_evaluation_mode_flattened_behind_the_batch(network, tmp_path):
    images = torch.randn(20, 1, 8, 8)
    network.train()
    network[2].eval()
    store = record(network, images.split(6), ["0", "4"], tmp_path / "entry")
    modes = [module.training for module in network]
    assert modes == [True, True, False, True, True]
    network.eval()
    with torch.no_grad():
        torch.testing.assert_close(store.layer("4"), network(images))
        torch.testing.assert_close(store.layer("0"), network[0](images).flatten(1))


def test_batches_of_several_arguments(tmp_path):
    network = nn.Bilinear(2, 3, 4)
    holder = nn.Sequential()
    holder.add_module("pair", network)
    holder.forward = lambda a, b: network(a, b)
    a, b = torch.randn(5, 2), torch.randn(5, 3)
    by_place = record(holder, [(a, b)], ["pair"], tmp_path / "place").layer("pair")
    by_name = record(holder, [{"a": a, "b": b}], ["pair"], tmp_path / "name").layer("pair")
    torch.testing.assert_close(by_place, network(a, b).detach())
    assert torch.equal(by_place, by_name)


def test_refusals(network, tmp_path):
    with pytest.raises(ValueError, match="no module that 'conv' matches"):
        record(network, [torch.randn(2, 1, 8, 8)], ["conv"], tmp_path / "unknown")
    recurrent = nn.Sequential(nn.GRU(3, 2))  # time first
    recurrent.forward = lambda x: recurrent[0](x.transpose(0, 1))
    with pytest.raises(ValueError, match=r"module '0' gives \(5, 4, 2\) for a batch of 4"):
        record(recurrent, [torch.randn(4, 5, 3)], ["0"], tmp_path / "time")
    silent = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    silent.forward = lambda x: silent[0](x)
    with pytest.raises(ValueError, match="module '1' is not called"):
        record(silent, [torch.randn(4, 2)], ["*"], tmp_path / "silent")
    with torch.no_grad():
        network[3].bias[0] = float("inf")
    with pytest.raises(ValueError, match="layer '3' has NaN or infinite"):
        record(network, [torch.randn(2, 1, 8, 8)], ["3"], tmp_path / "inf")
    assert list(tmp_path.iterdir()) == []
