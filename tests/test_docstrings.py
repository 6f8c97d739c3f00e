"""Docstrings: parameters of functions that have many are described, and tensors have shapes; counted over the package."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHAPE = re.compile(r"\([\w*+ /.-]+,[\w*+ ,/.:-]*\)|\(\)")  # (n,), (n, d), (b, b), ()


def functions():
    """Every public function and method of the package, where it stands; functions inside functions are no one else's."""
    for path in sorted((ROOT / "lmi").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for holder in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
            for node in holder.body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def parameters(node):
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [argument for argument in every if argument.arg not in ("self", "cls")]


def describes_each(node):
    text = ast.get_docstring(node) or ""
    if "see ``" in text.lower():
        return True  # the protocol describes them
    return all(re.search(rf"^\s+{argument.arg}: ", text, re.M) for argument in parameters(node))


def takes_tensors(node):
    return any("Tensor" in ast.unparse(a.annotation) for a in parameters(node) if a.annotation is not None)


def shares(wanted, holds):
    checked = [(place, holds(node)) for place, node in functions() if wanted(node)]
    missing = [place for place, fine in checked if not fine]
    return 1 - len(missing) / len(checked), missing


def has_shape(node):
    text = ast.get_docstring(node) or ""
    return "see ``" in text.lower() or bool(SHAPE.search(text))


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [(lambda node: len(parameters(node)) >= 4, describes_each), (takes_tensors, has_shape)],
    ids=["four or more parameters", "shapes of tensors"],
)
def test_nine_of_ten(wanted, holds):
    share, missing = shares(wanted, holds)
    assert share >= 0.9, "\n".join(missing)
