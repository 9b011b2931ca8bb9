"""``Checkpoint``: a network in one safetensors file that explains itself.

The header's JSON holds what is needed to build the network and to use it honestly: net,
config, preprocess, outputs, calibration, card.  No pickle, no code, no download.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from isocenter.data.atomic import write_bytes
from isocenter.data.plain import with_tuples
from isocenter.errors import BadCheckpoint, UsageError

__all__ = ["FORMAT", "Checkpoint"]

FORMAT = "isocenter-checkpoint-1"
HEADER_KEY = "isocenter"
LARGEST_HEADER = 1 << 20
"""Bytes; a longer header is no checkpoint of ours."""
PARTS = ("net", "config", "preprocess", "outputs", "calibration", "card")

Config = TypeVar("Config")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Weights with everything needed to build, feed and read the network."""

    net: str
    """Registry name of the network."""
    config: Mapping[str, Any]
    """Fields of the network's ``Config``."""
    preprocess: Mapping[str, Any]
    """How a scan becomes the input; see :mod:`isocenter.data.preprocess`."""
    outputs: Mapping[str, Any]
    """Name of every group of outputs: its entries, their direction and range."""
    calibration: Mapping[str, Any]
    """Numbers fitted on validation people after training."""
    card: Mapping[str, Any]
    """Training data and licences, split, seed, commit, scores, own licence."""
    tensors: Mapping[str, Tensor]
    """Weights by parameter name; fitted arrays under ``fitted.``."""
    sha256: str | None = field(default=None)
    """Hash of the file; set by :meth:`load`."""
    path: Path | None = field(default=None)
    """The file; set by :meth:`load`."""

    def save(self, path: Path | str, *, dtype: torch.dtype | None = None) -> Path:
        """Write atomically.

        Args:
            path: Ends in ``.safetensors``.
            dtype: Storage type of floating-point matrices; as they are when ``None``.  Vectors
                (averages, offsets) and what was fitted keep theirs: they are small, and a
                spread from the mean of squares needs the digits.
        """
        stored = {
            name: _stored(tensor, dtype if _is_weight(name, tensor) else None)
            for name, tensor in sorted(self.tensors.items())
        }
        header = {part: getattr(self, part) for part in PARTS}
        header |= {"format": FORMAT, "weights_sha256": _hash(stored)}
        text = json.dumps(header, sort_keys=True, allow_nan=False)
        return write_bytes(path, safetensors.torch.save(stored, {HEADER_KEY: text}))

    @classmethod
    def load(cls, path: Path | str) -> "Checkpoint":
        """Read and check; floating-point weights come back as float32.

        Raises:
            BadCheckpoint: Missing, not safetensors, of another format, damaged, or not finite.
        """
        content = _read(Path(path))
        header = _header(Path(path), content)
        try:
            tensors = safetensors.torch.load(content)
        except safetensors.SafetensorError as error:
            raise BadCheckpoint(
                f"{path}: weights are cut short or damaged; fetch it again"
            ) from error
        if _hash(tensors) != header.get("weights_sha256"):
            raise BadCheckpoint(f"{path}: weights do not match their checksum; fetch it again")
        broken = [name for name, value in tensors.items() if not value.isfinite().all()]
        if broken:
            raise BadCheckpoint(f"{path}: weights of {broken[0]} are not finite; train it again")
        floats = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
        digest = hashlib.sha256(content).hexdigest()
        parts = {part: header[part] for part in PARTS}
        return cls(**parts, tensors=floats, sha256=digest, path=Path(path))

    def configured(self, make: Callable[..., Config]) -> Config:
        """The network's ``Config``, made by ``make``.

        Raises:
            BadCheckpoint: It has other fields, or values that the network refuses.
        """
        try:
            return make(**with_tuples(self.config))
        except (TypeError, UsageError) as error:
            raise BadCheckpoint(
                f"{self.path or 'these weights'}: the configuration makes no network {self.net!r} "
                f"({error}); load it with the version that wrote it"
            ) from error

    def weights(self) -> dict[str, Tensor]:
        """The network's own tensors, without the fitted ones."""
        return {k: v for k, v in self.tensors.items() if not k.startswith("fitted.")}

    def fitted(self, name: str) -> Tensor:
        """An array fitted after training.

        Raises:
            BadCheckpoint: It was not fitted.
        """
        if f"fitted.{name}" not in self.tensors:
            raise BadCheckpoint(f"these weights hold no {name!r}: calibrate them after training")
        return self.tensors[f"fitted.{name}"]

    def load_into(self, net: torch.nn.Module) -> None:
        """Give ``net`` the weights; every name and shape must match.

        Raises:
            BadCheckpoint: Names or shapes differ.
        """
        try:
            net.load_state_dict(self.weights(), strict=True)
        except RuntimeError as error:
            first = str(error).splitlines()[-1].strip()
            raise BadCheckpoint(f"weights do not fit the network {self.net!r}: {first}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise BadCheckpoint(f"no weights at {path}; reinstall isocenter or name a file") from None
    except OSError as error:
        raise BadCheckpoint(f"cannot read weights {path}: {error.strerror}") from error


def _header(path: Path, content: bytes) -> dict[str, Any]:
    """The JSON header, checked before any tensor is made."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(LARGEST_HEADER, len(content) - 8):
        raise BadCheckpoint(f"{path} is not a safetensors file; pickled weights are never loaded")
    try:
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
        header: dict[str, Any] = json.loads(metadata[HEADER_KEY])
    except (ValueError, KeyError, AttributeError, TypeError):
        raise BadCheckpoint(f"{path} has no Isocenter header; it holds other weights") from None
    missing = [part for part in PARTS if part not in header]
    if header.get("format") != FORMAT or missing:
        raise BadCheckpoint(
            f"{path} has format {header.get('format')!r}, this version reads {FORMAT!r}"
        )
    return header


def _is_weight(name: str, tensor: Tensor) -> bool:
    return tensor.ndim > 1 and not name.startswith("fitted.")


def _stored(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    plain = tensor.detach().cpu().contiguous()
    return plain.to(dtype) if dtype is not None and plain.is_floating_point() else plain


def _hash(tensors: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]]) -> str:
    """Hash of names, types, shapes and bytes in the order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(dict(tensors).items()):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
