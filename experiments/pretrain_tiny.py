"""How well does the embedded tiny GPT-2 predict English it has never seen, beside models that only count?"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass, field

import torch

from lmi.activations.docstrings import PACKAGES, docstring_corpus
from lmi.activations.ngrams import bigram_nats, unigram_nats
from lmi.experiments.pretraining import (
    Architecture,
    Training,
    fit,
    nats_per_token,
    new_network,
    save_model,
    token_stream,
    train_tokenizer,
    windows,
)
from lmi.latent.trainer import TrainerSettings
from lmi.report.language import LEGEND, loss_figure
from lmi.results import Result, Scalar
from lmi.types import NATS_PER_BIT, Context

MODEL_FOLDER = "tiny"
RECORD_FILE = "training.json"


@dataclass(frozen=True)
class PretrainTiny:
    """Train a small GPT-2 on the docstrings of the installed scientific packages.

    The model is written to the run folder's ``tiny``, from where ``model.name=<that folder>`` loads it.

    Args:
        architecture: its size.
        training: how it is trained.
        trainer: where it is trained; half precision is the faster one on processors that have it.
        packages: import names of the packages that are read; all are installed with lmi.
        held_out_share: share of the source files whose docstrings are held out.
        max_documents: fewer documents for a trial; ``None`` takes all.
    """

    architecture: Architecture = field(default_factory=Architecture)
    training: Training = field(default_factory=Training)
    trainer: TrainerSettings = field(default_factory=lambda: TrainerSettings(precision="bf16-mixed"))
    packages: tuple[str, ...] = PACKAGES
    held_out_share: float = 0.03
    max_documents: int | None = None

    def run(self, context: Context) -> Result:
        started = time.perf_counter()
        corpus = docstring_corpus(self.packages, self.held_out_share)
        train_documents = corpus.train[: self.max_documents]
        held_out_documents = corpus.held_out[: self.max_documents]
        tokenizer = train_tokenizer(train_documents, self.architecture.vocabulary)
        train, held_out = (token_stream(tokenizer, documents) for documents in (train_documents, held_out_documents))
        examples, held_out_windows = (windows(stream, self.architecture.context) for stream in (train, held_out))

        network = new_network(self.architecture, tokenizer, context)
        fit_started = time.perf_counter()
        fit(network, examples, self.training, self.trainer, context)
        fit_seconds = time.perf_counter() - fit_started
        for parameter in network.parameters():
            parameter.data = parameter.data.to(torch.float16).float()  # judged as it is saved

        vocabulary = tokenizer.get_vocab_size()
        contexts, targets = held_out_windows[:, :-1].flatten().numpy(), held_out_windows[:, 1:].flatten().numpy()
        nats = {
            "unigram counts": unigram_nats(train, targets, vocabulary),
            "bigram counts (Kneser-Ney)": bigram_nats(train, contexts, targets, vocabulary),
            "tiny GPT-2": nats_per_token(network, held_out_windows),
        }
        bytes_per_token = sum(len(document.encode()) for document in held_out_documents) / len(held_out)
        table: list[dict[str, Scalar]] = [
            {
                "model": name,
                "held_out_nats_per_token": value,
                "held_out_bits_per_byte": value / NATS_PER_BIT / bytes_per_token,
                "perplexity": math.exp(value),
            }
            for name, value in nats.items()
        ]
        metrics = {
            "held_out_nats": nats["tiny GPT-2"],
            "unigram_nats": nats["unigram counts"],
            "bigram_nats": nats["bigram counts (Kneser-Ney)"],
            "parameters_count": sum(parameter.numel() for parameter in network.parameters()),
            "train_tokens_count": len(train),
            "seen_tokens_count": round(self.training.passes * len(examples)) * self.architecture.context,
            "held_out_tokens_count": len(targets),
            "fit_seconds": fit_seconds,
            "wall_seconds": time.perf_counter() - started,
        }
        if context.folder is not None:
            folder = context.folder / MODEL_FOLDER
            save_model(network, tokenizer, folder)
            record = {
                "losses": table,
                "metrics": metrics,
                "settings": asdict(self),
                "seed": context.seed,
                "corpus": {"documents": len(train_documents), "packages": corpus.packages},
                "torch": torch.__version__,
            }
            (folder / RECORD_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        return Result(
            "pretrain_tiny",
            metrics=metrics,
            answer=f"The tiny GPT-2 needs {nats['tiny GPT-2']:.3f} nats a token on docstrings that training never saw, counts "
            f"of pairs of tokens {nats['bigram counts (Kneser-Ney)']:.3f}.",
            tables={"held_out_loss": table},
            legend=LEGEND,
            figures={"held_out_loss": loss_figure(list(nats), list(nats.values()))},
            captions={
                "held_out_loss": "Nats a token on docstrings of source files that training never saw: the tiny GPT-2 "
                "beside models that count the same training tokens. Shorter is better."
            },
        )
