import numpy as np
import pytest

from experiments.peers import latentmi


def test_numpy_is_as_it_was_after_the_peer(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("importlib.import_module", lambda name: name)
    names = set(vars(np))
    with latentmi("ksg") as module:
        assert module == "latentmi.ksg" and np.isnan(vars(np)["NaN"])
    assert set(vars(np)) == names


def test_a_peer_that_is_not_there_comes_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install --no-deps latentmi"), latentmi("lmi"):
        pass
