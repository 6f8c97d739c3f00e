import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas
import pytest
import torch
from scipy.special import digamma
from scipy.stats import false_discovery_control

import lmi
from lmi.estimators.network import edge_units
from lmi.estimators.network.direct import _frenzel_pompe, conditional_evidence
from lmi.estimators.network.edge_units import split_units
from lmi.estimators.network.pruning import indirect_edges
from lmi.estimators.pairwise import prepared
from lmi.estimators.pairwise.ksg import KsgPairs
from lmi.estimators.pairwise.ksg_window import psi_table
from lmi.estimators.pairwise.splines import SplinePairs
from lmi.estimators.significance import pooled_null


def planted(n=200, d=40, seed=0):
    h = np.random.default_rng(seed).standard_normal((n, d))
    h[:, 1] = h[:, 0] + 0.5 * h[:, 1]
    h[:, 2] = h[:, 1] + 0.5 * h[:, 2]
    h[:, d - 10] = h[:, 5] ** 2 + 0.3 * h[:, d - 10]
    return h


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["ksg", "histogram", "gaussian", "bspline"])
def test_edges_are_those_of_the_whole_table(estimator, monkeypatch):
    monkeypatch.setattr(prepared, "TILE", 8)
    monkeypatch.setattr(edge_units, "UNIT_TILES", 2)
    h, rate = planted(), 0.2
    edges = lmi.pairwise_edges(h, estimator, draws=32, rate=rate)
    whole = lmi.pairwise(h, estimator, draws=32)
    expected = whole.edges(rate)
    assert len(edges) == len(expected) >= 2 and edges.tested == 780
    for name in ("a", "b"):
        assert np.array_equal(getattr(edges, name), getattr(expected, name))
    for name in ("nats", "p", "q", "background"):
        np.testing.assert_allclose(getattr(edges, name), getattr(expected, name), rtol=1e-9)
    upper = np.triu_indices(40, 1)
    q = false_discovery_control(whole.p[upper], method="bh")
    np.testing.assert_allclose(np.sort(edges.q), np.sort(q[q <= rate]))


def test_targets_are_rows_of_the_whole_table():
    h = planted()
    frame = pandas.DataFrame(h, columns=[f"g{j}" for j in range(40)])
    edges = lmi.pairwise_edges(frame, "ksg", targets=["g30", "g1"], most=5, null="none")
    assert edges.tested == 39 + 38
    nats = lmi.pairwise_mi(h)
    for a, b, value in zip(edges.a, edges.b, edges.nats):
        assert {a, b} & {1, 30} and nats[a, b] == value
    assert {frozenset(pair) for pair in edges.frame()[["a", "b"]].values[:3].tolist()} == {
        frozenset(("g0", "g1")), frozenset(("g1", "g2")), frozenset(("g5", "g30")),
    }  # fmt: skip
    assert np.isnan(edges.q).all()


def test_a_run_that_was_cut_off_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "TILE", 8)
    monkeypatch.setattr(edge_units, "UNIT_TILES", 2)
    h = planted()
    expected = lmi.pairwise_edges(h, "histogram")
    measure, calls = edge_units.EdgeSearch.measure, []

    def dies(self, unit):
        calls.append(unit)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return measure(self, unit)

    monkeypatch.setattr(edge_units.EdgeSearch, "measure", dies)
    with pytest.raises(KeyboardInterrupt):
        lmi.pairwise_edges(h, "histogram", folder=tmp_path)
    again = lmi.pairwise_edges(h, "histogram", folder=tmp_path)
    assert len(calls) == 1 + len(split_units(40, 40, 8)), "three units were kept"
    for name in ("a", "b", "nats", "p", "q"):
        assert np.array_equal(getattr(again, name), getattr(expected, name))
    calls.clear()
    calls += [None] * 10
    lmi.pairwise_edges(h + 1e-3, "histogram", folder=tmp_path)
    assert len(calls) > 10, "other samples are measured anew"


class Ranks:
    """Two ranks one after the other, as far as units are concerned."""

    world_size, device = 2, "cpu"

    def __init__(self, rank):
        self.global_rank = rank

    def barrier(self):
        pass


def test_ranks_share_the_units(tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "TILE", 8)
    monkeypatch.setattr(edge_units, "UNIT_TILES", 1)
    h = planted()
    with pytest.raises(ValueError, match="share their edges through a folder"):
        lmi.pairwise_edges(h, "histogram", fabric=Ranks(0))
    with pytest.raises(FileNotFoundError):  # the barrier of this test lets the first rank through
        lmi.pairwise_edges(h, "histogram", fabric=Ranks(0), folder=tmp_path)
    shared = lmi.pairwise_edges(h, "histogram", fabric=Ranks(1), folder=tmp_path)
    alone = lmi.pairwise_edges(h, "histogram")
    assert np.array_equal(shared.nats, alone.nats) and np.array_equal(shared.q, alone.q)


