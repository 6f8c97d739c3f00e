import numpy as np
import pytest

from lmi.experiments.benchmarks.peers import latentmi


@pytest.mark.parametrize(("value", "numpy"), [(None, "1.26.4"), (object(), "2.0.0")])
def test_a_peer_that_is_not_there_comes_with_the_command_that_installs_it(monkeypatch, value, numpy):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: value)
    monkeypatch.setattr(np, "__version__", numpy)
    with pytest.raises(ValueError, match=r'pip install -e "\.\[peers\]"'):
        latentmi("lmi")
