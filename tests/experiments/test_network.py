import numpy as np
import pandas
import pytest

from lmi.estimators.network import edge_units
from lmi.estimators.pairwise import prepared
from lmi.experiments.network import Network
from lmi.experiments.network_findings import correlation_edges
from lmi.results import Result
from lmi.sources.files.array_layers import ArrayLayers
from lmi.sources.planted.planted_network import PlantedNetwork
from lmi.types import Context

SMALL = PlantedNetwork(dims=80, hubs=5, targets=6, rows=300)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["ksg", "histogram"])
def test_a_planted_network_is_found(tmp_path, estimator):
    result = Network(SMALL, estimator, resamples=2 * (estimator == "histogram")).run(Context(3, folder=tmp_path))
    assert result.metrics["precision_at_rate"] >= 0.9 and result.metrics["recall_at_rate"] >= 0.95
    assert result.metrics["edges_precision"] > 0.9 and result.metrics["edges_recall"] > 0.9
    mine, pruned, every, gaussian, correlation = result.tables["planted"]
    assert every["precision"] < pruned["precision"] < mine["precision"]
    assert max(gaussian["recall"], correlation["recall"]) < 0.6, "they do not see parabolas"
    assert {row["hub"] for row in result.tables["hubs"][:5]} == {f"hub{h}" for h in range(5)}
    assert set(result.figures) == set(result.captions) == {"distribution", "hubs", "degrees", "planted"}
    result.save(tmp_path)
    assert Result.load(tmp_path).tables["strongest"][0]["mi_bits"] > 0.5
    table = pandas.read_csv(tmp_path / "edges.csv")
    assert len(table) == result.metrics["edges_count"]
    assert (tmp_path / "edges.graphml").read_text().count("<edge ") == len(table)
    if estimator == "histogram":
        assert table["frequency"].min() >= 0.5


@pytest.mark.parametrize("suffix", ["csv", "tsv", "h5ad"])
def test_a_table_keeps_its_names(tmp_path, suffix):
    generator = np.random.default_rng(0)
    table = pandas.DataFrame(generator.standard_normal((150, 5)), columns=["TP53", "MDM2", "b", "c", "d"])
    table["MDM2"] = table["TP53"] ** 2 + 0.2 * table["MDM2"]
    table["flat"] = 1.0
    path = tmp_path / f"genes.{suffix}"
    if suffix == "h5ad":
        import anndata

        table.index = table.index.map(str)
        anndata.AnnData(table).write_h5ad(path)
    else:
        table.to_csv(path, sep="\t" if suffix == "tsv" else ",", index=False)
    network = Network(ArrayLayers((str(path),)), targets=("MDM2",), most=1, clr=True)
    result = network.run(Context(folder=tmp_path))
    first = result.tables["strongest"][0]
    assert {first["a"], first["b"]} == {"TP53", "MDM2"} and first["clr"] > 1
    assert result.metrics["tested_pairs_count"] == 4
    assert any("1 constant columns are left out: flat" in note for note in result.notes)


class Ranks:
    world_size, device = 2, "cpu"

    def __init__(self, rank):
        self.global_rank = rank

    def barrier(self):
        pass


def test_ranks_leave_the_pairs_of_the_targets_for_the_run(tmp_path, monkeypatch):
    """What two ranks leave in the folder is all that the run reads: no pair is measured again."""
    network, context = Network(SMALL, "gaussian", targets=("hub1", "hub4"), draws=4, device="cpu"), Context(5)
    h, documents, names, _ = network._table(context)
    folder = tmp_path / "units"
    monkeypatch.setattr(prepared, "TILE", 1)
    share = {"h": h, "documents": documents, "names": names, "folder": folder, "context": context}
    with pytest.raises(FileNotFoundError):  # the barrier of this test lets the first through
        network._search(Ranks(1), **share)
    network._search(Ranks(0), **share)
    monkeypatch.setattr(edge_units.EdgeSearch, "measure", None)
    shared = network._search(None, **share)
    assert shared.tested == 79 + 78 and len(shared) > 5


def test_two_tables_are_no_network(tmp_path):
    np.savez(tmp_path / "two.npz", a=np.eye(20)[:, :3], b=np.eye(20)[:, :2])
    with pytest.raises(ValueError, match=r"of one table, got 2 \(two.a, two.b\)"):
        Network(ArrayLayers((str(tmp_path / "two.npz"),))).run(Context())


def test_correlation_is_tested_as_scipy_does():
    from scipy.stats import pearsonr

    h = np.random.default_rng(0).standard_normal((50, 4))
    h[:, 1] += h[:, 0]
    edges = correlation_edges(h, 1.0)
    for a, b, p in zip(edges.a, edges.b, edges.p):
        assert p == pytest.approx(pearsonr(h[:, a], h[:, b]).pvalue)


def test_a_network_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="need 520 columns"):
        PlantedNetwork(dims=100)
