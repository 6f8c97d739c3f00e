from pathlib import Path

import numpy as np
import pytest

from lmi.activations import Activations
from lmi.experiments.labels import LabelledActivations, docstrings, file_labels, rule_labels
from lmi.types import Context

TEXT = "Call `fit(x)` before Predict, or 42 times."


def spans(text: str) -> np.ndarray:
    return np.array([(place, place + 1) for place in range(len(text))])


@pytest.mark.parametrize(
    ("rule", "inside"),
    [("code span", "`fit(x)`"), ("capital", "CallPredict"), ("number", "42"), ("bracket", "(x)"), (r"be\w+", "before")],
)
def test_rules_mark_the_characters_they_match(rule: str, inside: str) -> None:
    labels = rule_labels(rule, [TEXT], np.zeros(len(TEXT), int), spans(TEXT))
    assert "".join(np.array(list(TEXT))[labels == "inside"]) == inside


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="neither one of code span"):
        rule_labels("(", [TEXT], np.zeros(1, int), np.array([[0, 1]]))


def test_labels_from_a_file_are_per_token_or_per_document(tmp_path: Path) -> None:
    documents = np.array([0, 0, 1, 1, 1])
    (tmp_path / "labels.txt").write_text("a\nb\n")
    assert file_labels(tmp_path / "labels.txt", documents).tolist() == ["a", "a", "b", "b", "b"]
    (tmp_path / "labels.txt").write_text("a\nb\nc\n")
    with pytest.raises(ValueError, match="has 3; expected 5, one a token, or 2, one a document"):
        file_labels(tmp_path / "labels.txt", documents)


def test_tokens_of_the_tiny_model_are_labelled() -> None:
    texts = (TEXT * 3, "The `axis` is an integer. " * 4, "No code here at all, only words.")
    source = LabelledActivations(Activations(texts=texts, depths=(1,), cache=None))
    data = source.labelled(Context())
    assert set(data.labels) == {"inside", "outside"}
    assert set(data.labels[data.documents == 2]) == {"outside"}
    assert data.h.shape[0] == data.labels.size
    with pytest.raises(ValueError, match=r"there is no 'hidden\.7'"):
        LabelledActivations(source.activations, layer="hidden.7").labelled(Context())


@pytest.mark.slow
def test_docstrings_are_many_and_the_same_again() -> None:
    first = docstrings("numpy", 20)
    assert first == docstrings("numpy", 20)
    assert len(first) == 20
    assert any("`" in text for text in first)
