"""lmi: mutual information in high-dimensional representations, every number held against a known truth."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lmi.api import estimate as estimate
    from lmi.results import Result as Result
    from lmi.types import Context as Context
    from lmi.types import Estimate as Estimate

__version__ = "0.1.0"

_HOMES = {
    "estimate": "lmi.api",
    "Result": "lmi.results",
    "Context": "lmi.types",
    "Estimate": "lmi.types",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lmi' has no attribute {name!r}; it has {', '.join(sorted(_HOMES))}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
