import pytest
import torch
from torch import nn

from lmi.activations.hooks import capture, matching


class Fails(nn.Module):
    def forward(self, x):
        raise RuntimeError("in the middle")


class Dictionary(nn.Module):
    def forward(self, x):
        return {"note": "nothing here"}


def hooks_of(network):
    return sum(len(module._forward_hooks) for module in network.modules())


def test_outputs_are_those_of_the_modules():
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    x = torch.randn(5, 3)
    with capture(network, ["*"]) as outputs, torch.no_grad():
        result = network(x)
    torch.testing.assert_close(outputs["0"], network[0](x).detach())
    torch.testing.assert_close(outputs["2"], result)
    assert hooks_of(network) == 0


def test_inputs_also_when_they_come_by_keyword():
    class Caller(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(3, 3)

        def forward(self, x):
            return self.inner(input=x * 2)

    network, x = Caller(), torch.randn(4, 3)
    with capture(network, ["inner"], take="input") as inputs:
        network(x)
    torch.testing.assert_close(inputs["inner"], x * 2)


def test_hooks_are_gone_when_the_forward_pass_fails():
    network = nn.Sequential(nn.Linear(2, 2), Fails())
    with pytest.raises(RuntimeError, match="in the middle"), capture(network, ["0"]):
        network(torch.zeros(1, 2))
    assert hooks_of(network) == 0


def test_hooks_are_gone_when_a_module_gives_no_tensor():
    network = nn.Sequential(Dictionary())
    with pytest.raises(TypeError, match="output of module '0' is a dict"), capture(network, ["0"]):
        network(torch.zeros(1, 2))
    assert hooks_of(network) == 0


def test_an_inplace_operation_further_on_does_not_change_what_was_captured():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True))
    x = torch.randn(50, 3)
    with capture(network, ["0"]) as outputs, torch.no_grad():
        network(x)
    assert (outputs["0"] < 0).any()


def test_the_first_tensor_of_several_outputs():
    network = nn.Sequential(nn.LSTM(3, 4, batch_first=True))
    x = torch.randn(2, 5, 3)
    with capture(network, ["0"]) as outputs:
        expected = network(x)[0]
    torch.testing.assert_close(outputs["0"], expected.detach())


def test_unknown_names_list_the_near_ones():
    network = nn.ModuleDict({"encoder": nn.Linear(1, 1), "decoder": nn.Linear(1, 1)})
    with pytest.raises(ValueError, match=r"no module that 'encodr' matches; did you mean 'encoder'"):
        matching(network, ["encodr"])
    with pytest.raises(ValueError, match="decoder"), capture(network, ["nothing.*"]):
        pass
    assert hooks_of(network) == 0


def test_matching_keeps_the_networks_order():
    network = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 1), nn.ReLU()))
    assert matching(network, ["1.*", "0"]) == ["0", "1.0", "1.1"]
