"""Check settings against the dataclass that they are for: near names, types and choices, with the place of the mistake."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import inspect
import typing
from collections.abc import Mapping
from typing import Any

ALLOWED_ROOTS = ("lmi", "experiments", "lightning")


class SettingsError(ValueError):
    """A setting that does not exist or has a value that it cannot have."""


def near(name: str, choices: typing.Iterable[str]) -> str:
    """Words for an error: the choices, the nearest ones first.

    >>> near("latnt_dim", ["seed", "latent_dim"])
    "did you mean 'latent_dim'? (valid: latent_dim, seed)"
    """
    choices = sorted(choices)
    close = difflib.get_close_matches(name, choices, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}(valid: {', '.join(choices)})"


def check_fields(cls: type, values: Mapping[str, Any], place: str = "") -> None:
    """Raise ``SettingsError`` where ``values`` are not settings of the dataclass ``cls``.

    Args:
        cls: a dataclass; its fields' annotations are the schema.
        values: setting name -> value; nested settings that carry ``_target_`` are checked in their own place.
        place: dotted path to ``values``, for the message.

    Raises:
        SettingsError: for an unknown name, a missing one, or a value of another type.
    """
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    where = f"{place}." if place else ""
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    for name in values:
        if name not in fields:
            raise SettingsError(f"{where}{name}: {cls.__name__} has no such setting; {near(name, fields)}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise SettingsError(f"{where}{name}: {cls.__name__} needs this setting and it is missing")
    hints = typing.get_type_hints(cls)
    for name, value in values.items():
        if isinstance(value, Mapping) and "_target_" in value:
            check_config(value, f"{where}{name}")
            continue
        try:
            TypeAdapter(hints[name], config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value)
        except ValidationError as error:
            reasons = "; ".join(
                ".".join(str(part) for part in item["loc"] if not str(part).startswith("function-")) + " " + item["msg"]
                if item["loc"]
                else item["msg"]
                for item in error.errors()
            )
            raise SettingsError(f"{where}{name}: got {value!r} ({type(value).__name__}): {reasons}") from None


def target(path: str, place: str = "_target_") -> Any:
    """The class or function at the dotted ``path``; only this project's and Lightning's can be named."""
    if path.split(".")[0] not in ALLOWED_ROOTS:
        raise SettingsError(f"{place}: {path!r} is outside {', '.join(ALLOWED_ROOTS)}")
    module_path, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module_path), name)
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"{place}: nothing importable at {path!r} ({error})") from error


def check_config(config: Mapping[str, Any], place: str = "") -> None:
    """Check every node of a resolved config that names a ``_target_`` dataclass."""
    if "_target_" not in config:
        for name, value in config.items():
            if isinstance(value, Mapping):
                check_config(value, f"{place}.{name}" if place else str(name))
        return
    cls = target(config["_target_"], f"{place}._target_")
    values = {name: value for name, value in config.items() if not (name.startswith("_") and name.endswith("_"))}
    if inspect.isclass(cls) and dataclasses.is_dataclass(cls):
        check_fields(cls, values, place)


def from_config(cls: type, values: Mapping[str, Any], place: str = "") -> Any:
    """An instance of the dataclass ``cls`` with ``values`` as its settings, checked first.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Bins:
    ...     count: int = 15
    >>> from_config(Bins, {"cuont": 3}, "histogram")
    Traceback (most recent call last):
    lmi.settings.SettingsError: histogram.cuont: Bins has no such setting; did you mean 'count'? (valid: count)
    """
    check_fields(cls, values, place)
    return cls(**values)