def test_units_cover_every_pair_once():
    for targets, columns in ((40, 40), (3, 40), (9, 17), (2, 2)):
        seen = np.zeros((columns, columns), int)
        for unit in split_units(targets, columns, side=4):
            rows, cols = np.arange(unit.a, unit.a_end)[:, None], np.arange(unit.b, unit.b_end)[None]
            seen[unit.a : unit.a_end, unit.b : unit.b_end] += rows < cols
            assert unit.pairs() == int((rows < cols).sum())
        wanted = np.triu(np.ones_like(seen), 1)
        wanted[targets:] = 0
        assert np.array_equal(seen, wanted)


@pytest.mark.slow
def test_indirect_edges_are_those_of_all_triangles():
    generator = np.random.default_rng(0)
    d = 25
    table = np.triu(generator.random((d, d)) * (generator.random((d, d)) < 0.4), 1)
    table += table.T
    a, b = np.nonzero(np.triu(table))
    slow = [
        any(table[i, j] < min(table[i, c], table[j, c]) - 0.1 for c in range(d) if table[i, c] and table[j, c])
        for i, j in zip(a, b)
    ]
    assert np.array_equal(indirect_edges(a, b, table[a, b], d, 0.1), slow) and 0 < sum(slow) < len(a)
    with pytest.raises(ValueError, match="each pair once"):
        indirect_edges(np.array([0, 1]), np.array([1, 0]), np.ones(2), 2)


def test_a_chain_is_pruned_to_its_links():
    edges = lmi.pairwise_edges(planted(1000), "gaussian")
    assert {(0, 1), (1, 2), (0, 2)} <= set(zip(edges.a.tolist(), edges.b.tolist()))
    pruned = edges.pruned()
    assert {(0, 1), (1, 2)} <= set(zip(pruned.a.tolist(), pruned.b.tolist()))
    assert (0, 2) not in set(zip(pruned.a.tolist(), pruned.b.tolist()))
    assert len(edges.pruned(tolerance=100.0)) == len(edges)
    with pytest.raises(ValueError, match="tolerance is -1"):
        edges.pruned(-1)


def steps(n=600, hubs=6, targets=4):
    """Hubs and noisy signs of them, (n, hubs * (1 + targets)): two signs share nearly as much as a sign and its hub."""
    generator = np.random.default_rng(5)
    hub = generator.standard_normal((n, hubs))
    sign = np.sign(np.repeat(hub, targets, 1)) + 0.5 * generator.standard_normal((n, hubs * targets))
    return np.concatenate([hub, sign], 1), {(j // targets, hubs + j) for j in range(hubs * targets)}


@pytest.mark.slow
def test_direct_edges_are_found_where_the_inequality_is_too_close():
    h, planted_edges = steps()
    edges = lmi.pairwise_edges(h)
    shares = {}
    for way, kept in (("pruned", edges.pruned()), ("direct", lmi.direct_edges(edges, h))):
        hits = len(planted_edges & set(zip(kept.a.tolist(), kept.b.tolist())))
        shares[way] = hits / len(kept), hits / len(planted_edges)
    assert min(shares["direct"]) > 0.9 > 0.8 > max(shares["pruned"])


def test_conditional_information_is_that_of_the_definition():
    generator = np.random.default_rng(0)
    x, y, n, k = generator.permutation(60), generator.permutation(60), 60, 5
    gap = [np.abs(np.subtract.outer(c, c)) for c in (x, y, np.arange(n))]
    radius = np.sort(np.max(gap, 0), 1)[:, k]
    inside = [g < radius[:, None] for g in gap]
    counts = [(inside[0] & inside[2]).sum(1), (inside[1] & inside[2]).sum(1), inside[2].sum(1)]
    expected = digamma(k) - np.mean(digamma(counts[0]) + digamma(counts[1]) - digamma(counts[2]))
    assert _frenzel_pompe(x, y, np.empty(k, np.int64), psi_table(n)) == pytest.approx(expected, abs=1e-12)


def test_rows_moved_nearby_say_nothing_about_a_chain():
    z = np.random.default_rng(1).standard_normal((3000, 3))
    chain = np.stack([z[:, 0], z[:, 0] + 0.5 * z[:, 1], z[:, 0] + 0.5 * z[:, 1] + 0.5 * z[:, 2]], 1)
    evidence = conditional_evidence(torch.from_numpy(chain), np.array([[0, 1, 2], [1, 2, 0], [0, 2, 1]]), seed=2)
    assert evidence[:2].min() > 6 and abs(evidence[2]) < 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e, h: (e, h[:, 1:]), "x has 39 columns; expected the 40"),
        (lambda e, h: (e, pandas.DataFrame(h, columns=[f"y{j}" for j in range(40)])), "'y0' where edges have 'x0'"),
        (lambda e, h: (lmi.pairwise_edges(h, "gaussian", null="none", most=3), h), "edges have no p-values"),
    ],
)
def test_edges_of_other_samples_are_refused(change, message):
    h = planted()
    edges = lmi.pairwise_edges(pandas.DataFrame(h, columns=[f"x{j}" for j in range(40)]), "gaussian")
    with pytest.raises(ValueError, match=message):
        lmi.direct_edges(*change(edges, h))


