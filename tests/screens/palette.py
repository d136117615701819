"""PNG files of at most 256 colours: a page of text needs no more, and takes a third of the room."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

MOST = 256


def as_palette_png(rgba: bytes, width: int, height: int) -> bytes:
    """rgba: four bytes a pixel, row by row, as a canvas gives them. What is rare becomes the nearest colour kept."""
    pixels = np.frombuffer(rgba, np.uint8).reshape(-1, 4)[:, :3].astype(np.uint32)
    colours, places, counts = np.unique(
        pixels[:, 0] << 16 | pixels[:, 1] << 8 | pixels[:, 2], return_inverse=True, return_counts=True
    )
    found = np.stack([colours >> 16 & 255, colours >> 8 & 255, colours & 255], axis=1).astype(np.int32)
    kept = kept_of(found, np.argsort(-counts, kind="stable"))
    nearest = np.array([np.argmin(((found[kept] - one) ** 2).sum(axis=1)) for one in found], np.uint8)
    return written(nearest[places].reshape(height, width), found[kept].astype(np.uint8))


def kept_of(found: NDArray[np.int32], by_count: NDArray[np.int64]) -> NDArray[np.int64]:
    """The commonest colours, but none that is close to a commoner one: a small dot of green is worth more than the
    tenth shade of grey between ink and paper."""
    for apart in (0, 8, 12, 18, 26, 36, 48):
        kept: list[int] = []
        for one in by_count:
            if not kept or ((found[kept] - found[one]) ** 2).sum(axis=1).min() >= apart**2:
                kept.append(int(one))
            if len(kept) > MOST:
                break
        if len(kept) <= MOST:
            return np.array(kept)
    raise ValueError(f"{len(found):,} colours cannot be told apart in {MOST}; is this a photograph?")


def written(indices: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """A row's filter is 0, "as it is": the best one for a palette."""
    height, width = indices.shape
    rows = np.hstack([np.zeros((height, 1), np.uint8), indices]).tobytes()
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", head), (b"PLTE", palette.tobytes()), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in parts)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
