import math

from lmi.experiments.benchmarks.throughput import ThroughputExperiment
from lmi.latent import LatentEstimator
from lmi.sources.normal.gaussian import LowRankGaussian
from lmi.types import Context


def test_every_loop_is_measured_beside_the_plain_one_of_its_networks():
    small = LatentEstimator(hidden=(8,), latent_dim=2, batch_size=32)
    experiment = ThroughputExperiment(
        LowRankGaussian(bits=1.0, x_dim=10, y_dim=10),
        small,
        small,
        num_samples=128,
        epochs=2,
        reference_epochs=1,
        repeats=1,
        peer=False,
    )
    rate = experiment.run(Context())
    rows = {row["loop"]: row for row in rate.tables["samples a second"]}
    assert {"lmi", "lmi, into a run folder", "lmi, bfloat16", "plain PyTorch"} <= set(rows)
    assert rows["plain PyTorch"]["of plain PyTorch"] == rows["plain PyTorch"]["in processor time"] == 1
    assert all(math.isfinite(value) and value > 0 for value in rate.metrics.values())
