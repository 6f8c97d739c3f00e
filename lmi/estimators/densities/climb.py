"""Expectation maximisation of a mixture of t densities, compiled: all steps of a climb in one call.

Steps of small samples are short beside what thirty tensor operations cost to start.
"""

from __future__ import annotations

import math

import numpy as np

from lmi.compiled import kernel
from lmi.estimators.densities.polynomials import EXACT, exponential, logarithm

LEAST_DEGREES, MOST_DEGREES = 1.0, 1e3  # of freedom; at the most the density is normal to any purpose
FACTORS = (0.5, 0.8, 0.95, 1.0, 1.05, 1.25, 2.0)  # of the degrees of freedom, among which every third step looks
TILE = 256  # samples, of which all columns fit into the cache
SMALLEST = 1e-12  # sum of memberships that a component is divided by at least
# No assumption that numbers are finite: likelihoods begin at minus infinity.
REORDER = {"reassoc", "contract", "arcp", "nsz"}


@kernel(fastmath=REORDER, error_model="numpy")
def _moments(columns, pull, centre, scale, floor):  # type: ignore[no-untyped-def]
    """Weighted mean (d,) and scatter (d, d) of columns (d, n) with weights ``pull`` (n,), into ``centre`` and ``scale``."""
    d, n = columns.shape
    mass = 0.0
    for i in range(n):
        mass += pull[i]
    mass = max(mass, SMALLEST)
    for a in range(d):
        total = 0.0
        for i in range(n):
            total += pull[i] * columns[a, i]
        centre[a] = total / mass
    scale[:] = 0.0
    apart, pulled = np.zeros((d + 1, TILE)), np.empty(TILE)
    for first in range(0, n, TILE):
        size = min(TILE, n - first)
        for a in range(d):
            for i in range(size):
                apart[a, i] = columns[a, first + i] - centre[a]
        for a in range(d):
            for i in range(size):
                pulled[i] = pull[first + i] * apart[a, i]
            for b in range(0, a + 1, 2):  # two at once read ``pulled`` once; the second may be one too many
                one = two = 0.0
                for i in range(size):
                    one += pulled[i] * apart[b, i]
                    two += pulled[i] * apart[b + 1, i]
                scale[a, b] += one
                if b < a:
                    scale[a, b + 1] += two
    for a in range(d):
        for b in range(a + 1):
            scale[a, b] /= mass
            scale[b, a] = scale[a, b]
        scale[a, a] += floor[a]


@kernel(fastmath=REORDER, error_model="numpy")
def _inverse_root(scale, root):  # type: ignore[no-untyped-def]
    """The inverse of the Cholesky root of ``scale`` (d, d), into ``root``; the root's log determinant, NaN where there is
    none."""
    d = scale.shape[0]
    volume = 0.0
    lower = np.zeros((d, d))
    for a in range(d):
        for b in range(a + 1):
            total = scale[a, b]
            for c in range(b):
                total -= lower[a, c] * lower[b, c]
            if a > b:
                lower[a, b] = total / lower[b, b]
            elif total > 0.0:
                lower[a, a] = math.sqrt(total)
                volume += math.log(lower[a, a])
            else:
                return np.nan
    root[:] = 0.0
    for a in range(d):
        inverse = 1.0 / lower[a, a]
        for c in range(a):
            for b in range(c + 1):
                root[a, b] -= lower[a, c] * root[c, b]
        for b in range(a):
            root[a, b] *= inverse
        root[a, a] = inverse
    return volume


@kernel(fastmath=REORDER, error_model="numpy")
def _squared(columns, centre, root, squares):  # type: ignore[no-untyped-def]
    """Squared lengths of ``root`` (d, d), lower triangular, times each column less the centre, into ``squares`` (n,)."""
    d, n = columns.shape
    apart, length = np.empty((d, TILE)), np.empty(TILE)
    for first in range(0, n, TILE):
        size = min(TILE, n - first)
        for a in range(d):
            for i in range(size):
                apart[a, i] = columns[a, first + i] - centre[a]
        for i in range(size):
            squares[first + i] = 0.0
        for a in range(d):
            for i in range(size):
                length[i] = root[a, a] * apart[a, i]
            for b in range(0, a, 2):
                one, two = root[a, b], root[a, b + 1] if b + 1 < a else 0.0
                for i in range(size):
                    length[i] += one * apart[b, i] + two * apart[b + 1, i]
            for i in range(size):
                squares[first + i] += length[i] * length[i]


