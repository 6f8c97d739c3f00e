"""Where do covariance and mutual information part ways?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lmi.estimators.pairwise import rowwise
from lmi.estimators.pairwise.dependence import MEASURES, dependence
from lmi.experiments.covariance_sweep import sweep
from lmi.report import covariance as figures
from lmi.results import Result
from lmi.sources.shapes import SHAPES, noisy_shape
from lmi.types import Context

RELATIONS = {
    "linear": lambda x: x,
    "negative linear": lambda x: -x,
    "parabola": lambda x: x**2,
    "cosine": lambda x: np.cos(2 * math.pi * x),
}


@dataclass(frozen=True)
class Covariance:
    """Covariance beside MI on four relations, along a sweep of correlations, and over a gallery of shapes.

    Args:
        relation_samples: points in each of the four relations.
        relation_noise: standard deviation of the noise on y in them.
        sweep_points: population correlations in the sweep.
        sweep_samples: samples at each of them.
        largest_correlation: the sweep goes from minus this to this.
        k: KSG's neighbours.
        bins: histogram bins on each axis.
        gallery_samples: points of each shape.
        noises: standard deviations of the noise added to the standardised coordinates of each shape.
        permutations: shuffles behind each p-value.
        level: share of false alarms at which a measure counts as seeing a shape.
    """

    relation_samples: int = 99
    relation_noise: float = 0.15
    sweep_points: int = 100
    sweep_samples: int = 500
    largest_correlation: float = 0.9
    k: int = 3
    bins: int = 15
    gallery_samples: int = 500
    noises: tuple[float, ...] = (0.05, 0.2, 0.5, 1.0)
    permutations: int = 199
    level: float = 0.05

    def run(self, context: Context) -> Result:
        """Draw, measure, and compare with the truth where it is known."""
        if not 0 < self.largest_correlation < 1:
            raise ValueError(f"expected largest_correlation between 0 and 1, got {self.largest_correlation}")
        if self.sweep_points < 2 or not self.noises or min(self.noises) < 0:
            raise ValueError("expected at least 2 sweep_points, and noises of at least 0")
        results = [self.relations(context), sweep(self, context), self.gallery(context)]
        metrics = {name: value for result in results for name, value in result.metrics.items()}
        mi, covariance = (metrics[f"gallery_seen_by_{measure}_count"] for measure in ("mi", "covariance"))
        return Result(
            experiment="covariance",
            answer=f"Of {metrics['gallery_dependent_count']} dependent pairs of shapes and noises, mutual information sees "
            f"{mi} and covariance {covariance}.",
            legend=figures.LEGEND,
            metrics=metrics,
            arrays={name: value for result in results for name, value in result.arrays.items()},
            tables={name: rows for result in results[1:] + results[:1] for name, rows in result.tables.items()},
            figures={name: figure for result in results for name, figure in result.figures.items()},
            captions={name: text for result in results for name, text in result.captions.items()},
            notes=tuple(note for result in results for note in result.notes),
        )

    def relations(self, context: Context) -> Result:
        """Four relations, two of which covariance cannot see."""
        generator = context.generator("relations")
        shape = (len(RELATIONS), self.relation_samples)
        x = (2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1).numpy()
        noise = self.relation_noise * torch.randn(shape, generator=generator, dtype=torch.float64).numpy()
        y = np.stack([of(row) for of, row in zip(RELATIONS.values(), x)]) + noise
        centred = x - x.mean(axis=1, keepdims=True)
        sample_covariance = (centred * y).sum(axis=1) / (self.relation_samples - 1)
        scaled_x, scaled_y = (values / values.std(axis=1, keepdims=True) for values in (x, y))
        nats = rowwise.ksg_pointwise(scaled_x, scaled_y, self.k).mean(axis=1)
        rows: list[dict[str, Any]] = [
            {"relation": name, "covariance": float(c), "ksg_nats": float(i)}
            for name, c, i in zip(RELATIONS, sample_covariance, nats)
        ]
        return Result(
            experiment="relations",
            arrays={"relation_x": x, "relation_y": y},
            tables={"relations": rows},
            legend=figures.LEGEND,
            figures={"relations": figures.relations(list(RELATIONS), x, y, sample_covariance, nats)},
            captions={
                "relations": f"Four relations on {self.relation_samples} samples. Covariance tells the line from its "
                "negative and is near zero for the parabola and the cosine, although y depends on x in all four."
            },
        )

    def gallery(self, context: Context) -> Result:
        """The four measures over shapes and noise levels."""
        names, noises = list(SHAPES), list(self.noises)
        values = np.empty((len(names), len(noises), len(MEASURES)))
        p_values = np.empty_like(values)
        examples: list[tuple[Any, Any]] = []
        for index, name in context.bar(list(enumerate(names)), "gallery"):
            for column, noise in enumerate(noises):
                generator = context.generator("gallery", name, column)
                x, y = noisy_shape(name, self.gallery_samples, noise, generator)
                values[index, column], p_values[index, column] = dependence(x, y, self.permutations, generator, self.k)
                if column == 0:
                    examples.append((x.numpy(), y.numpy()))
        seen = p_values <= self.level
        rows: list[dict[str, Any]] = [
            {
                "shape": name,
                "noise": noise,
                **{m: float(v) for m, v in zip(("covariance", "spearman", "distance", "mi_nats"), values[i, j])},
                **{f"p_{m}": float(p) for m, p in zip(MEASURES, p_values[i, j])},
            }
            for i, name in enumerate(names)
            for j, noise in enumerate(noises)
        ]
        dependent = np.array([name != "independent" for name in names])
        shown = np.stack([pair[0] for pair in examples]), np.stack([pair[1] for pair in examples])
        return Result(
            experiment="gallery",
            metrics={
                f"gallery_seen_by_{m}_count": int(seen[dependent][..., index].sum()) for index, m in enumerate(MEASURES)
            }
            | {"gallery_dependent_count": int(dependent.sum()) * len(noises)},
            arrays={"gallery_values": values, "gallery_p_values": p_values},
            tables={"gallery": rows},
            legend=figures.LEGEND,
            figures={
                "gallery_shapes": figures.gallery_shapes(names, *shown, noises[0]),
                "gallery": figures.gallery(names, noises, values, seen),
            },
            captions={
                "gallery_shapes": f"{self.gallery_samples} points of each shape, standardised, at the lowest noise.",
                "gallery": "Which measure sees which shape. Covariance (of the standardised columns), Spearman and "
                "distance correlation as they are; MI in nats, coloured as the correlation sqrt(1 - exp(-2 I)) that a "
                f"Gaussian pair of that MI would have. Struck out: not told from {self.permutations} shuffles at "
                f"p <= {self.level:g}; at that level one independent cell in {1 / self.level:.0f} is not struck out.",
            },
        )
