"""Random generators that need no saving: each is made from the run's seed and what it is for.

A run that resumes at step 41 makes the generator of step 41, whatever happened before.
"""

import hashlib

import torch


def generator(seed: int, purpose: str, number: int = 0) -> torch.Generator:
    """On the CPU; the same arguments give the same numbers, and no two purposes or numbers share any."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{number}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8]) >> 1)


def shuffled(count: int, *, seed: int, purpose: str, number: int = 0) -> list[int]:
    """The numbers below `count` in an order of their own for each (seed, purpose, number)."""
    order: list[int] = torch.randperm(count, generator=generator(seed, purpose, number)).tolist()
    return order
