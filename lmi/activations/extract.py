"""Activations of a language model on texts: one row a token, one matrix a layer, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torch import Tensor, nn

from lmi.activations.model import LanguageModel, require_vocabulary
from lmi.activations.reader import Reader, What
from lmi.activations.store import FORMAT, Chunk, Store, StoreError, write_store
from lmi.activations.text import Document, read_documents, text_files
from lmi.activations.tokens import Tokens, batches, tokenize
from lmi.results import Scalar
from lmi.types import Context

CACHE = "~/.cache/lmi/activations"
WINDOW = 1024


@dataclass(frozen=True)
class Activations:
    """What a language model's layers hold for each token of some texts.

    Special and padding tokens have no row. A document longer than the window is read in windows that overlap; each
    token has one row, from the first window that has it.

    Args:
        model: which model.
        texts: documents, as they are.
        files: paths of documents; each file is one.
        folder: every ``*.txt`` and ``*.md`` below it is a document. Without texts, files and folder: those that come
            with lmi.
        what: "hidden" for the hidden states, of which there is one more than blocks (the last is behind the final
            normalisation); "mlp" and "attention" for what a block's parts add to them; "mlp_inner" for the MLP's
            neurons; "modules" for the outputs of ``modules``.
        modules: with what=modules, the names or globs of modules.
        depths: which layers; negative ones count from the end; ``None`` is all.
        max_tokens: rows at most, from the first document on.
        window: tokens read at once; ``None`` is as many as the model can read, but 1024 at most.
        overlap: tokens that a window repeats from the one before it, as context.
        batch_size: windows a forward pass.
        device: "auto" is the GPU where there is one.
        cache: folder that keeps activations between runs; ``None`` keeps nothing.
    """

    model: LanguageModel = field(default_factory=LanguageModel)
    texts: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    folder: str | None = None
    what: What = "hidden"
    modules: tuple[str, ...] = ()
    depths: tuple[int, ...] | None = None
    max_tokens: int | None = None
    window: int | None = None
    overlap: int = 32
    batch_size: int = 8
    device: str = "auto"
    cache: str | None = CACHE

    def __post_init__(self) -> None:
        if (self.what == "modules") != bool(self.modules):
            raise ValueError(
                f"what={self.what} with modules={self.modules}: give modules with what=modules, and only then"
            )
        if self.what == "modules" and self.depths is not None:
            raise ValueError("depths choose layers; with what=modules the globs in modules choose")
        for name, value in (("max_tokens", self.max_tokens), ("window", self.window), ("batch_size", self.batch_size)):
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; expected at least 1")
        if self.overlap < 0 or (self.window is not None and self.overlap >= self.window):
            raise ValueError(
                f"overlap is {self.overlap}; expected at least 0 and less than the window of {self.window}"
            )

    def input_files(self) -> list[Path]:
        """The documents: a run that goes on wants them as they were."""
        return text_files(self.files, self.folder)

    def layers(self, context: Context) -> Iterator[tuple[str, Tensor, Tensor]]:
        """For each layer its name, its activations (n, d) and the rows' documents (n,).

        Half precision comes as float32; other dtypes are memory-mapped, so that a layer costs memory only while it
        is read.

        Raises:
            ValueError: for unknown layers or modules, fewer than two tokens, or activations that are not finite.
            ModelError: for a model that cannot be had or used.
        """
        with self.store(context) as store:
            documents = store.index("documents")
            for name in store.names:
                rows = store.layer(name)
                yield name, rows.float() if rows.dtype in (torch.float16, torch.bfloat16) else rows, documents

    def tokens(self, context: Context) -> list[str]:
        """The rows' tokens as they stand in the text, n strings."""
        documents = self._documents()
        with self.store(context) as store:
            where, spans = store.index("documents").tolist(), store.index("spans").tolist()
        return [documents[document].text[first:last] for document, (first, last) in zip(where, spans)]

    def positions(self, context: Context) -> Tensor:
        """(n,) the rows' positions in their documents, counted in tokens."""
        with self.store(context) as store:
            return store.index("positions").clone()

    def describe(self) -> dict[str, Scalar]:
        """What identifies these activations, for the record of a run."""
        documents = self._documents()
        folder = self.model.folder
        return {
            "model": self.model.name,
            "model_from": "hub" if folder is None else "lmi" if self.model.name == "tiny" else "local folder",
            "model_fingerprint": self.model.fingerprint(),
            "head": self.model.head,
            "dtype": self.model.dtype,
            "what": self.what,
            "modules": " ".join(self.modules) or None,
            "depths": None if self.depths is None else " ".join(map(str, self.depths)),
            "documents": len(documents),
            "text_digest": hashlib.blake2b(_text_bytes(documents), digest_size=16).hexdigest(),
            "max_tokens": self.max_tokens,
            "window": self.window,
            "overlap": self.overlap,
            "batch_size": self.batch_size,
            "device": self.resolved_device(),
            "transformers": importlib.metadata.version("transformers"),
            "torch": torch.__version__,
        }

    def resolved_device(self) -> str:
        """The device that the network runs on."""
        if self.device != "auto":
            return self.device
        return "cuda" if torch.cuda.is_available() else "cpu"

    @contextmanager
    def store(self, context: Context) -> Iterator[Store]:
        """The activations on disk: from the cache if they are in it, else computed first.

        The key covers model, weights, text, every setting and the versions of torch and transformers. Processes that
        want the same activations wait for the one that computes them.
        """
        pinned = replace(self, model=self.model.pinned())
        facts = pinned.describe()
        if self.cache is None:
            with tempfile.TemporaryDirectory(prefix="lmi-activations-") as passing:
                yield pinned._write(Path(passing) / "entry", facts, context)
            return
        key = hashlib.blake2b(json.dumps([FORMAT, facts], sort_keys=True).encode(), digest_size=16).hexdigest()
        folder = Path(self.cache).expanduser() / key
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            try:
                store = Store.open(folder)
            except FileNotFoundError:
                store = pinned._write(folder, facts, context)
            except StoreError as error:
                warnings.warn(f"{error}; computing them again", stacklevel=2)
                store = pinned._write(folder, facts, context)
        yield store

    def _documents(self) -> list[Document]:
        return read_documents(self.texts, self.files, self.folder)

    def _write(self, folder: Path, facts: dict[str, Any], context: Context) -> Store:
        tokenizer = self.model.load_tokenizer()
        network = self.model.load_network(self.resolved_device())
        window = self._window(network, tokenizer)
        tokens = tokenize(tokenizer, self._documents(), window, self.overlap, self.max_tokens)
        if len(tokens) < 2:
            raise ValueError(f"the texts have {len(tokens)} tokens; expected at least 2")
        require_vocabulary(network, [*tokens.ids, torch.tensor(tokens.before + tokens.after)], self.model.name)
        return write_store(folder, self._chunks(network, tokens, context), facts)

    def _window(self, network: Any, tokenizer: Any) -> int:
        """Tokens a window, special ones included."""
        config = network.config.get_text_config()
        # A tokenizer may allow fewer: some models count positions that no text can have.
        longest = min(getattr(config, "max_position_embeddings", None) or math.inf, tokenizer.model_max_length)
        if self.window is not None and self.window > longest:
            raise ValueError(f"window is {self.window}; {self.model.name!r} reads {longest} tokens at most")
        return int(min(longest, WINDOW)) if self.window is None else self.window

    def _chunks(self, network: nn.Module, tokens: Tokens, context: Context) -> Iterator[Chunk]:
        """One batch at a time: the layers' rows of the tokens that are kept, and what those tokens are."""
        reader = Reader(network, self.what, self.modules, self.depths)
        device = next(network.parameters()).device
        steps = batches(tokens, self.batch_size)
        total = -(-len(tokens.windows) // self.batch_size)
        for batch in context.bar(steps, f"activations of {self.model.name}", total=total):
            layers = reader.read(batch.ids.to(device), batch.mask.to(device))
            yield {name: layer[batch.keep.to(device)] for name, layer in layers.items()}, batch.index


def _text_bytes(documents: list[Document]) -> bytes:
    return json.dumps([document.text for document in documents]).encode()
