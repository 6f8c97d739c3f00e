"""A corpus that every installation has: the English prose of the installed scientific packages' docstrings.

Source files are parsed, never imported. Documents are docstrings; a paragraph that was seen before is dropped
wherever it comes again; a source file's documents all fall on the same side of the split, so that the siblings of a
held-out function are held out with it.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGES = (
    "numpy",
    "scipy",
    "sklearn",
    "torch",
    "pandas",
    "matplotlib",
    "transformers",
    "lightning",
    "sympy",
    "networkx",
    "numba",
    "torchmetrics",
    "mpmath",
    "wandb",
    "pydantic",
    "huggingface_hub",
)
SHORTEST_DOCUMENT = 200
PROSE_SHARE = 0.8
MARKUP = re.compile(r":[a-z:]+:`[~.]*([^`<]*?)\s*(?:<[^`]*>)?`|`+|\*\*?|[-=~]{4,}\s*")


@dataclass(frozen=True)
class Corpus:
    """Documents of prose, split once and for all by the name of their source file.

    Args:
        train: documents to learn from.
        held_out: documents to be judged on.
        packages: "name version" of each package that was read.
    """

    train: tuple[str, ...]
    held_out: tuple[str, ...]
    packages: tuple[str, ...]


def docstring_corpus(packages: Sequence[str] = PACKAGES, held_out_share: float = 0.03) -> Corpus:
    """Read the docstrings of ``packages``.

    Args:
        packages: import names; all of them have to be installed.
        held_out_share: share of source files whose documents are held out.

    Raises:
        ModuleNotFoundError: for a package that is not installed.
    """
    seen: set[bytes] = set()
    train: list[str] = []
    held_out: list[str] = []
    for package in packages:
        root = package_folder(package)
        for path in sorted(root.rglob("*.py")):
            name = f"{package}/{path.relative_to(root).as_posix()}"
            if {"test", "tests", "testing"}.isdisjoint(name.split("/")):
                side = held_out if _uniform(name) < held_out_share else train
                side.extend(_documents(path, seen))
    distributions = importlib.metadata.packages_distributions()
    versions = tuple(
        f"{package} {importlib.metadata.version(distributions[package][0])}" if package in distributions else package
        for package in packages
    )
    return Corpus(tuple(train), tuple(held_out), versions)


def package_folder(package: str) -> Path:
    """The folder of an installed package's source files, found without importing it."""
    if not package.isidentifier():  # a dotted name would import what stands before the dot
        raise ModuleNotFoundError(f"{package!r} is no name of a top-level package")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"no package {package!r} is installed; the corpus is read from its source files")
    return Path(next(iter(spec.submodule_search_locations)))


def prose(docstring: str) -> list[str]:
    """The paragraphs of ``docstring`` that are English prose, each on one line.

    Doctests, tables, formulas and directives go: what stays has at least 80% letters and spaces. Markup goes too.

    >>> prose('''Sum of the *array's* elements, as :func:`~numpy.add` gives them.
    ...
    ... >>> sum([1, 2])
    ... 3
    ...
    ... ===== =====
    ... 1.0   2.0
    ... ===== =====''')
    ["Sum of the array's elements, as numpy.add gives them."]
    """
    kept = []
    for paragraph in re.split(r"\n\s*\n", docstring):
        line = MARKUP.sub(r"\1", " ".join(paragraph.split())).strip()
        letters = sum((char.isalpha() and char.isascii()) or char == " " for char in line)
        if ">>>" not in line and not line.startswith("..") and len(line) > 24 and letters >= PROSE_SHARE * len(line):
            kept.append(line)
    return kept


def _documents(path: Path, seen: set[bytes]) -> Iterator[str]:
    """The documents of one source file, without the paragraphs whose digests are in ``seen``."""
    try:
        source = path.read_text(encoding="utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(source)
    except (UnicodeDecodeError, SyntaxError):
        return  # test data and templates of other languages; there is no docstring to miss
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        fresh = []
        for paragraph in prose(ast.get_docstring(node) or ""):
            digest = hashlib.blake2b(paragraph.lower().encode(), digest_size=12).digest()
            if digest not in seen:
                seen.add(digest)
                fresh.append(paragraph)
        document = "\n\n".join(fresh)
        if len(document) >= SHORTEST_DOCUMENT:
            yield document


def _uniform(name: str) -> float:
    """A number in [0, 1) that depends on ``name`` alone."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=6).digest(), "little") / 2**48
