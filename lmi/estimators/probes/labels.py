"""I(X; L) for a label: its entropy minus what a classifier leaves uncertain on samples that did not train it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmi.estimators.probes.recalibrated import recalibrated
from lmi.estimators.trust.plain_thresholds import CALIBRATED

FEW, SOME = 3, 6  # columns that stand out, for classifiers that many useless ones would mislead
PERCEIVED = 128  # columns that a perceptron is given at most
LEAST_FOR_PERCEPTRON = 40  # samples of every class: fewer leave nothing to stop by
MOST_TRIED = 50  # columns that a split of the trees that rank columns may choose from


@dataclass(frozen=True)
class Classifier:
    """How a classifier is built, and how many of the leading columns it sees; ``None`` for all.

    Args:
        build: from a seed, an object with scikit-learn's ``fit`` and ``predict_proba``.
        columns: see ``leading_columns``.
        parametric: whether a formula of a fixed size is fitted, which is soon as good as it gets.
    """

    build: Callable[[int], Any]
    columns: int | None = None
    parametric: bool = False


MANY = 50  # columns, from where on weights that are hardly shrunken fit chance
SHRUNKEN = 0.003  # of 0.3: variance that a prior leaves the weights
ROWS_A_COLUMN = 4  # that a covariance of all columns takes
PRODUCTS_OF, BUMPS = 20, 300  # principal components whose products are asked, and samples that bumps stand around
BUMP = 0.25  # of 1 / (2 s^2) times the columns, for bumps of width s
STEEP = 3.0  # where wrong labels are told from right ones, slopes may be as steep as the right ones ask for


def label_entropy(label: Tensor) -> float:
    """H(L) of a label (n,), nats, plug-in with Miller and Madow's (classes - 1) / 2N added."""
    counts = torch.unique(label, return_counts=True)[1].double()
    shares = counts / counts.sum()
    return float(-(shares * shares.log()).sum()) + (counts.numel() - 1) / (2 * label.numel())


