"""Pictures of dependence: a dozen shapes in the plane that measures of dependence see or miss."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Shape = Callable[[int, torch.Generator], tuple[Tensor, Tensor]]


def _uniform(n: int, generator: torch.Generator, low: float = -1.0, high: float = 1.0) -> Tensor:
    return low + (high - low) * torch.rand(n, generator=generator, dtype=torch.float64)


def _sign(n: int, generator: torch.Generator) -> Tensor:
    return 2.0 * torch.randint(2, (n,), generator=generator).double() - 1.0


def _function(of: Callable[[Tensor], Tensor]) -> Shape:
    """y = of(x) with x uniform on [-1, 1]."""

    def draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x = _uniform(n, generator)
        return x, of(x)

    return draw


def _circle(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    angle = _uniform(n, generator, 0.0, 2 * math.pi)
    return angle.cos(), angle.sin()


def _spiral(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    turn = 4 * math.pi * _uniform(n, generator, 0.0, 1.0).sqrt()
    return turn * turn.cos(), turn * turn.sin()


def _cross(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    x = _uniform(n, generator)
    return x, x * _sign(n, generator)


def _funnel(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    x = _uniform(n, generator)
    return x, (1 + x) * torch.randn(n, generator=generator, dtype=torch.float64)


def _board(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The thirteen black squares of a 5 x 5 board, whose mirror symmetry leaves no correlation."""
    square = 2 * torch.randint(13, (n,), generator=generator)
    return square % 5 + _uniform(n, generator, 0.0, 1.0), square // 5 + _uniform(n, generator, 0.0, 1.0)


def _independent(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    return _uniform(n, generator), torch.randn(n, generator=generator, dtype=torch.float64)


SHAPES: dict[str, Shape] = {
    "line": _function(lambda x: x),
    "step": _function(torch.sign),
    "exponential": _function(lambda x: torch.exp(4 * x)),
    "parabola": _function(torch.square),
    "cosine": _function(lambda x: torch.cos(2 * math.pi * x)),
    "fast sine": _function(lambda x: torch.sin(6 * math.pi * x)),
    "circle": _circle,
    "spiral": _spiral,
    "cross": _cross,
    "funnel": _funnel,
    "checkerboard": _board,
    "independent": _independent,
}


def noisy_shape(name: str, n: int, noise: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """``n`` points of a shape, both coordinates standardised, then blurred by Gaussian noise.

    Args:
        name: one of ``SHAPES``.
        n: how many points.
        noise: standard deviation of the noise added to each standardised coordinate.
        generator: draws the points, then the noise.

    Raises:
        ValueError: for an unknown shape.

    >>> x, y = noisy_shape("circle", 1000, 0.0, torch.Generator().manual_seed(0))
    >>> bool(((x**2 + y**2) / 2 - 1).abs().max() < 0.3)
    True
    """
    if name not in SHAPES:
        raise ValueError(f"no shape {name!r}; expected one of {', '.join(SHAPES)}")
    x, y = SHAPES[name](n, generator)
    x, y = ((values - values.mean()) / values.std() for values in (x, y))
    spread = torch.randn(2, n, generator=generator, dtype=torch.float64) * noise
    return x + spread[0], y + spread[1]
