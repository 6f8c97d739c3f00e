"""A language model and its tokenizer: embedded, from a local folder, or from the Hugging Face hub."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lmi.activations.loading import quiet_hub, quiet_transformers, waiting_for_hub

TINY_FOLDER = Path(__file__).parent / "tiny"
FINGERPRINTED = (".json", ".safetensors", ".txt", ".model")
DTYPES = {"float64": torch.float64, "float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


class ModelError(ValueError):
    """A model that cannot be had, or cannot be used as it is."""


@dataclass(frozen=True)
class LanguageModel:
    """Which language model, and how its weights are held. Only safetensors are read, and no model's own code.

    Args:
        name: "tiny" (the GPT-2 that comes with ``lmi``), a local folder, or the id of a model on the Hugging Face hub.
        revision: branch, tag or commit on the hub; ``None`` is its main branch.
        head: "none" for the bare network (``AutoModel``), "causal" for ``AutoModelForCausalLM``; the names of
            modules differ.
        dtype: of weights and activations.

    >>> LanguageModel("tiny").folder.name
    'tiny'
    """

    name: str = "tiny"
    revision: str | None = None
    head: Literal["none", "causal"] = "none"
    dtype: Literal["float64", "float32", "float16", "bfloat16"] = "float32"

    @property
    def folder(self) -> Path | None:
        """The local folder that ``name`` means; ``None`` for a model on the hub.

        Names that start with ``.``, ``/`` or ``~``, or have more than one slash, can only be folders.

        Raises:
            FileNotFoundError: if it can only be a folder and there is none.
            ModelError: for a folder with a revision, which only the hub has.
        """
        if not isinstance(self.name, str):
            raise ModelError(f"model.name is {self.name!r}; expected 'tiny', a folder, or the id of a model on the hub")
        path = TINY_FOLDER if self.name == "tiny" else Path(self.name).expanduser()
        if path.is_dir():
            if self.revision is not None:
                raise ModelError(
                    f"model.revision is {self.revision!r}, but {self.name!r} is not on the hub: it is {path}"
                )
            return path
        if path.is_file():
            raise FileNotFoundError(
                f"model.name: {self.name!r} is a file; expected the folder of a model, a hub id, or 'tiny'"
            )
        if self.name.startswith((".", "/", "~")) or self.name.count("/") > 1:
            raise FileNotFoundError(
                f"model.name: no folder at {self.name!r}; expected a local model, a hub id, or 'tiny'"
            )
        return None

    def input_files(self) -> list[Path]:
        """The files of a local folder that make the model: a run that goes on wants them as they were."""
        folder = self.folder
        if folder is None or folder == TINY_FOLDER:
            return []
        return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix in FINGERPRINTED)

    def fingerprint(self) -> str:
        """What identifies the weights: a digest of the local folder's files, or the commit on the hub.

        Raises:
            ModelError: if the hub has no such model or cannot be reached.
        """
        folder = self.folder
        if folder is None:
            return f"commit {self.commit()}"
        digest = hashlib.blake2b(digest_size=16)
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.suffix in FINGERPRINTED:
                with path.open("rb") as file:
                    digest.update(path.name.encode() + b"\0" + hashlib.file_digest(file, "blake2b").digest())
        return f"digest {digest.hexdigest()}"

    def pinned(self) -> LanguageModel:
        """The same model, its revision fixed to the commit that it means now."""
        return self if self.folder is not None else replace(self, revision=self.commit())

    def commit(self) -> str:
        """The commit that ``revision`` means on the hub now, or meant when the hub was last reached.

        Raises:
            ModelError: if the hub has no such model or cannot be reached.
        """
        from huggingface_hub import errors, hf_hub_download

        try:
            with quiet_hub(), waiting_for_hub(self.name):
                return Path(hf_hub_download(self.name, "config.json", revision=self.revision)).parent.name
        except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
            raise ModelError(f"no folder {self.name!r} here, and no such model on the hub: {error}") from error
        except (errors.RevisionNotFoundError, errors.RemoteEntryNotFoundError) as error:
            raise ModelError(f"model {self.name!r} on the hub, revision {self.revision!r}: {error}") from error
        except OSError as error:
            raise _unreachable(self.name, error) from error

    def load_tokenizer(self) -> Any:
        """The model's own tokenizer.

        Raises:
            ModelError: if the model has none, or not one that tells where in the text its tokens are.
        """
        from transformers import AutoTokenizer

        place, revision = self._place()
        try:
            with quiet_transformers():
                tokenizer = AutoTokenizer.from_pretrained(place, revision=revision, trust_remote_code=False)
        except _damaged() as error:
            raise ModelError(f"model {self.name!r} has no tokenizer that can be loaded: {_line(error)}") from error
        if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):  # what transformers makes of missing files
            raise ModelError(f"model {self.name!r} has no tokenizer: no vocabulary comes with its weights")
        if not tokenizer.is_fast:
            raise ModelError(
                f"model {self.name!r}: {type(tokenizer).__name__} does not tell where in the text its tokens are"
            )
        return tokenizer

    def load_network(self, device: str | torch.device = "cpu") -> nn.Module:
        """The network with its trained weights, in evaluation mode.

        Raises:
            ModelError: if there are no safetensors, weights are missing, or it needs more than a text to run.
        """
        from transformers import AutoModel, AutoModelForCausalLM

        place, revision = self._place()
        family = AutoModelForCausalLM if self.head == "causal" else AutoModel
        try:
            with quiet_transformers():
                network, loading = family.from_pretrained(
                    place,
                    revision=revision,
                    dtype=DTYPES[self.dtype],
                    use_safetensors=True,
                    trust_remote_code=False,
                    ignore_mismatched_sizes=True,  # they are refused below, by name
                    output_loading_info=True,
                )
        except OSError as error:
            if self.folder is None:
                raise _unreachable(self.name, error) from error
            raise ModelError(f"model {self.name!r}: no safetensors that can be read: {_line(error)}") from error
        except _damaged() as error:
            raise ModelError(f"model {self.name!r} cannot be loaded as head={self.head}: {_line(error)}") from error
        # A pooler reads the last hidden state and nothing reads it: only there random weights do no harm.
        missing = [key for key in loading["missing_keys"] if not key.startswith("pooler.")]
        missing = sorted(
            [*missing, *(str(key[0] if isinstance(key, tuple) else key) for key in loading["mismatched_keys"])]
        )
        if missing:
            raise ModelError(
                f"model {self.name!r} has no trained weights for {', '.join(missing)}; they would be random "
                f"(head={self.head})"
            )
        if network.config.is_encoder_decoder:
            raise ModelError(f"model {self.name!r} is an encoder-decoder; expected one network that reads a text")
        return network.to(device).eval()

    def _place(self) -> tuple[str, str | None]:
        """What transformers is to load: a folder, or a repository at a commit."""
        folder = self.folder
        return (self.name, self.commit()) if folder is None else (str(folder), None)


def _unreachable(name: str, error: Exception) -> ModelError:
    return ModelError(
        f"could not get {name!r} from the Hugging Face hub: {_line(error).rstrip('.')}. It is neither a local folder nor in "
        "the hub's cache here. Without a network, model=tiny runs: the small GPT-2 that comes with lmi"
    )


def _damaged() -> tuple[type[Exception], ...]:
    """What transformers raises for weights that are cut off, and for a config that is no config."""
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    expected = (OSError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RuntimeError)
    return (*expected, SafetensorError, StrictDataclassError)


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__} {error}".split())[:400]


def require_vocabulary(network: Any, ids: Iterable[Tensor], name: str) -> None:
    """Refuse tokens (t,) that the network has no embedding for: its tokenizer is another model's.

    Raises:
        ModelError: which names both numbers.
    """
    rows = network.get_input_embeddings().num_embeddings
    largest = max((int(tokens.max()) for tokens in ids if len(tokens)), default=0)
    if largest >= rows:
        raise ModelError(
            f"model {name!r}: its tokenizer gives token {largest} and the network has {rows} embeddings; "
            "expected the tokenizer that the model was trained with"
        )