def classifiers(dims: int, rarest: int, samples: int) -> dict[str, Classifier]:
    """Name -> classifier: linear, quadratic in few dimensions, both also with a share of wrong labels, boosted trees.

    Where classes differ in directions in which all columns vary little, as beside a few massive activations, shrunken weights
    see nothing and the linear discriminant, which whitens the columns, does; it also comes with a covariance that is
    shrunken as Ledoit and Wolf do.

    Trees and perceptrons are given all columns, and those that stand out. Classes whose means are equal, such as those that
    lie at both ends of a direction, are told apart by products of all leading components, by bumps around samples (Nystrom
    features), and by perceptrons.

    Trees split greedily: a label that depends on two columns together and on neither alone is found late among many
    columns. Trees with random splits rank the columns, and others learn from the first few of them.

    Args:
        dims: columns of x.
        rarest: samples of the rarest class.
        samples: of all classes.
    """
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
    from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    from lmi.estimators.probes.noisy_logistic import NoisyLogisticRegression

    def boosted(seed: int, rounds: int = 100) -> Any:
        return HistGradientBoostingClassifier(
            max_iter=rounds, learning_rate=0.06, max_leaf_nodes=8, early_stopping=False, random_state=seed
        )

    def quadratic(of: Callable[[], Any]) -> Callable[[int], Any]:
        return lambda seed: make_pipeline(PolynomialFeatures(2, include_bias=False), StandardScaler(), of())

    def of_all_products(seed: int) -> Any:
        return make_pipeline(
            PCA(min(dims, PRODUCTS_OF), random_state=seed),
            quadratic(lambda: LogisticRegression(C=0.01, max_iter=500))(seed),
        )

    def of_kernels(seed: int) -> Any:
        bumps = Nystroem(gamma=BUMP / dims, n_components=min(BUMPS, samples // 4), random_state=seed)
        return make_pipeline(bumps, LogisticRegression(C=30.0, max_iter=500))

    def plain() -> Any:
        return LogisticRegression(C=0.3, max_iter=500)

    def noisy() -> Any:
        return NoisyLogisticRegression(C=STEEP)

    def perceptron(seed: int, alpha: float) -> Any:
        return MLPClassifier(
            (64, 64), alpha=alpha, learning_rate_init=2e-3, early_stopping=True, validation_fraction=0.15,
            n_iter_no_change=15, max_iter=200, random_state=seed,
        )  # fmt: skip

    def with_perceptron(seed: int) -> Any:
        return VotingClassifier([("trees", boosted(seed, 200)), ("perceptron", perceptron(seed, 0.01))], voting="soft")

    built = {
        "logistic regression": Classifier(lambda seed: plain(), parametric=True),
        "boosted trees": Classifier(boosted),
    }
    if dims <= MANY:
        built["logistic regression with wrong labels"] = Classifier(lambda seed: noisy(), parametric=True)
    else:
        built["shrunken logistic regression"] = Classifier(
            lambda seed: LogisticRegression(C=SHRUNKEN, max_iter=500), parametric=True
        )
    if FEW < dims <= samples / ROWS_A_COLUMN:
        built["linear discriminant"] = Classifier(lambda seed: LinearDiscriminantAnalysis(), parametric=True)
        built["shrunken linear discriminant"] = Classifier(
            lambda seed: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"), parametric=True
        )
    if dims <= 10 and rarest >= 4 * dims:  # a covariance of every class
        built["quadratic discriminant"] = Classifier(
            lambda seed: QuadraticDiscriminantAnalysis(reg_param=1e-3), parametric=True
        )
    if dims > FEW:
        name = f"quadratic logistic regression of {min(dims, SOME)} columns"
        built[name] = Classifier(quadratic(plain), SOME, parametric=True)
        built[f"{name} with wrong labels"] = Classifier(quadratic(noisy), SOME, parametric=True)
        built["quadratic logistic regression"] = Classifier(of_all_products, parametric=True)
        built["kernel logistic regression"] = Classifier(of_kernels)
        built[f"boosted trees of {FEW} columns"] = Classifier(boosted, FEW)
    if dims > FEW and rarest >= LEAST_FOR_PERCEPTRON:
        built[f"trees and a perceptron of {min(dims, SOME)} columns"] = Classifier(with_perceptron, SOME)
        if dims <= PERCEIVED:
            built["perceptron"] = Classifier(lambda seed: perceptron(seed, 1.0))
    return built


def leading_columns(x: np.ndarray, label: np.ndarray, most: int, seed: int) -> np.ndarray:
    """The columns of x (n, d) that trees with random splits (Geurts et al. 2006) use most for the label (n,), best first.

    Args:
        x: (n, d).
        label: (n,).
        most: columns wanted.
        seed: of the trees.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    if x.shape[1] <= most:
        return np.arange(x.shape[1])
    trees = ExtraTreesClassifier(
        50, min_samples_leaf=5, max_features=min(-(-x.shape[1] // 2), MOST_TRIED), random_state=seed
    )
    return np.argsort(-trees.fit(x, label).feature_importances_, kind="stable")[:most]


def log_shares(
    x: Tensor, label: Tensor, built: Mapping[str, Classifier], folds: int, seed: int, half: int | None = None
) -> dict[str, Tensor]:
    """Name -> (n, classes) log q(label | x), nats, each row from a classifier fitted to the other folds.

    Args:
        x: (n, d).
        label: (n,) class numbers.
        built: the classifiers.
        folds: how many.
        seed: of folds and classifiers.
        half: 0 or 1: fit to every other row of each class only, from this one on.

    Raises:
        ValueError: where a label has fewer samples than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    classes, counts = torch.unique(label, return_counts=True)
    if int(counts.min()) < folds:
        raise ValueError(f"the rarest label has {int(counts.min())} sample(s); expected at least {folds}, one a fold")
    values, labels, seed = x.double().numpy(), label.numpy(), seed % 2**32
    out = {name: np.empty((labels.size, classes.numel())) for name in built}
    wanted = max((each.columns or 0 for each in built.values()), default=0)
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(values, labels):
        fitted = train if half is None else _half(train, labels, half)
        leading = leading_columns(values[fitted], labels[fitted], wanted, seed) if wanted else np.arange(0)
        for name, classifier in built.items():
            columns = slice(None) if classifier.columns is None else leading[: classifier.columns]
            model = classifier.build(seed)
            model.fit(values[fitted][:, columns], labels[fitted])
            shares = model.predict_proba(values[test][:, columns])
            out[name][test] = np.log(np.clip(shares, 0.5 / fitted.size, None))
    fresh = {name: torch.from_numpy(logs) for name, logs in out.items()}
    if classes.numel() < CALIBRATED:
        return fresh
    return {name: recalibrated(logs, label, folds, seed) for name, logs in fresh.items()}


def _half(rows: np.ndarray, labels: np.ndarray, first: int) -> np.ndarray:
    """Every other row of each class, from the first or the second on."""
    places: Iterable[np.ndarray] = (rows[labels[rows] == value][first::2] for value in np.unique(labels[rows]))
    return np.sort(np.concatenate(list(places)))
