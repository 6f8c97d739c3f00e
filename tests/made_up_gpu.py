"""A made-up GPU, "cudalike": tensors that say they are on it, compute on the CPU, and refuse what a GPU refuses.

An operation of tensors on two devices raises, as does NumPy on a tensor that is not copied back; so a test sees every place
where a path would stumble over a real device, and gets its numbers.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "cudalike"  # begins as CUDA's devices do, so that it takes the same paths
_setup_privateuseone_for_python_backend(NAME)
DEVICE = torch.device(NAME, 0)
# Other tests of this process meet the device too: torch.random.fork_rng asks for its state of random numbers.
getattr(torch, NAME).get_rng_state = lambda device=0: torch.empty(0, dtype=torch.uint8)
getattr(torch, NAME).set_rng_state = lambda state, device=0: None


class OnGpu(torch.Tensor):
    """A tensor on the made-up device; ``held`` has its values."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held):
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )
        made.held = held
        return made

    def __repr__(self):
        return f"OnGpu({self.held!r})"

    def tolist(self):
        return self.held.tolist()

    def numpy(self, **options):
        raise TypeError(f"can't convert {DEVICE} device type tensor to numpy; use Tensor.cpu()")

    __array__ = numpy

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return computed(operation, args, kwargs or {})


def computed(operation, args, kwargs):
    """The result of an operation, on the made-up device where one of its tensors or its ``device`` is there."""
    leaves, shape = tree_flatten((args, kwargs))
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    there = [tensor for tensor in tensors if isinstance(tensor, OnGpu)]
    asked = kwargs.get("device")
    asked = None if asked is None else torch.device(asked)
    copies = operation in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
    if there and not copies:
        strays = [tensor for tensor in tensors if not isinstance(tensor, OnGpu) and tensor.ndim]
        if strays and operation is not torch.ops.aten.index.Tensor:  # an index may come from the CPU
            raise RuntimeError(f"{operation}: expected all tensors on one device, found {DEVICE} and cpu")
    moved = [torch.device("cpu") if isinstance(leaf, torch.device) and leaf.type == NAME else leaf for leaf in leaves]
    plain = [leaf.held if isinstance(leaf, OnGpu) else leaf for leaf in moved]
    args, kwargs = tree_unflatten(plain, shape)
    result = operation(*args, **kwargs)
    if operation is torch.ops.aten.copy_.default:
        return leaves[0]
    on_gpu = asked.type == NAME if asked is not None else bool(there)
    known = {id(tensor.held): tensor for tensor in there}
    if on_gpu and copies and any(result is leaf for leaf in plain):
        result = result.clone()

    def wrapped(value):
        if not isinstance(value, torch.Tensor):
            return value
        return known[id(value)] if id(value) in known else OnGpu(value) if on_gpu else value

    return tree_map(wrapped, result)


class MadeUpGpu(TorchDispatchMode):
    """A block in which the device is there; ``worked`` has the names of what was done on it."""

    def __init__(self):
        super().__init__()
        self.worked = set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if any(isinstance(leaf, OnGpu) for leaf in tree_flatten((args, kwargs))[0]):
            self.worked.add(str(operation.overloadpacket))
        return computed(operation, args, kwargs or {})
