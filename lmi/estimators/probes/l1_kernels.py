"""The compiled steps of the L1 path: working set, coordinate descent, Newton step with signs held, duality gap.

All of them run outside the interpreter's lock, so that paths can be followed in threads. Sums are written as loops: Numba
takes twice as long to compile expressions of whole arrays.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lmi.compiled import kernel

SMALL = 128  # kept neurons up to which plain loops beat LAPACK


@kernel(nogil=True, fastmath={"reassoc", "contract"})
def _dot(a: Any, b: Any) -> float:
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@kernel(nogil=True)
def _absolute(a: Any) -> float:
    """Sum of absolute values."""
    total = 0.0
    for i in range(a.size):
        total += abs(a[i])
    return total


@kernel(nogil=True)
def _loss(sign: Any, f: Any, step: float, move: Any) -> float:
    """Logistic loss at f + step move."""
    total = 0.0
    for i in range(f.size):
        z = sign[i] * (f[i] + step * move[i])
        total += math.log1p(math.exp(-z)) if z > 0 else -z + math.log1p(math.exp(z))
    return total


@kernel(nogil=True)
def _wrong(sign: Any, f: Any, wrong: Any, signed: Any) -> None:
    """Probability given to the other class, sample by sample, and the same with the sign of the class."""
    for i in range(f.size):
        z = sign[i] * f[i]
        wrong[i] = math.exp(-z) / (1 + math.exp(-z)) if z > 0 else 1 / (1 + math.exp(z))
        signed[i] = sign[i] * wrong[i]


@kernel(nogil=True)
def _centre(sign: Any, f: Any, wrong: Any, signed: Any, ones: Any) -> float:
    """Move the intercept to its optimum by Newton's method; ``f``, ``wrong`` and ``signed`` follow. Returns the move.

    A dual point is feasible only where sum_i s_i wrong_i = 0, so this is done to rounding. The step is halved where it
    does not lower the loss.
    """
    moved = 0.0
    loss = _loss(sign, f, 0.0, ones)
    for _ in range(100):
        _wrong(sign, f, wrong, signed)
        slope, curvature = 0.0, 0.0
        for i in range(f.size):
            slope -= signed[i]
            curvature += wrong[i] * (1 - wrong[i])
        if abs(slope) <= 1e-13 * f.size:
            break
        step = -slope / max(curvature, 1e-12)
        step = max(-4.0, min(4.0, step))
        while True:
            lower = _loss(sign, f, step, ones)
            if lower <= loss * (1 + 1e-15) or abs(step) < 1e-14:
                break
            step *= 0.5
        for i in range(f.size):
            f[i] += step
        moved += step
        loss = lower
        if abs(step) < 1e-14:
            break
    _wrong(sign, f, wrong, signed)
    return moved


@kernel(nogil=True)
def _dual(wrong: Any, gradient: Any) -> float:
    """The dual objective at ``wrong``, scaled until no gradient exceeds 1."""
    largest = 1e-300
    for j in range(gradient.size):
        largest = max(largest, abs(gradient[j]))
    scale = min(1.0, 1.0 / largest)
    dual = 0.0
    for i in range(wrong.size):
        a = wrong[i] * scale
        if 0.0 < a < 1.0:
            dual -= a * math.log(a) + (1 - a) * math.log1p(-a)
    return dual


@kernel(nogil=True)
def _working_set(gradient: Any, w: Any, least: int) -> Any:
    """The kept neurons and those nearest to entering or most overdue, at least as many again."""
    score = np.empty(w.size)
    kept = 0
    for j in range(w.size):
        score[j] = abs(gradient[j])
        if w[j] != 0.0:
            score[j] = np.inf
            kept += 1
    size = min(w.size, max(least, 2 * kept))
    floor = max(np.sort(score)[w.size - size], 0.9)  # not np.partition, which takes Numba five seconds to compile
    chosen, count, best = np.empty(w.size, np.int64), 0, 0
    for j in range(w.size):
        if score[j] > score[best]:
            best = j
        if score[j] >= floor:
            chosen[count] = j
            count += 1
    if count == 0:
        chosen[0], count = best, 1
    return chosen[:count]


@kernel(nogil=True)
def _newton(
    xt: Any, chosen: Any, sign: Any, strength: float, w: Any, f: Any, wrong: Any, signed: Any, precision: float
) -> float:
    """One proximal Newton step on the chosen neurons, in place; returns the change of the intercept."""
    n = f.size
    curvature, residual, slope, moved = np.empty(n), np.empty(n), np.empty(n), np.zeros(n)
    total = 0.0
    for i in range(n):
        curvature[i] = strength * max(wrong[i] * (1 - wrong[i]), 1e-6)
        residual[i] = slope[i] = -strength * signed[i]
        total += curvature[i]
    scale, change = np.empty(chosen.size), np.zeros(chosen.size)
    for c in range(chosen.size):
        row = xt[chosen[c]]
        quadratic = 0.0
        for i in range(n):
            quadratic += curvature[i] * row[i] * row[i]
        scale[c] = max(quadratic, 1e-12)
    shift = 0.0
    for _ in range(20):
        largest = 0.0
        for c in range(chosen.size):
            row = xt[chosen[c]]
            old = w[chosen[c]] + change[c]
            target = old - _dot(row, residual) / scale[c]
            new = math.copysign(max(abs(target) - 1 / scale[c], 0.0), target)
            step = new - old
            if step != 0.0:
                change[c] += step
                for i in range(n):
                    moved[i] += step * row[i]
                    residual[i] += step * curvature[i] * row[i]
                largest = max(largest, scale[c] * step * step)
        rest = 0.0
        for i in range(n):
            rest += residual[i]
        step = -rest / total
        shift += step
        for i in range(n):
            moved[i] += step
            residual[i] += step * curvature[i]
        if max(largest, total * step * step) <= precision:
            break
    before, decrease = 0.0, _dot(slope, moved)
    for c in range(chosen.size):
        before += abs(w[chosen[c]])
        decrease += abs(w[chosen[c]] + change[c]) - abs(w[chosen[c]])
    start = strength * _loss(sign, f, 0.0, moved) + before
    size = 1.0
    while size > 1e-10:
        after = 0.0
        for c in range(chosen.size):
            after += abs(w[chosen[c]] + size * change[c])
        if strength * _loss(sign, f, size, moved) + after <= start + 1e-4 * size * decrease + 1e-15 * start:
            break
        size *= 0.5
    for i in range(n):
        f[i] += size * moved[i]
    for c in range(chosen.size):
        w[chosen[c]] += size * change[c]
    return size * shift


@kernel(nogil=True)
def _solve_active(hessian: Any, slope: Any, active: Any) -> Any:
    """-hessian^-1 slope on the active indices; by hand where LAPACK's threads would cost more than the small system."""
    m = active.size
    if m > SMALL:
        square, right = np.empty((m, m)), np.empty(m)
        for a in range(m):
            right[a] = -slope[active[a]]
            for b in range(m):
                square[a, b] = hessian[active[a], active[b]]
        return np.linalg.solve(square, right)
    factor = np.zeros((m, m))
    step = np.empty(m)
    for a in range(m):
        for b in range(a + 1):
            rest = hessian[active[a], active[b]] - _dot(factor[a, :b], factor[b, :b])
            factor[a, b] = (
                math.sqrt(max(rest, 1e-14 * hessian[active[a], active[a]])) if a == b else rest / factor[b, b]
            )
        step[a] = (-slope[active[a]] - _dot(factor[a, :a], step[:a])) / factor[a, a]
    for a in range(m - 1, -1, -1):
        step[a] /= factor[a, a]
        for b in range(a):
            step[b] -= factor[a, b] * step[a]
    return step


