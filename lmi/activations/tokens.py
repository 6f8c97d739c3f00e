"""Documents as token windows, windows as padded batches; which of their tokens get a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lmi.activations.text import Document, Window, cut


@dataclass(frozen=True, eq=False)
class Tokens:
    """Tokenised documents.

    Args:
        ids: a (t,) tensor a document, without the tokens that the tokenizer adds around a text.
        spans: a (t, 2) tensor a document: where in the text each token starts and ends.
        windows: what is read at once.
        before: special tokens that the model expects before a text.
        after: special tokens that it expects behind one.
        special: ids that get no row, wherever they come from.
    """

    ids: list[Tensor]
    spans: list[Tensor]
    windows: list[Window]
    before: list[int]
    after: list[int]
    special: frozenset[int]

    def kept(self, window: Window) -> Tensor:
        """The positions in its document of the tokens that have their row from this window."""
        positions = torch.arange(window.start + window.skip, window.stop)
        special = torch.tensor(sorted(self.special), dtype=torch.long)
        return positions[~torch.isin(self.ids[window.document][positions], special)]

    def __len__(self) -> int:
        return sum(len(self.kept(window)) for window in self.windows)


@dataclass(frozen=True, eq=False)
class Batch:
    """Windows padded on the right.

    Args:
        ids: (b, t) tokens.
        mask: (b, t) 1 where there is a token, 0 in the padding.
        keep: (b, t) whether a position has a row.
        index: what describes the rows: documents, positions, ids (r,) and spans (r, 2).
    """

    ids: Tensor
    mask: Tensor
    keep: Tensor
    index: dict[str, Tensor]


def tokenize(
    tokenizer: Any, documents: Sequence[Document], window: int, overlap: int, max_tokens: int | None = None
) -> Tokens:
    """Tokens of ``documents`` and the windows that cover them, at most ``max_tokens`` rows.

    Args:
        tokenizer: a fast Hugging Face tokenizer.
        window: tokens a window, special ones included.

    Raises:
        ValueError: if special tokens and overlap leave no room in a window.
    """
    framed = tokenizer("a", return_special_tokens_mask=True, verbose=False)
    marks, framed_ids = framed["special_tokens_mask"], framed["input_ids"]
    first, last = marks.index(0), len(marks) - marks[::-1].index(0)
    before, after = framed_ids[:first], framed_ids[last:]
    room = window - len(before) - len(after)
    if overlap >= room:
        raise ValueError(f"overlap is {overlap}; expected less than the {room} tokens of text that a window holds")
    tokens = Tokens([], [], [], before, after, frozenset(tokenizer.all_special_ids))
    left = max_tokens
    for number, document in enumerate(documents):
        if left is not None and left <= 0:
            break
        encoded = tokenizer(document.text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        tokens.ids.append(torch.tensor(encoded["input_ids"], dtype=torch.long))
        tokens.spans.append(torch.tensor(encoded["offset_mapping"], dtype=torch.long).reshape(-1, 2))
        for piece in cut(number, len(tokens.ids[-1]), room, overlap):
            kept = tokens.kept(piece)
            if left is not None and len(kept) > left:
                piece = Window(number, piece.start, int(kept[left]), piece.skip)
                kept = kept[:left]
            if left is not None:
                left -= len(kept)
            if piece.stop > piece.start + piece.skip:
                tokens.windows.append(piece)
            if left is not None and left <= 0:
                break
    return tokens


def batches(tokens: Tokens, batch_size: int) -> Iterator[Batch]:
    """``batch_size`` windows at a time, in order."""
    for place in range(0, len(tokens.windows), batch_size):
        chosen = tokens.windows[place : place + batch_size]
        before, after = len(tokens.before), len(tokens.after)
        length = max(window.stop - window.start for window in chosen) + before + after
        ids = torch.zeros(len(chosen), length, dtype=torch.long)
        mask, keep = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
        index: dict[str, list[Tensor]] = {"documents": [], "positions": [], "ids": [], "spans": []}
        for row, window in enumerate(chosen):
            inside = tokens.ids[window.document][window.start : window.stop]
            framed = torch.cat([torch.tensor(tokens.before), inside, torch.tensor(tokens.after)]).long()
            ids[row, : len(framed)] = framed
            mask[row, : len(framed)] = 1
            kept = tokens.kept(window)
            keep[row, kept - window.start + before] = True
            index["documents"].append(torch.full_like(kept, window.document))
            index["positions"].append(kept)
            index["ids"].append(tokens.ids[window.document][kept])
            index["spans"].append(tokens.spans[window.document][kept])
        yield Batch(ids, mask, keep, {name: torch.cat(parts) for name, parts in index.items()})
