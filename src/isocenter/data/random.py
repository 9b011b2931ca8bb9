"""Chance: explicit generators, and streams derived from names.

A stream depends on its parent's seed and on the names given, never on how much was
drawn before, so order, batch size and number of workers cannot change a result.
"""

import hashlib

import torch

__all__ = ["child", "generator"]


def generator(seed: int) -> torch.Generator:
    """A fresh CPU generator.

    Args:
        seed: Any integer from 0 to 2**63 - 1.
    """
    return torch.Generator().manual_seed(seed)


def child(rng: torch.Generator, *keys: object) -> torch.Generator:
    """The stream of ``keys`` below ``rng``; ``rng`` itself does not advance.

    Args:
        rng: Parent; only its initial seed matters.
        keys: Names of the stream, as in ``child(rng, "sub-01", "motion", 3)``.
    """
    name = "\x1f".join([str(rng.initial_seed()), *map(str, keys)])
    digest = hashlib.sha256(name.encode()).digest()
    return generator(int.from_bytes(digest[:8], "big") >> 1)
