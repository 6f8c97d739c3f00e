"""The page of settings: ``%%config-groups%%`` becomes every group of ``conf/``, its choices and the fields of their classes.

Nothing is written down twice: names, types, defaults and ranges are those of the dataclasses, their meaning is the ``Args``
section of the docstring, and what a yaml changes is read from the yaml.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx

from lmi.settings import target

CONF = Path(__file__).parents[2] / "conf"
ABOUT = {
    "experiment": "What is asked. `python train.py experiment=<name>`.",
    "estimator": "What measures. `estimator=<name>`, in the experiments that take one.",
    "estimator/neural": "Parts that the neural estimators share.",
    "source": "Where the samples come from. `source=<name>`.",
    "activations": "Which hidden states. `activations=<name>`.",
    "model": "Which language model. `model=<name>`.",
    "trainer": "Devices and precision. `trainer=<name>`.",
    "logger": "The tracker; a CSV is always written beside it. `logger=<name>`.",
    "sweep": "How the trials of a `-m` command are chosen and started. `sweep=<name>`.",
}


def groups() -> dict[str, list[Path]]:
    """Group -> its files."""
    folders = sorted({path.parent for path in CONF.rglob("*.yaml")} - {CONF})
    groups = {str(folder.relative_to(CONF)): sorted(folder.glob("*.yaml")) for folder in folders}
    order = [*ABOUT, *(name for name in groups if name not in ABOUT)]
    return {name: groups[name] for name in order if name in groups}


def targets(node: Any) -> Iterator[str]:
    """Every ``_target_`` in a config, the outer ones first."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield node["_target_"]
        for value in node.values():
            yield from targets(value)
    elif isinstance(node, list):
        for value in node:
            yield from targets(value)


def nested(cls: type) -> Iterator[type]:
    """A settings class and those of its fields that are settings too."""
    yield cls
    if dataclasses.is_dataclass(cls):
        hints = typing.get_type_hints(cls)
        for field in dataclasses.fields(cls):
            for part in (hints[field.name], *typing.get_args(hints[field.name])):
                if isinstance(part, type) and dataclasses.is_dataclass(part) and field.init:
                    yield from nested(part)


def described(cls: type) -> dict[str, str]:
    """Field -> its line in the docstring's ``Args``, of the class and of those that it inherits from."""
    words: dict[str, str] = {}
    for base in cls.__mro__:
        section = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", inspect.cleandoc(base.__doc__ or ""), re.M | re.S)
        for name, text in re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", section.group(1) if section else "", re.M):
            words.setdefault(name, " ".join(text.split()))
    return words


def type_words(hint: Any) -> str:
    """A type as a reader writes it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return type_words(arguments[0])
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join("none" if part is type(None) else type_words(part) for part in arguments)
    if origin in (tuple, list) or getattr(origin, "__name__", "") == "Sequence":
        inner = [type_words(part) for part in arguments if part is not Ellipsis]
        same = Ellipsis in arguments or origin is not tuple
        return f"list of {inner[0]}" if same else f"[{', '.join(inner)}]"
    if getattr(origin, "__name__", "") in ("dict", "Mapping"):
        return f"{type_words(arguments[0])} to {type_words(arguments[1])}"
    words = {int: "whole number", float: "number", str: "text", bool: "true or false", Any: "anything"}
    return words.get(hint, getattr(hint, "__name__", str(hint)))


def range_words(hint: Any) -> str:
    """The range that a field's annotation states."""
    marks = {"Ge": ">=", "Gt": ">", "Le": "<=", "Lt": "<", "MinLen": "at least", "MaxLen": "at most"}
    bounds: list[str] = []
    if typing.get_origin(hint) is typing.Annotated:
        for extra in typing.get_args(hint)[1:]:
            for rule in extra.metadata if isinstance(extra, FieldInfo) else ():
                bound = next(iter(dataclasses.asdict(rule).values()))
                bounds.append(f"{marks[type(rule).__name__]} {bound}")
    for part in typing.get_args(hint):
        if typing.get_origin(part) is typing.Annotated:
            bounds.append(range_words(part))
    return " and ".join(filter(None, bounds))


def default_words(field: dataclasses.Field[Any]) -> str:
    """What a field is unless told otherwise."""
    value = field.default
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    if value is dataclasses.MISSING:
        return "required"
    if dataclasses.is_dataclass(value):
        return f"a {type(value).__name__}"
    return "none" if value is None else f"`{value}`"


@dataclasses.dataclass(frozen=True)
class Row:
    """One field of a settings class, in words."""

    name: str
    type: str
    default: str
    range: str
    meaning: str


def rows(cls: type) -> list[Row]:
    """The fields of a settings class that can be set."""
    hints, words = typing.get_type_hints(cls, include_extras=True), described(cls)
    return [
        Row(f.name, type_words(hints[f.name]), default_words(f), range_words(hints[f.name]), words.get(f.name, ""))
        for f in dataclasses.fields(cls)
        if f.init
    ]


def _cell(text: str) -> str:
    """Words that are safe in a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def _table(cls: type) -> str:
    lines = ["| setting | type | default | range | meaning |", "| --- | --- | --- | --- | --- |"]
    for row in rows(cls):
        cells = (f"`{row.name}`", row.type, row.default, row.range, row.meaning)
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return "\n".join(lines)


def _summary(path: Path) -> str:
    comments = [line[2:] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
    return " ".join(line for line in comments if not line.startswith("@package"))


def _first_line(cls: type) -> str:
    """The first sentence or two of a class's docstring."""
    return inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].replace("\n", " ")


def choices(path: Path) -> list[str]:
    """Dotted paths of the classes that a yaml builds, in the order of the file."""
    return list(dict.fromkeys(targets(yaml.safe_load(path.read_text(encoding="utf-8")))))


def classes(group: str) -> list[type]:
    """The settings classes of a group, each once, with the classes of their fields."""
    classes: dict[type, None] = {}
    for path in groups()[group]:
        for name in choices(path):
            for cls in nested(target(name)):
                if dataclasses.is_dataclass(cls):
                    classes.setdefault(cls)
    return list(classes)


def page() -> str:
    """Markdown of all groups; a class that several groups use is shown where it comes first."""
    parts: list[str] = []
    seen: set[type] = set()
    for group, files in groups().items():
        parts.append(f"## {group}\n\n{ABOUT.get(group, '')}\n")
        parts.append("| choice | builds | about |\n| --- | --- | --- |")
        for path in files:
            names = ", ".join(f"`{name.rpartition('.')[2]}`" for name in choices(path))
            about = _summary(path) or next((_first_line(target(name)) for name in choices(path)), "")
            parts.append(f"| `{path.stem}` | {names} | {_cell(about)} |")
        parts.append("")
        for cls in classes(group):
            if cls in seen:
                continue
            seen.add(cls)
            parts.append(f"### {cls.__name__}\n\n{_first_line(cls)}\n\n{_table(cls)}\n")
    return "\n".join(parts)


def insert(app: Sphinx, docname: str, source: list[str]) -> None:
    """Fill the placeholder of a page as it is read."""
    if "%%config-groups%%" in source[0]:
        source[0] = source[0].replace("%%config-groups%%", page())


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("source-read", insert)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