@kernel(fastmath=EXACT, error_model="numpy")
def _expected(squares, volumes, weights, degrees, d, share):  # type: ignore[no-untyped-def]
    """Memberships (m, n) into ``share``; the mean log likelihood of the samples.

    Args:
        squares: (m, n) squared Mahalanobis distances.
        volumes: (m,) log determinants of the scales' Cholesky roots.
        weights: (m,) of the components.
        degrees: of freedom.
        d: dimensions.
        share: (m, n), written.
    """
    m, n = squares.shape
    is_normal = degrees >= MOST_DEGREES
    if is_normal:
        constant = -0.5 * d * math.log(2 * math.pi)
    else:
        constant = math.lgamma((degrees + d) / 2) - math.lgamma(degrees / 2) - 0.5 * d * math.log(degrees * math.pi)
    power, inverse = -0.5 * (degrees + d), 1.0 / degrees
    most, whole = np.empty(TILE), np.empty(TILE)
    likelihood = 0.0
    for first in range(0, n, TILE):
        size = min(TILE, n - first)
        for i in range(size):
            most[i] = -np.inf
            whole[i] = 0.0
        for c in range(m):
            offset = constant - volumes[c] + math.log(weights[c])
            for i in range(size):
                square = squares[c, first + i]
                log = offset - 0.5 * square if is_normal else offset + power * logarithm(1.0 + inverse * square)
                share[c, first + i] = log
                most[i] = max(most[i], log)
        for c in range(m):
            for i in range(size):
                member = exponential(max(share[c, first + i] - most[i], -700.0))
                share[c, first + i] = member
                whole[i] += member
        for c in range(m):
            for i in range(size):
                share[c, first + i] /= whole[i]
        for i in range(size):
            whole[i] = most[i] + logarithm(whole[i])
        for i in range(size):
            likelihood += whole[i]
    return likelihood / n


@kernel(nogil=True, fastmath=REORDER, error_model="numpy")
def climb(columns, share, floor, degrees, heavy, iterations, tolerance):  # type: ignore[no-untyped-def]
    """Weights (m,), centres (m, d), scales (m, d, d), degrees of freedom and mean log likelihood after climbing.

    Args:
        columns: (d, n) samples.
        share: (m, n) memberships to begin with; those at the end are written over them.
        floor: (d,) added to the variances of each component.
        degrees: of freedom to begin with.
        heavy: whether they are fitted.
        iterations: at most.
        tolerance: stop where the mean log likelihood gains less in ten steps, nats a sample.

    A likelihood of NaN says that a scale matrix is not positive definite.
    """
    (m, n), d = share.shape, columns.shape[0]
    weights, volumes = np.empty(m), np.empty(m)
    centres, scales, root = np.empty((m, d)), np.empty((m, d, d)), np.empty((d, d))
    squares, pull = np.empty((m, n)), np.empty(n)
    before = now = -np.inf
    for step in range(iterations):
        for c in range(m):
            # Kent, Tyler and Vardi: dividing by the sum of these products instead of memberships converges far faster.
            total = 0.0
            for i in range(n):
                total += share[c, i]
                pull[i] = share[c, i]
            weights[c] = max(total, SMALLEST) / n
            if step > 0 and degrees < MOST_DEGREES:
                for i in range(n):
                    pull[i] *= (degrees + d) / (degrees + squares[c, i])
            _moments(columns, pull, centres[c], scales[c], floor)
            volumes[c] = _inverse_root(scales[c], root)
            if np.isnan(volumes[c]):
                return weights, centres, scales, degrees, np.nan
            _squared(columns, centres[c], root, squares[c])
        if heavy and step % 3 == 2:
            likeliest, best = -np.inf, degrees
            for factor in FACTORS:
                tried = min(max(degrees * factor, LEAST_DEGREES), MOST_DEGREES)
                likelihood = _expected(squares, volumes, weights, tried, d, share)
                if likelihood > likeliest:
                    likeliest, best = likelihood, tried
            degrees = best
        likelihood = _expected(squares, volumes, weights, degrees, d, share)
        if step % 10 == 9:
            now = likelihood
            if now - before < tolerance and step > 10:
                break
            before = now
    return weights, centres, scales, degrees, now
