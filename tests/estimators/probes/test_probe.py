import numpy as np
import pytest
from sklearn.feature_selection import mutual_info_classif

from lmi.estimators.probes import bits, probe
from lmi.estimators.probes.stability import complementary_halves, stability_selection, stand_ins
from lmi.sources.planted.labelled import PlantedNeurons
from lmi.types import Context


def plain(items: list, label: str) -> list:
    return items


def planted(n: int = 1200, d: int = 60, shift: float = 0.9, informative: int = 5) -> tuple:
    data = PlantedNeurons(n, d, informative, shift).labelled(Context(seed=1))
    return data, data.labels == "second half"


def test_label_information_equals_scikit_learn() -> None:
    data, positive = planted(300, 12)
    peer = mutual_info_classif(data.h, positive, n_neighbors=3, random_state=0)
    np.testing.assert_allclose(probe.label_information(data.h, positive, 3).clip(0), peer, atol=1e-6)


def test_label_information_of_a_discrete_neuron_is_the_discrete_mi() -> None:
    generator = np.random.default_rng(0)
    label = generator.random(8000) < 0.5
    neuron = np.where(generator.random(8000) < 0.9, label, ~label).astype(float)
    truth = np.log(2) + 0.9 * np.log(0.9) + 0.1 * np.log(0.1)
    assert probe.label_information(neuron[:, None], label)[0] == pytest.approx(truth, abs=0.02)


def test_label_information_of_shuffled_documents_is_zero() -> None:
    data, positive = planted(1000, 40, shift=2.0)
    documents = np.arange(1000) // 5
    shuffled = probe.shuffled_documents(positive, documents, np.random.default_rng(0))
    assert shuffled.sum() == positive.sum()
    assert np.abs(probe.label_information(data.h, shuffled)).mean() < 0.02


def test_curve_saturates_at_the_truth_and_no_row_chooses_for_itself() -> None:
    data, positive = planted()
    splits = probe.folds(positive, data.documents, 4, seed=0)
    strengths = bits.path_strengths(bits.scale(data.h, data.h), positive, 25, 100.0)
    curve = bits.bits_curve(data.h, positive, data.documents, strengths, splits, 40, plain)
    assert abs(curve.known_bits - data.truth_bits) < 3 * curve.known_error
    assert 4 <= curve.kept[curve.saturated] <= 8
    assert curve.known_bits <= curve.bits[curve.best] + 1e-12
    gains = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 5.0, 5.0]])
    halves = [(np.array([2, 3]), np.array([0, 1])), (np.array([0, 1]), np.array([2, 3]))]
    assert bits.others_choice(gains, halves).tolist() == [1, 1, 0, 0]


def test_noise_tells_nothing_held_out() -> None:
    data, positive = planted(400, 50)
    noise = np.random.default_rng(0).standard_normal(data.h.shape)
    splits = probe.folds(positive, data.documents, 4, seed=0)
    strengths = bits.path_strengths(noise, positive, 15, 20.0)
    curve = bits.bits_curve(noise, positive, data.documents, strengths, splits, 30, plain)
    assert curve.known_bits < 2 * curve.known_error + 1e-3


def test_rotation_leaves_the_layer_probe_as_it_was() -> None:
    data, _ = planted(60, 200)
    fitted, judged = bits.scale(data.h[:40], data.h[:40]), bits.scale(data.h[40:], data.h[:40])
    label = np.arange(40) % 2 == 0
    small, small_judged = bits.rotate(fitted, judged)
    w, b = bits.refit(fitted, label, 50.0)
    v, c = bits.refit(small, label, 50.0)
    assert small.shape == (40, 40)
    np.testing.assert_allclose(judged @ w + b, small_judged @ v + c, atol=1e-3)


def test_refit_is_at_the_optimum_of_its_penalised_likelihood() -> None:
    data, positive = planted(300, 6)
    w, b = bits.refit(data.h, positive, precision=2.0)
    miss = 1 / (1 + np.exp(-(data.h @ w + b))) - positive
    np.testing.assert_allclose(data.h.T @ miss + 2.0 * w, 0, atol=1e-2)
    assert abs(miss.sum()) < 1e-2


def test_folds_keep_documents_whole_and_judge_every_row_once() -> None:
    generator = np.random.default_rng(0)
    documents = np.repeat(np.arange(30), 7)
    positive = generator.random(210) < 0.3
    splits = probe.folds(positive, documents, 5, seed=0)
    assert sorted(np.concatenate([part for _, part in splits]).tolist()) == list(range(210))
    for rest, part in splits:
        assert not set(documents[rest]) & set(documents[part])


def test_standard_error_grows_with_documents() -> None:
    values = np.repeat(np.random.default_rng(0).standard_normal(200), 10)
    alone = probe.standard_error(values, np.arange(2000))
    together = probe.standard_error(values, np.repeat(np.arange(200), 10))
    assert together == pytest.approx(alone * np.sqrt(10), rel=0.02)
    assert together == pytest.approx(values.std() / np.sqrt(200), rel=0.02)


def test_folds_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="3 documents cannot be split into 5"):
        probe.folds(np.arange(9) % 2 == 0, np.arange(9) // 3, 5, 0)
    with pytest.raises(ValueError, match="one class only"):
        probe.folds(np.arange(40) < 20, np.arange(40) // 20, 2, 0)


def test_planted_neurons_are_stable_and_false_ones_are_few() -> None:
    data, positive = planted(800, 200)
    kept = stability_selection(bits.scale(data.h, data.h), positive, data.documents, 10, 0.75, 1.0, 0, plain)
    assert set(data.informative) <= set(kept.stable)
    assert kept.stable.size <= data.informative.size + 2
    assert kept.false_bound <= 1


def test_halves_differ_from_deal_to_deal_and_keep_documents_whole() -> None:
    documents, positive = np.repeat(np.arange(20), 5), np.tile([True, False, False, False, False], 20)
    generator = np.random.default_rng(0)
    deals = [complementary_halves(positive, documents, generator) for _ in range(5)]
    assert len({tuple(first) for first, _ in deals}) == 5
    for first, second in deals:
        assert sorted([*first, *second]) == list(range(100))
        assert not set(documents[first]) & set(documents[second])


def test_a_copy_is_the_stand_in() -> None:
    data = PlantedNeurons(400, 30, 3, 0.8, num_copies=1, copy_noise=0.2).labelled(Context())
    others = np.setdiff1d(np.arange(30), data.informative)
    shared = stand_ins(data.h, data.informative, others)
    best = others[shared.argmax(axis=1)]
    for original, copy in zip(data.informative, best):
        assert abs(np.corrcoef(data.h[:, original], data.h[:, copy])[0, 1]) > 0.9
