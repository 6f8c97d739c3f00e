"""Dictionaries of sparse features: top-k autoencoders of activations, how they are trained, kept and read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import lightning
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import DataLoader

from lmi.activations import Activations
from lmi.activations.docstrings import docstring_corpus
from lmi.latent.trainer import TrainerSettings, quiet_lightning
from lmi.sources.files.array_layers import ArrayLayers
from lmi.types import Context

FEATURES_FILE = "features.safetensors"
SAELENS_FILES = ("cfg.json", "sae_weights.safetensors")


@dataclass(frozen=True)
class FeatureTraining:
    """A dictionary and how it is trained.

    Args:
        features: columns of the dictionary.
        active: features that fire for a token.
        passes: times that the tokens are read.
        batch_size: tokens a step.
        rate: learning rate of Adam.
    """

    features: int = 512
    active: int = 16
    passes: float = 4.0
    batch_size: int = 512
    rate: float = 2e-3


Activity = Activations | ArrayLayers


class Dictionary(Protocol):
    """Anything that turns activations into features."""

    def encode(self, h: Tensor) -> Tensor:
        """(n, features) activations of the features, 0 where they do not fire, of activations (n, d)."""
        ...


class TopKDictionary(torch.nn.Module):
    """h ~ decoder relu(top k of encoder(h - centre)) + centre: a k-sparse autoencoder (Gao et al., arXiv:2406.04093, 2024)."""

    def __init__(self, width: int, features: int, active: int) -> None:
        super().__init__()
        self.active = active
        self.encoder = torch.nn.Parameter(torch.zeros(features, width))
        self.encoder_bias = torch.nn.Parameter(torch.zeros(features))
        self.decoder = torch.nn.Parameter(torch.zeros(features, width))
        self.centre = torch.nn.Parameter(torch.zeros(width))

    def encode(self, h: Tensor) -> Tensor:
        """(n, features) from (n, width): the ``active`` largest, those below 0 set to 0."""
        before = (h - self.centre) @ self.encoder.T + self.encoder_bias
        values, which = before.topk(self.active, dim=1)
        return torch.zeros_like(before).scatter(1, which, values.relu())

    def forward(self, h: Tensor) -> Tensor:
        """(n, width) what the features say of h (n, width)."""
        return self.encode(h) @ self.decoder + self.centre

    def start(self, h: Tensor, generator: torch.Generator) -> None:
        """Random unit directions, the encoder their transpose, the centre the mean of h (n, width)."""
        with torch.no_grad():
            self.decoder.copy_(torch.randn(self.decoder.shape, generator=generator))
            self.normalise()
            self.encoder.copy_(self.decoder)
            self.centre.copy_(h.float().mean(0))

    @torch.no_grad()
    def normalise(self) -> None:
        """Give every direction of the decoder norm 1."""
        self.decoder.div_(torch.linalg.vector_norm(self.decoder, dim=1, keepdim=True).clamp_min(1e-12))


class DictionaryModule(lightning.LightningModule):
    """Training of a dictionary: the mean squared error as a share of the variance of the activations."""

    def __init__(self, dictionary: TopKDictionary, variance: float, rate: float) -> None:
        super().__init__()
        self.dictionary, self.variance, self.rate = dictionary, variance, rate

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        loss = (self.dictionary(batch) - batch).square().sum(1).mean() / self.variance
        self.log("unexplained_ratio", loss, prog_bar=True)
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        self.dictionary.normalise()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.rate)


def fit_dictionary(h: Tensor, settings: FeatureTraining, where: TrainerSettings, context: Context) -> TopKDictionary:
    """Train a dictionary of activations h (n, width) in an order drawn from ``context``'s seed.

    Raises:
        ValueError: for settings that do not fit the activations.
    """
    if not 1 <= settings.active <= settings.features or len(h) < settings.batch_size:
        raise ValueError(
            f"active={settings.active} of features={settings.features} on {len(h)} tokens in batches of "
            f"{settings.batch_size}: expected 1 <= active <= features and at least one batch"
        )
    h = h.float()
    dictionary = TopKDictionary(h.shape[1], settings.features, settings.active)
    dictionary.start(h, context.generator("dictionary"))
    wanted = round(settings.passes * len(h))
    generator = context.generator("dictionary order")
    order = torch.cat([torch.randperm(len(h), generator=generator) for _ in range(-(-wanted // len(h)))])[:wanted]
    dataset: Any = h[order]
    loader: DataLoader[Tensor] = DataLoader(dataset, settings.batch_size, drop_last=True, generator=generator)
    module = DictionaryModule(dictionary, float((h - h.mean(0)).square().sum(1).mean()), settings.rate)
    with quiet_lightning():
        where.build(replace(context, folder=None), max_epochs=1, callbacks=[]).fit(module, loader)
    return dictionary.cpu().eval()


def save_dictionary(dictionary: TopKDictionary, folder: Path, facts: dict[str, Any]) -> None:
    """Write ``features.safetensors`` to ``folder``, with the number of active features and ``facts`` beside the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.contiguous() for name, tensor in dictionary.state_dict().items()}
    kept = {"active": str(dictionary.active), "facts": json.dumps(facts, default=str)}
    save_file(weights, folder / FEATURES_FILE, metadata=kept)


