"""The suite ``composed``: a hundred random compositions of dependences of different kinds, turned and bent.

No estimator's model is made for any of them: a wave beside a class beside a random sign, the sides rotated or pushed through
exp. Each composition is drawn once, by its number, from the blocks below.
"""

from __future__ import annotations

import random

from lmi.experiments.benchmarks.accuracy.case import Case
from lmi.sources.beside import Beside
from lmi.sources.nonlinear.clayton import Clayton
from lmi.sources.nonlinear.edges import Edges
from lmi.sources.nonlinear.one_column import OneColumn
from lmi.sources.nonlinear.products import ProductsAndSigns
from lmi.sources.nonlinear.shared_latent import SharedLatent
from lmi.sources.normal.gaussian import LowRankGaussian
from lmi.sources.normal.pushforward import MapName, Pushforward
from lmi.sources.normal.student import StudentT
from lmi.types import Source

COUNT = 100
SAMPLES = (800, 1500, 3000, 5000)
MOST_BLOCKS = 5
BLOCKS: dict[str, Source] = {
    "faint": LowRankGaussian(rank=1, bits=0.3, x_dim=1, y_dim=1),
    "line": LowRankGaussian(rank=1, bits=0.8, x_dim=1, y_dim=1),
    "lines": LowRankGaussian(rank=2, bits=1.5, x_dim=3, y_dim=3),
    "nothing": LowRankGaussian(rank=1, bits=0.0, x_dim=2, y_dim=2),
    "clayton": Clayton(1, 2.0),
    "t": StudentT(1, 3, 0.6),
    "wave": OneColumn("wave", 1, 0.3),
    "kink": OneColumn("kink", 1, 0.3),
    "product": ProductsAndSigns("product", 2, 0.5),
    "sign": ProductsAndSigns("sign", 2, 0.5),
    "flip": ProductsAndSigns("random_sign", 2, 0.5),
    "uniform": Edges("uniform", 1, 1.0),
    "circle": Edges("circle", 1, 0.5),
    "volatility": SharedLatent("volatility", 1, 0.8),
    "counts": SharedLatent("counts", 1, 0.7),
    "classes": SharedLatent("classes", 3, 1.5, 5, 7),
}
MAPS: tuple[tuple[MapName, ...], ...] = ((), (), (), ("rotation",), ("exp",), ("tanh",), ("exp", "rotation"))


def composed_cases() -> list[Case]:
    """All of them, those of fewest blocks first; groups are how many blocks a case has."""
    return sorted((_case(number) for number in range(COUNT)), key=lambda case: case.group)


def _case(number: int) -> Case:
    draw = random.Random(number)
    names = [draw.choice(list(BLOCKS)) for _ in range(draw.randint(1, MOST_BLOCKS))]
    swapped = tuple(i for i in range(len(names)) if draw.random() < 0.5)
    maps, samples = draw.choice(MAPS), draw.choice(SAMPLES)
    beside = Beside(tuple(BLOCKS[name] for name in names), swapped)
    source = Pushforward(beside, maps) if maps else beside
    words = "-".join([f"{number:02d}", *names, *maps])
    return Case(words, f"{len(names)} blocks", source, samples)
