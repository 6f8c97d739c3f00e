"""Which columns share something, and what is left to add up."""

import torch

from lmi.estimators.blocks import Block, connected, independent_blocks, joined, missed_by
from lmi.estimators.trust.linked import chance_of_groups, chance_of_pairs, linked_triples, waves_of


def normal(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_wave_a_random_sign_and_a_product_part():
    x, e = normal(2000, 5), normal(2000, 5, 1)
    y = torch.stack(
        (
            (4 * x[:, 0]).cos() + 0.3 * e[:, 0],
            x[:, 1] * e[:, 4].sign() + 0.3 * e[:, 1],
            (x[:, 2] * x[:, 3]).sign() + 0.5 * e[:, 2],
        ),
        1,
    )
    assert set(independent_blocks(x, y).blocks) == {Block((0,), (0,)), Block((1,), (1,)), Block((2, 3), (2,))}


def test_what_goes_with_nothing_is_a_block_where_both_sides_have_some():
    x, e = normal(800, 4), normal(800, 3, 1)
    blocks = independent_blocks(x, torch.cat((x[:, :1] + e[:, :1], e[:, 1:]), 1)).blocks
    assert set(blocks) == {Block((0,), (0,)), Block((1, 2, 3), (1, 2))}


def test_a_sign_that_two_pairs_share_makes_them_one_block():
    x, e = normal(1500, 3), normal(1500, 3, 1)
    sign = normal(1500, 1, 2).sign()
    y = torch.cat((sign * x[:, :2], x[:, 2:]), 1) + 0.3 * e
    assert set(independent_blocks(x, y).blocks) == {Block((0, 1), (0, 1)), Block((2,), (2,))}
    apart = torch.cat((normal(1500, 2, 3).sign() * x[:, :2], x[:, 2:]), 1) + 0.3 * e
    assert len(independent_blocks(x, apart).blocks) == 3


def test_groups_show_what_no_pair_of_their_columns_does():
    z = normal(700, 16) + 0.25 * normal(700, 1, 4)
    waves = waves_of(z)
    pairs = chance_of_groups(waves, [[i] for i in range(16)])
    assert (pairs < 0.0003).sum() <= 6
    assert chance_of_groups(waves, [list(range(8)), list(range(8, 16))])[0, 1] < 0.0003


def test_what_blocks_may_miss_is_told_and_what_they_clearly_miss_forbids_them():
    x, e = normal(1500, 6), normal(1500, 6, 1)
    blocks = (Block((0, 1, 2), (0, 1, 2)), Block((3, 4, 5), (3, 4, 5)))
    z = torch.cat((x, x + e), 1)
    assert 0 <= missed_by(blocks, z[:, :6], z[:, 6:], waves_of(z, 2)) < 0.02
    sizes = x * (0.5 * normal(1500, 1, 5)).exp()
    z = torch.cat((sizes, sizes.roll(1, 1).abs() + e), 1)
    assert missed_by(blocks, z[:, :6], z[:, 6:], waves_of(z, 2)) > 0.05
    z = torch.cat((x, x + e + 0.3 * x.roll(3, 1)), 1)
    assert missed_by(blocks, z[:, :6], z[:, 6:], waves_of(z, 2)) is None


def test_chances_of_independent_groups_are_even_whatever_holds_their_columns_together():
    chances = []
    for seed in range(60):
        a, b = normal(400, 1, seed) + 0.3 * normal(400, 4, 1000 + seed), normal(400, 3, 2000 + seed)
        z = torch.cat((a, b), 1)
        chances.append(float(chance_of_groups(waves_of(z), [[0, 1, 2, 3], [4, 5, 6]])[0, 1]))
    assert sum(c < 0.1 for c in chances) <= 12
    assert min(chances) > 1e-4


def test_independent_columns_have_no_blocks_and_no_triples():
    for seed, bend in enumerate((torch.exp, torch.round, torch.sign, torch.tanh)):
        x, y = bend(normal(300, 4, seed)), normal(300, 4, seed + 10)
        assert independent_blocks(x, y) is None
        assert not linked_triples(torch.cat((x, y), 1)).any()


def test_groups_of_one_column_are_left_alone():
    z = normal(300, 4)
    assert joined(z, [[0], [1], [2, 3]]) == [[0], [1], [2, 3]]
    assert connected(torch.zeros(2, 2, dtype=torch.bool)) == [[0], [1]]


def test_what_a_block_hides_is_seen_once_it_is_taken_off():
    x, e = normal(1500, 8), normal(1500, 1, 1)
    fast = independent_blocks(x, x[:, :1] + 0.7 * (12 * x[:, 1:2]).sin() + 0.3 * e)
    assert fast.blocks == (Block((0, 1), (0,)),)
    faint = independent_blocks(x, x[:, :1] + 0.3 * (x[:, 1:2].abs() > 1.5) + 0.4 * e)
    assert faint.blocks == (Block((0, 1), (0,)),)
    of_many = x[:, :1] + 0.06 * x[:, 1:].square().sum(1, keepdim=True) + 0.5 * e
    assert independent_blocks(x, of_many) is None  # all eight go together


def test_pairs_are_as_rarely_linked_as_they_say_whatever_their_marginals():
    chances = []
    for seed, bend in enumerate(
        (torch.exp, torch.sign, lambda z: z.round(), lambda z: (z > 2).double(), torch.relu) * 2
    ):
        z = torch.cat((bend(normal(500, 6, seed)), normal(500, 6, 50 + seed)), 1)
        chances.append(chance_of_pairs(z)[torch.triu(torch.ones(12, 12), 1) > 0])
    chances = torch.cat(chances)
    assert float((chances < 0.01).double().mean()) < 0.02 and float(chances.min()) > 1e-5


def test_a_wave_and_a_product_among_a_hundred_columns():
    x, e = normal(1500, 100), normal(1500, 2, 1)
    y = torch.stack(((4 * x[:, 30]).cos() + 0.3 * e[:, 0], x[:, 7] * x[:, 60] + 0.5 * e[:, 1]), 1)
    wave, product = sorted(independent_blocks(x, y).blocks, key=lambda block: block.y)
    assert (wave.y, product.y) == ((0,), (1,))
    assert (
        wave.x == (30,) and {7, 60} <= set(product.x) and len(product.x) <= 4
    )  # of 100 columns one may join by chance


def test_rows_that_are_sorted_are_looked_at_everywhere():
    x = normal(20000, 3)
    label = (x[:, 1:2] > 0).double()
    order = label[:, 0].argsort(stable=True)  # the first 5,000 rows have one label
    assert independent_blocks(x[order], label[order]).blocks == (Block((1,), (0,)),)


def test_blocks_that_are_nearly_all_or_too_many_are_none():
    x, e = normal(400, 20), normal(400, 20, 1)
    y = torch.cat((x[:, :1] + e[:, :1], 0.05 * x[:, 1:] + e[:, 1:]), 1)  # 19 columns of each go with nothing clearly
    assert independent_blocks(x, y) is None
    many = normal(8000, 12), normal(8000, 12, 1)
    assert independent_blocks(many[0], many[0].square() + many[1]) is None
    assert len(independent_blocks(many[0][:3000], (many[0].square() + many[1])[:3000]).blocks) == 12
    assert independent_blocks(normal(300, 100), normal(300, 1, 1)) is None