def load_dictionary(folder: Path | str) -> Dictionary:
    """What ``save_dictionary`` wrote, or a dictionary that SAELens saved (``cfg.json``, ``sae_weights.safetensors``).

    Raises:
        FileNotFoundError: for a folder that holds neither.
        ValueError: for a file that cannot be read, or a SAELens dictionary where that package is not installed.
    """
    folder = Path(folder)
    if all((folder / name).is_file() for name in SAELENS_FILES):
        return _load_saelens(folder)
    path = folder / FEATURES_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"no dictionary in {folder}: expected {FEATURES_FILE}, or {' and '.join(SAELENS_FILES)}"
        )
    try:
        with safe_open(path, framework="pt") as stored:
            active = int(stored.metadata()["active"])
            weights = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        dictionary = TopKDictionary(weights["encoder"].shape[1], weights["encoder"].shape[0], active)
        dictionary.load_state_dict(weights)
    except (SafetensorError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"cannot read the dictionary {path}: {error}") from error
    return dictionary.eval()


def _load_saelens(folder: Path) -> Dictionary:
    try:
        from sae_lens import SAE  # type: ignore[import-not-found]
    except ImportError as error:
        raise ValueError(
            f"{folder} holds a SAELens dictionary, which needs the package: pip install sae-lens"
        ) from error
    load = getattr(SAE, "load_from_disk", None) or SAE.load_from_pretrained
    loaded: Dictionary = load(str(folder))
    return loaded


@torch.no_grad()
def encoded(dictionary: Dictionary, h: Tensor, batch_size: int = 4096) -> Any:
    """(n, features) features of activations h (n, width) as a SciPy CSR matrix, batch by batch.

    Raises:
        ValueError: for activations of another width than the dictionary reads.
    """
    from scipy import sparse

    try:
        dictionary.encode(h[:1].float())
    except RuntimeError as error:
        raise ValueError(
            f"the dictionary does not read activations of {h.shape[1]} dimensions: {' '.join(str(error).split())[:200]}"
        ) from error
    return sparse.vstack(
        [sparse.csr_matrix(dictionary.encode(batch.float()).numpy()) for batch in h.split(batch_size)], format="csr"
    )


def corpus_activations(activations: Activity, packages: Sequence[str], max_documents: int | None) -> Activity:
    """``activations``, reading docstrings of installed packages where no texts are given."""
    if (
        isinstance(activations, ArrayLayers)
        or activations.texts
        or activations.files
        or activations.folder
        or not packages
    ):
        return activations
    documents = docstring_corpus(packages).train[:max_documents]
    return replace(activations, texts=tuple(documents))


def one_layer(activations: Activity, context: Context) -> tuple[str, Tensor, Tensor]:
    """Name, activations (n, width) and documents (n,) of the only layer.

    Raises:
        ValueError: for more than one.
    """
    layers = list(activations.layers(context))
    if len(layers) != 1:
        names = ", ".join(name for name, _, _ in layers)
        pick = "activations.files=[path:name]" if isinstance(activations, ArrayLayers) else "activations.depths=[2]"
        raise ValueError(f"features are those of one layer, got {len(layers)} ({names}); pick one: {pick}")
    return layers[0]


def settings_of(training: FeatureTraining, layer: str) -> dict[str, Any]:
    """What is kept beside the weights."""
    return {"layer": layer, **asdict(training)}
