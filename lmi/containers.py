"""What people keep their samples in, opened: a matrix of floats, NaN where a value is missing, and the names around it.

Optional libraries (polars, AnnData) are recognised by the name of their module and never imported.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

Convert = Callable[[np.ndarray, str], Tensor]
Kind = Literal["tensor", "array", "frame"]
CLASSES = "classes go into y of lmi.estimate with y_is_label=True"
EXACT = 2**53  # whole numbers up to here are float64 numbers


class Opened(NamedTuple):
    """What a container holds.

    Fields:
        values: (n, d) or (n,) floating point, NaN where missing.
        kind: what to answer in: a tensor, an array, or a labelled frame.
        rows: the n labels of the rows as a pandas Index, or ``None``.
        columns: the d labels of the columns, or ``None``.
    """

    values: Tensor
    kind: Kind
    rows: Any = None
    columns: tuple[Any, ...] | None = None


def open_container(data: Any, name: str, layer: str | None = None, is_sample: bool = False) -> Opened:
    """Open NumPy, torch, pandas, polars, SciPy sparse, AnnData, lists.

    Args:
        data: the container.
        name: of the argument, for messages.
        layer: of an AnnData, in place of its ``X``.
        is_sample: whether an offset means nothing: numbers too large for float64 then lose theirs, column by column.

    Raises:
        ValueError: for a container that is none of these, or that holds something else than real numbers.

    >>> open_container([[1, 2], [3, 4]], "x").values
    tensor([[1., 2.],
            [3., 4.]], dtype=torch.float64)
    """
    convert: Convert = partial(numbers, is_sample=is_sample)
    libraries = {cls.__module__.split(".")[0] for cls in type(data).__mro__}
    if layer is not None and "anndata" not in libraries:
        raise ValueError(f"layer={layer!r} belongs to an AnnData; {name} is a {type(data).__name__}")
    if isinstance(data, Tensor):
        return Opened(_tensor(data, name, convert), "tensor")
    if "pandas" in libraries:
        return _pandas(data, name, convert)
    if "polars" in libraries:
        return _polars(data, name, convert)
    if "anndata" in libraries:
        return _anndata(data, name, layer, convert)
    if isinstance(data, np.ma.MaskedArray):
        values = convert(np.ma.getdata(data), name)
        return Opened(values.masked_fill(torch.from_numpy(np.ma.getmaskarray(data).copy()), torch.nan), "array")
    return Opened(convert(plain_array(data, name), name), "array")


def labels_of(data: Any) -> tuple[Any, tuple[Any, ...] | None]:
    """What the rows (a pandas Index) and the columns of a frame or AnnData are called; ``None`` for what has no names."""
    if hasattr(data, "obs_names"):
        return data.obs_names, tuple(data.var_names)
    columns = getattr(data, "columns", None)
    return (data.index if hasattr(data, "iloc") else None), (None if columns is None else tuple(columns))


def plain_array(data: Any, name: str, expected: str = "a matrix (n, d) of numbers") -> np.ndarray:
    """A NumPy array of whatever is held.

    Args:
        data: the container.
        name: of the argument, for messages.
        expected: what it should have been, for the message.

    Raises:
        ValueError: for what is no container, or is ragged.
    """
    if isinstance(data, (str, bytes, dict, set)) or not hasattr(type(data), "__len__"):
        raise ValueError(f"{name} is a {type(data).__name__}; expected {expected}")
    if callable(getattr(data, "toarray", None)):  # SciPy sparse
        try:
            return np.asarray(data.toarray())
        except MemoryError as error:
            raise ValueError(f"{name} is sparse and too large to be dense, {data.shape}: choose columns") from error
    if callable(getattr(data, "to_numpy", None)):
        return np.asarray(data.to_numpy())
    if isinstance(data, (list, tuple)) and any(isinstance(item, Tensor) for item in data):
        data = [item.detach().cpu().numpy() if isinstance(item, Tensor) else item for item in data]
    try:
        return np.asarray(data)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} is a {type(data).__name__} that is no matrix of numbers: {error}") from error


def numbers(array: np.ndarray, name: str, is_sample: bool = False) -> Tensor:
    """Real numbers as a floating-point tensor that has as many distinct values as they have.

    Half precision becomes float32; whole numbers, bools and long doubles become float64. Where those of samples exceed
    2^53 their smallest is taken off each column first, exactly: no mutual information changes.

    Raises:
        ValueError: for another dtype, or numbers that float64 cannot tell apart.

    >>> numbers(np.array([2**60, 2**60 + 1]), "x", is_sample=True)
    tensor([0., 1.], dtype=torch.float64)
    """
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} has dtype {array.dtype}; expected real numbers{_hint(array)}")
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:
        kept = np.asarray(array, dtype=np.float32 if array.dtype.itemsize <= 4 else np.float64, order="C")
        return torch.from_numpy(kept if kept.flags.writeable else kept.copy())
    if array.size == 0 or array.dtype.kind == "b":
        return torch.from_numpy(array.astype(np.float64))
    array = array.astype(array.dtype.newbyteorder("="))
    low, high = array.min(), array.max()
    if low >= -EXACT and high <= EXACT:
        return torch.from_numpy(array.astype(np.float64))
    if is_sample and array.dtype.kind == "f":
        array = array - np.where(np.isfinite(array), array, np.inf).min(0)
    elif is_sample:
        wide = array.astype(np.int64 if array.dtype.kind == "i" else np.uint64)
        array = wide.view(np.uint64) - wide.min(0).view(np.uint64)  # modulo 2^64, and so exact
    with np.errstate(over="ignore", invalid="ignore"):
        return _told_apart(array, array.astype(np.float64), name)


def _told_apart(exact: np.ndarray, floats: np.ndarray, name: str) -> Tensor:
    columns, rounded = (values.reshape(len(values), -1) for values in (exact, floats))
    for j in range(columns.shape[1]):
        before, after = np.unique(columns[:, j]).size, np.unique(rounded[:, j]).size
        if before != after:
            raise ValueError(
                f"{name} column {j}: {before} distinct values of {exact.dtype} are {after} in float64; "
                "expected values that float64 can tell apart: take an offset off or divide"
            )
    return torch.from_numpy(floats)


def _hint(array: np.ndarray) -> str:
    if array.size and isinstance(array.flat[0], str):
        return f" and got text such as {str(array.flat[0])!r}: {CLASSES}"
    if array.dtype.kind in "Mm":
        return ": turn dates into numbers first, such as seconds"
    return ""


def refuse_odd_tensor(data: Tensor, name: str) -> None:
    """Raise ``ValueError`` for tensors without plain values."""
    kinds = {"meta": data.device.type == "meta", "quantized": data.is_quantized, "nested": data.is_nested}
    for kind, is_so in kinds.items():
        if is_so:
            raise ValueError(f"{name} is a {kind} tensor; expected values")


def device_of(data: Any) -> torch.device:
    """Where the values of a container are: the CPU for all but tensors, and for tensors that have no values."""
    return data.device if isinstance(data, Tensor) and not data.is_meta else torch.device("cpu")


def _tensor(data: Tensor, name: str, convert: Convert) -> Tensor:
    refuse_odd_tensor(data, name)
    if data.is_complex():
        raise ValueError(f"{name} has dtype {data.dtype}; expected real numbers")
    data = data.detach()
    if data.layout != torch.strided:
        data = data.to_dense()
    if data.is_floating_point():
        return data.float() if data.dtype.itemsize < 4 else data
    return convert(data.cpu().numpy(), name).to(data.device)


def _pandas(data: Any, name: str, convert: Convert) -> Opened:
    if data.ndim == 1 and not hasattr(data, "iloc"):  # an Index or an extension array
        return Opened(convert(np.asarray(data), name), "array")
    if data.ndim == 1:
        columns = None if data.name is None else (data.name,)
        label = name if columns is None else f"{name} column {data.name!r}"
        return Opened(_pandas_column(data, label, convert), "frame", data.index, columns)
    kinds = list(dict.fromkeys(data.dtypes))
    if len(kinds) == 1 and isinstance(kinds[0], np.dtype) and kinds[0].kind in "fiub":
        values = convert(data.to_numpy(), name)
    else:
        values = _stacked(
            [_pandas_column(data.iloc[:, j], f"{name} column {label!r}", convert) for j, label in enumerate(data)]
        )
    return Opened(values.reshape(data.shape), "frame", data.index, tuple(data.columns))


def _pandas_column(column: Any, label: str, convert: Convert) -> Tensor:
    if isinstance(column.dtype, np.dtype):
        return convert(column.to_numpy(), label)
    if column.dtype.kind not in "fiub":
        example = column.dropna().iloc[:1].tolist()
        raise ValueError(
            f"{label} is {column.dtype} (such as {', '.join(map(repr, example))}); expected real numbers: {CLASSES}"
        )
    absent = column.isna().to_numpy()
    bits = column.dtype.kind == "b"
    filled = column.fillna(False if bits else 0).to_numpy(dtype=bool if bits else np.dtype(f"{column.dtype.kind}8"))
    return convert(filled, label).masked_fill(torch.from_numpy(absent.copy()), torch.nan)


def _polars(data: Any, name: str, convert: Convert) -> Opened:
    if not callable(getattr(data, "to_numpy", None)):
        kind = type(data).__name__
        raise ValueError(f"{name} is a polars {kind}; expected a DataFrame or Series: collect() it first")
    if not hasattr(data, "columns"):
        return Opened(_polars_column(data, f"{name} column {data.name!r}", convert), "frame", None, (data.name,))
    columns = [_polars_column(data[label], f"{name} column {label!r}", convert) for label in data.columns]
    return Opened(_stacked(columns).reshape(data.shape), "frame", None, tuple(data.columns))


def _polars_column(column: Any, label: str, convert: Convert) -> Tensor:
    absent = column.is_null().to_numpy()
    if absent.all():
        return torch.full((len(column),), torch.nan, dtype=torch.float64)
    if column.dtype.is_nested():
        raise ValueError(f"{label} is {column.dtype}; expected real numbers")
    filled = convert(column.fill_null(strategy="max").to_numpy(), label)
    return filled.masked_fill(torch.from_numpy(np.array(absent)), torch.nan)


def _anndata(data: Any, name: str, layer: str | None, convert: Convert) -> Opened:
    if layer is not None and layer not in data.layers:
        raise ValueError(f"{name} has no layer {layer!r}; it has {', '.join(data.layers) or 'none'}")
    held = data.X if layer is None else data.layers[layer]
    if held is None:
        raise ValueError(f"{name} has no X; name one of its layers: {', '.join(data.layers) or 'it has none'}")
    return Opened(convert(plain_array(held, name), name), "frame", data.obs_names, tuple(data.var_names))


def _stacked(columns: list[Tensor]) -> Tensor:
    if not columns:
        return torch.empty(0, dtype=torch.float64)
    narrow = all(column.dtype == torch.float32 for column in columns)
    return torch.stack([column if narrow else column.double() for column in columns], 1)
