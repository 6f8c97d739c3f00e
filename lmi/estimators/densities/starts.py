"""Where the expectation maximisation of a mixture starts: k-means++ (Arthur and Vassilvitskii, SODA 2007)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lmi.compiled import kernel


def far_clusters(z: Tensor, components: int, generator: torch.Generator) -> Tensor:
    """(n, m) nearly hard memberships of z (n, d) after a few steps of k-means from centres that are far apart.

    >>> z = torch.tensor([[0.0], [0.1], [9.0], [9.1]], dtype=torch.float64)
    >>> share = far_clusters(z, 2, torch.Generator().manual_seed(0))
    >>> bool((share[0] == share[1]).all()), bool((share[0] == share[2]).all())
    (True, False)
    """
    n = z.shape[0]
    if components == 1:
        return torch.ones(n, 1, dtype=z.dtype)
    z = z / z.abs().median(0).values.clamp(min=1e-12)
    z = z.clamp(-10, 10)
    centres = z[torch.randint(n, (1,), generator=generator)]
    for _ in range(components - 1):
        near = torch.cdist(z, centres).amin(1) ** 2
        centres = torch.cat((centres, z[torch.multinomial(near + 1e-12, 1, generator=generator)]))
    owner = torch.from_numpy(_nearest_centres(z.T.contiguous().numpy(), centres.numpy(), 15))
    return 0.98 * torch.nn.functional.one_hot(owner, components).to(z) + 0.02 / components


@kernel(error_model="numpy")
def _nearest_centres(columns, centres, steps):  # type: ignore[no-untyped-def]
    """(n,) the nearest centre of each column (d, n) after ``steps`` of k-means from ``centres`` (m, d), which move."""
    (d, n), m = columns.shape, centres.shape[0]
    owner, nearest, square = np.zeros(n, np.int64), np.empty(n), np.empty(n)
    for _ in range(steps):
        nearest[:] = np.inf
        for c in range(m):
            square[:] = 0.0
            for a in range(d):
                for i in range(n):
                    apart = columns[a, i] - centres[c, a]
                    square[i] += apart * apart
            for i in range(n):
                if square[i] < nearest[i]:
                    nearest[i] = square[i]
                    owner[i] = c
        counts, sums = np.zeros(m), np.zeros((m, d))
        for i in range(n):
            counts[owner[i]] += 1.0
        for a in range(d):
            for i in range(n):
                sums[owner[i], a] += columns[a, i]
        for c in range(m):
            for a in range(d):
                centres[c, a] = (sums[c, a] + 1e-9 * centres[c, a]) / (counts[c] + 1e-9)
    return owner
