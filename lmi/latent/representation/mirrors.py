"""Pairs mirrored alike: what two pictures or sequences share, their mirror images share, so that encoders see more of it.

Nothing is assumed of the samples: encoders of mirrored training pairs are judged on fresh pairs as they come. A batch is
mirrored as a whole, so that which way it was turned is nothing that its two sides could have in common.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from lmi.latent.datamodule import Batch

AugmentationName = Literal["auto", "none", "mirror"]


def mirror_count(x: tuple[int, ...], y: tuple[int, ...]) -> int:
    """How many mirror images samples of the shapes ``x`` and ``y`` have in common, the samples themselves among them.

    Pictures (channels, height, width) have four, and eight where both are square; sequences (length, channels) two.

    >>> mirror_count((1, 8, 8), (3, 16, 16)), mirror_count((1, 8, 6), (1, 8, 8)), mirror_count((9, 2), (7, 1))
    (8, 4, 2)
    >>> mirror_count((9,), (9,)), mirror_count((1, 8, 8), (9, 2))
    (1, 1)
    """
    if len(x) != len(y) or len(x) == 1:
        return 1
    if len(x) == 2:
        return 2
    return 8 if x[1] == x[2] and y[1] == y[2] else 4


def mirrored(x: Tensor, y: Tensor, which: int) -> Batch:
    """Both sides turned alike, by one of ``mirror_count`` ways, of which 0 leaves them as they are.

    Args:
        x: (b, channels, height, width) or (b, length, channels).
        y: the same kind.
        which: sequences: 1 turns time around; pictures: the sum of 1 (left and right), 2 (top and bottom), 4 (rows and
            columns).

    >>> import torch
    >>> z = torch.arange(4.0).reshape(1, 1, 2, 2)
    >>> [mirrored(z, z, which)[1].flatten().tolist() for which in (1, 4)]
    [[1.0, 0.0, 3.0, 2.0], [0.0, 2.0, 1.0, 3.0]]
    """
    if x.ndim == 3:
        return (x.flip(1), y.flip(1)) if which else (x, y)
    axes = [axis for bit, axis in ((1, 3), (2, 2)) if which & bit]
    if axes:
        x, y = x.flip(axes), y.flip(axes)
    return (x.transpose(2, 3), y.transpose(2, 3)) if which & 4 else (x, y)
