"""L1-penalised logistic regression along a path: proximal Newton on a working set, each point certified by its gap.

minimise over w, b:  |w|_1 + C sum_i log(1 + exp(-s_i (w x_i + b))),  s_i = -1 or +1, the intercept free.
This is scikit-learn's objective for ``l1_ratio=1`` with ``solver="saga"`` (liblinear would penalise the intercept).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmi.estimators.probes.l1_kernels import solve_path

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SparsePath:
    """Solutions at p strengths of the loss, from the strongest penalty to the weakest.

    Args:
        strengths: (p,) C, increasing.
        coefficients: (p, d).
        intercepts: (p,).
        objectives: (p,) the minimised sum.
        gaps: (p,) how far above the optimum the objective can be at most, from a dual feasible point.
        iterations: (p,) proximal Newton steps.
    """

    strengths: Array
    coefficients: Array
    intercepts: Array
    objectives: Array
    gaps: Array
    iterations: NDArray[np.int64]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """(p, d) where a coefficient is not zero."""
        return self.coefficients != 0

    def logits(self, h: Array) -> Array:
        """(n, d) activations -> (p, n) log odds of the positive class."""
        return self.coefficients @ h.T + self.intercepts[:, None]


def l1_path(
    h: Any, positive: Any, strengths: Any, tolerance: float = 1e-6, most_kept: int | None = None, max_steps: int = 500
) -> SparsePath:
    """The path over ``strengths``, each solution started at the one before.

    The working set grows by the neurons that violate optimality most (Massias et al., "Celer", 2018); on it every step
    minimises a quadratic model of the loss by coordinate descent and searches along the result (Lee, Sun and Saunders,
    2014), and a Newton step on the kept neurons follows.

    Args:
        h: (n, d) activations.
        positive: (n,) booleans: the class.
        strengths: (p,) values of C, increasing.
        tolerance: stop a point at a duality gap of this times its objective.
        most_kept: end the path before the first point with more neurons than this.
        max_steps: Newton steps at one point.

    Raises:
        ValueError: for shapes that do not match, one class only, or strengths that do not increase.
        RuntimeError: where a point does not reach the tolerance in ``max_steps``.

    >>> h = np.random.default_rng(0).standard_normal((100, 30))
    >>> path = l1_path(h, h[:, 3] > 0, [0.1, 1.0])
    >>> bool(abs(path.coefficients[1]).argmax() == 3), bool((path.gaps < 1e-5 * path.objectives).all())
    (True, True)
    """
    h, positive = check_classes(h, positive)
    strengths = np.asarray(strengths, dtype=np.float64)
    if strengths.ndim != 1 or strengths.size == 0 or strengths.min() <= 0 or (np.diff(strengths) <= 0).any():
        raise ValueError(f"expected strengths above 0 that increase, got {strengths}")
    sign = np.where(positive, 1.0, -1.0)
    mean = h.mean(axis=0)  # the free intercept makes centring harmless, and it uncouples the intercept from the neurons
    p, d = strengths.size, h.shape[1]
    path = SparsePath(strengths, np.zeros((p, d)), np.zeros(p), np.zeros(p), np.zeros(p), np.zeros(p, dtype=np.int64))
    most = d if most_kept is None else most_kept
    done = solve_path(
        np.ascontiguousarray((h - mean).T), sign, strengths, tolerance, most, max_steps,
        path.coefficients, path.intercepts, path.objectives, path.gaps, path.iterations,
    )  # fmt: skip
    if done < 0:
        at = -done - 1
        raise RuntimeError(
            f"no convergence at C = {strengths[at]:g}: after {max_steps} steps the gap is {path.gaps[at]:.3g} on an "
            f"objective of {path.objectives[at]:.6g}; standardise the neurons or raise max_steps"
        )
    path.intercepts[:done] -= path.coefficients[:done] @ mean
    return SparsePath(
        strengths[:done], path.coefficients[:done], path.intercepts[:done], path.objectives[:done], path.gaps[:done],
        path.iterations[:done],
    )  # fmt: skip


def check_classes(h: Any, positive: Any) -> tuple[Array, NDArray[np.bool_]]:
    """(n, d) float64 and (n,) booleans with both classes in them.

    Raises:
        ValueError: for labels that do not match the rows, activations that are not finite, or one class only.
    """
    h, positive = np.asarray(h, dtype=np.float64), np.asarray(positive).astype(bool)
    if h.ndim != 2 or positive.shape != h.shape[:1]:
        raise ValueError(f"expected activations (n, d) and n labels, got {h.shape} and {positive.shape}")
    if not np.isfinite(h).all():
        raise ValueError(f"activations have {int((~np.isfinite(h)).sum())} values that are NaN or infinite")
    if positive.all() or not positive.any():
        raise ValueError(
            f"one class only: all {positive.size} labels are {'positive' if positive.all() else 'negative'}"
        )
    return h, positive


def first_strength(h: Array, positive: NDArray[np.bool_]) -> float:
    """The largest C at which every coefficient is zero: 1 / max_j |sum_i (y_i - mean y) x_ij|."""
    return float(1 / np.abs(h.T @ (positive - positive.mean())).max())
