import sys

import pytest

from lmi.activations.docstrings import docstring_corpus, package_folder, prose

DOCSTRING = (
    "The sum of two quantities is larger than either of them when both are positive, which is a fact that children "
    "learn early and that engineers sometimes forget when they add the errors of a long chain of readings in {place}."
)


@pytest.fixture
def package(tmp_path, monkeypatch):
    root = tmp_path / "madeup_package"
    (root / "tests").mkdir(parents=True)
    (root / "__init__.py").write_text("raise RuntimeError('imported')\n")
    for number in range(40):
        text = DOCSTRING.format(place=f"room {number}")
        sibling = DOCSTRING.format(place=f"the cellar below room {number}")
        code = (
            f'def first():\n    """{text}"""\n\ndef second():\n    """{text}"""\n\nclass Third:\n    """{sibling}"""\n'
        )
        (root / f"module_{number}.py").write_text(code)
    (root / "tests" / "test_it.py").write_text(f'"""{DOCSTRING.format(place="a test")}"""\n')
    (root / "template.py").write_text("def {{ name }}(: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "madeup_package"


def test_documents_are_read_without_importing_once_each_and_siblings_together(package):
    corpus = docstring_corpus([package], held_out_share=0.3)
    everything = [*corpus.train, *corpus.held_out]
    assert package not in sys.modules
    assert len(everything) == len(set(everything)) == 80
    assert not any("a test" in document for document in everything)
    for number in range(40):
        family = [f"room {number}.", f"the cellar below room {number}."]
        sides = {any(name in document for document in corpus.held_out) for name in family}
        assert len(sides) == 1
    assert 0.1 < len(corpus.held_out) / 80 < 0.5
    assert docstring_corpus([package], held_out_share=0.3) == corpus


def test_missing_packages_are_named():
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        package_folder("no_such_package")


def test_prose_leaves_out_what_is_not():
    assert prose("x = 3.14 * (a[0] + b[1]) / c ** 2 - f(x, y, z)") == []
    assert prose(".. math:: this is a long directive without any prose in it") == []
    assert prose("The value of :class:`~numpy.ndarray` is **not** copied here.") == [
        "The value of numpy.ndarray is not copied here."
    ]
