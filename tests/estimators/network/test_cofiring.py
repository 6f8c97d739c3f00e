import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from scipy import sparse
from scipy.stats import chi2_contingency, false_discovery_control, fisher_exact

import lmi
from lmi.estimators.network import cofiring_files
from lmi.estimators.network.cofiring import _fisher
from lmi.estimators.network.cofiring_counts import count_pairs, null_inflation, read_firing


def fires(n=2000, d=30, seed=0, rate=0.1):
    generator = np.random.default_rng(seed)
    table = generator.random((n, d)) < rate * generator.random(d)
    table[:, 1] = table[:, 0] & (generator.random(n) < 0.8) | (generator.random(n) < 0.01)
    return table


def test_pairs_equal_scipys_contingency_test():
    table = fires()
    counts = count_pairs(read_firing(table), read_firing(table), np.ones(30), 1.0, 0)
    assert len(counts.a) == 30 * 29 // 2
    for a, b, together, nats, p in zip(*counts):
        cells = [[(i & j).sum() for j in (table[:, b], ~table[:, b])] for i in (table[:, a], ~table[:, a])]
        expected = chi2_contingency(cells, correction=False, lambda_="log-likelihood")
        assert together == cells[0][0]
        assert nats == pytest.approx(expected.statistic / 4000, rel=1e-9, abs=1e-12)
        assert p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-300)


def test_edges_have_the_numbers_of_the_table_and_scipys_q_values():
    table = fires(rate=0.5)
    edges = lmi.cofiring(sparse.csr_matrix(table), rate=1.0, sign="both")
    assert len(edges) == edges.tested == 435
    row = edges.frame().iloc[0]
    assert (row["a"], row["b"]) == ("0", "1")
    n = len(table)
    assert row["together"] == (table[:, 0] & table[:, 1]).sum()
    assert row["expected"] == pytest.approx(table[:, 0].sum() * table[:, 1].sum() / n)
    assert row["lift"] == pytest.approx(row["together"] / row["expected"])
    assert row["pmi"] == pytest.approx(np.log(row["lift"]))
    nats = lmi.pairwise_mi(table.astype(float), None, "cofiring")
    np.testing.assert_allclose(edges.nats, nats[edges.a, edges.b], atol=1e-12)
    np.testing.assert_allclose(edges.q, false_discovery_control(edges.p))
    strict = lmi.cofiring(table, rate=0.05, sign="both")
    np.testing.assert_array_equal(strict.q, edges.q[edges.q <= 0.05])
    positive, negative = (lmi.cofiring(table, rate=1.0, sign=sign) for sign in ("together", "apart"))
    assert (positive.extra["lift"] >= 1).all() and (negative.extra["lift"] <= 1).all()
    assert len(positive) + len(negative) >= 435


@pytest.mark.slow
def test_rare_pairs_have_fishers_tail():
    generator = np.random.default_rng(1)
    n, log_factorial = 400, np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, 401)))])
    a, b = generator.integers(1, 30, 60), generator.integers(1, 30, 60)
    c = np.array([generator.integers(max(0, i + j - n), min(i, j) + 1) for i, j in zip(a, b)])
    p_values = _fisher(c, a, b, n, log_factorial)
    for p, k, i, j in zip(p_values, c, a, b):
        cells = [[k, i - k], [j - k, n - i - j + k]]
        tails = [fisher_exact(cells, alternative=side).pvalue for side in ("less", "greater")]
        assert p == pytest.approx(min(1.0, 2 * min(tails)), rel=1e-9)


def test_every_way_in_gives_the_same_counts():
    table = fires(200, 6)
    width = int(table.sum(1).max())
    numbers = np.full((200, width), -1)
    for row, place in zip(*np.nonzero(table)):
        numbers[row, int((table[row, :place]).sum())] = place
    expected = read_firing(table).toarray()
    for x in (
        sparse.csc_matrix(table * 2.5),
        sparse.coo_array(table),
        torch.from_numpy(table),
        torch.from_numpy(table).to_sparse(),
    ):
        assert np.array_equal(read_firing(x).toarray(), expected)
    assert np.array_equal(read_firing(numbers, 6).toarray(), expected)
    assert np.array_equal(read_firing(torch.from_numpy(np.c_[numbers, numbers]), 6).toarray(), expected), (
        "twice is once"
    )


def bursts(seed, n_documents=40, length=50, d=40):
    """Independent features that fire all through some documents and never in others."""
    generator = np.random.default_rng(seed)
    on = generator.random((n_documents, d)) < 0.3
    return np.repeat(on, length, 0) & (generator.random((n_documents * length, d)) < 0.5)


