"""Check settings against the dataclass that they are for: near names, types and choices, with the place of the mistake."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import typing
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

OWN = ("lmi",)
GROUPS = ("lmi.estimators", "lmi.sources", "lmi.experiments")  # of entry points, by which other packages add theirs
LOGGERS = {  # the classes of others that a config may name, and what it may tell them
    "lightning.pytorch.loggers.CSVLogger": {"save_dir", "name", "version", "flush_logs_every_n_steps"},
    "lightning.pytorch.loggers.TensorBoardLogger": {"save_dir", "name", "version", "sub_dir"},
    "lightning.pytorch.loggers.WandbLogger": {
        "project", "offline", "save_dir", "settings", "name", "group", "tags", "entity", "notes", "job_type", "id",
    },
}  # fmt: skip
WANDB_SETTINGS = {"silent", "console", "quiet"}


class SettingsError(ValueError):
    """A setting that does not exist or has a value that it cannot have."""


def near(name: str, choices: Iterable[str]) -> str:
    """Words for an error: the choices, the nearest ones first.

    >>> near("latnt_dim", ["seed", "latent_dim"])
    "did you mean 'latent_dim'? (valid: latent_dim, seed)"
    >>> near("KSG", ["auto", "ksg"])
    "did you mean 'ksg'? (valid: auto, ksg)"
    """
    choices = sorted(choices)
    folded = {choice.lower(): choice for choice in choices}
    close = [folded[key] for key in difflib.get_close_matches(name.lower(), folded, n=1)]
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}(valid: {', '.join(choices)})"


def require_key(config: Mapping[Any, Any], key: str) -> None:
    """Refuse a dotted key that is not in ``config``, naming the nearest that are; ``+key`` adds one and may be new.

    Raises:
        SettingsError: if it is not there.

    >>> require_key({"estimator": {"latent_dim": 8}}, "estimator.latnt_dim")
    Traceback (most recent call last):
    lmi.settings.SettingsError: estimator.latnt_dim: no 'latnt_dim' in estimator; did you mean 'latent_dim'? (valid: latent_dim)
    >>> require_key({"context": {"_target_": "lmi.types.Context"}}, "context.seed")
    Traceback (most recent call last):
    lmi.settings.SettingsError: context.seed: a setting that the config does not show; +context.seed=... sets it
    """
    if key.startswith(("+", "~")):
        return
    place: list[str] = []
    node: Any = config
    for part in key.split("."):
        node = node[place[-1]] if place else node  # the value of the last part is never looked at: it may be open
        names = [str(name) for name in node] if isinstance(node, Mapping) else []
        if part not in names:
            if "_target_" in names and part in getattr(target(node["_target_"]), "__dataclass_fields__", ()):
                raise SettingsError(f"{key}: a setting that the config does not show; +{key}=... sets it")
            raise SettingsError(f"{key}: no {part!r} in {'.'.join(place) or 'the config'}; {near(part, names)}")
        place.append(part)


def checked_fields(cls: type, values: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """``values`` converted to the types of the dataclass ``cls``.

    Args:
        cls: a dataclass; its fields' annotations are the schema.
        values: setting name -> value.
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
    hints = typing.get_type_hints(cls, include_extras=True)
    converted = {}
    for name, value in values.items():
        try:
            # A stdlib dataclass would be checked again field by field; one that is built already has been.
            adapter = TypeAdapter(
                hints[name], config=None if _has_own_config(hints[name]) else ConfigDict(arbitrary_types_allowed=True)
            )
            converted[name] = adapter.validate_python(value, strict=isinstance(value, bool) or None)  # True is no 1
        except ValidationError as error:
            reasons = "; ".join(dict.fromkeys(item["msg"] for item in error.errors()))
            reasons = reasons.replace("Input should be a valid tuple", "expected a list, such as [a,b]")
            raise SettingsError(f"{where}{name}: got {value!r} ({type(value).__name__}): {reasons}") from None
    return converted


def _has_own_config(hint: Any) -> bool:
    return dataclasses.is_dataclass(hint)


@cache
def registered(group: str) -> dict[str, EntryPoint]:
    """What other packages add under an entry point ``group`` of ``GROUPS``, by name; nothing is imported yet."""
    return {point.name: point for point in entry_points(group=group)}


def load_registered(point: EntryPoint) -> type:
    """The settings class that another package registers.

    Raises:
        SettingsError: where it cannot be imported, or is no dataclass.
    """
    try:
        named = point.load()
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"{point.name!r} of {point.group} cannot be loaded from {point.value}: {error}") from error
    if not (isinstance(named, type) and dataclasses.is_dataclass(named)):
        raise SettingsError(f"{point.name!r} of {point.group}: {point.value} is no dataclass, so it has no settings")
    return named


