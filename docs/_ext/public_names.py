"""The page of public names: ``%%public-names%%`` in a page becomes one entry of autodoc for each name that lmi exports."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import typing

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import lmi

# Heading -> names. ``lmi.NAME`` where no module stands before it; a test says when a public name is in none of these.
GROUPS: dict[str, tuple[str, ...]] = {
    "One estimate": ("estimate", "Estimate", "Verdict", "lmi.evidence.Null", "Context", "Result"),
    "Every pair of columns": (
        "pairwise",
        "pairwise_mi",
        "pairwise_significance",
        "nonlinearity",
        "histogram_mi",
        "g_test",
        "benjamini_hochberg",
        "effective_samples",
    ),
    "Groups of neurons": ("gaussian_mi", "jacobian_mi", "quantized_mi", "find_modules", "modularity_score"),
    "Activations": ("Activations", "LanguageModel", "record", "capture"),
    "In scikit-learn's pipelines": ("lmi.sklearn.mutual_info_regression", "lmi.sklearn.mutual_info_classif"),
    "To extend": (
        "lmi.types.Estimator",
        "lmi.types.Source",
        "lmi.types.Pairs",
        "lmi.settings.SettingsError",
        "lmi.report.style.use",
    ),
}


TYPES = "What these functions take and return"


def qualified(name: str) -> str:
    """The dotted path that a name of ``GROUPS`` is documented under."""
    return name if "." in name else f"lmi.{name}"


def resolved(name: str) -> object:
    """The object behind a name of ``GROUPS``."""
    module, _, last = qualified(name).rpartition(".")
    return getattr(importlib.import_module(module), last)


def _entry(name: str) -> str:
    path = qualified(name)
    kind = "class" if inspect.isclass(resolved(name)) else "function"
    if inspect.isclass(resolved(name)) and issubclass(resolved(name), BaseException):  # type: ignore[arg-type]
        kind = "exception"
    options = "\n   :members:" if kind == "class" else ""
    return f"### {name.rpartition('.')[2]}\n\n```{{eval-rst}}\n.. auto{kind}:: {path}{options}\n```\n"


def classes_in_signatures() -> tuple[str, ...]:
    """The package's own classes that stand in the signatures of public functions and are in none of the groups."""
    named = {resolved(name) for names in GROUPS.values() for name in names}
    classes: dict[str, None] = {}
    for function in filter(inspect.isfunction, map(resolved, exported())):
        for hint in typing.get_type_hints(function).values():
            for part in (hint, *typing.get_args(hint)):
                if inspect.isclass(part) and part.__module__.startswith("lmi.") and part not in named:
                    classes.setdefault(f"{part.__module__}.{part.__qualname__}")
    return tuple(classes)


def exported() -> list[str]:
    """Every name of ``GROUPS``, and those that lmi exports and no group has."""
    names = [name for group in GROUPS.values() for name in group]
    return names + [name for name in lmi.__all__ if name not in names and name != "__version__"]


def groups() -> dict[str, tuple[str, ...]]:
    """``GROUPS`` with what they leave out."""
    shown = {name for names in GROUPS.values() for name in names}
    others = {"More": tuple(name for name in exported() if name not in shown), TYPES: classes_in_signatures()}
    return GROUPS | {title: names for title, names in others.items() if names}


def page() -> str:
    """Markdown of all groups."""
    return "\n".join(f"## {title}\n\n" + "\n".join(map(_entry, names)) for title, names in groups().items())


def insert(app: Sphinx, docname: str, source: list[str]) -> None:
    """Fill the placeholder of a page as it is read."""
    if "%%public-names%%" in source[0]:
        source[0] = source[0].replace("%%public-names%%", page())


def escape(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Docstrings are plain text with ``code`` in it: stars and bars outside of code mean themselves."""
    for index, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = re.split(r"(``.*?``)", line)
            lines[index] = "".join(
                part if part.startswith("``") else re.sub(r"([*|])", r"\\\1", part) for part in parts
            )


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element) -> nodes.Element | None:
    """Annotations name the file that a class lives in; the manual documents it under its public name, and aliases nowhere."""
    target = str(node.get("reftarget"))
    if node.get("refdomain") != "py" or not target.startswith("lmi."):
        return None
    module, _, name = target.rpartition(".")
    thing = getattr(importlib.import_module(module), name, None) if importlib.util.find_spec(module) else None
    if thing is not None and not inspect.isclass(thing) and not inspect.isroutine(thing):
        return content  # an alias such as a Literal: its name is all there is to show
    for public in map(qualified, exported()):
        if public != target and resolved(public) is thing:
            return env.get_domain("py").resolve_xref(env, node["refdoc"], app.builder, "obj", public, node, content)
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("source-read", insert)
    app.connect("autodoc-process-docstring", escape, priority=400)  # before napoleon's 500
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
