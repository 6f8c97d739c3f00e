"""Arguments that are no samples: numbers of any shape, whole numbers, devices."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable
from numbers import Number, Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmi.containers import open_container


def read_values(data: Any, name: str) -> tuple[Tensor, Callable[[Tensor], Any]]:
    """Numbers of any shape on the CPU in float64, and how to give a result of that shape back in the caller's kind.

    Raises:
        ValueError: for what holds no real numbers, or NaN.

    >>> values, give_back = read_values(np.array([0.5, 0.25]), "p")
    >>> give_back(2 * values)
    array([1. , 0.5])
    """
    opened = open_container(np.asarray(data) if isinstance(data, Number) else data, name)
    values = opened.values.detach().cpu().double()
    if values.isnan().any():
        place = values.isnan().nonzero()[0].tolist()
        raise ValueError(f"{name}{place} is NaN; expected numbers")

    def give_back(result: Tensor) -> Any:
        if opened.kind == "frame" and opened.rows is not None and hasattr(data, "iloc"):
            return type(data)(result.numpy(), index=opened.rows, **_second_axis(data))
        return result if opened.kind == "tensor" else result.numpy()

    return values, give_back


def _second_axis(data: Any) -> dict[str, Any]:
    return {"columns": data.columns} if data.ndim == 2 else {"name": data.name}


def whole(value: Any, name: str, least: int, most: int | None = None) -> int:
    """A whole number between bounds.

    Args:
        value: what came.
        name: of the argument, for the message.
        least: that is allowed.
        most: that is allowed; ``None`` for no bound.

    Raises:
        ValueError: for anything else.

    >>> whole(2.5, "k", 1)
    Traceback (most recent call last):
    ValueError: k is 2.5; expected a whole number of at least 1
    """
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, (bool, np.bool_)) or number < least or (most is not None and number > most):
        raise ValueError(f"{name} is {value!r}; expected a whole number {bounds}")
    return number


def checked_seed(seed: Any) -> int:
    """A whole number.

    Raises:
        ValueError: for anything else.

    >>> checked_seed("abc")
    Traceback (most recent call last):
    ValueError: seed is 'abc'; expected a whole number
    """
    if isinstance(seed, (bool, np.bool_)) or not isinstance(seed, (int, np.integer)):
        raise ValueError(f"seed is {seed!r}; expected a whole number")
    return int(seed)


def false_discovery_rate(value: Any, name: str = "rate") -> float:
    """A rate above 0 and at most 1.

    Raises:
        ValueError: for anything else.

    >>> false_discovery_rate("a")
    Traceback (most recent call last):
    ValueError: rate is 'a'; expected a false-discovery rate above 0, at most 1
    """
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 < float(value) <= 1:
        raise ValueError(f"{name} is {value!r}; expected a false-discovery rate above 0, at most 1")
    return float(value)


def checked_folder(folder: Any, name: str = "folder") -> Path:
    """The path of a folder, which need not be there yet.

    Raises:
        ValueError: for what is no path, or the path of a file.

    >>> checked_folder(3)
    Traceback (most recent call last):
    ValueError: folder is 3; expected the path of a folder
    """
    if not isinstance(folder, str | os.PathLike):
        raise ValueError(f"{name} is {folder!r}; expected the path of a folder")
    path = Path(folder).expanduser()
    if any(place.is_file() for place in (path, *path.parents)):
        raise ValueError(f"{name} is {str(folder)!r}, where a file is; expected the path of a folder")
    return path


def checked_generator(generator: Any, name: str = "generator") -> torch.Generator:
    """A torch generator, as it is.

    Raises:
        ValueError: for anything else, such as a seed.

    >>> checked_generator(3)
    Traceback (most recent call last):
    ValueError: generator is 3; expected a torch.Generator: torch.Generator().manual_seed(3)
    """
    if not isinstance(generator, torch.Generator):
        seed = generator if isinstance(generator, int) else 0
        raise ValueError(
            f"{name} is {generator!r}; expected a torch.Generator: torch.Generator().manual_seed({int(seed)})"
        )
    return generator


def checked_device(device: str | torch.device, here: torch.device | None = None) -> str:
    """The name of a torch device that is there; every CPU is "cpu".

    Args:
        device: what was asked for; "auto" is ``here``, or without it the first CUDA device, or the CPU if there is none.
        here: where the samples are.

    Raises:
        ValueError: for any other.

    >>> checked_device(torch.device("cpu", 0)), checked_device("auto", torch.device("cpu"))
    ('cpu', 'cpu')
    """
    if device == "auto":
        device = here or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device is {device!r}; expected 'cpu', 'cuda' or another torch device") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {str(device)!r}, and torch sees no CUDA device here; expected 'cpu'")
    return "cpu" if chosen.type == "cpu" else str(chosen)


def sample_count(num_samples: int | None) -> int:
    """How many pairs were asked of a source that draws as many as one likes.

    Raises:
        ValueError: for ``None``, which means all there are.

    >>> sample_count(None)
    Traceback (most recent call last):
    ValueError: this source never runs out: say how many samples with num_samples
    """
    if num_samples is None:
        raise ValueError("this source never runs out: say how many samples with num_samples")
    return num_samples
