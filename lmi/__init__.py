"""lmi: mutual information in high-dimensional representations, every number held against a known truth."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

# Threads that spin while they wait make small products ten times slower wherever cores are shared. OpenMP reads this when
# torch is first imported. Numba's own threads would undo OMP_NUM_THREADS, which they share with torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
_asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
if _asked.isdecimal() and int(_asked) > 0:
    if "numba" in sys.modules:  # its threads may run, and their number is then fixed
        sys.modules["numba"].set_num_threads(min(int(_asked), sys.modules["numba"].config.NUMBA_NUM_THREADS))
    else:
        os.environ.setdefault("NUMBA_NUM_THREADS", _asked)

if TYPE_CHECKING:
    from lmi.activations import Activations as Activations
    from lmi.activations import LanguageModel as LanguageModel
    from lmi.activations import capture as capture
    from lmi.activations import record as record
    from lmi.api import estimate as estimate
    from lmi.estimators.modules.closed_form import gaussian_mi as gaussian_mi
    from lmi.estimators.modules.jacobian import jacobian_mi as jacobian_mi
    from lmi.estimators.modules.modularity import find_modules as find_modules
    from lmi.estimators.modules.modularity import modularity_score as modularity_score
    from lmi.estimators.modules.quantized import quantized_mi as quantized_mi
    from lmi.estimators.network.all_pairs import pairwise as pairwise
    from lmi.estimators.network.cofiring import cofiring as cofiring
    from lmi.estimators.network.consensus import consensus_edges as consensus_edges
    from lmi.estimators.network.direct import direct_edges as direct_edges
    from lmi.estimators.network.pairwise_edges import pairwise_edges as pairwise_edges
    from lmi.estimators.pairwise.histogram import g_test as g_test
    from lmi.estimators.pairwise.histogram import histogram_mi as histogram_mi
    from lmi.estimators.pairwise.matrix import nonlinearity as nonlinearity
    from lmi.estimators.pairwise.matrix import pairwise_mi as pairwise_mi
    from lmi.estimators.significance.effective import effective_samples as effective_samples
    from lmi.estimators.significance.pair_significance import benjamini_hochberg as benjamini_hochberg
    from lmi.estimators.significance.pair_significance import pairwise_significance as pairwise_significance
    from lmi.evidence import Verdict as Verdict
    from lmi.results import Result as Result
    from lmi.types import Context as Context
    from lmi.types import Estimate as Estimate

__version__ = "1.0.0"

_HOMES = {
    "estimate": "lmi.api",
    "Result": "lmi.results",
    "Context": "lmi.types",
    "Estimate": "lmi.types",
    "Verdict": "lmi.evidence",
    "Activations": "lmi.activations",
    "LanguageModel": "lmi.activations",
    "capture": "lmi.activations",
    "record": "lmi.activations",
    "pairwise": "lmi.estimators.network.all_pairs",
    "cofiring": "lmi.estimators.network.cofiring",
    "consensus_edges": "lmi.estimators.network.consensus",
    "direct_edges": "lmi.estimators.network.direct",
    "pairwise_edges": "lmi.estimators.network.pairwise_edges",
    "pairwise_mi": "lmi.estimators.pairwise.matrix",
    "nonlinearity": "lmi.estimators.pairwise.matrix",
    "pairwise_significance": "lmi.estimators.significance.pair_significance",
    "effective_samples": "lmi.estimators.significance.effective",
    "benjamini_hochberg": "lmi.estimators.significance.pair_significance",
    "histogram_mi": "lmi.estimators.pairwise.histogram",
    "g_test": "lmi.estimators.pairwise.histogram",
    "gaussian_mi": "lmi.estimators.modules.closed_form",
    "jacobian_mi": "lmi.estimators.modules.jacobian",
    "quantized_mi": "lmi.estimators.modules.quantized",
    "find_modules": "lmi.estimators.modules.modularity",
    "modularity_score": "lmi.estimators.modules.modularity",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lmi' has no attribute {name!r}; it has {', '.join(sorted(_HOMES))}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
