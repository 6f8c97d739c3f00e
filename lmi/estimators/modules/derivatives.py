"""Batched Jacobians of any torch function, a chunk of samples at a time and within a memory bound."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import jacfwd, jacrev, vmap
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lmi.arguments import whole
from lmi.containers import refuse_odd_tensor

BatchFunction = Callable[[Tensor], Tensor]

# What lives at once while one row of a Jacobian is pulled back, in units of the widest activation: measured 3 to 4.
LIVE_ACTIVATIONS = 4
# On a CPU larger chunks only fall out of its caches: 32 MB measured 1.5 to 2 times faster than 1 GB.
CPU_CHUNK_BYTES = 2**25


def jacobians(
    fn: BatchFunction, x: Tensor, *, dtype: torch.dtype | None = None, max_bytes: int = 2**30
) -> Iterator[tuple[int, Tensor]]:
    """Chunks (first sample, J) of the Jacobians J (chunk, out, in) of ``fn`` at each row of ``x``.

    Reverse mode where there are no more outputs than inputs, forward mode otherwise.

    Args:
        fn: maps (n, *in_shape) to (n, *out_shape), each sample on its own; a module has to be in ``eval()`` mode if it
            has dropout or batch norm. Shapes are flattened to ``in`` and ``out``.
        x: (n, *in_shape) floating point samples.
        dtype: to differentiate in; a module is copied in this type, any other ``fn`` has to follow its input's type.
        max_bytes: about what the intermediate tensors of one chunk may take. The weights come on top.

    Raises:
        ValueError: for a ``fn`` that is not differentiable, fails, or mixes samples in training mode; for samples that
            are not finite, and for a Jacobian that is not, with the sample's index.

    >>> (start, jacobian), = jacobians(lambda x: x**2, torch.tensor([[1.0, 3.0]]))
    >>> jacobian
    tensor([[[2., 0.],
             [0., 6.]]])
    """
    refuse_odd_tensor(x, "x")
    if x.ndim < 2 or x.numel() == 0:
        raise ValueError(f"x of shape {tuple(x.shape)}: expected at least one sample, (n, ...)")
    if not x.is_floating_point() or x.itemsize < 2:
        raise ValueError(f"x of type {x.dtype}: expected floating point, to differentiate at")
    if not bool(torch.isfinite(x).all()):
        place = (~torch.isfinite(x)).nonzero()[0].tolist()
        raise ValueError(f"x{place} is {float(x[tuple(place)])}; expected finite numbers, to differentiate at")
    whole(max_bytes, "max_bytes", 1)
    if isinstance(fn, nn.Module):
        _refuse_training(fn)
        if dtype is not None:
            fn = copy.deepcopy(fn).to(dtype)
    x = x.detach().to(dtype or x.dtype)
    outputs, activations = _probe(fn, x[:1])
    inputs = x[0].numel()
    rows = min(outputs, inputs)
    row_bytes = activations.widest * LIVE_ACTIVATIONS * x.element_size()
    sample_bytes = rows * row_bytes + activations.total * x.element_size() + 3 * outputs * inputs * 8
    wanted_bytes = min(max_bytes, CPU_CHUNK_BYTES) if x.device.type == "cpu" else max_bytes
    chunk = max(1, min(len(x), wanted_bytes // sample_bytes))

    def single(sample: Tensor) -> Tensor:
        return fn(sample[None])[0]

    if sample_bytes > max_bytes:
        differentiate = jacrev(single, chunk_size=max(1, max_bytes // row_bytes))
    elif outputs <= inputs:
        differentiate = jacrev(single)
    else:
        differentiate = jacfwd(single)
    vanishes = True
    for start in range(0, len(x), chunk):
        with torch.no_grad():
            try:
                block = vmap(differentiate)(x[start : start + chunk])
            except RuntimeError as error:
                if "vmap" not in str(error):
                    raise
                reason = str(error).split(". ")[0]
                raise ValueError(
                    "fn cannot be differentiated for many samples at once; expected operations on tensors, without "
                    f"numbers taken out of them (.item(), float, if): {' '.join(reason.split())[:200]}"
                ) from error
        block = block.reshape(-1, outputs, inputs)
        _refuse_not_finite(block, start)
        vanishes = vanishes and not bool(block.any())
        yield start, block
    if vanishes:
        raise ValueError(
            "the Jacobian of fn is zero at every sample: fn is constant, or constant in pieces (argmax, rounding); "
            "expected a differentiable function"
        )


class _Activations(TorchDispatchMode):
    """Counts the elements of the tensors that a forward pass makes: all of them, and the widest; views are free."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        self.widest = 1

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        known = {t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and tensor.untyped_storage().data_ptr() not in known:
                self.total += tensor.numel()
                self.widest = max(self.widest, tensor.numel())
        return result


def _probe(fn: BatchFunction, x: Tensor) -> tuple[int, _Activations]:
    """How many outputs ``fn`` has for one sample and how wide it gets; refuses what cannot be differentiated."""
    sample = x.clone().requires_grad_()
    with torch.enable_grad(), _Activations() as activations:
        try:
            y = fn(sample)
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
            if "requires grad" in str(error):
                raise ValueError(f"fn is not differentiable: {error}") from error
            words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise ValueError(f"fn failed on an input of shape {tuple(x.shape)}: {words}") from error
    if not isinstance(y, Tensor) or y.ndim < 2 or y.shape[0] != 1:
        shape = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(f"fn gave {shape} for an input of shape {tuple(x.shape)}: expected a tensor (1, ...)")
    if not y.is_floating_point() or not y.requires_grad:
        raise ValueError(
            f"fn is not differentiable: its output of type {y.dtype} has no gradient with respect to its input "
            "(detached, or counted, sorted or rounded to integers on the way)"
        )
    return y[0].numel(), activations


def _refuse_training(module: nn.Module) -> None:
    # Dropout would be random, batch norm would mix the samples and, worse, move its running statistics.
    kinds = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)
    for name, part in module.named_modules():
        if part.training and isinstance(part, kinds):
            place = f"{name!r} ({type(part).__name__})" if name else type(part).__name__
            raise ValueError(f"{place} is in training mode; call .eval() on the module first")


def _refuse_not_finite(block: Tensor, start: int) -> None:
    finite = torch.isfinite(block).flatten(1).all(dim=1)
    if not bool(finite.all()):
        sample = int((~finite).nonzero()[0])
        row, column = (~torch.isfinite(block[sample])).nonzero()[0].tolist()
        raise ValueError(
            f"the Jacobian of sample {start + sample} is not finite: "
            f"{float(block[sample, row, column])} at output {row}, input {column}"
        )
