"""Labels for the rows of a language model's layer: from a rule on the text, or from a file."""

from __future__ import annotations

import ast
import dataclasses
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lmi.activations import Activations
from lmi.activations.docstrings import package_folder
from lmi.activations.text import read_documents
from lmi.settings import near
from lmi.sources.planted.labelled import Labelled
from lmi.types import Context

RULES = {
    "code span": r"`[^`\n]+`",
    "capital": r"\b[A-Z]\w*",
    "number": r"\d+(?:\.\d+)?",
    "bracket": r"\([^()\n]*\)",
}


@dataclass(frozen=True)
class LabelledActivations:
    """One layer of a language model, each token labelled by whether a pattern of the text covers it, or from a file.

    Args:
        activations: the model, its texts, and which activations.
        layer: name of the layer; ``None`` takes the last one that ``activations`` gives.
        rule: "code span", "capital", "number", "bracket", or a regular expression; a token is inside where any of its
            characters is.
        file: labels instead of a rule: one a line, as many as tokens or as documents.
        package: where ``activations`` names no texts, read the docstrings of this installed package.
        most_documents: of those docstrings, evenly picked.
        most_rows: tokens at most, evenly thinned.
    """

    activations: Activations = field(default_factory=Activations)
    layer: str | None = None
    rule: str = "code span"
    file: str | None = None
    package: str = "numpy"
    most_documents: int = 100
    most_rows: int = 4000

    def input_files(self) -> list[Path]:
        """The labels: a run that goes on wants them as they were."""
        return [] if self.file is None else [Path(self.file)]

    def labelled(self, context: Context) -> Labelled:
        """The layer's rows with their labels and documents.

        Raises:
            ValueError: for an unknown layer, a pattern that is none, labels that do not match rows or documents, or
                one class only.
        """
        activations = self.activations
        if not activations.texts and not activations.files and activations.folder is None:
            activations = dataclasses.replace(activations, texts=docstrings(self.package, self.most_documents))
        layers = {name: (h, documents) for name, h, documents in activations.layers(context)}
        layer = self.layer if self.layer is not None else list(layers)[-1]
        if layer not in layers:
            raise ValueError(f"layer: there is no {layer!r}; {near(layer, layers)}")
        h, documents = (values.numpy() for values in layers[layer])
        if self.file is not None:
            labels, what = file_labels(Path(self.file), documents), Path(self.file).name
        else:
            texts = [
                document.text for document in read_documents(activations.texts, activations.files, activations.folder)
            ]
            with activations.store(context) as store:
                spans = store.index("spans").numpy()
            labels, what = rule_labels(self.rule, texts, documents, spans), self.rule
        rows = np.unique(np.linspace(0, labels.size - 1, min(self.most_rows, labels.size)).astype(int))
        name = f"{activations.model.name}, {layer}: {what}"
        return Labelled(h[rows].astype(np.float64), labels[rows], documents[rows].astype(np.int64), name)


def rule_labels(rule: str, texts: list[str], documents: Any, spans: Any) -> Any:
    """(n,) "inside" where a match of the rule covers a character of the token, else "outside".

    Args:
        rule: a name in ``RULES`` or a regular expression.
        texts: the documents.
        documents: (n,) which of them each row belongs to.
        spans: (n, 2) first character of each row's token, and the one behind its last.

    >>> rule_labels("code span", ["as `x` is"], np.zeros(3, int), np.array([[0, 2], [3, 6], [7, 9]])).tolist()
    ['outside', 'inside', 'outside']
    """
    try:
        pattern = re.compile(RULES.get(rule, rule))
    except re.error as error:
        raise ValueError(
            f"rule: {rule!r} is neither one of {', '.join(RULES)} nor a regular expression ({error})"
        ) from None
    labels = np.full(len(documents), "outside", dtype="<U7")
    for index, text in enumerate(texts):
        covered = np.zeros(len(text) + 1, dtype=np.int64)
        for match in pattern.finditer(text):
            covered[match.start() + 1 : match.end() + 1] = 1
        before = np.cumsum(covered)
        rows = np.flatnonzero(documents == index)
        inside = before[spans[rows, 1]] > before[spans[rows, 0]]
        labels[rows[inside]] = "inside"
    return labels


def file_labels(path: Path, documents: Any) -> Any:
    """(n,) labels from a file with one a line: for every row, or for every document."""
    if not path.is_file():
        raise FileNotFoundError(f"no file of labels at {str(path)!r}")
    lines = np.array([line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()])
    present = int(documents.max()) + 1
    if lines.size == documents.size:
        return lines
    if lines.size == present:
        return lines[documents]
    raise ValueError(
        f"labels do not match rows: {str(path)!r} has {lines.size}; expected {documents.size}, one a token, "
        f"or {present}, one a document"
    )


def docstrings(package: str, most: int, shortest: int = 200) -> tuple[str, ...]:
    """At most ``most`` docstrings of an installed package's source files, evenly picked, markup and all."""
    root = package_folder(package)
    sentences: list[str] = []
    for path in sorted(root.rglob("*.py")):
        if {"test", "tests", "testing"}.isdisjoint(path.relative_to(root).parts):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
                    text = ast.get_docstring(node)
                    if text and len(text) >= shortest:
                        sentences.append(text)
    if not sentences:
        raise ValueError(f"package: {package!r} has no docstrings of at least {shortest} characters")
    return tuple(sentences[index] for index in np.unique(np.linspace(0, len(sentences) - 1, most).astype(int)))