@kernel(nogil=True)
def _polish(xt: Any, sign: Any, strength: float, w: Any, f: Any, wrong: Any, signed: Any) -> float:
    """One Newton step on the kept neurons with their signs held, in place; returns the change of the intercept.

    Coordinate descent crawls where kept neurons are correlated, and with the signs known the problem is smooth. Where
    the step would carry a coefficient through zero it stops there, drops that neuron and goes on with the others.
    """
    n, m = f.size, 0
    kept = np.empty(w.size, np.int64)
    for j in range(w.size):
        if w[j] != 0.0:
            kept[m] = j
            m += 1
    if m == 0 or m >= n:
        return 0.0
    rows, weighted = np.ones((m + 1, n)), np.empty((m + 1, n))
    residual = np.empty(n)
    for i in range(n):
        curvature = strength * max(wrong[i] * (1 - wrong[i]), 1e-9)
        residual[i] = -strength * signed[i]
        for c in range(m):
            rows[c, i] = xt[kept[c], i]
            weighted[c, i] = rows[c, i] * curvature
        weighted[m, i] = curvature
    hessian, slope, model = np.empty((m + 1, m + 1)), np.empty(m + 1), np.empty(m + 1)
    if m > SMALL:
        hessian = weighted @ rows.T
    for c in range(m + 1):
        if m <= SMALL:
            for e in range(c + 1):
                hessian[c, e] = hessian[e, c] = _dot(weighted[c], rows[e])
        hessian[c, c] *= 1 + 1e-10
        slope[c] = model[c] = _dot(rows[c], residual) + (math.copysign(1.0, w[kept[c]]) if c < m else 0.0)
    change = np.zeros(m + 1)
    active = np.arange(m + 1)
    while True:
        step = _solve_active(hessian, model, active)
        size, drop = 1.0, -1
        for a in range(active.size - 1):
            left = w[kept[active[a]]] + change[active[a]]
            if left * step[a] < 0 and -left / step[a] < size:
                size, drop = -left / step[a], a
        for a in range(active.size):
            change[active[a]] += size * step[a]
            for c in range(m + 1):
                model[c] += size * step[a] * hessian[active[a], c]
        if drop < 0:
            break
        change[active[drop]] = -w[kept[active[drop]]]
        for a in range(drop, active.size - 1):
            active[a] = active[a + 1]
        active = active[:-1]
    moved = np.zeros(n)
    decrease = 0.0
    for c in range(m + 1):
        decrease += slope[c] * change[c]
        for i in range(n):
            moved[i] += change[c] * rows[c, i]
    start = strength * _loss(sign, f, 0.0, moved) + _absolute(w)
    size = 1.0
    while True:
        after = 0.0
        for c in range(m):
            after += abs(w[kept[c]] + size * change[c])
        if strength * _loss(sign, f, size, moved) + after <= start + 1e-4 * size * decrease + 1e-15 * start:
            break
        size *= 0.5
        if size < 1e-10:
            return 0.0
    for i in range(n):
        f[i] += size * moved[i]
    for c in range(m):
        w[kept[c]] += size * change[c]
    return size * change[m]