def test_clr_is_that_of_the_table():
    h = planted()
    edges = lmi.pairwise_edges(h, "histogram").clr()
    nats = lmi.pairwise_mi(h, None, "histogram")
    others = np.where(np.eye(40, dtype=bool), np.nan, nats)
    z = (nats - np.nanmean(others, 0)) / np.nanstd(others, 0, ddof=1)
    expected = np.hypot(z.clip(0), z.T.clip(0))[edges.a, edges.b]
    np.testing.assert_allclose(edges.extra["clr"], expected)
    assert (np.diff(edges.extra["clr"]) <= 0).all()


def test_files_read_back(tmp_path):
    frame = pandas.DataFrame(planted(), columns=[f"g<{j}>&" for j in range(40)])
    edges = lmi.pairwise_edges(frame, "gaussian")
    edges.to_csv(tmp_path / "edges.csv")
    pandas.testing.assert_frame_equal(pandas.read_csv(tmp_path / "edges.csv"), edges.frame(), check_dtype=False)
    edges.to_graphml(tmp_path / "edges.graphml")
    root = ElementTree.parse(tmp_path / "edges.graphml").getroot()
    space = {"g": "http://graphml.graphdrawing.org/xmlns"}
    names = {node.get("id"): node.find("g:data", space).text for node in root.iterfind(".//g:node", space)}
    read = [(names[edge.get("source")], names[edge.get("target")]) for edge in root.iterfind(".//g:edge", space)]
    assert read == list(map(tuple, edges.frame()[["a", "b"]].values))
    first = {data.get("key"): float(data.text) for data in root.find(".//g:edge", space)}
    assert first["nats"] == edges.nats[0]


def test_splines_of_order_one_are_the_histogram():
    h = planted(150, 16)
    measure = SplinePairs(8, 1)
    prepared = measure.prepare(torch.from_numpy(h))
    expected = lmi.pairwise_mi(h, None, "histogram", bins=8)
    np.testing.assert_allclose(measure.tile(prepared, prepared).numpy(), expected, atol=1e-12)
    for order in (2, 3, 8):
        weights = SplinePairs(8, order)._weights(SplinePairs(8, order).prepare(torch.from_numpy(planted())))
        assert weights.min() >= 0
        torch.testing.assert_close(weights.sum(1), torch.ones(40, 200, dtype=torch.float64))


def test_spline_weights_are_scipys():
    from scipy.interpolate import BSpline

    places = SplinePairs(7, 3).prepare(torch.from_numpy(planted(60)))
    knots = np.concatenate([[0, 0], np.arange(6), [5, 5]])
    expected = BSpline.design_matrix(places[0].numpy().clip(max=5 - 1e-12), knots, 2).toarray()
    np.testing.assert_allclose(SplinePairs(7, 3)._weights(places)[0].T.numpy(), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"null": "none"}, "expected most=m"),
        ({"rate": 0.0}, "rate is 0.0"),
        ({"most": 0}, "most is 0"),
        ({"targets": "g1"}, "one string"),
        ({"targets": [99]}, "targets has '99'"),
        ({"targets": []}, "targets has nothing"),
        ({"estimator": "splines"}, "no pairwise estimator 'splines'.*bspline"),
    ],
)
def test_what_makes_no_sense_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        lmi.pairwise_edges(planted(), **settings)


@pytest.mark.slow
def test_little_memory_changes_no_edge(monkeypatch):
    h = planted()
    expected = lmi.pairwise_edges(h, "ksg")
    monkeypatch.setattr(KsgPairs, "value_bytes", 2**31)
    again = lmi.pairwise_edges(h, "ksg")
    assert np.array_equal(again.nats, expected.nats) and np.array_equal(again.q, expected.q)


def test_the_null_of_many_columns_is_fitted_sparsely(monkeypatch):
    expected = lmi.pairwise_edges(planted(), "histogram")
    monkeypatch.setattr(pooled_null, "DENSE", 10)
    again = lmi.pairwise_edges(planted(), "histogram")
    np.testing.assert_allclose(again.p, expected.p, rtol=1e-6)


def test_cofiring_of_dense_columns_is_the_table_of_zeros():
    h = planted(100, 16) * (np.random.default_rng(1).random((100, 16)) < 0.4)
    nats = lmi.pairwise_mi(h, None, "cofiring")
    expected = lmi.pairwise_mi((h != 0).astype(float), None, "histogram", bins=2)
    np.testing.assert_allclose(nats, expected, atol=1e-12)
