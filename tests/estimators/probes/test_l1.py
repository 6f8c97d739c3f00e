import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from lmi.estimators.probes.l1 import first_strength, l1_path


def problem(n: int, d: int, seed: int = 0, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    h = generator.standard_normal((n, d)) @ (np.eye(d) + 0.2 * generator.standard_normal((d, d))) + 1.5
    odds = h[:, : min(4, d)].sum(axis=1) - 1.5 * min(4, d)
    positive = generator.random(n) < 1 / (1 + np.exp(-odds))
    h[positive] += shift
    return h, positive


def objective(h: np.ndarray, positive: np.ndarray, w: np.ndarray, b: float, c: float) -> float:
    logits = h @ w + b
    return float(np.abs(w).sum() + c * np.logaddexp(0, np.where(positive, -logits, logits)).sum())


@pytest.mark.parametrize(("n", "d", "shift"), [(120, 12, 0.0), (60, 200, 0.0), (80, 150, 3.0), (300, 40, 0.0)])
def test_every_point_meets_the_optimality_conditions(n: int, d: int, shift: float) -> None:
    h, positive = problem(n, d, shift=shift)
    path = l1_path(h, positive, np.geomspace(0.02, 5, 9), tolerance=1e-9)
    for c, w, b, value in zip(path.strengths, path.coefficients, path.intercepts, path.objectives):
        slope = c * h.T @ (1 / (1 + np.exp(-(h @ w + b))) - positive)
        assert abs(c * (1 / (1 + np.exp(-(h @ w + b))) - positive).sum()) < 1e-6
        assert np.abs(slope).max() < 1 + 1e-3
        assert np.abs(slope[w != 0] + np.sign(w[w != 0])).max(initial=0) < 1e-3
        assert value == pytest.approx(objective(h, positive, w, b, c), rel=1e-9)


def test_gap_bounds_the_distance_to_a_long_run_of_saga() -> None:
    h, positive = problem(100, 8)
    loose, tight = (l1_path(h, positive, [0.5], tolerance=t) for t in (1e-2, 1e-10))
    assert loose.objectives[0] - loose.gaps[0] <= tight.objectives[0] <= loose.objectives[0]
    saga = LogisticRegression(C=0.5, l1_ratio=1, solver="saga", max_iter=20000, tol=1e-10, random_state=0)
    saga.fit(h, positive)
    peer = objective(h, positive, saga.coef_[0], saga.intercept_[0], 0.5)
    assert tight.objectives[0] == pytest.approx(peer, rel=1e-7)
    np.testing.assert_allclose(tight.coefficients[0], saga.coef_[0], atol=1e-4)


def test_warm_start_and_shift_of_neurons_change_nothing() -> None:
    h, positive = problem(90, 50)
    path = l1_path(h, positive, [0.1, 0.4, 2.0], tolerance=1e-11)
    alone = l1_path(h - 7.0, positive, [2.0], tolerance=1e-11)
    np.testing.assert_allclose(path.coefficients[-1], alone.coefficients[0], atol=1e-6)


def test_first_neuron_enters_at_the_first_strength() -> None:
    h, positive = problem(100, 20)
    first = first_strength(h, positive)
    path = l1_path(h, positive, [0.999 * first, 1.01 * first], tolerance=1e-12)
    assert path.kept.sum(axis=1).tolist() == [0, 1]


def test_path_ends_before_too_many_are_kept() -> None:
    h, positive = problem(100, 40)
    path = l1_path(h, positive, np.geomspace(0.01, 10, 30), most_kept=5)
    assert 0 < path.strengths.size < 30
    assert path.kept.sum(axis=1).max() <= 5


@pytest.mark.parametrize(
    ("h", "positive", "strengths", "words"),
    [
        (np.ones((4, 2)), [True] * 4, [1.0], "one class only: all 4 labels are positive"),
        (np.ones((4, 2)), [True, False, True], [1.0], "n labels"),
        (np.full((2, 2), np.inf), [True, False], [1.0], "infinite"),
        (np.eye(2), [True, False], [2.0, 1.0], "increase"),
    ],
)
def test_bad_input_is_refused(h: np.ndarray, positive: list, strengths: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        l1_path(h, positive, strengths)


def test_no_convergence_is_an_error() -> None:
    h, positive = problem(100, 40)
    with pytest.raises(RuntimeError, match="gap is"):
        l1_path(h, positive, [5.0], tolerance=1e-14, max_steps=1)
