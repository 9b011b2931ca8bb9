"""Where tensors are worked on."""

import torch

from isocenter.errors import UsageError

__all__ = ["usable_device"]


def usable_device(name: str) -> str:
    """A device by name; ``"auto"`` is CUDA where there is a GPU, else the CPU.

    Raises:
        UsageError: No such device, or none that works here.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"device {name!r} cannot be used ({reason}); try --device cpu") from None
    return name