def as_config(cls: type, values: Any = None) -> dict[str, Any]:
    """What a yaml of the dataclass ``cls`` would hold: its target and its defaults, or those of the instance ``values``.

    >>> from lmi.types import Context
    >>> as_config(Context)
    {'_target_': 'lmi.types.Context', 'seed': 0, 'folder': None, 'loggers': [], 'progress': False}
    """
    config: dict[str, Any] = {"_target_": f"{cls.__module__}.{cls.__qualname__}"}
    for field in dataclasses.fields(cls):
        made = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        value = made if values is None else getattr(values, field.name)
        if field.init:
            config[field.name] = "???" if value is dataclasses.MISSING else _plain(value)
    return config


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return as_config(type(value), value)
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


@cache
def _registering() -> tuple[str, ...]:
    """The packages that add something by an entry point."""
    points = (point for group in GROUPS for point in registered(group).values())
    return tuple(dict.fromkeys(point.module.split(".")[0] for point in points))


def target(path: Any, place: str = "_target_", packages: Iterable[str] = ()) -> type:
    """The class at the dotted ``path``, if it is one that a config may name: nothing else is called, whatever a config says.

    These are the settings classes (dataclasses) that this package defines, or a package that registers entry points or is
    among ``packages``; and ``LOGGERS``.

    Raises:
        SettingsError: for anything else.

    >>> target("lmi.types.Path")
    Traceback (most recent call last):
    lmi.settings.SettingsError: _target_: 'lmi.types.Path' is no settings class of lmi
    """
    path = f"lmi.{path}" if str(path).startswith("experiments.") else path  # as folders written by version 0.1 have it
    module_path, _, name = str(path).rpartition(".")
    root, allowed = module_path.split(".")[0], (*OWN, *packages)
    if root not in allowed and path not in LOGGERS:
        allowed = (*allowed, *_registering())
    if root not in allowed and path not in LOGGERS:
        raise SettingsError(
            f"{place}: {path!r} is outside {', '.join(allowed)}; plugins=[package] allows a package of your own"
        )
    try:
        named = getattr(importlib.import_module(module_path), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(f"{place}: nothing importable at {path!r} ({error})") from error
    is_settings = isinstance(named, type) and dataclasses.is_dataclass(named)
    if path not in LOGGERS and not (is_settings and named.__module__.split(".")[0] in allowed):
        raise SettingsError(f"{place}: {path!r} is no settings class of {', '.join(allowed)}")
    return named


def build(config: Any, place: str = "", packages: Iterable[str] = ()) -> Any:
    """The objects that a config describes: each mapping with a ``_target_`` becomes an instance of that class.

    Args:
        config: plain mappings, lists and scalars.
        place: dotted path to ``config``, for messages.
        packages: whose settings classes it may name beside this one's and those registered, see ``target``.

    Raises:
        SettingsError: for a target that is not allowed, and for settings as in ``checked_fields``.

    >>> build({"_target_": "lmi.types.Context", "seeed": 3}, "context")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    lmi.settings.SettingsError: context.seeed: Context has no such setting; did you mean 'seed'? (valid: folder, ...
    """
    if isinstance(config, Mapping):
        where = f"{place}." if place else ""
        values = {
            name: build(value, f"{where}{name}", packages) for name, value in config.items() if name != "_target_"
        }
        if "_target_" not in config:
            return values
        if config["_target_"] in LOGGERS:
            check_logger(config, place)
            return target(config["_target_"], f"{where}_target_")(**values)
        cls = target(config["_target_"], f"{where}_target_", packages)
        return cls(**checked_fields(cls, values, place))
    if isinstance(config, list):
        return [build(value, f"{place}[{i}]", packages) for i, value in enumerate(config)]
    return config


def check_logger(config: Mapping[str, Any], place: str = "logger") -> None:
    """Trackers take what names a run and nothing that leads out of its folder or to another server; nothing is imported.

    Raises:
        SettingsError: for another tracker than ``LOGGERS``, or a setting that it may not have.
    """
    path, where = config.get("_target_"), f"{place}." if place else ""
    if path is None:
        return
    if path not in LOGGERS:
        raise SettingsError(f"{where}_target_: {path!r} is none of {', '.join(sorted(LOGGERS))}")
    for name, value in config.items():
        if name == "_target_":
            continue
        if name not in LOGGERS[path]:
            raise SettingsError(f"{where}{name}: no such setting; {near(name, LOGGERS[path])}")
        if name == "settings" and not (isinstance(value, Mapping) and {*value} <= WANDB_SETTINGS):
            raise SettingsError(f"{where}settings: got {value!r}; expected some of {', '.join(sorted(WANDB_SETTINGS))}")
        if name != "save_dir" and isinstance(value, str) and (".." in value or value.startswith(("/", "~"))):
            raise SettingsError(f"{where}{name}: got {value!r}; expected a name that is no path out of the run folder")
