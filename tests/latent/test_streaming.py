from functools import partial
from types import SimpleNamespace

import pytest
import torch
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader

from lmi.estimators.folds import Fold
from lmi.latent import LatentEstimator
from lmi.latent.estimator import read_fold
from lmi.latent.fitting import fit_and_read
from lmi.latent.streaming import BlockStream, Stream, estimate_stream
from lmi.latent.survey import mean_and_deviation, survey
from lmi.sources.files.shards import GaussianShards, read_pairs
from lmi.types import Context

CONTEXT = Context(seed=1)


@pytest.fixture
def pairs(tmp_path):
    return GaussianShards(str(tmp_path / "shards"), 3000, 6, 5, nuisance_dims=2, shard_rows=700).open()


def test_scale_of_blocks_is_that_of_the_whole_even_far_from_zero():
    z = torch.randn(1000, 4, generator=torch.Generator().manual_seed(0)).double() + 1e6
    z[:, 3] = 0.1
    scaler = StandardScaler()
    for block in z.split(77):
        scaler.partial_fit(block.numpy())
    mean, deviation = mean_and_deviation(scaler)
    assert torch.allclose(mean, z.mean(0), rtol=1e-13)
    assert torch.allclose(deviation[:3], z[:, :3].std(0, correction=0), rtol=1e-7)
    assert deviation[3] == 0


@pytest.mark.slow
@pytest.mark.parametrize(("world", "workers"), [(1, 0), (1, 2), (3, 0), (2, 2)])
def test_every_training_row_comes_once_an_epoch_across_ranks_and_workers(pairs, world, workers):
    stream = Stream(300, 600, workers, block_rows=128, buffer_blocks=3)
    estimate = survey(pairs, stream.stop_samples, stream.estimate_samples, stream.block_rows, CONTEXT)
    expected = torch.from_numpy(pairs.x.read(0, 3000))[~estimate.held_out]
    orders = []
    for epoch in (0, 1):
        batches = []
        for rank in range(world):
            blocks = BlockStream(pairs, estimate.held_out, stream, 32, CONTEXT, rank, world)
            blocks.epoch = epoch
            mine = list(DataLoader(blocks, batch_size=None, num_workers=workers))
            assert len(mine) == len(blocks)
            batches += mine
        seen = torch.cat([x for x, _ in batches])
        assert seen.shape[0] == 2100 // world * world
        assert torch.equal(seen[:, 0].sort().values, expected[:, 0].sort().values)
        orders.append(seen)
    assert not torch.equal(orders[0], orders[1])


def test_rows_are_mixed_across_blocks(pairs):
    stream = Stream(300, 600, 0, block_rows=128, buffer_blocks=4)
    estimate = survey(pairs, stream.stop_samples, stream.estimate_samples, stream.block_rows, CONTEXT)
    row_of = {float(value): row for row, value in enumerate(pairs.x.read(0, 3000)[:, 0])}
    first = next(iter(BlockStream(pairs, estimate.held_out, stream, 64, CONTEXT, 0, 1)))[0]
    assert len({row_of[float(value)] // 128 for value in first[:, 0]}) == 4


def test_from_disk_and_in_memory_are_the_same_where_one_buffer_holds_all(pairs):
    estimator = LatentEstimator(hidden=(16,), latent_dim=2, max_epochs=3, permutations=0)
    streamed = estimate_stream(estimator, pairs, Stream(300, 600, 0, block_rows=256, buffer_blocks=100), CONTEXT)
    whole = read_pairs(pairs, None, torch.Generator())
    order = torch.randperm(3000, generator=CONTEXT.generator("split"))
    fold = Fold(*(part.sort().values for part in (order[900:], order[:300], order[300:900])))
    held = fit_and_read(estimator, whole.x, whole.y, fold, partial(read_fold, estimator), CONTEXT)
    assert streamed.model.curves["stop_loss"] == pytest.approx(held.model.curves["stop_loss"], rel=1e-5)
    assert streamed.nats == pytest.approx(held.nats, abs=1e-3)


@pytest.mark.slow
def test_small_buffers_and_workers_cost_no_accuracy(pairs):
    estimator = LatentEstimator(hidden=(32,), latent_dim=2, max_epochs=12, permutations=0)
    estimate = [
        estimate_stream(estimator, pairs, Stream(300, 900, workers, 128, blocks), CONTEXT)
        for workers, blocks in ((0, 100), (2, 2))
    ]
    spread = estimate[0].details["standard_error_nats"]
    assert abs(estimate[0].nats - estimate[1].nats) < 4 * spread


def test_an_epoch_goes_on_where_its_checkpoint_was_written(pairs):
    from lmi.latent.streaming import StreamBatches

    stream = Stream(300, 600, 1, block_rows=128, buffer_blocks=3)
    blocks = BlockStream(
        pairs,
        survey(pairs, stream.stop_samples, stream.estimate_samples, stream.block_rows, CONTEXT).held_out,
        stream,
        32,
        CONTEXT,
        0,
        1,
    )

    def batches(done):
        progress = SimpleNamespace(current=SimpleNamespace(ready=done))
        loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
        return list(StreamBatches(blocks, 1, SimpleNamespace(current_epoch=2, fit_loop=loop)))

    whole = batches(0)
    assert all(torch.equal(a[0], b[0]) for [a], [b] in zip(whole[20:], batches(20), strict=True))


def test_rows_that_cannot_spare_the_held_out_parts_are_refused(pairs):
    with pytest.raises(ValueError, match="cannot spare"):
        survey(pairs, 2000, 2000, 4096, CONTEXT)


def test_cached_activations_are_trained_on_from_disk(tmp_path):
    """Through the whole of ``experiment=stream source=shards``, beside the same layers in memory."""
    from lmi.activations.store import write_store
    from lmi.experiments.stream import StreamExperiment
    from lmi.sources.files.shards import Shards

    z = torch.randn(2000, 4, generator=torch.Generator().manual_seed(0))
    z[:, 2:] += z[:, :2]
    chunks = [
        ({"h.0": part[:, :2], "h.1": part[:, 2:]}, {"documents": torch.zeros(len(part))}) for part in z.split(300)
    ]
    write_store(tmp_path, chunks, {})
    source = Shards(str(tmp_path / "layer_000.safetensors"), str(tmp_path / "layer_001.safetensors"))
    estimator = LatentEstimator(hidden=(32,), latent_dim=2, max_epochs=12, permutations=0)
    stream = Stream(200, 800, 0, block_rows=128, buffer_blocks=4)
    estimate = StreamExperiment(source, estimator, stream, compare_in_memory=True).run(CONTEXT).metrics
    truth = torch.log(torch.tensor(2.0)).item()
    assert abs(estimate["estimate_nats"] - truth) < 0.2 and abs(estimate["difference_nats"]) < 0.2
