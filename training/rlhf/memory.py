"""Freed memory is kept for the next tensor of a step instead of being handed back to the system and fetched anew.

On a CPU every activation of a step is a fresh piece of memory, and glibc gives pieces of 32 MiB and more back at once:
a tenth of a step went into page faults. Nothing but the place of a tensor changes, no number does.
"""

import ctypes
import os
import sys

HUGE_PAGES = "THP_MEM_ALLOC_ENABLE"
"""PyTorch then asks for huge pages for large tensors. It looks once, at its first tensor."""
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of malloc.h
NEVER_TRIM = 2**31 - 1


def keep_freed_memory() -> None:
    """For this process, before its first large tensor. Does nothing where the C library is another one."""
    if not sys.platform.startswith("linux"):
        return
    os.environ.setdefault(HUGE_PAGES, "1")
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(M_MMAP_MAX, 0)
        library.mallopt(M_TRIM_THRESHOLD, NEVER_TRIM)