@kernel(nogil=True)
def solve_path(
    xt: Any, sign: Any, strengths: Any, tolerance: float, most_kept: int, max_steps: int,
    coefficients: Any, intercepts: Any, objectives: Any, gaps: Any, iterations: Any,
) -> int:  # fmt: skip
    """Fill the path; returns how many points were solved, or -(i + 1) where point i did not converge.

    Args:
        xt: (d, n) columns.
        sign: (n,) +-1, the class.
        strengths: (p,) values of C.
        tolerance: duality gap, as a share of the objective.
        most_kept: neurons at which the path ends.
        max_steps: of each point.
        coefficients: (p, d) to fill.
        intercepts: (p,) to fill.
        objectives: (p,) to fill.
        gaps: (p,) to fill.
        iterations: (p,) to fill.
    """
    d, n = xt.shape
    w, f, gradient = np.zeros(d), np.zeros(n), np.empty(d)
    wrong, signed, ones = np.empty(n), np.empty(n), np.ones(n)  # signed: wrong with the sign of the class
    intercept = 0.0
    for point in range(strengths.size):
        strength = strengths[point]
        steps = 0
        while True:
            intercept += _centre(sign, f, wrong, signed, ones)
            for j in range(d):
                gradient[j] = -strength * _dot(xt[j], signed)
            objective = strength * _loss(sign, f, 0.0, ones) + _absolute(w)
            gap = objective - strength * _dual(wrong, gradient)
            objectives[point], gaps[point] = objective, gap
            if gap <= tolerance * objective:
                break
            if steps >= max_steps:
                return -point - 1
            chosen = _working_set(gradient, w, 20)
            for _ in range(4):
                precision = max(1e-3 * gap, 0.1 * tolerance * objective) / chosen.size
                intercept += _newton(xt, chosen, sign, strength, w, f, wrong, signed, precision)
                _wrong(sign, f, wrong, signed)
                intercept += _polish(xt, sign, strength, w, f, wrong, signed)
                intercept += _centre(sign, f, wrong, signed, ones)
                steps += 1
                overdue = 0.0
                for c in range(chosen.size):
                    j = chosen[c]
                    slope = -strength * _dot(xt[j], signed)
                    miss = abs(slope + math.copysign(1.0, w[j])) if w[j] != 0.0 else max(abs(slope) - 1, 0.0)
                    overdue = max(overdue, miss)
                if overdue * (1 + _absolute(w)) <= 0.3 * tolerance * objective:
                    break
        kept = 0
        for j in range(d):
            kept += w[j] != 0.0
        if kept > most_kept:
            return point
        intercepts[point], iterations[point] = intercept, steps
        for j in range(d):
            coefficients[point, j] = w[j]
    return strengths.size
