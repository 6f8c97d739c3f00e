import pytest
import torch

from lmi.estimators.significance.document_nulls import null_rows, paired_documents, shifted_rows


def test_shifts_stay_within_documents_and_keep_the_order():
    documents = torch.tensor([3, 3, 3, 3, 1, 1, 1, 7])
    for seed in range(20):
        rows = shifted_rows(documents, torch.Generator().manual_seed(seed))
        assert torch.equal(documents[rows], documents)
        assert sorted(rows.tolist()) == list(range(8))
        assert rows[0] != 0
        assert (rows[1:4] - rows[:3] - 1).remainder(4).eq(0).all()


def test_equally_long_documents_pair_whole():
    documents = torch.arange(7).repeat_interleave(5)
    rows = paired_documents(documents, torch.Generator().manual_seed(1))
    assert torch.equal(rows % 5, torch.arange(35) % 5), "positions stay aligned"
    assert documents[rows].view(7, 5).eq(documents[rows].view(7, 5)[:, :1]).all()
    assert sorted(rows.tolist()) == list(range(35))


def test_unequal_documents_pair_with_others_and_break_only_where_a_partner_ends():
    lengths = torch.tensor([149, 115, 130, 103, 123, 95, 130])
    documents = torch.arange(7).repeat_interleave(lengths)
    position = torch.cat([torch.arange(int(length)) for length in lengths])
    for seed in range(30):
        rows = paired_documents(documents, torch.Generator().manual_seed(seed))
        assert sorted(rows.tolist()) == list(range(len(documents)))
        shared = position < 130  # beyond, the longest document is alone and turned
        assert (documents[rows] != documents)[shared].all()
        assert torch.equal(position[rows][shared], position[shared])
        assert not torch.equal(rows[~shared], torch.arange(len(rows))[~shared])
        within = documents[1:] == documents[:-1]
        breaks = within & shared[1:] & (documents[rows][1:] != documents[rows][:-1])
        assert int(breaks.sum()) <= 6
        assert set(position[1:][breaks].tolist()) <= set(lengths.tolist())


def test_paired_documents_reach_every_other_document():
    documents = torch.arange(6).repeat_interleave(2)
    met = torch.zeros(6, 6)
    for seed in range(300):
        rows = paired_documents(documents, torch.Generator().manual_seed(seed))
        met[documents[::2], documents[rows][::2]] += 1
    assert met.diagonal().eq(0).all()
    off = met[~torch.eye(6, dtype=torch.bool)]
    assert (off - 60).abs().max() < 4 * (300 * 0.2 * 0.8) ** 0.5, "each of the other five equally often"


def test_documents_that_allow_for_no_null_are_refused():
    generator = torch.Generator()
    with pytest.raises(ValueError, match="needs at least 6 documents, got 2"):
        null_rows(torch.tensor([0, 0, 1, 1]), "documents", generator)
    with pytest.raises(ValueError, match="at least 8 rows; 10 of 10 are shorter"):
        null_rows(torch.arange(10).repeat_interleave(3), "shift", generator)
    with pytest.raises(ValueError, match="expected 'shift' or 'documents'"):
        null_rows(torch.zeros(10, dtype=torch.long), "rows", generator)
