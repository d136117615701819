"""Memory that a step frees serves the next one."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from training.rlhf import memory
{keep}
torch.ones(16_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(16_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="malloc is glibc's on Linux")
def test_a_large_tensor_is_put_where_the_last_one_was() -> None:
    def faults(keep: str) -> int:
        code = FAULTS.format(keep=keep)
        return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)

    # A share, since a first large tensor may be put in pieces whose number is the kernel's choice.
    assert 4 * faults("memory.keep_freed_memory()") < faults("pass")