def test_documents_widen_the_null():
    table, documents = bursts(0), np.repeat(np.arange(40), 50)
    naive = lmi.cofiring(table, null="g_test", documents=documents, sign="both")
    careful = lmi.cofiring(table, documents=documents, sign="both")
    assert len(naive) > 300 and naive.null == "g_test"
    assert len(careful) <= 8 and careful.null == "documents"
    assert any("take rows as independent" in word for word in naive.warnings) and not careful.warnings


def test_independent_rows_are_not_widened():
    table, documents = fires(4000, 40, rate=0.6)[:, 2:], torch.arange(4000) // 100
    scale = null_inflation(read_firing(table), documents, "documents", torch.Generator().manual_seed(0), 4)
    assert 0.8 < np.median(scale) < 1.2


def test_nothing_is_found_where_nothing_is():
    number = sum(len(lmi.cofiring(fires(1000, 60, seed, 0.05)[:, 2:])) for seed in range(10))
    assert number <= 3


@pytest.mark.parametrize(
    ("x", "settings", "message"),
    [
        (np.zeros((5, 3)), {}, "0 of 3 features fire"),
        (np.array([[0, 9]]), {"features": 5}, "numbers from 0 to 9; expected features 0 to 4"),
        (np.array([[0.0, 1.0]]), {"features": 5}, "expected whole numbers"),
        (np.array([[0.0, np.nan], [1, 1]]), {}, "1 value"),
        (np.array(["a"]), {}, "expected real numbers"),
        (np.eye(5), {"rate": 0}, "rate is 0"),
        (np.eye(5), {"sign": "plus"}, "sign is 'plus'"),
        (np.eye(5), {"null": "shift"}, "documents=None"),
        (np.eye(5), {"documents": np.arange(4)}, "documents"),
    ],
)
def test_what_makes_no_sense_is_refused(x, settings, message):
    with pytest.raises(ValueError, match=message):
        lmi.cofiring(x, **settings)


def firing_file(path, **more):
    indices = np.random.default_rng(1).integers(-1, 40, (600, 4)).astype(np.int32)
    indices[:200, 1] = indices[:200, 0] % 2  # 0 and 1 fire with even and odd ones
    documents = (np.arange(600) // 50).astype(np.int64)
    save_file({"indices": indices, **({"documents": documents} if more.pop("grouped", True) else {})}, path, **more)
    return indices, documents


def test_a_file_of_indices_is_read(tmp_path):
    path = tmp_path / "firing.safetensors"
    indices, documents = firing_file(path, metadata={"features": "41"})
    edges = lmi.cofiring(path, rate=1.0)
    expected = lmi.cofiring(indices, features=41, documents=documents, rate=1.0)
    assert edges.null == "documents" and len(edges.names) == 41
    assert np.array_equal(edges.nats, expected.nats) and np.array_equal(edges.q, expected.q)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "is no file"),
        (lambda path: path.write_bytes(b"12345678 no header"), "is no safetensors file"),
        (
            lambda path: save_file({"codes": np.zeros((3, 2), np.int32)}, path),
            "holds codes; expected a tensor 'indices'",
        ),
        (firing_file, "does not say how many features there are"),
        (lambda path: firing_file(path, metadata={"features": "12"}), "expected features 0 to 11"),
    ],
)
def test_a_file_that_holds_something_else_is_refused(tmp_path, write, message):
    path = tmp_path / "firing.safetensors"
    write(path)
    with pytest.raises(ValueError, match=message):
        lmi.cofiring(str(path))


def test_counting_goes_on_where_it_was_cut_off(tmp_path, monkeypatch):
    table, expected = fires(), lmi.cofiring(fires(), rate=1.0)
    monkeypatch.setattr(cofiring_files, "UNIT_FEATURES", 7)
    count, counted = cofiring_files.count_pairs, []

    def dies(*arguments):
        if len(counted) == 3:
            raise KeyboardInterrupt
        counted.append(arguments[-1])
        return count(*arguments)

    monkeypatch.setattr(cofiring_files, "count_pairs", dies)
    with pytest.raises(KeyboardInterrupt):
        lmi.cofiring(table, rate=1.0, folder=tmp_path)
    monkeypatch.setattr(
        cofiring_files, "count_pairs", lambda *arguments: counted.append(arguments[-1]) or count(*arguments)
    )
    edges = lmi.cofiring(table, rate=1.0, folder=tmp_path)
    assert counted == [(0, 7), (7, 14), (14, 21), (21, 28), (28, 30)], "nothing is counted twice"
    assert np.array_equal(edges.nats, expected.nats) and np.array_equal(edges.p, expected.p)
