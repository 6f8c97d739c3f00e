"""Where the expectation maximisation of a mixture starts: k-means++ (Arthur and Vassilvitskii, SODA 2007)."""

from __future__ import annotations

import torch
from torch import Tensor

from lmi.estimators.densities.climb import nearest_centres


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
    owner = torch.from_numpy(nearest_centres(z.T.contiguous().numpy(), centres.numpy(), 15))
    return 0.98 * torch.nn.functional.one_hot(owner, components).to(z) + 0.02 / components
