"""The suite ``field``: kinds of data that people bring, family by family, each with a known truth."""

from __future__ import annotations

from lmi.experiments.benchmarks.accuracy.case import Case
from lmi.sources.nonlinear.clayton import Clayton
from lmi.sources.nonlinear.edges import Edges
from lmi.sources.nonlinear.gates import Gates
from lmi.sources.nonlinear.hidden_place import HiddenPlace
from lmi.sources.nonlinear.interactions import Interactions
from lmi.sources.nonlinear.labels import LabelsAndTables
from lmi.sources.nonlinear.odd_marginals import MARGINALS, OddMarginals
from lmi.sources.nonlinear.one_column import OneColumn
from lmi.sources.nonlinear.products import ProductsAndSigns
from lmi.sources.nonlinear.shared_latent import SharedLatent
from lmi.sources.nonlinear.sphere import Sphere
from lmi.sources.nonlinear.switches import Switches
from lmi.sources.normal.coarse_normal import CoarseNormal
from lmi.sources.normal.faint_linear import FaintLinear
from lmi.sources.normal.gaussian import LowRankGaussian
from lmi.sources.normal.present_columns import PresentColumns
from lmi.sources.normal.pushforward import Pushforward
from lmi.sources.normal.student import StudentT
from lmi.sources.pictures.digit_pairs import DigitPairs
from lmi.sources.series.rows_in_time import Autoregressive
from lmi.types import Source


def _low_rank(dim: int, rank: int, bits: float) -> LowRankGaussian:
    return LowRankGaussian(rank=rank, bits=bits, x_dim=dim, y_dim=dim)


