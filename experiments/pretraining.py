"""A small GPT-2 and its byte-pair tokenizer, trained on a list of documents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lmi.activations.loading import quiet_transformers
from lmi.latent.trainer import TrainerSettings, quiet_lightning
from lmi.types import Context

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import GPT2LMHeadModel

END = "<|endoftext|>"


@dataclass(frozen=True)
class Architecture:
    """The size of the GPT-2.

    Args:
        width: dimensions of a hidden state.
        depth: number of blocks.
        heads: attention heads of a block; ``width`` is a multiple of it.
        context: the longest text in tokens that it reads at once.
        vocabulary: number of byte-pair tokens.
    """

    width: int = 128
    depth: int = 4
    heads: int = 4
    context: int = 256
    vocabulary: int = 4096


@dataclass(frozen=True)
class Training:
    """How the GPT-2 is trained: AdamW under a one-cycle learning rate.

    Args:
        passes: times that the training tokens are read.
        batch_size: windows a step.
        peak_rate: highest learning rate.
        weight_decay: of the matrices; biases and normalisations are spared.
    """

    passes: float = 1.0
    batch_size: int = 8
    peak_rate: float = 2e-3
    weight_decay: float = 0.1


def train_tokenizer(documents: Sequence[str], vocabulary: int) -> Tokenizer:
    """A byte-level byte-pair tokenizer with ``vocabulary`` tokens, the last of which ends a document."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary - 1, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(documents, trainer)
    tokenizer.add_special_tokens([END])
    return tokenizer


def token_stream(tokenizer: Tokenizer, documents: Sequence[str]) -> np.ndarray:
    """(n,) the tokens of all documents, the end-of-text token before each of them."""
    end = tokenizer.token_to_id(END)
    pieces = [[end, *encoding.ids] for encoding in tokenizer.encode_batch(list(documents))]
    return np.fromiter((token for piece in pieces for token in piece), dtype=np.int64)


def windows(stream: np.ndarray, length: int) -> Tensor:
    """(w, length + 1) consecutive windows that share their end tokens, so that each token is predicted once."""
    count = (len(stream) - 1) // length
    starts = torch.arange(count)[:, None] * length
    return torch.from_numpy(stream)[starts + torch.arange(length + 1)]


class LanguageModeling(lightning.LightningModule):
    """Next-token prediction: the mean of -log p(token | the tokens before it in its window), in nats."""

    def __init__(self, network: GPT2LMHeadModel, training: Training, total_steps: int) -> None:
        super().__init__()
        self.network = network
        self.settings = training
        self.total_steps = total_steps

    def loss(self, batch: Tensor) -> Tensor:
        """Nats a token over a (b, length + 1) batch of windows."""
        logits = self.network(batch[:, :-1]).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), batch[:, 1:].flatten())

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_nats_per_token", loss, prog_bar=True)
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)

    def configure_optimizers(self) -> Any:
        matrices = [p for p in self.network.parameters() if p.ndim >= 2]
        others = [p for p in self.network.parameters() if p.ndim < 2]
        groups = [
            {"params": matrices, "weight_decay": self.settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.settings.peak_rate, betas=(0.9, 0.95))
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.settings.peak_rate, total_steps=self.total_steps, pct_start=0.05, cycle_momentum=False
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def new_network(architecture: Architecture, tokenizer: Tokenizer, context: Context) -> GPT2LMHeadModel:
    """An untrained ``GPT2LMHeadModel`` without dropout, its weights drawn from ``context``'s seed as GPT-2's were.

    Transformers draws weights and dropout from the global random state; this leaves it alone.
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    end_token = tokenizer.token_to_id(END)
    config = GPT2Config(
        vocab_size=architecture.vocabulary,
        n_positions=architecture.context,
        n_embd=architecture.width,
        n_layer=architecture.depth,
        n_head=architecture.heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=end_token,
        eos_token_id=end_token,
    )
    with torch.device("meta"):
        network = GPT2LMHeadModel(config)
    network.to_empty(device="cpu")
    network.tie_weights()
    generator, spread = context.generator("weights"), config.initializer_range
    for name, parameter in network.named_parameters():
        if parameter.ndim == 2:
            is_added = name.endswith("c_proj.weight")  # to the residual stream, twice a block
            std = spread / math.sqrt(2 * architecture.depth) if is_added else spread
            torch.nn.init.normal_(parameter, std=std, generator=generator)
        else:
            torch.nn.init.constant_(parameter, 0.0 if name.endswith("bias") else 1.0)
    return network


def fit(
    network: GPT2LMHeadModel, examples: Tensor, training: Training, where: TrainerSettings, context: Context
) -> None:
    """Train ``network`` in place on (w, length + 1) windows, in an order drawn from ``context``'s seed."""
    generator = context.generator("order")
    wanted = round(training.passes * len(examples))
    shuffled = [torch.randperm(len(examples), generator=generator) for _ in range(-(-wanted // len(examples)))]
    order = torch.cat(shuffled)[:wanted]
    dataset: Any = examples[order]
    loader: DataLoader[Tensor] = DataLoader(
        dataset, batch_size=training.batch_size, drop_last=True, generator=generator
    )
    network.train()
    with quiet_lightning():
        trainer = where.build(context, max_epochs=1, callbacks=[])
        trainer.fit(LanguageModeling(network, training, len(loader)), loader)
    network.cpu().eval()


@torch.no_grad()
def nats_per_token(network: GPT2LMHeadModel, examples: Tensor, batch_size: int = 16) -> float:
    """Mean held-out loss over (w, length + 1) windows, in float32."""
    module = LanguageModeling(network, Training(), 1)
    batches = examples.split(batch_size)
    return sum(float(module.loss(batch)) * len(batch) for batch in batches) / len(examples)


def save_model(network: GPT2LMHeadModel, tokenizer: Tokenizer, folder: Path) -> None:
    """Write weights (float16), config and tokenizer to ``folder`` as a Hugging Face model."""
    from transformers import PreTrainedTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    with quiet_transformers():
        network.to(torch.float16).save_pretrained(folder)
    network.to(torch.float32)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        unk_token=END,
        model_max_length=network.config.n_positions,
        clean_up_tokenization_spaces=False,
    )
    wrapped.save_pretrained(folder)
