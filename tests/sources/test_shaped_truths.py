"""The truths of pictures, sequences and interactions, each found a second way."""

import itertools
import math

import numpy as np
import pytest
import torch

import lmi
from lmi.sources.files.arrays import Arrays
from lmi.sources.nonlinear.interactions import Interactions
from lmi.sources.pictures.bumps import Bumps
from lmi.sources.pictures.rectangles import Rectangles
from lmi.sources.pictures.textures import Textures
from lmi.sources.series.hidden_chain import HiddenChain
from lmi.sources.series.motifs import Motifs

N = 20_000


def bump_places(pictures, source):
    """The centre from the ratio of neighbouring pixels: log z(r + 1) / z(r) = (2 (centre - r) - 1) / (2 w^2)."""
    z, width = pictures[:, 0].double(), source.width * source.size
    places = []
    for profile in (z.amax(2), z.amax(1)):
        at = profile.argmax(1, keepdim=True).clamp(max=source.size - 2)
        ratio = profile.gather(1, at + 1).log() - profile.gather(1, at).log()
        places.append((ratio * width**2 + at + 0.5) / (source.size - 1))
    return torch.cat(places, 1)


def rectangle_edges(pictures, source):
    """Length and start from the sums over rows and columns, then the parameters."""
    z, parameters = pictures[:, 0].double(), []
    for profile in (z.amax(2), z.amax(1)):
        profile = profile / profile.amax(1, keepdim=True)
        length = profile.sum(1)
        first = (profile > 1e-9).double().argmax(1)
        start = first + 1 - profile.gather(1, first[:, None])[:, 0]
        share = (length / source.size - source.smallest) / (source.largest - source.smallest)
        parameters += [share, start / (source.size - length)]
    return torch.stack(parameters, 1)


def waves(pictures, source):
    """Waves per picture from z(r + 1) + z(r - 1) = 2 cos(2 pi p / size) z(r)."""
    z, value = pictures[:, 0].double(), []
    for axis in (1, 2):
        inner = z.narrow(axis, 1, source.size - 2)
        sums = z.narrow(axis, 0, source.size - 2) + z.narrow(axis, 2, source.size - 2)
        cosine = (inner * sums).sum((1, 2)) / (2 * inner.square().sum((1, 2)))
        value.append((cosine.acos() * source.size / (2 * math.pi) - 1) / (source.waves - 1))
    return torch.stack(value, 1)


@pytest.mark.parametrize(
    ("source", "read_back"),
    [(Bumps(bits=3.0), bump_places), (Rectangles(bits=3.0), rectangle_edges), (Textures(bits=3.0), waves)],
    ids=["bumps", "rectangles", "textures"],
)
def test_the_parameters_can_be_read_back_and_share_the_truth(source, read_back):
    pairs = source.sample(N, torch.Generator().manual_seed(0))
    normal = [torch.special.ndtri(read_back(z, source).clamp(1e-6, 1 - 1e-6)) for z in (pairs.x, pairs.y)]
    torch.testing.assert_close(normal[0], pairs.core[0], atol=0.1, rtol=0.05)
    value = lmi.estimate(*normal, "gaussian", permutations=0)
    assert abs(value.nats - pairs.truth) < 0.06


@pytest.mark.parametrize("source", [Bumps(bits=0.0), Rectangles(bits=0.0), Textures(bits=0.0)])
def test_pictures_without_information_are_independent(source):
    pairs = source.sample(4000, torch.Generator().manual_seed(0))
    assert pairs.truth == 0.0
    assert float(torch.corrcoef(torch.cat([z.double().T for z in pairs.core]))[:4, -1].abs().min()) < 0.05


@pytest.mark.parametrize("source", [Bumps(), Rectangles(), Textures(), HiddenChain(), Motifs(), Interactions()])
def test_sources_say_how_many_is_missing(source):
    with pytest.raises(ValueError, match="num_samples"):
        source.sample(None, torch.Generator())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Rectangles(smallest=0.8), "smallest"),
        (Textures(size=8, waves=4), "waves"),
        (Interactions(4, 3), "count=3"),
        (Motifs(length=5), "motif must be at most length=5"),
    ],
)
def test_what_does_not_fit_is_refused(source, message):
    with pytest.raises(ValueError, match=message):
        source.sample(10, torch.Generator())