LINEAR: dict[str, tuple[Source, int]] = {
    "pairs30": (FaintLinear("pairs", 30, 0.1), 2000),
    "pairs30-large": (FaintLinear("pairs", 30, 0.1), 10_000),
    "pairs60": (FaintLinear("pairs", 60, 0.15), 3000),
    "pairs8": (FaintLinear("pairs", 8, 0.2), 500),
    "equal20-few": (FaintLinear("equal", 20, 0.5), 300),
    "equal300": (FaintLinear("equal", 300, 0.866), 5000),
    "equal300-few": (FaintLinear("equal", 300, 0.866), 1500),
    "equal500": (FaintLinear("equal", 500, 0.7), 3000),
    "late": (FaintLinear("late", 200, 0.426), 5000),
    "late-null": (FaintLinear("late", 200, 0.0), 2000),
    "lowrank500": (_low_rank(500, 3, 1.0), 1000),
}
ACTIVATIONS: dict[str, tuple[Source, int]] = {
    "relu1": (CoarseNormal("relu", 1, 0.8), 1000),
    "relu3": (CoarseNormal("relu", 3, 0.7), 2000),
    "relu20": (CoarseNormal("relu", 20, 0.55), 2000),
    "relu50": (CoarseNormal("relu", 50, 0.3), 5000),
    "clipped2": (CoarseNormal("clipped", 2, 0.7), 3000),
    "clipped20": (CoarseNormal("clipped", 20, 0.5), 3000),
    "gelu1": (CoarseNormal("gelu", 1, 0.8), 1000),
    "gelu3": (CoarseNormal("gelu", 3, 0.7), 3000),
    "gelu20": (CoarseNormal("gelu", 20, 0.5), 2000),
    "network3": (SharedLatent("network", 3, 2.0), 2000),
    "network10": (SharedLatent("network", 10, 1.5), 2000),
    "network30": (SharedLatent("network", 30, 1.0, shape_seed=1), 3000),
    "network100": (SharedLatent("network", 100, 0.7, shape_seed=2), 2000),
}
ZEROS: dict[str, tuple[Source, int]] = {
    "dropout1": (PresentColumns(1, 0.9, 0.3), 1000),
    "dropout3": (PresentColumns(3, 0.8, 0.4, one_factor=False), 2000),
    "dropout10": (PresentColumns(10, 0.95, 0.4), 2000),
    "dropout10-pairs": (PresentColumns(10, 0.9, 0.4, one_factor=False), 3000),
    "dropout20": (PresentColumns(20, 0.9, 0.5), 2000),
    "dropout40": (PresentColumns(40, 0.7, 0.7), 5000),
    "counts1": (SharedLatent("counts", 1, 0.8), 1000),
    "counts4": (SharedLatent("counts", 4, 0.7), 1000),
    "counts20": (SharedLatent("counts", 20, 0.7), 2000),
    "items1": (SharedLatent("items", 1, 0.8), 500),
    "items5": (SharedLatent("items", 5, 0.7), 1000),
    "items20": (SharedLatent("items", 20, 0.6), 2000),
    "rounded1": (CoarseNormal("rounded", 1, 0.9), 1000),
    "rounded3": (CoarseNormal("rounded", 3, 0.8), 2000),
    "rounded10": (CoarseNormal("rounded", 10, 0.7), 3000),
    "levels3": (CoarseNormal("levels", 3, 0.6), 1500),
}
INTERACTIONS: dict[str, tuple[Source, int]] = {
    "interaction3": (ProductsAndSigns("interaction", 3, 0.5), 1000),
    "interaction20": (ProductsAndSigns("interaction", 20, 0.5), 2000),
    "interaction50": (ProductsAndSigns("interaction", 50, 0.5), 5000),
    "product2": (ProductsAndSigns("product", 2, 0.3), 1000),
    "product20": (ProductsAndSigns("product", 20, 0.3), 3000),
    "sign2": (ProductsAndSigns("sign", 2, 0.5), 1000),
    "sign10": (ProductsAndSigns("sign", 10, 0.5), 3000),
    "modular2": (ProductsAndSigns("modular", 2, 0.1), 2000),
    "modular10": (ProductsAndSigns("modular", 10, 0.1), 3000),
    "randomsign1": (ProductsAndSigns("random_sign", 1, 0.3), 1000),
    "randomsign3": (ProductsAndSigns("random_sign", 3, 0.5), 2000),
    "randomsign8": (ProductsAndSigns("random_sign", 8, 1.0), 2500),
    "randomsign20": (ProductsAndSigns("random_sign", 20, 2.0), 5000),
    "wave10": (OneColumn("wave", 10, 0.3), 2000),
    "stairs10": (OneColumn("stairs", 10, 0.15), 2000),
    "kink10": (OneColumn("kink", 10, 0.3), 2000),
    "volatility1": (SharedLatent("volatility", 1, 1.0), 2000),
    "volatility3": (SharedLatent("volatility", 3, 0.7), 2000),
    "volatility15": (SharedLatent("volatility", 15, 0.5), 3000),
}
CLASSES: dict[str, tuple[Source, int]] = {
    "classes3": (SharedLatent("classes", 3, 3.0, 5), 1000),
    "classes20": (SharedLatent("classes", 20, 1.0, 8), 2000),
    "classes50": (SharedLatent("classes", 50, 0.7, 10, 1), 2000),
    "classes50-many": (SharedLatent("classes", 50, 1.0, 50, 2), 5000),
    "classes50-twenty": (SharedLatent("classes", 50, 0.6, 20, 3), 3000),
    "digits": (DigitPairs(), 2000),
    "digits-few": (DigitPairs(), 800),
}
MIXING: dict[str, tuple[Source, int]] = {
    "mixed2": (Pushforward(_low_rank(2, 1, 1.0), ("network",)), 2000),
    "mixed3-spiral": (Pushforward(_low_rank(3, 2, 1.5), ("spiral",)), 3000),
    "mixed4": (Pushforward(_low_rank(4, 2, 1.0), ("network",)), 3000),
    "mixed12": (Pushforward(_low_rank(12, 3, 1.7), ("network",)), 2000),
    "mixed12-one": (Pushforward(_low_rank(12, 1, 1.0), ("network",)), 2000),
    "mixed12-null": (Pushforward(_low_rank(12, 1, 0.0), ("network",)), 2000),
    "mixed25-spiral": (Pushforward(_low_rank(25, 2, 1.5), ("spiral",)), 3000),
    "mixed30": (Pushforward(_low_rank(30, 4, 2.0), ("network", "asinh")), 3000),
    "mixed100": (Pushforward(_low_rank(100, 3, 1.5), ("network",)), 5000),
}
TAILS: dict[str, tuple[Source, int]] = {
    "pairs25-cubic": (Pushforward(_low_rank(25, 2, 1.5), ("cubic",)), 3000),
    "tails1-asinh": (Pushforward(StudentT(1, 2, 0.6), ("asinh",)), 1000),
    "tails2-cubic": (Pushforward(StudentT(2, 3, 0.5), ("cubic",)), 2000),
    "tails3-asinh": (Pushforward(StudentT(3, 3, 0.0), ("asinh",)), 3000),
    "tails5-tanh": (Pushforward(StudentT(5, 3, 0.5), ("tanh",)), 3000),
    "tails10-asinh": (Pushforward(StudentT(10, 5, 0.3), ("asinh",)), 3000),
    "tails20-asinh": (Pushforward(StudentT(20, 4, 0.2), ("asinh",)), 5000),
}
EDGES: dict[str, tuple[Source, int]] = {
    "uniform1": (Edges("uniform", 1, 0.2), 1000),
    "uniform1-narrow": (Edges("uniform", 1, 0.05), 3000),
    "uniform3": (Edges("uniform", 3, 0.5), 3000),
    "uniform5": (Edges("uniform", 5, 1.0), 5000),
    "normal-uniform1": (Edges("normal_uniform", 1, 0.5), 1000),
    "normal-uniform3": (Edges("normal_uniform", 3, 1.0), 3000),
    "steps1": (Edges("steps", 1, 0.2), 1000),
    "steps3": (Edges("steps", 3, 0.5), 3000),
    "angle1": (Edges("angle", 1, 0.5), 1000),
    "angle2": (Edges("angle", 2, 0.7), 3000),
    "circle1": (Edges("circle", 1, 0.3), 1000),
    "circle3": (Edges("circle", 3, 0.7), 3000),
}
REDUNDANT: dict[str, tuple[Source, int]] = {
    "redundant5": (FaintLinear("redundant", 5, 0.8), 500),
    "redundant60": (FaintLinear("redundant", 60, 0.95), 2000),
    "redundant60-few": (FaintLinear("redundant", 60, 0.95), 300),
    "redundant60-null": (FaintLinear("redundant", 60, 0.0), 1000),
    "redundant200": (FaintLinear("redundant", 200, 0.6), 3000),
}
TIME: dict[str, tuple[Source, int]] = {
    **{
        f"phi{phi:g}-dim{dim}-n{n}": (Autoregressive(dim, phi), n)
        for phi, dim, n in (
            (0.5, 1, 500), (0.9, 1, 1000), (0.99, 1, 1000), (0.99, 1, 4000), (0.95, 2, 1000), (0.9, 3, 2000),
            (0.99, 3, 2000), (0.97, 10, 3000),
        )
    },
    "phi0.9-shared": (Autoregressive(1, 0.9, 0.6), 2000),
    "phi0.7-shared3": (Autoregressive(3, 0.7, 0.5), 3000),
    "phi0.99-gathered": (Autoregressive(1, 0.99, 0.5, shuffled=True, stretch=1000), 1000),
}  # fmt: skip
LABELS: dict[str, tuple[Source, int]] = {
    "xor5": (LabelsAndTables("xor", 5), 1000),
    "xor20": (LabelsAndTables("xor", 20), 3000),
    "radius5": (LabelsAndTables("radius", 5), 1000),
    "radius20": (LabelsAndTables("radius", 20), 3000),
    "table6": (LabelsAndTables("table", 6), 300),
    "table14": (LabelsAndTables("table", 14), 1500),
    "table14-large": (LabelsAndTables("table", 14), 5000),
}
UNFORESEEN: dict[str, tuple[Source, int]] = {  # invented against what stood, after the other families
    "gate1": (Gates("gate", 1, 0.3), 1000),
    "gate4": (Gates("gate", 4, 0.3), 3000),
    "growing1": (Gates("growing", 1, 0.2), 1500),
    "growing3": (Gates("growing", 3, 0.2), 3000),
    "fork1": (Gates("fork", 1, 0.15), 1500),
    "fork3": (Gates("fork", 3, 0.15), 3000),
    "spiral1": (HiddenPlace("spiral", 1, 0.25), 1500),
    "bumps32": (HiddenPlace("bumps", 32, 0.5), 2000),
    "spikes12": (HiddenPlace("spikes", 12, 0.2), 2000),
    "sphere3": (Sphere(3, 5.0), 2000),
    "sphere8": (Sphere(8, 10.0), 3000),
    "sparse1": (Switches("sparse", 1, 0.3), 500),
    "sparse6": (Switches("sparse", 6, 0.5), 2500),
    "regressions1": (Switches("regressions", 1, 0.4), 1500),
    "clayton1": (Clayton(1, 3.0), 400),
    "clayton4": (Clayton(4, 2.0), 2000),
    "argmax4": (LabelsAndTables("argmax", 4), 1200),
    "tails2-asinh": (Pushforward(StudentT(2, 2, 0.5), ("asinh",)), 1500),
}
HUNDREDS: dict[str, tuple[Source, int]] = {  # of columns, of which a few matter
    "few1000": (FaintLinear("few", 1000, 0.8), 200),
    "few2000": (FaintLinear("few", 2000, 0.7), 400),
    "few300-null": (FaintLinear("few", 300, 0.0), 250),
    "interaction300": (ProductsAndSigns("interaction", 300, 0.5), 3000),
    "product300": (ProductsAndSigns("product", 300, 0.3), 3000),
    "sign300": (ProductsAndSigns("sign", 300, 0.5), 3000),
    "wave300": (OneColumn("wave", 300, 0.3), 3000),
    "kink300": (OneColumn("kink", 300, 0.3), 3000),
    "stairs300": (OneColumn("stairs", 300, 0.15), 3000),
    "products100": (Interactions(columns=100, count=3), 3000),
    "products300": (Interactions(columns=300, count=1, noise=1.0), 5000),
    "products100-null": (Interactions(columns=100, count=0), 3000),
}
NULLS: dict[str, tuple[Source, int]] = {
    **{f"null-{name}": (OddMarginals(name), (150, 250, 400)[i % 3]) for i, name in enumerate(MARGINALS)},
    **{f"null3-{name}": (OddMarginals(name, 3), 400) for name in ("cauchy", "two_humps", "counts", "half_zeros")},
}
FAMILIES: dict[str, dict[str, tuple[Source, int]]] = {
    "1 linear": LINEAR,
    "2 activations": ACTIVATIONS,
    "3 zeros and levels": ZEROS,
    "4 interactions": INTERACTIONS,
    "5 classes": CLASSES,
    "6 mixing": MIXING,
    "7 tails": TAILS,
    "8 edges": EDGES,
    "9 redundant": REDUNDANT,
    "10 time": TIME,
    "11 labels": LABELS,
    "12 unforeseen": UNFORESEEN,
    "13 hundreds of columns": HUNDREDS,
    "nulls": NULLS,
}


def field_cases() -> list[Case]:
    """All cases, family by family, the smallest of each first."""
    return [
        Case(name, family, source, num_samples)
        for family, cases in FAMILIES.items()
        for name, (source, num_samples) in cases.items()
    ]
