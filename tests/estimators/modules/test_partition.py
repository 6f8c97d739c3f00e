import numpy as np
import pytest
import torch

from lmi.estimators.modules.partition import module_indices, module_labels


def test_labels_and_matrix_say_the_same() -> None:
    labels = torch.tensor([2, 0, 2, 5, 0])
    rows = torch.stack([labels == label for label in (0, 2, 5)])
    for a, b in zip(module_indices(labels, 5), module_indices(rows, 5)):
        assert a.tolist() == b.tolist()
    assert module_labels(rows, 5).tolist() == [1, 0, 1, 2, 0]
    assert module_labels(labels.numpy(), 5).tolist() == module_labels(labels.tolist(), 5).tolist()


@pytest.mark.parametrize(
    ("partition", "error", "words"),
    [
        ([[True, True, False], [False, True, True]], ValueError, "overlapping modules: neuron 1 is in modules 0 and 1"),
        ([[True, True, True], [False, False, False]], ValueError, "module 1 is empty"),
        ([[True, False, False], [False, True, False]], ValueError, r"does not cover the layer: neurons \[2\]"),
        ([[True, False], [False, True]], ValueError, "does not cover the layer: 2 columns for 3 neurons"),
        ([0, 1], ValueError, "does not cover the layer: 2 labels for 3 neurons"),
        ([0, -1, 1], ValueError, "neuron 1 has label -1"),
        ([], ValueError, "expected integers"),
        (np.zeros(0, dtype=int), ValueError, "partition is empty"),
        (np.zeros((0, 3), dtype=bool), ValueError, "partition is empty"),
        ([1, 1, 1], ValueError, "1 module: expected at least two"),
        ([0.0, 1.0, 1.0], ValueError, "expected integers"),
        ([True, False, True], ValueError, "boolean matrix"),
        ([[1, 0, 0], [0, 1, 1]], ValueError, "expected a boolean"),
        ([0, None, 1], ValueError, "partition has None for neuron 1; expected a label"),
        (["a", float("nan"), "b"], ValueError, "expected"),
        ([0.0, float("nan"), 1.0], ValueError, "expected integers or names"),
        (np.zeros((1, 1, 3), dtype=bool), ValueError, "expected labels"),
    ],
)
def test_bad_partitions_are_refused_by_name(partition: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        module_indices(partition, 3)
