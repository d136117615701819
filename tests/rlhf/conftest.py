"""What a stage changes in its process is put back after each test."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from .tiny_runs import save_tiny_model


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    threads, determined = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    random = torch.get_rng_state()
    heard = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(determined)
    torch.set_rng_state(random)
    for number, handler in heard.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny Llama with its tokenizer."""
    return save_tiny_model(tmp_path_factory.mktemp("base"))
