"""Row orders that break what two columns share and keep what each is by itself: nulls that respect documents.

Neighbouring tokens resemble each other, so shuffling single rows makes a null that is too narrow. The orders here move
one side of every pair by whole documents or along its document; each column keeps its autocorrelation and its
distribution, only the alignment is lost.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Scheme = Literal["shift", "documents"]
Null = Literal["auto", "shift", "documents"]
FEWEST_DOCUMENTS = 6  # 5! circles; with fewer, pairing documents says little


def shifted_rows(documents: Tensor, generator: torch.Generator) -> Tensor:
    """Row numbers (n,) that turn every document by a random number of its rows, never by 0.

    >>> rows = shifted_rows(torch.tensor([0, 0, 1, 1]), torch.Generator().manual_seed(0))
    >>> rows.tolist()
    [1, 0, 3, 2]
    """
    rows = torch.arange(len(documents))
    for place in document_places(documents):
        rows[place] = _turned(place, generator)
    return rows


def paired_documents(documents: Tensor, generator: torch.Generator) -> Tensor:
    """Row numbers (n,) that pair every document with another one, position by position.

    The documents stand in a random circle, and each is paired with the next. One that ends leaves the circle, and the
    one before it goes on with the one behind it, so that a longer document has a break only where a partner ended.
    Under independence equally long documents give exactly the law of the true pairing. What is left of the longest
    document when all others have ended is turned.

    >>> documents = torch.tensor([0, 0, 0, 1, 1, 2, 2])
    >>> rows = paired_documents(documents, torch.Generator().manual_seed(0))
    >>> sorted(rows.tolist()) == list(range(7)), bool((documents[rows] == documents)[[0, 1, 3, 4, 5, 6]].any())
    (True, False)
    """
    places = document_places(documents)
    circle = torch.randperm(len(places), generator=generator).tolist()
    after = dict(zip(circle, circle[1:] + circle[:1]))
    before = {there: here for here, there in after.items()}
    paired = [0] * len(places)  # how many rows of each have their partners
    rows = torch.empty_like(documents, dtype=torch.long)
    for last in sorted(circle, key=lambda index: len(places[index])):
        end = len(places[last])
        for here in dict.fromkeys((before[last], last)):
            stretch = slice(paired[here], end)
            partner = places[after[here]][stretch]
            rows[places[here][stretch]] = _turned(partner, generator) if after[here] == here else partner
            paired[here] = end
        after[before[last]], before[after[last]] = after[last], before[last]
    return rows


def chosen_scheme(documents: Tensor, null: Null) -> Scheme:
    """What "auto" means for these documents: "documents" where there are at least 6, else "shift".

    >>> chosen_scheme(torch.arange(8).repeat_interleave(5), "auto"), chosen_scheme(torch.zeros(40), "auto")
    ('documents', 'shift')
    """
    if null != "auto":
        return null
    return "documents" if len(documents.unique()) >= FEWEST_DOCUMENTS else "shift"


def null_rows(documents: Tensor, scheme: Scheme, generator: torch.Generator) -> Tensor:
    """Row numbers of one null draw under ``scheme``, after a check that the documents allow for it.

    Raises:
        ValueError: where too few rows or documents would move.
    """
    if scheme == "shift":
        lengths = torch.stack([torch.tensor(len(place)) for place in document_places(documents)])
        if lengths[lengths >= 8].sum() < 0.9 * len(documents):
            raise ValueError(
                f"null 'shift' needs documents of at least 8 rows; {int((lengths < 8).sum())} of {len(lengths)} are "
                "shorter and hold over a tenth of all rows: use null 'documents'"
            )
        return shifted_rows(documents, generator)
    if scheme == "documents":
        count = len(documents.unique())
        if count < FEWEST_DOCUMENTS:
            raise ValueError(f"null 'documents' needs at least {FEWEST_DOCUMENTS} documents, got {count}: use 'shift'")
        return paired_documents(documents, generator)
    raise ValueError(f"no null {scheme!r}: expected 'shift' or 'documents'")


def document_places(documents: Tensor) -> list[Tensor]:
    """Row numbers of each document, in order."""
    order = documents.argsort(stable=True)
    _, counts = documents[order].unique_consecutive(return_counts=True)
    return list(order.split(counts.tolist()))


def _turned(place: Tensor, generator: torch.Generator) -> Tensor:
    if len(place) < 2:
        return place
    return place.roll(-int(torch.randint(1, len(place), (), generator=generator)))