@pytest.mark.parametrize("source", [HiddenChain(length=5), HiddenChain(length=4, states=4, change=0.5, channels=1)])
def test_the_forward_algorithm_is_the_sum_over_all_chains(source):
    x, y = source.draw(50, torch.Generator().manual_seed(0))
    means, stay, move = source.means(), 1 - source.change, source.change / (source.states - 1)

    def likelihood(*seen):
        total = torch.zeros(50, dtype=torch.float64)
        for chain in itertools.product(range(source.states), repeat=source.length):
            prior = math.prod(stay if a == b else move for a, b in itertools.pairwise(chain)) / source.states
            distance = sum((z - means[list(chain)]).square().sum((1, 2)) for z in seen)
            total += prior * torch.exp(-0.5 * distance)
        return total.log()

    slow = likelihood(x, y) - likelihood(x) - likelihood(y)
    torch.testing.assert_close(source.pointwise(x, y), slow)


@pytest.mark.slow
def test_a_chain_that_never_changes_shares_its_state_at_most():
    truth, error = HiddenChain(length=60, change=0.0, separation=2.0).truth()
    assert truth == pytest.approx(math.log(3), abs=3 * error + 0.01)
    assert HiddenChain(separation=0.0).truth() == pytest.approx((0.0, 0.0), abs=1e-12)


@pytest.mark.slow
def test_interactions_share_what_neighbours_find_in_the_right_columns():
    source = Interactions(columns=6, count=1)
    pairs = source.sample(N, torch.Generator().manual_seed(0))
    product = pairs.core[0].prod(1, keepdim=True)
    assert abs(lmi.estimate(product, pairs.core[1], "ksg", permutations=0).nats - source.truth()) < 0.03


def test_pictures_and_sequences_keep_their_shape_on_the_way_from_files(tmp_path):
    pictures, steps = np.random.default_rng(0).normal(size=(40, 1, 4, 5)), np.ones((40, 6, 2)).cumsum(0)
    np.savez(tmp_path / "both.npz", pictures=pictures, steps=steps)
    pairs = Arrays(f"{tmp_path}/both.npz:pictures", f"{tmp_path}/both.npz:steps").sample(None, torch.Generator())
    assert pairs.x.shape == (40, 1, 4, 5) and pairs.y.shape == (40, 6, 2)
    assert "shape (1, 4, 5)" in pairs.notes[0]


def test_pictures_are_columns_to_all_other_estimators():
    pairs = Bumps(size=4).sample(300, torch.Generator().manual_seed(0))
    flat = lmi.estimate(pairs.x.flatten(1), pairs.y.flatten(1), "ksg", permutations=0)
    assert lmi.estimate(pairs.x, pairs.y, "ksg", permutations=0).nats == flat.nats
    with pytest.raises(ValueError, match=r"x has shape \(1, 1, 4, 4\); expected.*pictures \(n, channels"):
        lmi.estimate(pairs.x[:1], pairs.y[:1], "ksg")


def test_motifs_are_as_likely_as_they_are_drawn_and_the_truth_is_the_sum_over_all_sequences():
    source = Motifs(length=5, letters=2, motif=3, classes=2, kept=0.9, noise=0.05)
    every = torch.tensor(list(itertools.product(range(2), repeat=5)))
    given = source.likelihood(every) / 2**5
    x, y = source.draw(30_000, torch.Generator().manual_seed(0))
    seen = torch.bincount((x * 2 ** torch.arange(4, -1, -1)).sum(1), minlength=32) / 30_000
    torch.testing.assert_close(given.mean(1), seen.double(), atol=0.008, rtol=0)
    torch.testing.assert_close(given.sum(0), torch.ones(2, dtype=torch.float64))
    alone = given.mean(1)
    joint = 0.9 * given @ given.T / 2 + 0.1 * alone[:, None] * alone
    exact = float((joint * (joint / (alone[:, None] * alone)).log()).sum())
    truth, error = source.truth()
    assert abs(truth - exact) < 4 * error and float(source.pointwise(x, y).mean()) == pytest.approx(exact, abs=0.01)
